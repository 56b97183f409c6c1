//! Where runs lie: folders with a manifest, found without following links, up to a number of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use prism_run::door;
use prism_run::folder::names;
use prism_run::records::{self, files};

/// Runs found below a given folder, at most.
const MOST_RUNS: usize = 4000;
/// Folders below a given one that are looked into, at most.
const MOST_FOLDERS: usize = 8192;
/// How deep below a given folder runs are looked for.
const DEEPEST: usize = 4;

/// What lies below a folder.
#[derive(Debug, Default)]
pub struct Found {
    /// Folders with a manifest, in order of name.
    pub folders: Vec<PathBuf>,
    /// Whether there may be more of them.
    pub more: bool,
    looked: usize,
}

/// The folders with a manifest at and below `path`.
pub fn below(path: &Path) -> Found {
    let mut found = Found::default();
    look(path, DEEPEST, &mut found);
    found
}

fn look(path: &Path, deep: usize, found: &mut Found) {
    if found.looked >= MOST_FOLDERS || found.folders.len() >= MOST_RUNS {
        found.more = true;
        return;
    }
    found.looked += 1;
    if door::holds_file(&path.join(names::MANIFEST)) {
        found.folders.push(path.to_path_buf());
    }
    if deep == 0 {
        return;
    }
    let Ok(entries) = door::entries(path) else { return };
    let folders = entries.into_iter().filter(|entry| entry.is_folder).map(|entry| path.join(entry.name));
    let mut folders: Vec<PathBuf> = folders.filter(|p| !is_content(p)).collect();
    folders.sort();
    for folder in folders {
        look(&folder, deep - 1, found);
    }
}

/// Whether a folder is part of a run rather than a place where runs lie.
fn is_content(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let parts = [names::RECORDS, names::FINDINGS, "images"];
    parts.contains(&name.as_str()) || name.starts_with("checkpoint-") || name.starts_with('.') || name.ends_with(".tmp")
}

/// What tells that a file is another one than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct About {
    /// Bytes.
    pub length: u64,
    modified: Option<SystemTime>,
    number: u64,
}

/// What is to be said of a file or folder of a run. Nothing outside it has a part in that.
pub fn about(path: &Path) -> Option<About> {
    let about = door::about(path)?;
    Some(About { length: about.len(), modified: about.modified().ok(), number: number(&about) })
}

/// The file's number in its file system: another one for a file that was put in its place.
#[cfg(unix)]
fn number(about: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(about)
}

#[cfg(not(unix))]
fn number(_: &std::fs::Metadata) -> u64 {
    0
}

/// Changes when a file of the run does that a page may show.
pub fn stamp_of(run: &Path) -> u64 {
    let mut hash = DefaultHasher::new();
    for name in [names::MANIFEST, names::LOG, names::REPORT, names::FINDINGS, names::RECORDS] {
        about(&run.join(name)).hash(&mut hash);
    }
    for name in [files::EXAMPLES, files::ANSWERS, files::STEPS, files::MAPS] {
        about(&records::folder(run).join(name)).hash(&mut hash);
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(path: &Path) {
        std::fs::create_dir_all(path).unwrap();
        std::fs::write(path.join(names::MANIFEST), "{}").unwrap();
    }

    #[test]
    fn runs_are_found_in_order_and_not_in_one_another_s_parts() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b", "a/audit", "a", "a/records", "a/images", "a/checkpoint-1", ".c", "d.tmp", "1/2/3/4", "1/2/3/4/5"] {
            run(&dir.path().join(name));
        }
        let found = below(dir.path());
        let expected: Vec<PathBuf> = ["1/2/3/4", "a", "a/audit", "b"].iter().map(|name| dir.path().join(name)).collect();
        assert_eq!((found.folders, found.more), (expected, false));
    }

    #[test]
    fn a_crowd_of_runs_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..MOST_RUNS + 1 {
            run(&dir.path().join(format!("{i:05}")));
        }
        let found = below(dir.path());
        assert_eq!((found.folders.len(), found.more), (MOST_RUNS, true));
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("inside"), dir.path().join("outside"));
        run(&outside);
        run(&inside.join("own"));
        symlink(&outside, inside.join("linked")).unwrap();
        std::fs::create_dir_all(inside.join("manifest")).unwrap();
        symlink(outside.join(names::MANIFEST), inside.join("manifest").join(names::MANIFEST)).unwrap();
        assert_eq!(below(&inside).folders, [inside.join("own")]);
    }
}
