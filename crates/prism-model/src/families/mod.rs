//! The model families: one folder each, and the list of them.
//!
//! A family is data ([`Family`]): how its `config.json` reads, what its vision tower is, how its weights
//! are called in the file. The decoder layer is not among it: that is one description for all
//! ([`crate::config::TextConfig`]), computed in [`crate::text`]. Nothing outside this folder asks which
//! family a model is of.

pub mod qwen2_5_vl;
pub mod qwen2_vl;

use std::path::Path;

use serde_json::{Map, Value};

use crate::config::{Config, TextConfig, VisionConfig};
use crate::vision::Tower;
use crate::weights::Loader;
use crate::{Error, Result};

/// The families that are known. A new one is registered here, and nowhere else.
pub static FAMILIES: [&Family; 2] = [&qwen2_vl::FAMILY, &qwen2_5_vl::FAMILY];

/// Sizes of the language model and of the vision tower.
pub type Sizes = (TextConfig, VisionConfig);

/// Rotary positions of a prompt's tokens with images of some grids, and of the token that would follow.
pub type Positions = fn(&Config, &[u32], &[[usize; 3]]) -> Result<(Vec<[u32; 3]>, u32)>;

/// A family of models.
#[derive(Debug)]
pub struct Family {
    /// `model_type` of its `config.json`.
    pub model_type: &'static str,
    /// Its class in transformers, as `architectures` names it.
    pub architecture: &'static str,
    /// Under what names its weights are saved.
    pub names: Names,
    /// What the system turn of a training chat says; `None`: the chat has none.
    pub system: Option<&'static str>,
    /// The sizes, checked, from `config.json`; the path names it in messages.
    pub read: fn(&Map<String, Value>, &Path) -> Result<Sizes>,
    /// Loads its vision tower.
    pub tower: fn(&Config, &mut Loader) -> Result<Box<dyn Tower>>,
    /// The positions of its prompts ([`crate::positions::rope_positions`]).
    pub positions: Positions,
    /// The smallest `config.json` of the family, for tests and examples.
    pub tiny: fn() -> Value,
}

impl PartialEq for Family {
    fn eq(&self, other: &Self) -> bool {
        self.model_type == other.model_type
    }
}

/// The two ways in which files name weights; both are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// `model.layers.*` and `visual.*`, as transformers 4 writes the Qwen2 families.
    Older,
    /// `model.language_model.*` and `model.visual.*`, as they are called in memory.
    InMemory,
}

/// The family of a `model_type`; of none, Qwen2.5-VL. `path` names `config.json` in messages.
///
/// # Errors
/// [`Error::Config`] naming the families that are known.
pub fn of(model_type: Option<&Value>, path: &Path) -> Result<&'static Family> {
    let Some(value) = model_type else { return Ok(&qwen2_5_vl::FAMILY) };
    let found = FAMILIES.into_iter().find(|family| value.as_str() == Some(family.model_type));
    found.ok_or_else(|| {
        let known: Vec<&str> = FAMILIES.iter().map(|family| family.model_type).collect();
        Error::Config {
            path: path.to_path_buf(),
            key: "model_type".into(),
            cause: format!("is {value}"),
            remedy: format!("give a model of a family that is known: {}", known.join(", ")),
        }
    })
}
