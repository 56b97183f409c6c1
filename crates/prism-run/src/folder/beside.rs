//! Names of what is not in place yet, or not any more: no two processes give the same one.
//!
//! `NAME.PROCESS-MARK-COUNT.tmp` is a file or folder that will be called `NAME`, or that is on its way
//! out; `NAME.PROCESS-MARK-COUNT.old.tmp` is what was called so until another took its place.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::process::{self, Process};

const END: &str = ".tmp";
const OLD: &str = ".old";

/// How long nothing must have been written to what a process of another machine, or of another
/// container, left: whether that process lives cannot be asked.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A name for `path` until it is in place: a sibling of this process' own, ending in `.tmp`.
pub fn beside(path: &Path) -> PathBuf {
    sibling(path, "")
}

/// A name for what `path` was until now.
pub(super) fn aside(path: &Path) -> PathBuf {
    sibling(path, OLD)
}

fn sibling(path: &Path, kind: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let this = Process::this();
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}-{}-{}{kind}{END}", this.number, this.mark(), COUNT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

/// Whether `folder` lies in a folder that this process has not put in place yet.
pub(super) fn is_within_one(folder: &Path) -> bool {
    let this = Process::this();
    let own = |name: &OsStr| {
        name.to_str().and_then(Beside::read).is_some_and(|found| !found.old && found.process == this.number && found.mark == this.mark())
    };
    folder.ancestors().filter_map(Path::file_name).any(own)
}

/// Such a name, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beside<'n> {
    /// What it was to be called, or was called.
    pub name: &'n str,
    /// Whether it is what was there before.
    pub old: bool,
    process: u32,
    mark: &'n str,
}

impl<'n> Beside<'n> {
    /// Takes a file's name apart; `None` for any other name.
    pub fn read(name: &'n str) -> Option<Self> {
        let name = name.strip_suffix(END)?;
        let (name, old) = name.strip_suffix(OLD).map_or((name, false), |name| (name, true));
        let (name, by) = name.rsplit_once('.')?;
        let mut parts = by.split('-');
        let (process, mark, count) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let hex = mark.len() == 8 && mark.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex || !digits(process) || !digits(count) || parts.next().is_some() {
            return None;
        }
        Some(Self { name, old, process: process.parse().ok()?, mark })
    }

    /// Whether nobody will go on with it: its process is dead.
    pub fn is_left_over(&self, path: &Path) -> bool {
        if self.mark == Process::this().mark() {
            return process::runs(self.process) == Some(false);
        }
        let written = fs::symlink_metadata(path).and_then(|about| about.modified());
        written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|since| since > ABANDONED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart_as_it_was_made() {
        let path = Path::new("a/records");
        let (new, old) = (beside(path), aside(path));
        assert!(new != beside(path), "no two are the same");
        assert_eq!((new.parent(), old.parent()), (path.parent(), path.parent()));
        let read = |path: &Path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            Beside::read(&name).map(|found| (found.name.to_owned(), found.old, found.process))
        };
        assert_eq!(read(&new), Some(("records".into(), false, std::process::id())));
        assert_eq!(read(&old), Some(("records".into(), true, std::process::id())));
        assert!(is_within_one(&new.join("images")) && !is_within_one(&old) && !is_within_one(path));
        for other in
            ["records", "records.tmp", "records.1-2-3.tmp", "x.1-0123abcd-.tmp", "x.1-0123abcd-2-3.tmp", "x.+1-0123abcd-2.tmp", ".tmp"]
        {
            assert_eq!(Beside::read(other), None, "{other}");
        }
    }
}
