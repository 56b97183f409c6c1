//! `log.jsonl`: one object an optimizer step; what a resumed run repeats is cut off.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use prism_run::door::{self, Limit};
use prism_run::shown::files::json_line;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What one optimizer step did. Losses are means over the step's packs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepLog {
    /// Optimizer step, from 1.
    pub step: usize,
    /// Epochs of the corpus used so far, with a fraction.
    pub epoch: f64,
    /// Learning rate of the step.
    pub lr: f64,
    /// Cross-entropy, nats per counted token.
    pub ce: f64,
    /// Latent loss, unweighted; absent when no sample had a latent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latent: Option<f64>,
    /// Diversity loss, unweighted; absent when no sample had free tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<f64>,
    /// The objective.
    pub total: f64,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Cosine between the gradients of the cross-entropy and of the latent loss, by layer,
    /// at the steps that measure it (`gradient_cosine_every`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_cosine: Option<BTreeMap<String, f64>>,
    /// Tokens of the step, image tokens included.
    pub tokens: usize,
    /// Tokens per second of wall time.
    pub tokens_per_second: f64,
}

/// The log of a run, appended to.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the log of a run that has `done` steps behind it: later lines, and a
    /// line cut short by a kill, are removed.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path, done: usize) -> Result<Self> {
        let kept: String = match door::read_text(path, Limit::Log) {
            Ok(text) => kept_lines(&text, done).map(|line| format!("{line}\n")).collect(),
            Err(prism_run::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e.into()),
        };
        prism_run::folder::write_atomic(path, kept.as_bytes())?;
        let file = OpenOptions::new().append(true).open(path).map_err(|e| Error::io("cannot write", path, e))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Appends a step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, step: &StepLog) -> Result<()> {
        let line = json_line(step, &self.path)?;
        self.file.write_all(line.as_bytes()).map_err(|e| Error::io("cannot write", &self.path, e))
    }

    /// Hands what was written to the disk: the log must reach there as far as a checkpoint does.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| Error::io("cannot write", &self.path, e))
    }
}

fn kept_lines(text: &str, done: usize) -> impl Iterator<Item = &str> {
    text.lines().filter(move |line| serde_json::from_str::<StepLog>(line).is_ok_and(|s| s.step <= done))
}

/// Reads a log.
///
/// # Errors
/// When it cannot be read, is no file of its run folder or longer than such a log may be, or a line is not a step.
pub fn read(path: &Path) -> Result<Vec<StepLog>> {
    let text = door::read_text(path, Limit::Log)?;
    let line = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| Error::content(path, format!("line {}: {e}", i + 1), "delete the line, or train again"))
    };
    text.lines().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: usize) -> StepLog {
        let (ce, total) = (0.5, 0.5);
        StepLog {
            step,
            epoch: 0.1,
            lr: 1e-5,
            ce,
            latent: None,
            diversity: None,
            total,
            grad_norm: 1.0,
            gradient_cosine: None,
            tokens: 7,
            tokens_per_second: 3.5,
        }
    }

    #[test]
    fn a_resumed_log_has_every_step_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::open(&path, 0).unwrap();
        (1..=5).for_each(|s| log.write(&step(s)).unwrap());
        log.file.write_all(b"{\"step\":6,").unwrap();
        let mut log = Log::open(&path, 3).unwrap();
        log.write(&step(4)).unwrap();
        assert_eq!(read(&path).unwrap().iter().map(|s| s.step).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    /// A run folder may come from anybody: what lies in the place of its log is neither waited for nor followed.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_no_log_of_the_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (run, path) = (folder.path().join("run"), folder.path().join("run/log.jsonl"));
        std::fs::create_dir(&run).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        for refused in [read(&path).map(drop), Log::open(&path, 0).map(drop)] {
            assert!(refused.unwrap_err().to_string().contains("not a regular file"));
        }
        std::fs::remove_file(&path).unwrap();
        let private = folder.path().join("private");
        std::fs::write(&private, "").unwrap();
        std::os::unix::fs::symlink(&private, &path).unwrap();
        for refused in [read(&path).map(drop), Log::open(&path, 0).map(drop)] {
            assert!(refused.unwrap_err().to_string().contains("out of the run folder"));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(Log::open(&path, 0).is_ok(), "a new run has none yet");
    }
}
