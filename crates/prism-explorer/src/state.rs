//! Whether a run goes on, was stopped before its end, or has finished.
//!
//! A run that ended says so in its manifest. One that did not is written by somebody or by nobody: who writes a run
//! folder writes its lock file anew every ten seconds ([`prism_run::lock`]), and the file stays where the writer was killed.

use std::path::Path;
use std::time::{Duration, SystemTime};

use prism_run::folder::names;
use prism_run::manifest::Manifest;

/// A lock that was not written for so long has nobody who holds it.
const STALE: Duration = Duration::from_secs(30);

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
            None if is_written(folder) => State::Running,
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

/// Whether somebody holds the lock in the folder, or the one beside it.
fn is_written(folder: &Path) -> bool {
    let beside = folder.file_name().map(|name| folder.with_file_name(format!(".{}{}", name.to_string_lossy(), names::LOCK)));
    [Some(folder.join(names::LOCK)), beside].iter().flatten().any(|lock| beats(lock))
}

/// Whether a lock file was written a moment ago.
fn beats(lock: &Path) -> bool {
    let written = prism_run::door::about(lock).filter(std::fs::Metadata::is_file).and_then(|about| about.modified().ok());
    // A clock of another machine may be ahead.
    written.is_some_and(|written| SystemTime::now().duration_since(written).unwrap_or_default() < STALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(ended: Option<&str>) -> Manifest {
        let value = serde_json::json!({"schema": 1, "kind": "audit", "version": "0", "command": [], "commit": "", "host": "",
            "device": "", "dtype": "", "threads": 1, "inputs": {}, "started": "", "ended": ended});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_run_goes_on_while_its_lock_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        std::fs::create_dir(&run).unwrap();
        let state = |ended| State::of(&run, &manifest(ended));
        assert_eq!((state(None), state(Some("2026-01-01T00:00:00Z"))), (State::Killed, State::Finished));
        for lock in [run.join(names::LOCK), dir.path().join(format!(".run{}", names::LOCK))] {
            std::fs::write(&lock, "{}").unwrap();
            assert_eq!(state(None), State::Running, "{}", lock.display());
            let old = SystemTime::now() - 2 * STALE;
            std::fs::File::options().write(true).open(&lock).unwrap().set_modified(old).unwrap();
            assert_eq!(state(None), State::Killed, "{}", lock.display());
        }
    }
}
