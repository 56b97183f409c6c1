//! The one training loop: packs, gradient, clipping, optimizer, log, checkpoints.
//!
//! What is trained is a [`Task`]: latent reasoning and plain language on records
//! ([`crate::records`]), or the vision tower on dense labels ([`crate::dense`]).
//! A step is a pure function of the state before it, so that a run killed and
//! resumed writes the same bytes as one that was left alone.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use prism_run::folder::{PartialFolder, names};
use prism_run::{Cancel, Progress};

use crate::config::TrainConfig;
use crate::gradient_cosine::GradientCosine;
use crate::log::{Log, StepLog};
use crate::optimizer::{AdamW, Optimizer};
use crate::order::Place;
use crate::schedule::Schedule;
use crate::state::{self, TrainerState, checkpoint_folder};
use crate::step::{Accumulator, clip_scale};
use crate::task::Task;
use crate::tensorboard::Events;
use crate::workers::Workers;
use crate::{Error, Result};

/// Where a run's files are and who listens.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The run folder.
    pub folder: &'a Path,
    /// Told of every step.
    pub progress: &'a dyn Progress,
    /// Asked before every step.
    pub cancel: &'a Cancel,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The last checkpoint.
    pub checkpoint: PathBuf,
    /// The last step, if this call made one.
    pub last: Option<StepLog>,
}

/// Trains `task` to the end of `config`, from `start`: the checkpoint whose weights
/// the task already holds, or `None` for a fresh run.
///
/// # Errors
/// [`prism_run::Error::Interrupted`] after writing a checkpoint, when asked to stop;
/// [`Error::Diverged`] when a loss or gradient is not finite; anything the task,
/// the files or the tensor library refuse.
pub fn run<T: Task>(task: &mut T, config: &TrainConfig, start: Option<&Path>, around: Surroundings<'_>) -> Result<Outcome> {
    let adam = AdamW { beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon, weight_decay: config.weight_decay };
    let mut optimizer = Optimizer::new(task.parameters(), adam, config.decay)?;
    let mut state = TrainerState {
        step: 0,
        place: Place::default(),
        task: task.name().to_owned(),
        corpus: task.corpus().to_owned(),
        config: config.clone(),
        origin: task.origin().cloned(),
    };
    if let Some(folder) = start {
        let before = TrainerState::load(folder)?;
        before.check(folder, &state)?;
        optimizer.load(folder)?;
        (state.step, state.place) = (before.step, before.place);
    }
    task.seek(state.place);
    let mut training = Training::new(config, optimizer, around, state.step)?;
    around.progress.begin(&format!("train {}", task.name()), "steps", config.steps as u64, state.step as u64);
    let outcome = training.steps(task, state, start);
    around.progress.end();
    outcome
}

struct Training<'a> {
    config: &'a TrainConfig,
    around: Surroundings<'a>,
    workers: Workers,
    schedule: Schedule,
    optimizer: Optimizer,
    gradients: Accumulator,
    cosine: Option<GradientCosine>,
    log: Log,
    events: Events,
}

impl<'a> Training<'a> {
    fn new(config: &'a TrainConfig, optimizer: Optimizer, around: Surroundings<'a>, done: usize) -> Result<Self> {
        let workers = Workers::new(config.worker_count())?;
        std::fs::create_dir_all(around.folder).map_err(|e| Error::io("cannot create folder", around.folder, e))?;
        Ok(Self {
            config,
            around,
            schedule: Schedule::cosine(config.learning_rate, config.warmup, config.steps),
            gradients: Accumulator::new(optimizer.parameters(), workers.clone()),
            cosine: match config.gradient_cosine_every {
                0 => None,
                every => Some(GradientCosine::new(every, optimizer.parameters(), &workers)),
            },
            workers,
            optimizer,
            log: Log::open(&around.folder.join(names::LOG), done)?,
            events: Events::create(around.folder, now(), done)?,
        })
    }

    fn steps<T: Task>(&mut self, task: &mut T, mut state: TrainerState, start: Option<&Path>) -> Result<Outcome> {
        let mut checkpoint = start.map(Path::to_path_buf);
        let mut last = None;
        while state.step < self.config.steps {
            if self.around.cancel.requested() {
                if last.is_some() {
                    self.checkpoint(task, &state)?;
                }
                return Err(prism_run::Error::Interrupted.into());
            }
            let (log, place) = self.step(task, state.step)?;
            (state.step, state.place) = (log.step, place);
            self.tell(&log)?;
            last = Some(log);
            if self.is_due(state.step) {
                checkpoint = Some(self.checkpoint(task, &state)?);
            }
        }
        let checkpoint = match checkpoint {
            Some(checkpoint) => checkpoint,
            None => self.checkpoint(task, &state)?,
        };
        Ok(Outcome { checkpoint, last })
    }

    fn step<T: Task>(&mut self, task: &mut T, done: usize) -> Result<(StepLog, Place)> {
        let begun = Instant::now();
        let step = done + 1;
        let (packs, place) = task.packs(&self.workers)?;
        let terms = self.gradients.accumulate(&packs, |pack| task.loss(step, pack))?;
        let norm = self.gradients.norm();
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let (n, sum) = values.fold((0usize, 0.0), |(n, sum), v| (n + 1, sum + v));
            if n == 0 { None } else { Some(sum / n as f64) }
        };
        let total = mean(&mut terms.iter().map(|t| t.total)).unwrap_or(f64::NAN);
        for (what, value) in [("the loss", total), ("the gradient's norm", norm)] {
            if !value.is_finite() {
                return Err(Error::Diverged { step, what });
            }
        }
        let gradient_cosine = match self.cosine.as_mut().filter(|cosine| cosine.is_due(step)) {
            Some(cosine) => cosine.measure(task, step, &packs)?,
            None => None,
        };
        let rate = self.schedule.rate(done);
        self.optimizer.step(&self.gradients, rate, clip_scale(norm, self.config.clip))?;
        let tokens: usize = terms.iter().map(|t| t.tokens).sum();
        let log = StepLog {
            step,
            epoch: place.epoch as f64 + place.used as f64 / task.samples().max(1) as f64,
            lr: rate,
            ce: mean(&mut terms.iter().map(|t| t.ce)).unwrap_or(0.0),
            latent: mean(&mut terms.iter().filter_map(|t| t.latent)),
            diversity: mean(&mut terms.iter().filter_map(|t| t.diversity)),
            total,
            grad_norm: norm,
            gradient_cosine,
            tokens,
            tokens_per_second: tokens as f64 / begun.elapsed().as_secs_f64().max(1e-9),
        };
        Ok((log, place))
    }

    fn tell(&mut self, log: &StepLog) -> Result<()> {
        self.log.write(log)?;
        let mut scalars = vec![("loss/ce", log.ce), ("loss/total", log.total), ("lr", log.lr), ("grad_norm", log.grad_norm)];
        scalars.extend(log.latent.map(|v| ("loss/latent", v)));
        scalars.extend(log.diversity.map(|v| ("loss/diversity", v)));
        scalars.push(("tokens_per_second", log.tokens_per_second));
        let cosines = log.gradient_cosine.iter().flatten().map(|(layer, value)| (format!("gradient_cosine/{layer}"), *value));
        let cosines: Vec<(String, f64)> = cosines.collect();
        scalars.extend(cosines.iter().map(|(name, value)| (name.as_str(), *value)));
        self.events.scalars(now(), log.step, &scalars)?;
        self.around.progress.advance(1);
        self.around.progress.measure(log.ce);
        if log.step.is_multiple_of(self.config.log_every) || log.step == self.config.steps {
            let latent = log.latent.map_or(String::new(), |l| format!(" latent {l:.4}"));
            self.around.progress.note(&format!("ce {:.4}{latent} {:.0} tokens/s", log.ce, log.tokens_per_second));
        }
        Ok(())
    }

    fn is_due(&self, step: usize) -> bool {
        let every = self.config.checkpoint_every;
        step == self.config.steps || (every > 0 && step.is_multiple_of(every)) || self.config.checkpoints_at.contains(&step)
    }

    /// Writes `checkpoint-N` whole or not at all, and removes what is no longer kept.
    fn checkpoint<T: Task>(&self, task: &T, state: &TrainerState) -> Result<PathBuf> {
        let target = checkpoint_folder(self.around.folder, state.step);
        let partial = PartialFolder::create(&target)?;
        task.save(partial.path())?;
        self.optimizer.save(partial.path())?;
        state.save(partial.path())?;
        self.log.sync()?;
        partial.finish()?;
        state::prune(self.around.folder, self.config.keep, &self.config.checkpoints_at)?;
        Ok(target)
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}
