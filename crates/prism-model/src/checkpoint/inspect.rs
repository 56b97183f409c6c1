//! A checkpoint folder looked at without running it: what it holds, and everything
//! that is wrong with it.
//!
//! Only headers are read. What the weights should be called and how they should be
//! shaped is asked of the model itself: [`Model`] is put together from stand-ins of
//! one number each, so that this and opening cannot disagree.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prism_run::Protocol;

use super::Files;
use crate::decode::{ControlTokens, detect};
use crate::preprocess::{PixelConfig, Preprocessor};
use crate::prompt::Prompter;
use crate::tokenizer::Tokenizer;
use crate::weights::Loader;
use crate::{Config, Error, Model, Result};

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

/// What a folder holds.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The folder.
    pub folder: PathBuf,
    /// The configuration, if it is one.
    pub config: Option<Config>,
    /// The weights it asks for; empty without a configuration.
    pub parameters: Vec<Parameter>,
    /// Bytes of the weights' files.
    pub bytes: usize,
    /// The tokenizer with the chat's and the latent block's tokens, if it fits the model.
    pub prompter: Option<Prompter>,
    /// The latent protocol whose tokens it has, if any; or why none can be told.
    pub protocol: std::result::Result<Option<Protocol>, String>,
    /// Start and stop tokens, if they are known.
    pub tokens: Option<ControlTokens>,
    /// The image preprocessing, if it fits the model.
    pub preprocessor: Option<Preprocessor>,
    /// Everything that is wrong, one line each: nothing for a checkpoint that can be run.
    pub faults: Vec<String>,
}

impl Inspection {
    /// The folder's faults as one error, if there are any.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] listing all of them.
    pub fn refuse(&self) -> Result<()> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Error::Checkpoint { path: self.folder.clone(), problems: self.faults.clone() })
    }
}

/// Looks at the folder.
///
/// # Errors
/// It is no folder, or a file in it is there and cannot be opened.
pub fn inspect(folder: &Path) -> Result<Inspection> {
    if !folder.is_dir() {
        return Err(Error::content(folder, "no such checkpoint folder", "give the folder that holds config.json"));
    }
    let files = Arc::new(Files::open(folder)?);
    let mut faults = Vec::new();
    let mut note = |e: Error| faults.push(within(folder, &e.to_string()));
    let config = Config::open(folder).map_err(&mut note).ok();
    let preprocessor = Preprocessor::from_dir(folder).map_err(|e| note(e.into())).ok();
    let mut protocol = Ok(None);
    let (prompter, tokens) = match &config {
        Some(config) => {
            let prompter = Tokenizer::from_dir(folder).map_err(Error::from).and_then(|t| Prompter::new(config.clone(), t));
            let prompter = prompter.map_err(&mut note).ok();
            let tokens = prompter.as_ref().and_then(|prompter| {
                let tokenizer = prompter.tokenizer();
                // Two protocols in one checkpoint are no fault of it: the user names one.
                protocol = detect(config, tokenizer).map_err(|e| e.to_string());
                let found = protocol.as_ref().ok().and_then(Option::as_ref);
                ControlTokens::read(folder, config, tokenizer, found).map_err(&mut note).ok()
            });
            (prompter, tokens)
        }
        None => {
            Tokenizer::from_dir(folder).map_err(|e| note(e.into())).ok();
            (None, None)
        }
    };
    if let Some(Err(nonsense)) = config.as_ref().map(Config::latent_lengths) {
        faults.push(nonsense.to_string());
    }
    if let (Some(config), Some(preprocessor)) = (&config, &preprocessor) {
        faults.extend(misfits(config, &preprocessor.config));
    }
    let parameters = match &config {
        Some(config) => {
            let (parameters, problems) = compare(config, &files)?;
            faults.extend(problems);
            parameters
        }
        None => {
            faults.extend(files.problems.iter().cloned());
            Vec::new()
        }
    };
    Ok(Inspection {
        folder: folder.to_path_buf(),
        config,
        parameters,
        bytes: files.bytes(),
        prompter,
        protocol,
        tokens,
        preprocessor,
        faults,
    })
}

/// The weights that `config` asks for, and how the files differ from them.
///
/// # Errors
/// The tensor library refuses.
pub fn compare(config: &Config, files: &Arc<Files>) -> Result<(Vec<Parameter>, Vec<String>)> {
    let mut loader = Loader::headers(files.clone());
    let model = Model::assemble(config.clone(), &mut loader)?;
    drop(model);
    let (weights, problems) = loader.told();
    let parameters = weights.into_iter().map(|weight| {
        let shape = weight.tensor.dims().to_vec();
        Parameter { stored: files.dtype(&weight.name).map(str::to_owned), name: weight.name, shape }
    });
    Ok((parameters.collect(), problems))
}

/// Sizes that the image preprocessing and the vision tower must share.
fn misfits(config: &Config, pixels: &PixelConfig) -> Vec<String> {
    let sizes = [
        ("patch_size", pixels.patch_size, "patch_size", config.vision.patch_size),
        ("merge_size", pixels.merge_size, "spatial_merge_size", config.vision.spatial_merge_size),
        ("temporal_patch_size", pixels.temporal_patch_size, "temporal_patch_size", config.vision.temporal_patch_size),
    ];
    sizes
        .into_iter()
        .filter(|(_, here, _, there)| here != there)
        .map(|(key, here, other, there)| {
            format!("preprocessor_config.json: `{key}` is {here}, config.json's vision_config.{other} is {there}")
        })
        .collect()
}

/// A message without the folder's own path, which heads the list.
fn within(folder: &Path, message: &str) -> String {
    let folder = folder.display().to_string();
    message.replace(&format!("{folder}/"), "").replace(&format!("{folder}: "), "")
}
