//! The model families: one folder each, and the list of them.
//!
//! A family is data ([`Family`]): how its `config.json` reads, what its vision tower is, how its weights
//! are called in the file. The decoder layer is not among it: that is one description for all
//! ([`crate::config::TextConfig`]), computed in [`crate::text`]. Nothing outside this folder asks which
//! family a model is of.

pub mod qwen2_5_vl;
pub mod qwen2_vl;
pub mod qwen3_vl;

use std::path::Path;

use serde_json::{Map, Value};

use crate::config::{Config, TextConfig, VisionConfig};
use crate::vision::Tower;
use crate::weights::Loader;
use crate::{Error, Result};

/// The families that are known. A new one is registered here, and nowhere else.
pub static FAMILIES: [&Family; 3] = [&qwen2_vl::FAMILY, &qwen2_5_vl::FAMILY, &qwen3_vl::FAMILY];

/// Families that are known by name and cannot be opened: what is wrong with each, and what to give instead.
const REFUSED: [(&str, &str, &str); 1] =
    [("qwen3_vl_moe", "a mixture of experts, which is not supported", "give a dense Qwen3-VL, `qwen3_vl`")];

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
        let (cause, remedy) = match REFUSED.into_iter().find(|(name, ..)| value.as_str() == Some(name)) {
            Some((name, what, remedy)) => (format!("is {name}: {what}"), remedy.to_owned()),
            None => {
                let known: Vec<&str> = FAMILIES.iter().map(|family| family.model_type).collect();
                (format!("is {value}"), format!("give a model of a family that is known: {}", known.join(", ")))
            }
        };
        Error::Config { path: path.to_path_buf(), key: "model_type".into(), cause, remedy }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::tensor::{Device, Trainable};

    #[test]
    fn the_smallest_of_every_family_is_a_model() {
        for family in FAMILIES {
            let config = Config::tiny_of(family);
            assert_eq!(config.family, family);
            assert_eq!(config.to_value()["architectures"][0], family.architecture);
            Model::random(config, 1, &Device::Cpu, Trainable::No).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_opened_is_refused_by_name() {
        let refusal = |name: &str| of(Some(&name.into()), Path::new("config.json")).unwrap_err().to_string();
        assert!(refusal("qwen3_vl_moe").contains("qwen3_vl_moe: a mixture of experts"), "{}", refusal("qwen3_vl_moe"));
        assert!(refusal("llama").contains("qwen2_vl, qwen2_5_vl, qwen3_vl"), "{}", refusal("llama"));
    }
}
