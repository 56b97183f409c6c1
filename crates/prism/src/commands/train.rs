//! `prism train`: one variant.

use std::path::{Path, PathBuf};

use prism_run::folder::{self, names};
use prism_run::shown::files::toml_text;
use prism_run::{Variant, as_text, safe_toml};
use prism_train::objective::release_step;
use prism_train::state::checkpoint_folder;
use prism_train::train::TrainRequest;
use prism_train::{Surroundings, TrainConfig};
use serde::{Deserialize, Serialize};

use super::opened::locate;
use crate::cli::TrainArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, provenance};

/// What training needs.
pub struct TrainPlan {
    /// The variant.
    pub variant: Variant,
    /// Checkpoint to start from.
    pub base: PathBuf,
    /// Training data.
    pub data: PathBuf,
    /// Folder of images, when the data is a plain list.
    pub images: Option<PathBuf>,
    /// The budget; its seed is the run's.
    pub config: TrainConfig,
    /// Run folder.
    pub out: PathBuf,
    /// Run folder of the variant this one continues.
    pub continue_from: Option<PathBuf>,
    /// Variants that will continue this one, besides the presets: their release steps get a checkpoint.
    pub continued_by: Vec<Variant>,
}

/// `config.toml` of the run: the same run starts from it, in whatever folder.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolved {
    base: PathBuf,
    data: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    images: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    continue_from: Option<PathBuf>,
    variant: Variant,
    train: TrainConfig,
}

impl Resolved {
    fn of(plan: &TrainPlan, config: &TrainConfig) -> anyhow::Result<Self> {
        let absolute = |path: &PathBuf| -> anyhow::Result<PathBuf> {
            let path = std::path::absolute(path)?;
            provenance::check_text(&path)?;
            Ok(path)
        };
        Ok(Self {
            base: absolute(&plan.base)?,
            data: absolute(&plan.data)?,
            images: plan.images.as_ref().map(absolute).transpose()?,
            continue_from: plan.continue_from.as_ref().map(absolute).transpose()?,
            variant: plan.variant.clone(),
            train: config.clone(),
        })
    }

    /// Training keys alone, or those and the rest of a run's own file.
    fn read(path: &Path) -> anyhow::Result<(TrainConfig, Option<Self>)> {
        let text = prism_run::door::read_named(path, prism_run::door::Limit::Recipe)?;
        if !safe_toml::from_str::<toml::Table>(&text, path)?.contains_key("train") {
            return Ok((safe_toml::from_str(&text, path)?, None));
        }
        let mut run: Self = safe_toml::from_str(&text, path)?;
        run.variant = run.variant.check()?;
        Ok((run.train.clone(), Some(run)))
    }
}

impl TrainPlan {
    fn resolve(arguments: TrainArguments, context: &Context) -> anyhow::Result<Self> {
        let (mut config, run) = match &arguments.config {
            Some(path) => Resolved::read(path)?,
            None => (TrainConfig::default(), None),
        };
        let (variant, base, data, images, continue_from) = match run {
            Some(run) => (Some(run.variant), Some(run.base), Some(run.data), run.images, run.continue_from),
            None => (None, None, None, None, None),
        };
        let missing = |flag: &str| Refused(format!("{flag} is given neither here nor in --config; give it"));
        let variant = arguments.variant.as_deref().map(Variant::load).transpose()?.or(variant);
        config.seed = arguments.seed.unwrap_or(config.seed);
        config.steps = arguments.steps.unwrap_or(config.steps);
        Ok(Self {
            variant: variant.ok_or_else(|| missing("--variant"))?,
            base: locate(&arguments.base.or(base).ok_or_else(|| missing("--base"))?, context)?,
            // Images belong to the data they are given with.
            images: arguments.images.or(if arguments.data.is_some() { None } else { images }),
            data: arguments.data.or(data).ok_or_else(|| missing("--data"))?,
            config,
            out: arguments.out,
            continue_from: arguments.continue_from.or(continue_from),
            continued_by: Vec::new(),
        })
    }
}

/// Runs the verb.
pub fn run(arguments: TrainArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let plan = TrainPlan::resolve(arguments, context)?;
    context.printer.narrate(&context.hardware.line());
    let checkpoint = train(&plan, context)?;
    context.printer.result(&format!("checkpoint {}", checkpoint.display()));
    context.printer.result_json(&serde_json::json!({ "checkpoint": as_text::of(&checkpoint) }))?;
    Ok(ExitStatus::Success)
}

/// Trains into the run folder, or returns what is finished there; the last checkpoint.
pub fn train(plan: &TrainPlan, context: &Context) -> anyhow::Result<PathBuf> {
    let lock = context.lock(&plan.out)?;
    let result = train_into(plan, context);
    if result.is_err() && lock.is_fresh() && prism_train::state::checkpoints(&plan.out).is_ok_and(|c| c.is_empty()) {
        lock.clear();
    }
    result
}

fn train_into(plan: &TrainPlan, context: &Context) -> anyhow::Result<PathBuf> {
    let mut config = plan.config.clone();
    config.workers = context.hardware.threads;
    config.checkpoints_at.extend(releases(plan, config.steps));
    config.checkpoints_at.sort_unstable();
    config.checkpoints_at.dedup();
    let config = config.check()?;
    let records = prism_data::read_training(&plan.data, plan.images.as_deref())?;

    let mut manifest = provenance::manifest("train", &context.hardware);
    manifest.variant = Some(plan.variant.id.clone());
    manifest.name = Some(plan.variant.name.clone());
    manifest.seed = Some(config.seed);
    provenance::hash_checkpoint(&mut manifest, &plan.base)?;
    for file in prism_data::training_files(&plan.data)? {
        provenance::hash_input(&mut manifest, &format!("data/{}", file.display()), &file)?;
    }
    let resolved = Resolved::of(plan, &config)?;
    manifest.settings.insert("base".into(), as_text::of(&plan.base).into());
    manifest.settings.insert("data".into(), as_text::of(&plan.data).into());
    manifest.settings.insert("continue_from".into(), serde_json::json!(plan.continue_from.as_deref().map(as_text::of)));
    let continues = plan.continue_from.as_deref().and_then(|run| continued(run, &plan.variant, &config));
    let request = TrainRequest {
        config: &config,
        variant: Some(&plan.variant),
        name: &plan.variant.id,
        records: &records,
        base: &plan.base,
        continues: continues.as_deref(),
        device: &context.hardware.device,
        dtype: context.hardware.dtype,
    };
    // Before anything is written: a folder of another run stays as it is.
    prism_train::train::check(&request, &plan.out)?;
    manifest.write(&plan.out)?;
    let path = plan.out.join(names::CONFIG);
    folder::write_atomic(&path, toml_text(&resolved, &path)?.as_bytes())?;
    let around = Surroundings { folder: &plan.out, progress: &context.printer, cancel: &context.cancel };
    let outcome = prism_train::train::train(request, around)?;
    manifest.ended = Some(provenance::now());
    manifest.write(&plan.out)?;
    Ok(outcome.checkpoint)
}

/// The checkpoint at the release step in the continued variant's run folder.
fn continued(run: &Path, variant: &Variant, config: &TrainConfig) -> Option<PathBuf> {
    release_step(variant, config.steps).map(|step| checkpoint_folder(run, step))
}

/// Steps at which another variant leaves this one: its checkpoint there is never removed.
fn releases(plan: &TrainPlan, steps: usize) -> Vec<usize> {
    let presets = Variant::preset_ids().filter_map(|id| Variant::load(id).ok());
    presets
        .chain(plan.continued_by.iter().cloned())
        .filter(|variant| variant.continues.as_ref() == Some(&plan.variant.id))
        .filter_map(|variant| release_step(&variant, steps))
        .filter(|step| *step > 0)
        .collect()
}
