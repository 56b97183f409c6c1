//! Folders that are parts of a run: what lies in them is replaced as a whole, and no run's place.

use std::path::{Path, PathBuf};

use crate::folder::names;
use crate::{Error, Result};

/// Folders of a run that are replaced as a whole.
const PARTS: [&str; 3] = [names::RECORDS, names::PARTS, names::FINDINGS];

/// Refuses a folder that is such a part of another run, or lies in one.
///
/// # Errors
/// [`Error::Content`] that names the run, [`Error::Io`] when the folder cannot be found.
pub(super) fn refuse(folder: &Path) -> Result<()> {
    let whole = resolved(folder)?;
    let parts = whole.ancestors().filter(|at| at.file_name().is_some_and(|name| PARTS.iter().any(|part| name == *part)));
    for part in parts {
        let Some(run) = part.parent() else { continue };
        // A run that has just begun has its lock, and no manifest yet.
        if [names::MANIFEST, names::LOCK].iter().any(|file| std::fs::symlink_metadata(run.join(file)).is_ok()) {
            let cause = format!("lies in `{}`, which the run in `{}` replaces as a whole", part.display(), run.display());
            return Err(Error::content(folder, cause, "give a folder outside that run"));
        }
    }
    Ok(())
}

/// The folder's path without links, as far as it is there.
fn resolved(folder: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(folder).map_err(|e| Error::io("cannot find", folder, e))?;
    let there = whole.ancestors().find_map(|at| Some((at, at.canonicalize().ok()?)));
    Ok(there.map_or_else(|| whole.clone(), |(at, real)| real.join(whole.strip_prefix(at).unwrap_or(Path::new("")))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_run_is_no_place_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        std::fs::create_dir_all(run.join(names::RECORDS)).unwrap();
        let inner = run.join("records/inner");
        assert!(refuse(&inner).is_ok(), "a folder of that name belongs to anybody while there is no run beside it");
        for file in [names::LOCK, names::MANIFEST] {
            std::fs::write(run.join(file), "").unwrap();
            for inside in ["records", "records/inner", "records.parts/x", "findings", "findings/a/b"] {
                let told = refuse(&run.join(inside)).unwrap_err().to_string();
                assert!(told.contains("which the run in") && told.contains(run.file_name().unwrap().to_str().unwrap()), "{told}");
            }
            for beside in ["", "audit", "shard-1-of-2", "checkpoint-3", "sweep/k4"] {
                assert!(refuse(&run.join(beside)).is_ok(), "{beside}");
            }
            std::fs::remove_file(run.join(file)).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_hides_no_part() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        std::fs::create_dir_all(run.join(names::RECORDS)).unwrap();
        std::fs::write(run.join(names::MANIFEST), "").unwrap();
        std::os::unix::fs::symlink(run.join(names::RECORDS), dir.path().join("elsewhere")).unwrap();
        assert!(refuse(&dir.path().join("elsewhere/inner")).is_err());
    }
}
