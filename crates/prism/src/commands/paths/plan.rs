//! What was asked of `prism paths`, resolved: the base, the variants, and under what they run.

use std::path::{Path, PathBuf};

use prism_audit::AuditSettings;
use prism_audit::paths::Named;
use prism_model::preprocess::ImageProcessor;
use prism_run::folder::names;
use prism_run::manifest::Manifest;
use prism_run::{Protocol, Steps, Variant, door, safe_toml};
use serde::Deserialize;

use crate::Context;
use crate::cli::PathsArguments;
use crate::commands::audit::called;
use crate::commands::decoding::Decoding;
use crate::commands::images::ImageSettings;
use crate::commands::opened::locate;
use crate::commands::study::StudyRecipe;
use crate::exit::Refused;

/// Most new tokens, where neither the user nor a study says.
const MAX_NEW_TOKENS: usize = 512;

/// One trained checkpoint.
pub struct Trained {
    /// Its name and training seed.
    pub named: Named,
    /// Its folder.
    pub checkpoint: PathBuf,
    /// What it was trained as, when its training says so.
    pub variant: Option<Variant>,
    /// The folder of its training, where it lies in one.
    pub training: Option<PathBuf>,
}

impl Trained {
    /// The checkpoint in that folder, with what its training's folder says of it.
    fn of(checkpoint: PathBuf, typed: &Path) -> Self {
        let whole = std::path::absolute(&checkpoint).unwrap_or_else(|_| checkpoint.clone());
        let training = whole.parent().filter(|run| Manifest::read(run).is_ok_and(|there| there.kind == "train")).map(Path::to_path_buf);
        let manifest = training.as_ref().and_then(|run| Manifest::read(run).ok());
        let variant =
            training.as_ref().and_then(|run| safe_toml::read_of_run::<Resolved>(&run.join(names::CONFIG)).ok()).map(|of| of.variant);
        let name = variant.as_ref().map_or_else(|| called(typed), |variant| variant.name.clone());
        Self { named: Named { name, seed: manifest.and_then(|there| there.seed) }, checkpoint, variant, training }
    }

    /// The log of its training, where something stands in its place.
    pub fn log(&self) -> Option<PathBuf> {
        self.training.as_ref().map(|training| training.join(names::LOG)).filter(|log| door::stands(log))
    }

    /// A word that names its folder and its inputs.
    pub fn slug(&self) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c.to_ascii_lowercase() } else { '-' };
        let seed = self.named.seed.map_or_else(String::new, |seed| format!("-seed-{seed}"));
        self.named.name.chars().map(safe).collect::<String>() + &seed
    }
}

/// What is read of a training's `config.toml`.
#[derive(Deserialize)]
struct Resolved {
    variant: Variant,
}

/// What the command needs.
pub struct PathsPlan {
    /// What training started from.
    pub base: PathBuf,
    /// What it ended with.
    pub variants: Vec<Trained>,
    /// Benchmark file or folder.
    pub benchmark: PathBuf,
    /// Run folder.
    pub out: PathBuf,
    /// Only the first examples.
    pub limit: Option<usize>,
    /// Protocol, exit and budget.
    pub decoding: Decoding,
    /// K; absent: as a checkpoint was trained, else the protocol's.
    pub steps: Option<Steps>,
    /// How images become pixels: bounds over the variant's, and by which processor.
    pub images: ImageSettings,
    /// Margins, levels, seed.
    pub settings: AuditSettings,
    /// Replace another run's records.
    pub overwrite: bool,
}

impl PathsPlan {
    /// K for a checkpoint of that protocol. Blocks of fixed lengths have none, and without a block
    /// there are no lengths of training.
    pub fn steps_for(&self, protocol: Option<&Protocol>) -> Option<Steps> {
        self.steps.filter(|steps| match protocol {
            Some(protocol) => protocol.depends_on_steps(),
            None => *steps != Steps::Trained,
        })
    }

    /// What was typed.
    ///
    /// # Errors
    /// When a checkpoint or the study is not found, or nothing is left to compare.
    pub fn resolve(arguments: PathsArguments, context: &Context) -> anyhow::Result<Self> {
        let of_study = arguments.study.as_deref().map(Study::read).transpose()?;
        let recipe = of_study.as_ref().map(|study| &study.recipe);
        let base = match (&arguments.base, &of_study) {
            (Some(base), _) => locate(base, context)?,
            (None, Some(study)) => study.base()?,
            (None, None) => anyhow::bail!(Refused("--base: is missing; name the checkpoint that training started from".into())),
        };
        let variants = match &of_study {
            Some(study) => study.variants(&arguments.variant)?,
            None => arguments.variant.iter().map(|typed| Ok(Trained::of(locate(typed, context)?, typed))).collect::<anyhow::Result<_>>()?,
        };
        if variants.is_empty() {
            anyhow::bail!(Refused("--variant: is missing; name at least one trained checkpoint".into()));
        }
        let twice = variants.iter().enumerate().find(|(i, one)| variants.iter().take(*i).any(|other| other.slug() == one.slug()));
        if let Some((_, twice)) = twice {
            let text =
                format!("--variant {}: another is called `{}` too; give one of them at a time", twice.checkpoint.display(), twice.slug());
            anyhow::bail!(Refused(text));
        }
        let missing = |flag: &str| Refused(format!("--{flag}: is missing; give it, or the folder of a study"));
        let study = of_study.as_ref().map(|study| study.folder.as_path());
        let mut settings = recipe.map(|recipe| recipe.analysis.clone()).unwrap_or_default();
        if let Some(points) = arguments.margin {
            settings.equivalence_margin = points / 100.0;
        }
        settings.check()?;
        let budget = arguments.max_new_tokens.or(recipe.map(|recipe| recipe.audit.max_new_tokens)).unwrap_or(MAX_NEW_TOKENS);
        Ok(Self {
            base,
            variants,
            benchmark: arguments.benchmark.or(study.map(|study| study.join("world/test.jsonl"))).ok_or_else(|| missing("benchmark"))?,
            out: arguments.out.or(study.map(|study| study.join("paths"))).ok_or_else(|| missing("out"))?,
            limit: arguments.limit,
            decoding: Decoding::resolve(&arguments.decoding, budget)?,
            steps: arguments.steps.or(recipe.and_then(|recipe| recipe.audit.steps)),
            images: ImageSettings::from(&arguments.images).or(ImageProcessor::Named),
            settings,
            overwrite: arguments.overwrite,
        })
    }
}

/// A study's folder.
struct Study {
    folder: PathBuf,
    recipe: StudyRecipe,
}

impl Study {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let there = Manifest::read(folder)?;
        if there.kind != "study" {
            let text =
                format!("{}: is a `{}` run, no study; name a study's folder, or give --base and --variant", folder.display(), there.kind);
            anyhow::bail!(Refused(text));
        }
        Ok(Self { folder: folder.to_path_buf(), recipe: StudyRecipe::read_of_study(folder)? })
    }

    /// The base: the study's own where it trained one, else the recipe's.
    fn base(&self) -> anyhow::Result<PathBuf> {
        let candidates = [self.folder.join("base"), self.recipe.base.clone()];
        let found = candidates.into_iter().find(|folder| folder.join("config.json").exists());
        found.ok_or_else(|| {
            let text = format!("{}: the study's base is not there any more; name it with --base", self.recipe.base.display());
            Refused(text).into()
        })
    }

    /// The newest checkpoint of every arm and seed, or of those asked for.
    fn variants(&self, asked: &[PathBuf]) -> anyhow::Result<Vec<Trained>> {
        let arms = self.recipe.variants()?;
        if let Some(unknown) = asked.iter().find(|id| !arms.iter().any(|arm| Path::new(&arm.id) == id.as_path())) {
            let known: Vec<&str> = arms.iter().map(|arm| arm.id.as_str()).collect();
            anyhow::bail!(Refused(format!("--variant {}: the study has no such arm; it has {}", unknown.display(), known.join(", "))));
        }
        let mut found = Vec::new();
        for seed in (0..self.recipe.seeds).map(|i| self.recipe.seed + i) {
            for arm in arms.iter().filter(|arm| asked.is_empty() || asked.iter().any(|id| id.as_path() == Path::new(&arm.id))) {
                let training = self.folder.join(format!("seed-{seed}")).join(&arm.id);
                let checkpoint = newest(&training).ok_or_else(|| {
                    let text =
                        format!("{}: holds no checkpoint; let `prism study` finish, or name the arms that are there", training.display());
                    anyhow::Error::from(Refused(text))
                })?;
                found.push(Trained::of(checkpoint.clone(), &checkpoint));
            }
        }
        Ok(found)
    }
}

/// The checkpoint of the most steps in a training's folder.
fn newest(training: &Path) -> Option<PathBuf> {
    let step = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse::<u64>().ok();
    let entries = std::fs::read_dir(training).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    entries.filter_map(|path| Some((step(&path)?, path))).max().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_checkpoint_is_the_one_of_most_steps() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["checkpoint-90", "checkpoint-100", "checkpoint-x", "audit"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert_eq!(newest(folder.path()), Some(folder.path().join("checkpoint-100")));
        assert_eq!(newest(&folder.path().join("none")), None);
    }
}
