//! `run.json`: what ran, on what, and how it ended.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::door::{self, Limit};
use crate::records::scoring;
use crate::shown::files::json_text;
use crate::steps::keys;
use crate::{Answers, Error, Result, StageSteps, StepBudget, Steps, TrainedLengths, folder};

/// Version of the run folder's layout.
pub const SCHEMA: u32 = 1;

/// The provenance header of a run folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout version.
    pub schema: u32,
    /// What kind of run: `train`, `audit`, `eval`, `study`, `world`, `base`.
    pub kind: String,
    /// Version of Prism.
    pub version: String,
    /// Variant id, when the run has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Printed name of the variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Training seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Benchmark name of an audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<String>,
    /// The command line as typed.
    pub command: Vec<String>,
    /// Git commit the binary was built from, `-dirty` when the tree had changes.
    pub commit: String,
    /// Host name.
    pub host: String,
    /// Device and the reason for it.
    pub device: String,
    /// Dtype and the reason for it.
    pub dtype: String,
    /// Worker threads.
    pub threads: usize,
    /// SHA-256 of each input by name (data file, checkpoint weights, recipe).
    pub inputs: BTreeMap<String, String>,
    /// Examples per outcome.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, usize>,
    /// Of those that could not be run, examples per cause; absent where every example ran.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub causes: BTreeMap<String, usize>,
    /// Anything else worth keeping (decoding budget, steps, donors' pool, ...).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, serde_json::Value>,
    /// UTC time of start and end, RFC 3339; never part of findings.
    pub started: String,
    /// End; absent while running or after a kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

impl Manifest {
    /// Reads `run.json` of the run folder.
    ///
    /// # Errors
    /// When it is absent or not a manifest of a known schema.
    pub fn read(run: &Path) -> Result<Self> {
        let path = run.join(folder::names::MANIFEST);
        let text = door::read_text(&path, Limit::Manifest).map_err(|e| match e {
            Error::Io { source, .. } => Error::io("not a run folder: cannot read", &path, source),
            other => other,
        })?;
        let manifest: Self =
            serde_json::from_str(&text).map_err(|e| Error::content(&path, e.to_string(), "run the command that made this folder again"))?;
        if manifest.schema != SCHEMA {
            let cause = format!("schema {} is not {SCHEMA}", manifest.schema);
            return Err(Error::content(&path, cause, "use the version of Prism that wrote it, or run again"));
        }
        Ok(manifest)
    }

    /// Writes `run.json` into the run folder, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        let path = run.join(folder::names::MANIFEST);
        folder::write_atomic(&path, json_text(self, &path)?.as_bytes())
    }

    /// K as it was asked for; `None` for a run without one, or of a setting that is not K.
    pub fn steps(&self) -> Option<Steps> {
        self.setting(keys::STEPS)
    }

    /// Latent steps of a block, by stage; `None` in manifests of before they were written.
    pub fn steps_by_stage(&self) -> Option<StageSteps> {
        self.setting(keys::BY_STAGE)
    }

    /// The lengths of training that the checkpoint told; `None` where they are unknown.
    pub fn trained_lengths(&self) -> Option<TrainedLengths> {
        TrainedLengths::read(self.settings.get(keys::TRAINED)?).ok()
    }

    /// The rules that read its answers; `tagged` in manifests of before there were others.
    pub fn answers(&self) -> Answers {
        self.setting(scoring::ANSWERS).unwrap_or_default()
    }

    /// Examples of the clean run, however they ended. A manifest may say any number: the sum stops at the greatest there is.
    pub fn examples(&self) -> usize {
        self.outcomes.values().copied().fold(0, usize::saturating_add)
    }

    /// Examples of the clean run that ended so.
    pub fn ended_as(&self, outcome: crate::Outcome) -> usize {
        self.outcomes.get(outcome.name()).copied().unwrap_or_default()
    }

    /// Whether the run is one of a sweep at another K than the one declared before.
    pub fn is_exploratory(&self) -> bool {
        self.settings.get(keys::EXPLORATORY) == Some(&serde_json::Value::Bool(true))
    }

    /// The step budget; `None` for a run without one, or of before it was written stage by stage.
    pub fn step_budget(&self) -> Option<StepBudget> {
        let exit = self.settings.get("exit").and_then(|exit| exit.get("kind")).and_then(|kind| kind.as_str());
        Some(StepBudget {
            steps: self.steps()?,
            by_stage: self.steps_by_stage()?,
            trained: self.trained_lengths(),
            own_exit: exit.is_some_and(|kind| kind != "steps"),
            exploratory: self.is_exploratory(),
        })
    }

    fn setting<'de, T: Deserialize<'de>>(&'de self, key: &str) -> Option<T> {
        T::deserialize(self.settings.get(key)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: serde_json::Value) -> Manifest {
        let whole = serde_json::json!({"schema": 1, "kind": "audit", "version": "0", "command": [], "commit": "", "host": "",
            "device": "", "dtype": "", "threads": 1, "inputs": {}, "settings": settings, "started": ""});
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn the_step_budget_comes_back_as_it_was_written() {
        let target = serde_json::json!({"target": {"least": 1, "low": 1, "median": 2, "high": 4, "greatest": 4, "blocks": 9}});
        let budget = StepBudget {
            steps: Steps::Fixed(8),
            by_stage: StageSteps { context: None, target: Some(8) },
            trained: Some(TrainedLengths::read(&target).unwrap()),
            own_exit: false,
            exploratory: true,
        };
        let mut manifest = with(serde_json::json!({"exit": {"kind": "steps"}}));
        budget.write(&mut manifest.settings);
        assert_eq!(manifest.step_budget(), Some(budget));
        assert_eq!(manifest.settings["steps"], 8);
        assert_eq!(manifest.settings["steps_by_stage"], serde_json::json!({"target": 8}));
        assert!(manifest.settings["outside_trained_lengths"].as_str().unwrap().starts_with("K = 8 lies outside"));
        let inside = StepBudget { steps: Steps::Trained, by_stage: StageSteps { context: None, target: Some(2) }, ..budget };
        StepBudget { exploratory: false, ..inside }.write(&mut manifest.settings);
        assert_eq!((manifest.settings["steps"].as_str(), manifest.is_exploratory()), (Some("trained"), false));
        assert!(!manifest.settings.contains_key("outside_trained_lengths"));
        assert_eq!(manifest.step_budget().unwrap().inside(), Some(true));
    }

    #[test]
    fn counts_beyond_every_number_do_not_begin_anew() {
        let mut manifest = with(serde_json::json!({}));
        assert_eq!(manifest.examples(), 0);
        manifest.outcomes = [("scored".to_string(), usize::MAX), ("error".to_string(), 2)].into();
        assert_eq!(manifest.examples(), usize::MAX);
    }

    #[test]
    fn an_older_manifest_has_no_step_budget() {
        assert_eq!(with(serde_json::json!({"steps": 8})).step_budget(), None);
        assert_eq!(with(serde_json::json!({"steps": 8})).steps(), Some(Steps::Fixed(8)));
        let damaged = serde_json::json!({"steps": "soon", "steps_by_stage": 3, "trained_lengths": {}});
        let damaged = with(damaged);
        assert_eq!((damaged.steps(), damaged.steps_by_stage(), damaged.trained_lengths()), (None, None, None));
        let token = with(serde_json::json!({"steps": 8, "steps_by_stage": {"target": 8}, "exit": {"kind": "token", "cap": null}}));
        assert!(token.step_budget().unwrap().own_exit);
    }
}
