//! The training budget and the optimizer's keys (method, section 3); what a
//! variant changes is in [`prism_run::Variant`].
//!
//! The defaults are the paper's, but for the norms, which are spared from weight
//! decay unless `decay = "release"` asks for them.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Which parameters weight decay acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecaySet {
    /// Everything but biases and normalisation weights.
    #[default]
    Weights,
    /// Everything but biases, as the paper's release does.
    Release,
}

impl DecaySet {
    /// Whether the parameter of that name and rank decays.
    pub fn holds(self, name: &str, rank: usize) -> bool {
        let bias = name.ends_with(".bias");
        match self {
            DecaySet::Release => !bias,
            DecaySet::Weights => !bias && rank > 1,
        }
    }
}

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vision {
    /// The tower is frozen; the features of an image are computed once and kept.
    #[default]
    Frozen,
    /// The tower learns too; features are computed in every forward.
    Trained,
}

/// How long, on what and with which optimizer a run trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Optimizer steps.
    pub steps: usize,
    /// Packs of one optimizer step; its gradient is the mean over them.
    pub packs_per_step: usize,
    /// Samples of a pack at most.
    pub samples_per_pack: usize,
    /// Tokens of a pack at most (a single sample may be longer).
    pub tokens_per_pack: usize,
    /// A sample of at least this many tokens travels alone.
    pub tokens_alone: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of the steps over which the learning rate rises linearly from 0.
    pub warmup: f64,
    /// Weight decay, decoupled.
    pub weight_decay: f64,
    /// What decays.
    pub decay: DecaySet,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// The gradient's global norm is cut to this; 0 = never.
    pub clip: f64,
    /// Keys the order of the samples and the noise.
    pub seed: u64,
    /// Whether the vision tower learns.
    pub vision: Vision,
    /// Least pixels an image is resized to.
    pub min_pixels: usize,
    /// Most pixels an image is resized to.
    pub max_pixels: usize,
    /// Steps between checkpoints; the last step always writes one. 0 = only the last.
    pub checkpoint_every: usize,
    /// Steps that write a checkpoint which is never removed (a release step).
    pub checkpoints_at: Vec<usize>,
    /// Periodic checkpoints kept; 0 = all.
    pub keep: usize,
    /// Worker threads, one pack each; 0 = one per core. Never changes a result.
    pub workers: usize,
    /// Steps between remarks beside the progress bar. The log has every step.
    pub log_every: usize,
    /// Memory for the features of images, in MiB. What does not fit is computed
    /// again when it is needed; never changes a result.
    pub feature_cache: usize,
    /// Steps between measurements of the cosine between the gradients of the cross-entropy
    /// and of the latent loss ([`crate::gradient_cosine`]); 0 = never. Changes no result.
    #[serde(skip_serializing_if = "is_zero")]
    pub gradient_cosine_every: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 2500,
            packs_per_step: 64,
            samples_per_pack: 4,
            tokens_per_pack: 16_384,
            tokens_alone: 4_096,
            learning_rate: 1e-5,
            warmup: 0.03,
            weight_decay: 0.1,
            decay: DecaySet::default(),
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            clip: 1.0,
            seed: 42,
            vision: Vision::default(),
            min_pixels: 100_352,
            max_pixels: 4_014_080,
            checkpoint_every: 500,
            checkpoints_at: Vec::new(),
            keep: 2,
            workers: 0,
            log_every: 1,
            feature_cache: 1024,
            gradient_cosine_every: 0,
        }
    }
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl TrainConfig {
    /// The configuration, if every key is in range.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key that is not.
    pub fn check(self) -> Result<Self> {
        let least_one = [
            ("steps", self.steps),
            ("packs_per_step", self.packs_per_step),
            ("samples_per_pack", self.samples_per_pack),
            ("tokens_per_pack", self.tokens_per_pack),
            ("tokens_alone", self.tokens_alone),
            ("min_pixels", self.min_pixels),
            ("log_every", self.log_every),
        ];
        for (key, value) in least_one {
            if value == 0 {
                return refuse(key, value, "is nothing", "give a whole number of at least 1");
            }
        }
        let at_most = [
            ("steps", self.steps, 1_000_000_000),
            ("packs_per_step", self.packs_per_step, 1 << 16),
            ("samples_per_pack", self.samples_per_pack, 1 << 12),
            ("tokens_per_pack", self.tokens_per_pack, 1 << 24),
            ("tokens_alone", self.tokens_alone, 1 << 24),
            ("max_pixels", self.max_pixels, 1 << 26),
            ("workers", self.workers, 1 << 12),
            ("feature_cache", self.feature_cache, 1 << 24),
        ];
        for (key, value, most) in at_most {
            if value > most {
                return refuse(key, value, "is more than any machine holds", "see docs/reference/recipes.md for usual values");
            }
        }
        if self.max_pixels < self.min_pixels {
            return refuse("max_pixels", self.max_pixels, "is below min_pixels", "give at least min_pixels");
        }
        let positive = [("learning_rate", self.learning_rate), ("epsilon", self.epsilon)];
        for (key, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return refuse(key, value, "is not positive", "give a finite number above 0");
            }
        }
        for (key, value) in [("weight_decay", self.weight_decay), ("clip", self.clip)] {
            if !(value.is_finite() && value >= 0.0) {
                return refuse(key, value, "is not a number of at least 0", "give a finite number of at least 0");
            }
        }
        for (key, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&value) {
                return refuse(key, value, "is outside 0..1", "give a number of at least 0 and below 1");
            }
        }
        if !(0.0..=1.0).contains(&self.warmup) {
            return refuse("warmup", self.warmup, "is not a share", "give a share of the steps between 0 and 1");
        }
        if let Some(&step) = self.checkpoints_at.iter().find(|&&s| s == 0 || s > self.steps) {
            return refuse("checkpoints_at", step, "is not a step of the run", "give steps from 1 to `steps`");
        }
        Ok(self)
    }

    /// Worker threads to start.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
            n => n,
        }
    }
}

fn refuse<T>(key: &'static str, value: impl ToString, cause: &'static str, remedy: &'static str) -> Result<T> {
    Err(Error::Config { key, value: value.to_string(), cause, remedy })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use prism_run::safe_toml;

    use super::*;

    #[test]
    fn defaults_are_the_papers_and_pass() {
        let config = TrainConfig::default().check().unwrap();
        assert_eq!((config.steps, config.packs_per_step, config.tokens_per_pack), (2500, 64, 16_384));
        let text = toml::to_string(&config).unwrap();
        assert_eq!(safe_toml::from_str::<TrainConfig>(&text, Path::new("c.toml")).unwrap(), config);
    }

    #[test]
    fn wrong_keys_are_named() {
        let parse = |text: &str| safe_toml::from_str::<TrainConfig>(text, Path::new("c.toml"));
        assert!(parse("lr = 1").unwrap_err().to_string().contains("lr"));
        for text in [
            "steps = 0",
            "packs_per_step = 1000000000000000",
            "samples_per_pack = 1000000000000000",
            "learning_rate = -1.0",
            "beta2 = 1.0",
            "warmup = 2.0",
            "max_pixels = 3",
            "checkpoints_at = [9999]",
        ] {
            let message = parse(text).unwrap().check().unwrap_err().to_string();
            assert!(message.contains(text.split(' ').next().unwrap()), "{message}");
        }
    }

    #[test]
    fn decay_spares_what_it_should() {
        let norm = "model.language_model.norm.weight";
        assert!(!DecaySet::Weights.holds(norm, 1) && DecaySet::Release.holds(norm, 1));
        assert!(!DecaySet::Release.holds("x.q_proj.bias", 1));
        assert!(DecaySet::Weights.holds("x.q_proj.weight", 2));
    }
}
