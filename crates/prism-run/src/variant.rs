//! A variant: a preset of objective and stages (method, section 3).
//!
//! A variant is data: the TOML files in `recipes/variants/` differ in a few keys. Five are the
//! paper's; the others are control arms (docs/concepts/control-arms.md).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::protocol::Protocol;
use crate::{Error, Result, Sight, Stage, safe_toml};

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
    /// No block: the answer follows the question.
    None,
}

impl Stages {
    /// The stages in the order they run.
    pub fn list(self) -> &'static [Stage] {
        match self {
            Stages::Single => &[Stage::Target],
            Stages::ContextTarget => &[Stage::Context, Stage::Target],
            Stages::ContextFreeTarget => &[Stage::Context, Stage::Free, Stage::Target],
            Stages::None => &[],
        }
    }

    /// Whether the block is staged (the release's `plvr_mode`).
    pub fn is_staged(self) -> bool {
        matches!(self, Stages::ContextTarget | Stages::ContextFreeTarget)
    }
}

/// What stands at the latent positions in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LatentInput {
    /// The region's visual embeddings (teacher forcing).
    #[default]
    Teacher,
    /// The visual embeddings of another example's region, as input and as target: what they say of the question is
    /// noise. Of the next sample of the pack that has a region.
    Foreign,
    /// The model's own states fed back, with gradient: trained as it decodes.
    Own,
    /// The embedding of `<|lvr|>`: a dummy token, no feedback and no latent loss.
    Token,
}

impl LatentInput {
    fn is_teacher(&self) -> bool {
        *self == LatentInput::Teacher
    }

    /// Whether visual embeddings are fed, as many as the region has.
    fn is_forced(self) -> bool {
        matches!(self, LatentInput::Teacher | LatentInput::Foreign)
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
    /// What the positions may see, in training and at inference.
    #[serde(default, skip_serializing_if = "Sight::is_open")]
    pub sight: Sight,
    /// What stands at the latent positions in training.
    #[serde(default, skip_serializing_if = "LatentInput::is_teacher")]
    pub latents: LatentInput,
    /// Latent positions of a block, instead of the region's token count; not teacher-forced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_steps: Option<usize>,
    /// Whether the latent positions are asked for the answer's letter too: a help in training, of which nothing is left
    /// in the decode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// Share of the samples that have a block. In the others its start token stands alone, as under `remove`.
    #[serde(default = "default_block_share", skip_serializing_if = "is_whole")]
    pub block_share: f64,
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
    /// Preset of the latent protocol it is trained for and decoded under, where that is not the one its tokens tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Variant whose checkpoint at the release step this one continues from
    /// (identical until then, so it need not be trained twice).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
}

fn default_block_share() -> f64 {
    1.0
}
fn is_whole(share: &f64) -> bool {
    *share == 1.0
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

/// The paper's variants among [`PRESETS`]: the first ones.
const PAPER: usize = 5;

const PRESETS: [(&str, &str); 19] = [
    ("lvr", include_str!("../../../recipes/variants/lvr.toml")),
    ("n-lvr", include_str!("../../../recipes/variants/n-lvr.toml")),
    ("d-lvr", include_str!("../../../recipes/variants/d-lvr.toml")),
    ("p-lvr-2", include_str!("../../../recipes/variants/p-lvr-2.toml")),
    ("p-lvr-3", include_str!("../../../recipes/variants/p-lvr-3.toml")),
    ("no-latents", include_str!("../../../recipes/variants/no-latents.toml")),
    ("ce-only", include_str!("../../../recipes/variants/ce-only.toml")),
    ("dummy-tokens", include_str!("../../../recipes/variants/dummy-tokens.toml")),
    ("lvr-matched-lambda", include_str!("../../../recipes/variants/lvr-matched-lambda.toml")),
    ("p-lvr-2-matched", include_str!("../../../recipes/variants/p-lvr-2-matched.toml")),
    ("p-lvr-3-matched", include_str!("../../../recipes/variants/p-lvr-3-matched.toml")),
    ("lvr-mae", include_str!("../../../recipes/variants/lvr-mae.toml")),
    ("lvr-cosine", include_str!("../../../recipes/variants/lvr-cosine.toml")),
    ("bottleneck", include_str!("../../../recipes/variants/bottleneck.toml")),
    ("blindfold", include_str!("../../../recipes/variants/blindfold.toml")),
    ("bottleneck-half", include_str!("../../../recipes/variants/bottleneck-half.toml")),
    ("blindfold-half", include_str!("../../../recipes/variants/blindfold-half.toml")),
    ("foreign", include_str!("../../../recipes/variants/foreign.toml")),
    ("registers", include_str!("../../../recipes/variants/registers.toml")),
];

impl Variant {
    /// Ids of the shipped presets: the paper's in its order, then the control arms.
    pub fn preset_ids() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(id, _)| *id)
    }

    /// Ids of the paper's five variants, in its order.
    pub fn paper_ids() -> impl Iterator<Item = &'static str> {
        Self::preset_ids().take(PAPER)
    }

    /// What a shipped preset is, in words: the comment its file begins with.
    pub fn about(id: &str) -> Option<String> {
        let (_, text) = PRESETS.iter().find(|(known, _)| *known == id)?;
        let lines: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
        (!lines.is_empty()).then(|| lines.join(" "))
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
        if !(self.block_share > 0.0 && self.block_share <= 1.0) {
            return refuse("block_share", "give a share of the samples above 0 and at most 1");
        }
        if self.free_tokens > 1024 {
            return refuse("free_tokens", "give a whole number of at most 1024");
        }
        if self.release.is_some_and(|r| !(0.0..=1.0).contains(&r)) {
            return refuse("release", "give a share of the steps between 0 and 1");
        }
        if let Some((key, remedy)) = self.contradiction() {
            return refuse(key, remedy);
        }
        if let Some(id) = &self.protocol {
            let named = |cause: String| Error::Value {
                what: "variant",
                value: self.id.clone(),
                cause: format!("cannot be trained for protocol `{id}`: {cause}"),
                remedy: "name lvr or realvr, or leave `protocol` out".into(),
            };
            let known = Protocol::preset_ids().any(|known| known == id);
            let other = if known { Protocol::load(id)?.untrainable() } else { Some("it is not one that is shipped") };
            if let Some(cause) = other {
                return Err(named(cause.into()));
            }
        }
        if self.id.is_empty() || !self.id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) || self.id.starts_with('.') {
            return refuse("id", "use letters, digits, `-`, `_` and `.`: it names a folder");
        }
        Ok(self)
    }

    /// Whether only the first region of a record has a block: under its protocol no second one opens.
    pub fn opens_once(&self) -> bool {
        let protocol = self.protocol.as_deref().and_then(|id| Protocol::load(id).ok());
        protocol.is_some_and(|protocol| !protocol.repeat)
    }

    /// First key that the others leave no meaning, and what to do.
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let (teacher, half) = (self.latents.is_forced(), self.block_share < 1.0);
        let rules = [
            (self.stages == Stages::None && !self.latents.is_teacher(), "latents", "without a block there are none; leave it out"),
            (self.stages == Stages::None && self.latent_weight != 0.0, "latent_weight", "without a block give 0"),
            (self.stages == Stages::None && self.noise_std != 0.0, "noise_std", "without a block give 0"),
            (self.stages == Stages::None && self.release.is_some(), "release", "without a block leave it out"),
            (self.stages != Stages::Single && !self.sight.is_open(), "sight", "another than open needs stages = \"single\""),
            (self.stages.is_staged() && !self.latents.is_teacher(), "latents", "another than teacher needs stages = \"single\""),
            (self.asked && self.latents != LatentInput::Token, "asked", "needs latents = \"token\""),
            (self.protocol.is_some() && self.stages != Stages::Single, "protocol", "needs stages = \"single\""),
            (half && self.stages != Stages::Single, "block_share", "below 1 needs stages = \"single\""),
            (half && self.sight == Sight::Bottleneck, "sight", "where some samples have no block give \"optional-bottleneck\""),
            (
                teacher && self.block_steps.is_some(),
                "block_steps",
                "teacher-forced latents are as many as the region's tokens; leave it out",
            ),
            (self.block_steps.is_some_and(|n| !(1..=256).contains(&n)), "block_steps", "give a whole number from 1 to 256"),
            (!teacher && self.noise_std != 0.0, "noise_std", "noise goes on teacher-forced latents; give 0"),
            (self.latents == LatentInput::Token && self.latent_weight != 0.0, "latent_weight", "a dummy token has no latent loss; give 0"),
            (
                self.block_steps.is_some() && self.latent_weight != 0.0,
                "latent_weight",
                "a fixed number of steps has no teacher targets; give 0, or leave `block_steps` out",
            ),
        ];
        rules.into_iter().find_map(|(wrong, key, remedy)| wrong.then_some((key, remedy)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_carry_the_papers_values() {
        let all: Vec<_> = Variant::paper_ids().map(|id| Variant::load(id).unwrap()).collect();
        assert!(all.iter().all(|v| v.latent_weight == 0.1 && v.reduction == Reduction::Paper));
        let by = |id: &str| all.iter().find(|v| v.id == id).unwrap();
        assert_eq!(by("n-lvr").noise_std, 0.3);
        assert_eq!(by("d-lvr").release, Some(0.6));
        assert_eq!(by("p-lvr-2").stages.list(), [Stage::Context, Stage::Target]);
        assert_eq!((by("p-lvr-3").free_tokens, by("p-lvr-3").diversity_weight), (6, 0.01));
    }

    #[test]
    fn every_preset_is_read_under_its_own_id() {
        for id in Variant::preset_ids() {
            let variant = Variant::load(id).unwrap();
            assert_eq!(variant.id, id);
            assert!(Variant::about(id).is_some_and(|about| about.ends_with('.') && !about.contains('#')), "{id}");
            let again: Variant = safe_toml::from_str(&toml::to_string(&variant).unwrap(), Path::new("v.toml")).unwrap();
            assert_eq!(again, variant);
        }
        let control = |id: &str| Variant::load(id).unwrap();
        assert_eq!((control("bottleneck").sight, control("blindfold").sight), (Sight::Bottleneck, Sight::Blindfold));
        assert_eq!((control("bottleneck").latents, control("bottleneck").block_steps), (LatentInput::Own, Some(4)));
        // Four samples of a pack, two stages each: the release's reduction weighs eight times as much.
        assert_eq!(control("lvr-matched-lambda").latent_weight, 8.0 * control("lvr").latent_weight);
        let open = Variant { id: "x".into(), name: "X".into(), ..control("ce-only") };
        assert_eq!(open, Variant { id: "x".into(), name: "X".into(), latent_weight: 0.0, ..control("lvr") });
        // Keys at rest are not written, so that folders of earlier runs stay theirs.
        let written = toml::to_string(&control("lvr")).unwrap();
        assert!(["sight", "latents", "block_steps"].iter().all(|key| !written.contains(&format!("{key} ="))), "{written}");
    }

    #[test]
    fn contradictions_are_named() {
        let of = |id: &str| Variant::load(id).unwrap();
        let (own, none) = (of("bottleneck"), of("no-latents"));
        let wrong = [
            (Variant { block_steps: Some(4), ..of("lvr") }, "block_steps"),
            (Variant { block_steps: Some(0), ..own.clone() }, "block_steps"),
            (Variant { latent_weight: 0.1, ..own.clone() }, "latent_weight"),
            (Variant { noise_std: 0.3, ..own }, "noise_std"),
            (Variant { latent_weight: 0.1, ..of("dummy-tokens") }, "latent_weight"),
            (Variant { sight: Sight::Blindfold, ..of("p-lvr-2") }, "sight"),
            (Variant { latents: LatentInput::Own, ..of("p-lvr-3") }, "latents"),
            (Variant { sight: Sight::Bottleneck, ..none.clone() }, "sight"),
            (Variant { latents: LatentInput::Token, ..none.clone() }, "latents"),
            (Variant { latent_weight: 0.1, ..none }, "latent_weight"),
        ];
        for (variant, key) in wrong {
            let message = variant.check().unwrap_err().to_string();
            assert!(message.contains(&format!("`{key}`")), "{key}: {message}");
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        let text = "id = \"x\"\nname = \"X\"\nstages = \"single\"\nlamda = 0.1";
        let message = safe_toml::from_str::<Variant>(text, Path::new("x.toml")).unwrap_err().to_string();
        assert!(message.contains("lamda") && message.contains("x.toml"), "{message}");
    }
}
