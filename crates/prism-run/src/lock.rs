//! A run folder has one writer at a time.
//!
//! Whoever writes a run folder holds the file `.lock` in it, or, where the folder appears as a whole
//! ([`crate::folder::PartialFolder`]), `.NAME.lock` beside it. The file says who that is: host,
//! process, since when, and the command. Another that comes is refused in one line
//! ([`Error::Busy`]). What a holder leaves that was killed is taken over.
//!
//! What makes sure of it, from the strongest to the weakest:
//! - The holder has the kernel's lock on the file. It ends with the process, however that ends, and
//!   holds for all processes of the machine, and on file systems that share locks for all machines.
//!   The file says whether its holder got that lock; of one that did not, its absence says nothing.
//! - The file comes into being complete and locked, by a hard link: one of two machines that come at
//!   once gets the link, without any locks. Where there are no links it is made new or not at all.
//! - Every 10 s the holder writes the file again. Where locks are not shared (NFS with
//!   `local_lock`, Lustre with `localflock`) or there are none, a file written in the last 30 s has a
//!   holder, by the file server's own clock. On one machine the process itself is asked for first:
//!   if it is dead nobody waits, and if it lives it holds, written or not.
//! - Who takes over from another machine, or without the kernel's lock, looks 2 s later whether the
//!   file is still its own: of two that took over at once the later one has it.
//!
//! What is left open: without shared locks, a holder that stands still for over 30 s (a suspended
//! machine) loses the folder to another machine. It says so once it runs again.

mod beat;
mod file;
mod part;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod watch;

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use self::beat::{Beat, Sign};
use self::file::{Holder, Rules, Taken};
use crate::folder::{self, names};
use crate::process::Process;
use crate::{Cancel, Error, Progress, Result};

pub use crate::process::host;

/// What the holder of a lock says of itself, and whom it asks while it waits.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// What it does: the command line.
    pub command: &'a str,
    /// When it came, UTC, RFC 3339.
    pub since: &'a str,
    /// Told when it has to be seen first whether another machine still writes.
    pub progress: &'a dyn Progress,
    /// Asked while that is seen.
    pub cancel: &'a Cancel,
    /// Told in one line, by a thread of the lock's own, when a folder that is being written is this process' no more.
    pub alarm: fn(&str),
}

/// A run folder of which this process is the one writer, until this is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// Absent where nobody can write, neither this process.
    file: Option<File>,
    beat: Option<Beat>,
    folder: PathBuf,
    fresh: bool,
    /// Dropped last: by then they may be empty.
    made: Made,
}

impl Lock {
    /// Makes the folder where there is none, takes its lock, and puts in order what a crash left
    /// there ([`folder::repair`]). A folder in which nothing can be written gets none, and needs
    /// none: the first write there is refused.
    ///
    /// # Errors
    /// [`Error::Busy`] when another process writes there, [`Error::Content`] when it lies in a part of another run, which is
    /// replaced as a whole, [`Error::Io`] when the file system fails, [`Error::Interrupted`] when asked to stop while waiting.
    pub fn take(folder: &Path, claim: &Claim<'_>) -> Result<Self> {
        Self::take_by(folder, claim, &Rules::default())
    }

    fn take_by(folder: &Path, claim: &Claim<'_>, rules: &Rules) -> Result<Self> {
        let (mut lock, inherited) = Self::hold(folder, folder.join(names::LOCK), folder, claim, rules)?;
        if lock.file.is_some() {
            folder::repair(folder)?;
        }
        lock.fresh = is_empty(folder);
        if lock.fresh && inherited {
            // A holder made the folder, and was killed before it did anything there.
            lock.made.include(folder);
        }
        Ok(lock)
    }

    /// As [`Lock::take`], for a folder that is replaced as a whole: the lock lies beside it.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn take_beside(target: &Path, claim: &Claim<'_>) -> Result<Self> {
        let whole = std::path::absolute(target).map_err(|e| Error::io("cannot find", target, e))?;
        let path = beside(&whole);
        let within = path.parent().unwrap_or(&whole).to_path_buf();
        let (mut lock, _) = Self::hold(target, path, &within, claim, &Rules::default())?;
        if lock.file.is_some() {
            folder::repair_target(&whole)?;
        }
        lock.fresh = fs::symlink_metadata(&whole).is_err();
        Ok(lock)
    }

    /// The lock of `folder`, whose file is `path` in `within`, and whether a dead process had it.
    fn hold(folder: &Path, path: PathBuf, within: &Path, claim: &Claim<'_>, rules: &Rules) -> Result<(Self, bool)> {
        part::refuse(folder)?;
        let made = Made::missing(within);
        let (process, since, command) = (Process::this().clone(), claim.since.into(), claim.command.into());
        let holder = Holder { process, since, command, kernel: false };
        let (file, beat, inherited) = match file::take(&path, folder, &holder, claim, rules)? {
            Taken::Held { file, text, inherited } => {
                let sign = Sign { path: path.clone(), text, alarm: claim.alarm };
                let beat = Beat::start(&file, sign, rules.every);
                (Some(file), beat, inherited)
            }
            Taken::Unwritable => (None, None, false),
        };
        let lock = Self { path, file, beat, folder: folder.to_path_buf(), fresh: false, made };
        // Once more: the run around it may have begun meanwhile, and looks for what lies in its parts after it has its lock.
        part::refuse(folder)?;
        Ok((lock, inherited))
    }

    /// Whether the folder held nothing when the lock was taken.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Removes what a run left that failed in a fresh folder: its files, and the folders that are
    /// parts of it. Other runs below it have locks of their own, and stay.
    pub fn clear(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let is_part = [names::RECORDS, names::PARTS, names::FINDINGS].contains(&name.as_ref());
            if (is_part || !is_folder) && !name.starts_with(names::LOCK) {
                let _ = folder::remove(&entry.path());
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.beat.take());
        if let Some(file) = self.file.take()
            && file::is_at(&file, &self.path).unwrap_or(false)
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether somebody writes the run in `folder`: holds the lock in it, or the one beside it. A run that has no end and that
/// nobody holds was killed.
pub fn is_held(folder: &Path) -> bool {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    [folder.join(names::LOCK), beside(&whole)].iter().any(|path| watch::is_held(path, &Rules::default()))
}

/// The lock of a folder that is replaced as a whole.
fn beside(whole: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(whole.file_name().unwrap_or_default());
    name.push(names::LOCK);
    whole.with_file_name(name)
}

/// Whether a folder holds nothing but locks.
fn is_empty(folder: &Path) -> bool {
    let locks = |name: OsString| name.to_string_lossy().starts_with(names::LOCK);
    fs::read_dir(folder).is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| locks(entry.file_name()))))
}

/// Folders that were not there before; those that are empty in the end go again, the deepest first.
#[derive(Debug)]
struct Made(Vec<PathBuf>);

impl Made {
    /// What of this path is not there yet.
    fn missing(folder: &Path) -> Self {
        let absent = |above: &&Path| !above.as_os_str().is_empty() && fs::symlink_metadata(above).is_err();
        Self(folder.ancestors().take_while(absent).map(Path::to_path_buf).collect())
    }

    fn include(&mut self, folder: &Path) {
        if self.0.is_empty() {
            self.0.push(folder.to_path_buf());
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for folder in &self.0 {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}
