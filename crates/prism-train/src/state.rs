//! `trainer_state.json`: all a run needs, beside weights and optimizer, to go on
//! bit for bit.

use std::path::{Path, PathBuf};

use prism_run::door::{self, Limit};
use prism_run::shown::files::json_text;
use prism_run::{Variant, folder};
use serde::{Deserialize, Serialize};

use crate::config::TrainConfig;
use crate::order::Place;
use crate::{Error, Result};

/// File name inside a checkpoint.
pub const FILE: &str = "trainer_state.json";

/// What a run on records starts from: with configuration and corpus, all its result depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The variant with all its keys.
    pub variant: Option<Variant>,
    /// SHA-256 of the base checkpoint's files.
    pub base: String,
    /// Type of the weights.
    pub dtype: String,
}

impl Origin {
    /// What differs between the origin of a checkpoint and that of the run which goes on from it.
    fn differing(&self, wanted: &Self, continued: bool) -> Option<String> {
        let keys = |origin: &Self| {
            let value = serde_json::to_value(&origin.variant).unwrap_or_default();
            let mut keys = value.as_object().cloned().unwrap_or_default();
            if continued {
                // Until the release a continued variant is the same but for these.
                ["id", "name", "release", "continues"].iter().for_each(|key| drop(keys.remove(*key)));
            }
            keys
        };
        let (there, here) = (keys(self), keys(wanted));
        let key = there.keys().chain(here.keys()).find(|key| there.get(*key) != here.get(*key));
        key.map(|key| format!("the variant's `{key}`"))
            .or_else(|| (self.base != wanted.base).then(|| "the base checkpoint".to_owned()))
            .or_else(|| (self.dtype != wanted.dtype).then(|| format!("the dtype ({})", self.dtype)))
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerState {
    /// Finished optimizer steps.
    pub step: usize,
    /// Where the next sample stands.
    pub place: Place,
    /// What is trained: the variant's id, or the name of a stage of the base.
    pub task: String,
    /// Digest of the corpus: ids, turns, boxes and order of its records.
    pub corpus: String,
    /// The configuration it was trained with.
    pub config: TrainConfig,
    /// What it started from, when it is trained on records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl TrainerState {
    /// Writes the state into a checkpoint folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        Ok(folder::write_atomic(&path, json_text(self, &path)?.as_bytes())?)
    }

    /// Reads the state of a checkpoint folder.
    ///
    /// # Errors
    /// The file is absent, no file of its run, or not a trainer's state.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = door::read_text(&path, Limit::Manifest)?;
        let remedy = "the checkpoint is damaged: delete it to resume from an earlier one";
        serde_json::from_str(&text).map_err(|e| Error::content(&path, e.to_string(), remedy))
    }

    /// Whether the run that `wanted` describes may go on from here. Of another task's
    /// checkpoint, which is continued, the variant may differ in name and release.
    ///
    /// # Errors
    /// A key that changes the result, the corpus or the origin differs.
    pub fn check(&self, folder: &Path, wanted: &Self) -> Result<()> {
        let remedy = "train with the same variant, base, configuration and data, or into another folder";
        let refuse =
            |what: &str| Err(Error::content(&folder.join(FILE), format!("{what} was another when this checkpoint was written"), remedy));
        if let Some(key) = differing_key(&self.config, &wanted.config) {
            return refuse(&format!("`{key}`"));
        }
        if self.corpus != wanted.corpus {
            return refuse("the training data");
        }
        let origins = self.origin.as_ref().zip(wanted.origin.as_ref());
        match origins.and_then(|(there, here)| there.differing(here, self.task != wanted.task)) {
            Some(what) => refuse(&what),
            None => Ok(()),
        }
    }
}

/// First key, among those that change the result, in which two configurations differ.
fn differing_key(a: &TrainConfig, b: &TrainConfig) -> Option<&'static str> {
    // Written out so that a new key must be placed: result, or housekeeping.
    let TrainConfig {
        steps,
        packs_per_step,
        samples_per_pack,
        tokens_per_pack,
        tokens_alone,
        learning_rate,
        warmup,
        weight_decay,
        decay,
        beta1,
        beta2,
        epsilon,
        clip,
        seed,
        vision,
        min_pixels,
        max_pixels,
        checkpoint_every: _,
        checkpoints_at: _,
        keep: _,
        workers: _,
        log_every: _,
        feature_cache: _,
        gradient_cosine_every: _,
    } = a;
    let same = [
        ("steps", *steps == b.steps),
        ("packs_per_step", *packs_per_step == b.packs_per_step),
        ("samples_per_pack", *samples_per_pack == b.samples_per_pack),
        ("tokens_per_pack", *tokens_per_pack == b.tokens_per_pack),
        ("tokens_alone", *tokens_alone == b.tokens_alone),
        ("learning_rate", *learning_rate == b.learning_rate),
        ("warmup", *warmup == b.warmup),
        ("weight_decay", *weight_decay == b.weight_decay),
        ("decay", *decay == b.decay),
        ("beta1", *beta1 == b.beta1),
        ("beta2", *beta2 == b.beta2),
        ("epsilon", *epsilon == b.epsilon),
        ("clip", *clip == b.clip),
        ("seed", *seed == b.seed),
        ("vision", *vision == b.vision),
        ("min_pixels", *min_pixels == b.min_pixels),
        ("max_pixels", *max_pixels == b.max_pixels),
    ];
    same.iter().find(|(_, same)| !same).map(|(key, _)| *key)
}

/// `checkpoint-STEP` inside a run folder.
pub fn checkpoint_folder(run: &Path, step: usize) -> PathBuf {
    run.join(format!("checkpoint-{step}"))
}

/// Steps of the complete checkpoints of a run folder, rising.
///
/// # Errors
/// The folder exists but cannot be listed.
pub fn checkpoints(run: &Path) -> Result<Vec<usize>> {
    let entries = match std::fs::read_dir(run) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("cannot list", run, e)),
    };
    let mut steps = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| Error::io("cannot list", run, e))?;
        let step = entry.file_name().to_str().and_then(|n| n.strip_prefix("checkpoint-")).and_then(|n| n.parse().ok());
        // Whatever stands there: what is no file is told when it is read, not passed over.
        if let Some(step) = step.filter(|_| door::stands(&entry.path().join(FILE))) {
            steps.push(step);
        }
    }
    steps.sort_unstable();
    Ok(steps)
}

/// Removes all but the last `keep` checkpoints (0: none is removed) and those at `spared` steps.
///
/// # Errors
/// A folder cannot be removed.
pub fn prune(run: &Path, keep: usize, spared: &[usize]) -> Result<()> {
    let mut steps = checkpoints(run)?;
    steps.retain(|s| !spared.contains(s));
    let surplus = if keep == 0 { 0 } else { steps.len().saturating_sub(keep) };
    for step in &steps[..surplus] {
        // At once: half a checkpoint would be gone on from.
        folder::remove(&checkpoint_folder(run, *step))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_at(step: usize, config: &TrainConfig) -> TrainerState {
        let origin = Origin { variant: Some(Variant::load("lvr").unwrap()), base: "a".into(), dtype: "f32".into() };
        let (task, corpus) = ("lvr".into(), "x".into());
        TrainerState { step, place: Place::default(), task, corpus, config: config.clone(), origin: Some(origin) }
    }

    #[test]
    fn the_last_and_the_spared_stay() {
        let run = tempfile::tempdir().unwrap();
        let config = TrainConfig::default();
        for step in [5, 10, 15, 100] {
            let folder = checkpoint_folder(run.path(), step);
            std::fs::create_dir(&folder).unwrap();
            let state = state_at(step, &config);
            state.save(&folder).unwrap();
            assert_eq!(TrainerState::load(&folder).unwrap(), state);
        }
        std::fs::create_dir(run.path().join("checkpoint-200")).unwrap();
        prune(run.path(), 2, &[5]).unwrap();
        assert_eq!(checkpoints(run.path()).unwrap(), [5, 15, 100]);
    }

    #[test]
    fn another_configuration_is_refused_by_key() {
        let config = TrainConfig::default();
        let state = state_at(1, &config);
        let folder = Path::new("checkpoint-1");
        let of = |config: TrainConfig| TrainerState { config, ..state.clone() };
        state.check(folder, &of(TrainConfig { workers: 9, keep: 7, ..config.clone() })).unwrap();
        let message = state.check(folder, &of(TrainConfig { seed: 1, ..config })).unwrap_err().to_string();
        assert!(message.contains("`seed`"), "{message}");
        assert!(state.check(folder, &TrainerState { corpus: "y".into(), ..state.clone() }).is_err());
    }

    #[test]
    fn another_origin_is_refused_by_what_differs() {
        let state = state_at(1, &TrainConfig::default());
        let folder = Path::new("checkpoint-1");
        let origin = state.origin.clone().unwrap();
        let lvr = origin.variant.clone().unwrap();
        let refused = |task: &str, origin: Origin| {
            let wanted = TrainerState { task: task.into(), origin: Some(origin), ..state.clone() };
            state.check(folder, &wanted).map_err(|e| e.to_string())
        };
        let of = |variant: Variant| Origin { variant: Some(variant), ..origin.clone() };
        assert!(refused("lvr", origin.clone()).is_ok());
        assert!(refused("lvr", of(Variant { latent_weight: 0.5, ..lvr.clone() })).unwrap_err().contains("`latent_weight`"));
        assert!(refused("lvr", of(Variant { release: Some(0.5), ..lvr })).unwrap_err().contains("`release`"));
        assert!(refused("lvr", Origin { base: "b".into(), ..origin.clone() }).unwrap_err().contains("base"));
        assert!(refused("lvr", Origin { dtype: "bf16".into(), ..origin.clone() }).unwrap_err().contains("f32"));
        // What continues it may differ in its release, not in its noise.
        assert!(refused("d-lvr", of(Variant::load("d-lvr").unwrap())).is_ok());
        assert!(refused("n-lvr", of(Variant::load("n-lvr").unwrap())).unwrap_err().contains("`noise_std`"));
    }
}
