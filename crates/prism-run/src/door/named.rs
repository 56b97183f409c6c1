//! Folders that the user named on the command line.
//!
//! A path that was typed is followed wherever it leads. What lies below it may be anybody's: from
//! there on to a run's folder no link is followed. So a run that was found in a study or in a folder
//! of runs stays the one that was found, though a folder on the way is exchanged for a link.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

static NAMED: RwLock<Vec<PathBuf>> = RwLock::new(Vec::new());

/// Notes that the user named this folder.
pub fn named(folder: &Path) {
    let mut all = NAMED.write().unwrap_or_else(PoisonError::into_inner);
    if !all.iter().any(|known| known == folder) {
        all.push(folder.to_path_buf());
    }
}

/// The folder nearest to `path` that the user named: the path itself, or one above it.
pub(super) fn nearest(path: &Path) -> Option<PathBuf> {
    let all = NAMED.read().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter(|folder| path.starts_with(folder)).max_by_key(|folder| folder.components().count()).cloned()
}
