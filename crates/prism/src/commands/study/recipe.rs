//! A study's recipe: everything it depends on, in one TOML.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf, absolute};

use prism_audit::AuditSettings;
use prism_audit::compare::groups::Questions;
use prism_data::world::WorldConfig;
use prism_model::checkpoint::HubCache;
use prism_run::folder::names;
use prism_run::{Answers, Arm, Intervention, Steps, Variant, safe_toml};
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
    /// Rules that read the answers; absent: as the protocol says. Records stay as they are when they change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
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
        Self::resolved(safe_toml::read(path)?, path)
    }

    /// Reads the recipe that a study's folder holds.
    ///
    /// # Errors
    /// As [`StudyRecipe::read`], and when it is no file of that folder.
    pub fn read_of_study(study: &Path) -> anyhow::Result<Self> {
        let path = study.join(names::CONFIG);
        Self::resolved(safe_toml::read_of_run(&path)?, &path)
    }

    fn resolved(mut recipe: Self, path: &Path) -> anyhow::Result<Self> {
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
        recipe.check_sweep().and_then(|()| recipe.check_least_accuracy()).map_err(|why| Refused(format!("{}: {why}", path.display())))?;
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

    fn check_sweep(&self) -> Result<(), String> {
        let sweep = &self.audit.sweep;
        let remedy = "name two or more different K of at least 1, or leave it out";
        if sweep.len() == 1 {
            return Err(format!("key `audit.sweep`: one K is no sweep; {remedy}"));
        }
        match sweep.iter().enumerate().find(|(i, k)| **k == Steps::Fixed(0) || sweep.iter().take(*i).any(|other| other == *k)) {
            Some((_, k)) => Err(format!("key `audit.sweep`: {k} is no K, or is named twice; {remedy}")),
            None => Ok(()),
        }
    }

    fn check_least_accuracy(&self) -> Result<(), String> {
        match self.least_accuracy.filter(|share| !(0.0..1.0).contains(share)) {
            Some(share) => Err(format!("key `least_accuracy`: {share} is no share; give a number from 0 to below 1")),
            None => Ok(()),
        }
    }

    /// Refuses a question about an arm that the recipe does not have, or one that has no answer.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_question(&self, variants: &[Variant]) -> anyhow::Result<()> {
        let Questions { groups, contrasts } = &self.question;
        for (i, group) in groups.iter().enumerate() {
            let distinct: BTreeSet<&String> = group.arms.iter().collect();
            let twice = groups.iter().take(i).any(|other| other.name == group.name);
            if distinct.len() < 3 || distinct.len() < group.arms.len() || group.name.trim().is_empty() || twice {
                anyhow::bail!(Refused(format!(
                    "key `question.groups`: `{}` needs a name of its own and three or more different arms: r over fewer says nothing",
                    group.name
                )));
            }
        }
        if let Some(contrast) = contrasts.iter().find(|c| c.against.is_empty() || c.against.contains(&c.arm)) {
            anyhow::bail!(Refused(format!(
                "key `question.contrasts`: `{}` is set against nothing, or against itself; name other arms in `against`",
                contrast.arm
            )));
        }
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
    fn questions_without_an_answer_are_refused() {
        let asked = |text: &str| {
            let mut recipe = shipped("lambda.toml");
            recipe.question = toml::from_str(text).unwrap();
            let variants = recipe.variants().unwrap();
            recipe.check_question(&variants).unwrap_err().to_string()
        };
        for arms in ["[]", "[\"lvr\", \"n-lvr\"]", "[\"lvr\", \"lvr\", \"n-lvr\"]"] {
            assert!(asked(&format!("[[groups]]\nname = \"g\"\narms = {arms}")).contains("three or more different arms"), "{arms}");
        }
        assert!(asked("[[groups]]\nname = \"g\"\narms = [\"lvr\", \"n-lvr\", \"lmr\"]").contains("`lmr`"));
        for against in ["[]", "[\"lvr\"]"] {
            assert!(asked(&format!("[[contrasts]]\narm = \"lvr\"\nagainst = {against}")).contains("against"), "{against}");
        }
        let mut recipe = shipped("study-tiny.toml");
        for (sweep, right) in [(vec![1, 2], true), (vec![1], false), (vec![2, 2], false), (vec![0, 2], false)] {
            recipe.audit.sweep = sweep.into_iter().map(Steps::Fixed).collect();
            assert_eq!(recipe.check_sweep().is_ok(), right, "{:?}", recipe.audit.sweep);
        }
        for (share, right) in [(0.5, true), (2.0, false), (-1.0, false), (f64::NAN, false)] {
            recipe.least_accuracy = Some(share);
            assert_eq!(recipe.check_least_accuracy().is_ok(), right, "{share}");
        }
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
