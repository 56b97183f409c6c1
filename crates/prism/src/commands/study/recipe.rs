//! A study's recipe: everything it depends on, in one TOML.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf, absolute};

use prism_audit::AuditSettings;
use prism_audit::compare::groups::Questions;
use prism_data::world::WorldConfig;
use prism_model::checkpoint::HubCache;
use prism_run::{Arm, Intervention, Steps, Variant, safe_toml};
use prism_train::TrainConfig;
use serde::{Deserialize, Serialize};

use crate::exit::Refused;

/// The recipe as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyRecipe {
    /// Names the study's folder.
    pub name: String,
    /// First training seed; audits use it too.
    pub seed: u64,
    /// Training seeds: `seed`, `seed + 1`, ...
    #[serde(default = "one")]
    pub seeds: u64,
    /// Checkpoint the variants start from; relative to the recipe, or a name in the local Hub cache.
    pub base: PathBuf,
    /// Clean accuracy below which `prism validate` leaves a control out: it did not learn its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_accuracy: Option<f64>,
    /// How the base is made anew; relative to the recipe.
    pub base_recipe: PathBuf,
    /// Arms: presets or TOML files, perhaps with keys changed.
    pub variants: Vec<Arm>,
    /// The generated world.
    pub world: WorldConfig,
    /// Training of every variant; the seed is the study's.
    pub train: TrainConfig,
    /// Decoding and branches.
    pub audit: AuditKeys,
    /// From records to findings.
    #[serde(default)]
    pub analysis: AuditSettings,
    /// What is asked of groups of arms, over seeds; no run depends on it.
    #[serde(default, skip_serializing_if = "is_unasked")]
    pub question: Questions,
    /// Replacements for `--quick`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quick: Option<Quick>,
}

/// Decoding and branches of the audits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditKeys {
    /// Latent steps K, declared before the runs; absent: as each checkpoint was trained, where it
    /// knows, else the protocol's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Steps>,
    /// Other K at which the clean run and the exchanges that decide are recorded too, all on one prefill.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sweep: Vec<Steps>,
    /// Most new tokens, latent steps included.
    pub max_new_tokens: usize,
    /// Branches besides the clean run.
    pub interventions: Vec<Intervention>,
    /// Donor pool of `swap`.
    pub pool: usize,
    /// Examples whose alignment is measured.
    pub alignment: usize,
    /// Whether the counterfactual partners are asked too, as their scenes' own questions.
    #[serde(default)]
    pub partners: bool,
    /// Examples a worker decodes side by side; no result depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<NonZeroUsize>,
    /// Whether vectors are recorded and probed at all.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub probes: bool,
    /// Whether vectors are recorded at every layer, and probed there.
    #[serde(default)]
    pub layers: bool,
}

/// A smaller world and training for smoke runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Instead of `world`.
    pub world: WorldConfig,
    /// Instead of `train`.
    pub train: TrainConfig,
}

fn is_unasked(question: &Questions) -> bool {
    *question == Questions::default()
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn one() -> u64 {
    1
}

impl StudyRecipe {
    /// Reads a recipe; paths in it become absolute, so that it says the same in any folder.
    ///
    /// # Errors
    /// When the file cannot be read or a key is unknown, missing or out of range.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let mut recipe: Self = safe_toml::read(path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let beside = absolute(folder.join(&recipe.base))?;
        // What is no folder beside the recipe may be a name in the local Hub cache.
        recipe.base = if beside.is_dir() { beside } else { HubCache::from_environment().locate(&recipe.base).unwrap_or(beside) };
        recipe.base_recipe = absolute(folder.join(&recipe.base_recipe))?;
        for source in recipe.variants.iter_mut().filter_map(Arm::source_mut).filter(|source| source.ends_with(".toml")) {
            *source = absolute(Path::new(source))?.display().to_string();
        }
        let safe =
            |name: &str| !name.is_empty() && !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !safe(&recipe.name) {
            anyhow::bail!(Refused(format!("{}: key `name`: use letters, digits, `-`, `_` and `.`: it names a folder", path.display())));
        }
        if recipe.variants.is_empty() || recipe.seeds == 0 {
            anyhow::bail!(Refused(format!("{}: nothing to train; name at least one variant and one seed", path.display())));
        }
        if recipe.audit.sweep.len() == 1 {
            anyhow::bail!(Refused(format!("{}: key `audit.sweep`: one K is no sweep; name two or more, or leave it out", path.display())));
        }
        recipe.analysis.check()?;
        Ok(recipe)
    }

    /// The smaller study of `--quick`.
    ///
    /// # Errors
    /// When the recipe has no `quick` keys.
    pub fn quick(mut self) -> anyhow::Result<Self> {
        let Some(quick) = self.quick.take() else {
            anyhow::bail!(Refused("--quick: this recipe has no [quick] keys; add [quick.world] and [quick.train]".into()));
        };
        self.name.push_str("-quick");
        (self.world, self.train) = (quick.world, quick.train);
        self.analysis.replicates = self.analysis.replicates.min(500);
        self.seeds = 1;
        Ok(self)
    }

    /// Refuses a question about an arm that the recipe does not have.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_question(&self, variants: &[Variant]) -> anyhow::Result<()> {
        let Questions { groups, contrasts } = &self.question;
        let named = groups.iter().flat_map(|g| &g.arms).chain(contrasts.iter().flat_map(|c| c.against.iter().chain([&c.arm])));
        if let Some(unknown) = named.into_iter().find(|id| !variants.iter().any(|v| v.id == **id)) {
            anyhow::bail!(Refused(format!("key `question`: `{unknown}` is none of the recipe's arms; name one, or add it to `variants`")));
        }
        Ok(())
    }

    /// The variants, those that continue another behind it.
    ///
    /// # Errors
    /// When a variant is unknown, named twice, or continues one that is not in the study.
    pub fn variants(&self) -> anyhow::Result<Vec<Variant>> {
        let variants: Vec<Variant> = self.variants.iter().map(Arm::variants).collect::<prism_run::Result<Vec<_>>>()?.concat();
        for (i, variant) in variants.iter().enumerate() {
            if variants.iter().take(i).any(|v| v.id == variant.id) {
                anyhow::bail!(Refused(format!("variants: `{}` is named twice; give every arm its own id", variant.id)));
            }
            if let Some(source) = &variant.continues
                && !variants.iter().take(i).any(|v| v.id == *source)
            {
                anyhow::bail!(Refused(format!("variants: `{}` continues `{source}`; name `{source}` before it", variant.id)));
            }
        }
        Ok(variants)
    }
}

#[cfg(test)]
mod tests {
    use prism_run::Control;

    use super::*;

    fn shipped(name: &str) -> StudyRecipe {
        StudyRecipe::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes").join(name)).unwrap()
    }

    #[test]
    fn shipped_recipes_name_every_arm_once() {
        let ids = |recipe: &StudyRecipe| recipe.variants().unwrap().into_iter().map(|v| v.id).collect::<Vec<_>>();
        let all = shipped("arms-tiny.toml");
        for preset in Variant::preset_ids() {
            assert_eq!(ids(&all).iter().filter(|id| *id == preset).count(), 1, "{preset}");
        }
        assert!(ids(&all).contains(&"lvr-lambda-0.03".to_owned()));
        let controls = shipped("controls-tiny.toml");
        // Both truths on both axes, and the one that only an exchange of keys and values sees.
        let kinds: Vec<Control> = controls.variants().unwrap().iter().filter_map(Control::of).collect();
        let expected =
            [Control::Bottleneck, Control::BottleneckHalf, Control::Foreign, Control::BlindfoldHalf, Control::Registers].to_vec();
        assert_eq!((kinds, controls.seeds, controls.audit.steps), (expected, 20, Some(Steps::Trained)));
        let lambda = shipped("lambda.toml");
        lambda.check_question(&lambda.variants().unwrap()).unwrap();
        assert!(lambda.seeds >= 5 && lambda.question.groups.len() == 5);
        assert_eq!(ids(&shipped("study-tiny.toml")), Variant::paper_ids().collect::<Vec<_>>());
    }

    #[test]
    fn two_arms_of_one_id_are_refused() {
        let mut recipe = shipped("controls-tiny.toml");
        let doubled = "variants = [\"lvr\", { preset = \"lvr\", id = \"lvr\", latent_weight = 1.0 }]";
        let mut table: toml::Table = doubled.parse().unwrap();
        recipe.variants = table.remove("variants").unwrap().try_into().unwrap();
        assert!(recipe.variants().unwrap_err().to_string().contains("named twice"));
    }
}
