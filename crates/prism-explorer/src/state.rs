//! Whether a run goes on, was stopped before its end, or has finished.
//!
//! A run that ended says so in its manifest. One that did not is written by somebody, who holds its lock, or by nobody.

use std::path::Path;

use prism_run::lock;
use prism_run::manifest::Manifest;

/// What became of a run so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// A process writes it.
    Running,
    /// It was begun and has no end, and nobody writes it.
    #[default]
    Killed,
    /// It ended.
    Finished,
}

impl State {
    /// The state of the run in `folder`.
    pub fn of(folder: &Path, manifest: &Manifest) -> Self {
        match manifest.ended {
            Some(_) => State::Finished,
            None if lock::is_held(folder) => State::Running,
            None => State::Killed,
        }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Killed => "killed",
            State::Finished => "finished",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use prism_run::folder::names;

    use super::*;

    fn manifest(ended: Option<&str>) -> Manifest {
        let value = serde_json::json!({"schema": 1, "kind": "audit", "version": "0", "command": [], "commit": "", "host": "",
            "device": "", "dtype": "", "threads": 1, "inputs": {}, "started": "", "ended": ended});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_run_goes_on_while_its_lock_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        std::fs::create_dir(&run).unwrap();
        let state = |ended| State::of(&run, &manifest(ended));
        assert_eq!((state(None), state(Some("2026-01-01T00:00:00Z"))), (State::Killed, State::Finished));
        for lock in [run.join(names::LOCK), dir.path().join(format!(".run{}", names::LOCK))] {
            std::fs::write(&lock, "{}").unwrap();
            assert_eq!(state(None), State::Running, "{}", lock.display());
            let old = SystemTime::now() - Duration::from_secs(60);
            std::fs::File::options().write(true).open(&lock).unwrap().set_modified(old).unwrap();
            assert_eq!(state(None), State::Killed, "{}", lock.display());
        }
    }
}
