//! A variant: a preset of objective and stages (method, section 3).
//!
//! A variant is data: five TOML files in `recipes/variants/` that differ in a few keys.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Stage, safe_toml};

/// Which blocks stand for one region, and with which tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stages {
    /// `<|lvr_start|> <|lvr|>*T <|lvr_end|>`.
    Single,
    /// context block, then target block (P-LVR-2).
    ContextTarget,
    /// context block, free tokens, target block (P-LVR-3).
    ContextFreeTarget,
}

impl Stages {
    /// The stages in the order they run.
    pub fn list(self) -> &'static [Stage] {
        match self {
            Stages::Single => &[Stage::Target],
            Stages::ContextTarget => &[Stage::Context, Stage::Target],
            Stages::ContextFreeTarget => &[Stage::Context, Stage::Free, Stage::Target],
        }
    }

    /// Whether the block is staged (the release's `plvr_mode`).
    pub fn is_staged(self) -> bool {
        self != Stages::Single
    }
}

/// How the distance between latent and teacher target is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LatentLoss {
    /// Mean squared error over all elements.
    Mse,
    /// Mean absolute error over all elements.
    Mae,
    /// Mean of `1 - cosine` over positions.
    Cosine,
}

/// How the latent loss of a pack is reduced (method, section 3, the trap).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduction {
    /// As the release: single-stage variants take one mean; staged ones a mean
    /// per stage and region, summed over stages, regions and samples of the pack.
    Paper,
    /// One mean over all latent elements of the pack, whatever the stages.
    Matched,
}

/// A variant or control arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// File-system name, e.g. `p-lvr-3`.
    pub id: String,
    /// Printed name, e.g. `P-LVR-3`.
    pub name: String,
    /// The block's stages.
    pub stages: Stages,
    /// Context box = target box scaled by this about its centre.
    #[serde(default = "default_context_scale")]
    pub context_scale: f64,
    /// Free tokens of [`Stages::ContextFreeTarget`].
    #[serde(default = "default_free_tokens")]
    pub free_tokens: usize,
    /// lambda of the latent loss.
    #[serde(default = "default_latent_weight")]
    pub latent_weight: f64,
    /// The latent loss.
    #[serde(default = "default_latent_loss")]
    pub latent_loss: LatentLoss,
    /// The reduction of the latent loss.
    #[serde(default = "default_reduction")]
    pub reduction: Reduction,
    /// Weight of the diversity loss on free tokens.
    #[serde(default = "default_diversity_weight")]
    pub diversity_weight: f64,
    /// Standard deviation (raw units) of the noise on teacher-forced inputs; 0 = none.
    #[serde(default)]
    pub noise_std: f64,
    /// Share of the training steps after which lambda becomes 0 (D-LVR); absent = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<f64>,
    /// Variant whose checkpoint at the release step this one continues from
    /// (identical until then, so it need not be trained twice).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
}

fn default_context_scale() -> f64 {
    1.5
}
fn default_free_tokens() -> usize {
    6
}
fn default_latent_weight() -> f64 {
    0.1
}
fn default_latent_loss() -> LatentLoss {
    LatentLoss::Mse
}
fn default_reduction() -> Reduction {
    Reduction::Paper
}
fn default_diversity_weight() -> f64 {
    0.01
}

const PRESETS: [(&str, &str); 5] = [
    ("lvr", include_str!("../../../recipes/variants/lvr.toml")),
    ("n-lvr", include_str!("../../../recipes/variants/n-lvr.toml")),
    ("d-lvr", include_str!("../../../recipes/variants/d-lvr.toml")),
    ("p-lvr-2", include_str!("../../../recipes/variants/p-lvr-2.toml")),
    ("p-lvr-3", include_str!("../../../recipes/variants/p-lvr-3.toml")),
];

impl Variant {
    /// Ids of the shipped presets, in the paper's order.
    pub fn preset_ids() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(id, _)| *id)
    }

    /// A shipped preset by id, or the TOML file at that path.
    ///
    /// # Errors
    /// When it is neither, or a key is wrong.
    pub fn load(id_or_path: &str) -> Result<Self> {
        let variant: Self = match PRESETS.iter().find(|(id, _)| *id == id_or_path) {
            Some((id, text)) => safe_toml::from_str(text, &PathBuf::from(format!("recipes/variants/{id}.toml")))?,
            None if id_or_path.ends_with(".toml") => safe_toml::read(Path::new(id_or_path))?,
            None => {
                let ids: Vec<_> = Self::preset_ids().collect();
                return Err(Error::Value {
                    what: "variant",
                    value: id_or_path.into(),
                    cause: "is not a preset".into(),
                    remedy: format!("use one of {} or the path of a .toml file", ids.join(", ")),
                });
            }
        };
        variant.check()
    }

    /// The variant, if every key is in range.
    ///
    /// # Errors
    /// [`Error::Value`] naming the first key that is not.
    pub fn check(self) -> Result<Self> {
        let refuse = |key: &str, remedy: &str| {
            Err(Error::Value { what: "variant", value: self.id.clone(), cause: format!("has a wrong `{key}`"), remedy: remedy.into() })
        };
        let weights = [self.latent_weight, self.diversity_weight, self.noise_std];
        if weights.iter().any(|w| !w.is_finite() || *w < 0.0) {
            return refuse("latent_weight, diversity_weight or noise_std", "give finite numbers of at least 0");
        }
        if !(self.context_scale.is_finite() && self.context_scale >= 1.0) {
            return refuse("context_scale", "give a finite number of at least 1");
        }
        if self.free_tokens > 1024 {
            return refuse("free_tokens", "give a whole number of at most 1024");
        }
        if self.release.is_some_and(|r| !(0.0..=1.0).contains(&r)) {
            return refuse("release", "give a share of the steps between 0 and 1");
        }
        if self.id.is_empty() || !self.id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) || self.id.starts_with('.') {
            return refuse("id", "use letters, digits, `-`, `_` and `.`: it names a folder");
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_carry_the_papers_values() {
        let all: Vec<_> = Variant::preset_ids().map(|id| Variant::load(id).unwrap()).collect();
        assert!(all.iter().all(|v| v.latent_weight == 0.1 && v.reduction == Reduction::Paper));
        let by = |id: &str| all.iter().find(|v| v.id == id).unwrap();
        assert_eq!(by("n-lvr").noise_std, 0.3);
        assert_eq!(by("d-lvr").release, Some(0.6));
        assert_eq!(by("p-lvr-2").stages.list(), [Stage::Context, Stage::Target]);
        assert_eq!((by("p-lvr-3").free_tokens, by("p-lvr-3").diversity_weight), (6, 0.01));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let text = "id = \"x\"\nname = \"X\"\nstages = \"single\"\nlamda = 0.1";
        let message = safe_toml::from_str::<Variant>(text, Path::new("x.toml")).unwrap_err().to_string();
        assert!(message.contains("lamda") && message.contains("x.toml"), "{message}");
    }
}
