//! `prism train`: one variant on one corpus, fresh, continued or resumed.

use std::path::{Path, PathBuf};

use prism_model::tensor::{DType, Device};
use prism_run::{TrainingRecord, Variant};

use crate::config::TrainConfig;
use crate::objective::release_step;
use crate::order::Place;
use crate::records::{RecordTask, trainable};
use crate::samples;
use crate::start::{Opened, Opening};
use crate::state::{self, Origin, TrainerState, checkpoint_folder};
use crate::trainer::{self, Outcome, Surroundings};
use crate::{Error, Result};

/// What to train.
#[derive(Clone, Copy)]
pub struct TrainRequest<'a> {
    /// The budget, checked.
    pub config: &'a TrainConfig,
    /// The variant; `None`: language alone, on records without regions.
    pub variant: Option<&'a Variant>,
    /// Names the run where there is no variant, e.g. `language`.
    pub name: &'a str,
    /// The corpus.
    pub records: &'a [TrainingRecord],
    /// Checkpoint folder of the base model.
    pub base: &'a Path,
    /// Checkpoint of the variant that this one continues ([`Variant::continues`]),
    /// at its release step or before; its optimizer and schedule are carried on.
    pub continues: Option<&'a Path>,
    /// Where the model lives.
    pub device: &'a Device,
    /// The model's dtype.
    pub dtype: DType,
}

impl TrainRequest<'_> {
    /// The variant's id, or the name of what is trained without one.
    fn task(&self) -> &str {
        self.variant.map_or(self.name, |variant| &variant.id)
    }
}

/// Trains into the run folder of `around`. A folder that holds checkpoints is
/// resumed from the last one; a finished run is returned as it is.
///
/// # Errors
/// As [`trainer::run`]; and when the checkpoint to go on from is of another variant,
/// configuration or corpus.
pub fn train(request: TrainRequest<'_>, around: Surroundings<'_>) -> Result<Outcome> {
    let Begun { start, origin } = check(&request, around.folder)?;
    let name = request.task();
    let opening = Opening {
        device: request.device,
        dtype: request.dtype,
        trainable: trainable(request.config),
        scratch: around.folder.join("files"),
    };
    let opened = Opened::open(start.as_deref().unwrap_or(request.base), request.variant, request.config, &opening)?;
    let mut task = RecordTask::new(name, opened, request.records, request.variant, request.config)?.with_origin(origin);
    trainer::run(&mut task, request.config, start.as_deref(), around)
}

/// Where a run starts, found to be the run asked for.
#[derive(Debug)]
pub struct Begun {
    start: Option<PathBuf>,
    origin: Origin,
}

/// Looks at the checkpoint a run into `folder` would go on from, and writes nothing.
///
/// # Errors
/// When that checkpoint is of another variant, base, dtype, configuration or corpus.
pub fn check(request: &TrainRequest<'_>, folder: &Path) -> Result<Begun> {
    let start = match state::checkpoints(folder)?.last() {
        Some(&step) => Some(own(checkpoint_folder(folder, step), request.task())?),
        None => request.continues.map(|folder| other(folder, request)).transpose()?,
    };
    let base = serde_json::json!(prism_run::folder::hash_checkpoint(request.base)?).to_string();
    let origin = Origin {
        variant: request.variant.cloned(),
        base: prism_run::folder::hash_bytes(base.as_bytes()),
        dtype: request.dtype.as_str().to_owned(),
    };
    if let Some(checkpoint) = &start {
        let wanted = TrainerState {
            step: 0,
            place: Place::default(),
            task: request.task().to_owned(),
            corpus: samples::digest(request.records),
            config: request.config.clone(),
            origin: Some(origin.clone()),
        };
        TrainerState::load(checkpoint)?.check(checkpoint, &wanted)?;
    }
    Ok(Begun { start, origin })
}

/// A checkpoint of this very run.
fn own(folder: PathBuf, name: &str) -> Result<PathBuf> {
    let state = TrainerState::load(&folder)?;
    if state.task == name {
        return Ok(folder);
    }
    let cause = format!("it was trained as `{}`, not `{name}`", state.task);
    Err(Error::content(&folder, cause, "train into another folder, or delete this one"))
}

/// A checkpoint of the run that this one continues.
fn other(folder: &Path, request: &TrainRequest<'_>) -> Result<PathBuf> {
    let state = TrainerState::load(folder)?;
    let Some(variant) = request.variant.filter(|v| v.continues.as_deref() == Some(&state.task)) else {
        let cause = format!("it is a checkpoint of `{}`, which this variant does not continue", state.task);
        return Err(Error::content(folder, cause, "give a checkpoint of the variant named by `continues`"));
    };
    match release_step(variant, request.config.steps) {
        Some(release) if state.step > release => {
            let cause = format!("it stands at step {}, behind the release at step {release}", state.step);
            Err(Error::content(folder, cause, "give the checkpoint at the release step (`checkpoints_at`)"))
        }
        _ => Ok(folder.to_path_buf()),
    }
}
