//! `trainer_state.json`: all a run needs, beside weights and optimizer, to go on
//! bit for bit.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::TrainConfig;
use crate::order::Place;
use crate::{Error, Result};

/// File name inside a checkpoint.
pub const FILE: &str = "trainer_state.json";

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
}

impl TrainerState {
    /// Writes the state into a checkpoint folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let mut text = serde_json::to_string_pretty(self).map_err(|e| Error::content(&path, e.to_string(), "report this as a bug"))?;
        text.push('\n');
        std::fs::write(&path, text).map_err(|e| Error::io("cannot write", &path, e))
    }

    /// Reads the state of a checkpoint folder.
    ///
    /// # Errors
    /// The file is absent or not a trainer's state.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("cannot read", &path, e))?;
        let remedy = "the checkpoint is damaged: delete it to resume from an earlier one";
        serde_json::from_str(&text).map_err(|e| Error::content(&path, e.to_string(), remedy))
    }

    /// Whether a run of `config` on `corpus` may go on from here.
    ///
    /// # Errors
    /// A key that changes the result, or the corpus, differs.
    pub fn check(&self, folder: &Path, config: &TrainConfig, corpus: &str) -> Result<()> {
        let remedy = "train with the same configuration and data, or into another folder";
        if let Some(key) = differing_key(&self.config, config) {
            return Err(Error::content(&folder.join(FILE), format!("`{key}` was another when this checkpoint was written"), remedy));
        }
        if self.corpus != corpus {
            return Err(Error::content(&folder.join(FILE), "the training data were others when this checkpoint was written", remedy));
        }
        Ok(())
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
        if let Some(step) = step.filter(|_| entry.path().join(FILE).is_file()) {
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
        let folder = checkpoint_folder(run, *step);
        std::fs::remove_dir_all(&folder).map_err(|e| Error::io("cannot remove", &folder, e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_and_the_spared_stay() {
        let run = tempfile::tempdir().unwrap();
        let config = TrainConfig::default();
        for step in [5, 10, 15, 100] {
            let folder = checkpoint_folder(run.path(), step);
            std::fs::create_dir(&folder).unwrap();
            let state = TrainerState { step, place: Place::default(), task: "lvr".into(), corpus: "x".into(), config: config.clone() };
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
        let state = TrainerState { step: 1, place: Place::default(), task: "lvr".into(), corpus: "x".into(), config: config.clone() };
        let folder = Path::new("checkpoint-1");
        state.check(folder, &TrainConfig { workers: 9, keep: 7, ..config.clone() }, "x").unwrap();
        let message = state.check(folder, &TrainConfig { seed: 1, ..config.clone() }, "x").unwrap_err().to_string();
        assert!(message.contains("`seed`"), "{message}");
        assert!(state.check(folder, &config, "y").is_err());
    }
}
