//! Whether the files of a checkpoint folder fit its configuration.
//!
//! Only headers are read. What the weights should be called and how they should be
//! shaped is asked of the model itself: [`Model`] is put together from stand-ins of
//! one number each, so that this and opening cannot disagree.

use std::sync::Arc;

use super::Files;
use crate::preprocess::PixelConfig;
use crate::preprocess::config::{FILE, PROCESSOR_FILE};
use crate::weights::Loader;
use crate::{Config, Model, Result};

/// A weight as config.json asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// In-memory name.
    pub name: String,
    /// Rows first.
    pub shape: Vec<usize>,
    /// Dtype in the file; absent when it is not there.
    pub stored: Option<String>,
}

impl Parameter {
    /// Its numbers.
    pub fn count(&self) -> usize {
        self.shape.iter().fold(1, |n, side| n.saturating_mul(*side))
    }
}

/// How the files of a checkpoint fit its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The weights that the configuration asks for.
    pub parameters: Vec<Parameter>,
    /// How the files differ from them, one line each: nothing where the checkpoint can be opened.
    pub problems: Vec<String>,
    /// What stops nothing and should be known, one line each: tensors that are not used, parts of an adapter that are left out.
    pub notes: Vec<String>,
}

/// The weights that `config` asks for, and how the files differ from them.
///
/// # Errors
/// The tensor library refuses.
pub fn compare(config: &Config, files: &Arc<Files>) -> Result<Fit> {
    let mut loader = Loader::headers(files.clone());
    let model = Model::assemble(config.clone(), &mut loader)?;
    drop(model);
    let (weights, problems, extra) = loader.told();
    let parameters = weights.into_iter().map(|weight| {
        let shape = weight.tensor.dims().to_vec();
        Parameter { stored: files.dtype(&weight.name).map(str::to_owned), name: weight.name, shape }
    });
    let mut notes = files.notes.clone();
    notes.extend(extra);
    if config.tie_word_embeddings && files.is_head_apart() {
        notes.push("lm_head.weight is stored, differs from the input matrix and is not used: config.json ties the two".into());
    }
    Ok(Fit { parameters: parameters.collect(), problems, notes })
}

/// Sizes that the image preprocessing and the vision tower must share, where they differ: one line each.
pub fn misfits(config: &Config, pixels: &PixelConfig) -> Vec<String> {
    let sizes = [
        ("patch_size", pixels.patch_size, "patch_size", config.vision.patch_size),
        ("merge_size", pixels.merge_size, "spatial_merge_size", config.vision.spatial_merge_size),
        ("temporal_patch_size", pixels.temporal_patch_size, "temporal_patch_size", config.vision.temporal_patch_size),
    ];
    sizes
        .into_iter()
        .filter(|(_, here, _, there)| here != there)
        .map(|(key, here, other, there)| {
            let file = if pixels.saved.nested { PROCESSOR_FILE } else { FILE };
            format!("{file}: `{key}` is {here}, config.json's vision_config.{other} is {there}")
        })
        .collect()
}
