//! The lock file: how one comes into being, how another's is judged, and how it is taken over.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::Claim;
use crate::folder::{self, beside};
use crate::process::Process;
use crate::shown::files::json_line;
use crate::{Error, Result, shown};

/// Longest lock file that is read.
const LONGEST: u64 = 16 << 10;
/// Characters of a command that a message tells.
const TOLD: usize = 120;
/// How long a holder must be seen that neither lives on this machine nor is known to be dead: a
/// process that judges a file locks it for a moment itself.
const GLANCES: usize = 20;
/// Between two looks at a file that is changing hands.
const GLANCE: Duration = Duration::from_millis(20);

/// How long a folder may come and go under others' hands.
const PASSING: Duration = Duration::from_secs(3);

/// What a lock is held by, and how often it is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether the kernel's locks are used where there are any.
    pub kernel: bool,
    /// Between two beats of a holder.
    pub every: Duration,
    /// Without a beat for so long, it is none.
    pub stale: Duration,
    /// Between two looks at a holder that may be none.
    pub poll: Duration,
    /// After a takeover that others may have made at the same time.
    pub settle: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { kernel: true, every: seconds(10), stale: seconds(30), poll: seconds(1), settle: seconds(2) }
    }
}

/// Who holds a lock: the content of its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    /// The process.
    #[serde(flatten)]
    pub process: Process,
    /// Since when, UTC, RFC 3339.
    pub since: String,
    /// What it does.
    pub command: String,
    /// Whether it has the kernel's lock on the file. Where it has none, that the file is unlocked says nothing of it.
    #[serde(default)]
    pub kernel: bool,
}

impl Holder {
    /// The file's content.
    pub fn text(&self, path: &Path) -> Result<Vec<u8>> {
        // A command may be longer than anybody reads.
        let command = self.command.chars().take(LONGEST as usize / 16).collect();
        Ok(json_line(&Self { command, ..self.clone() }, path)?.into_bytes())
    }

    /// Reads what a file says; `None` where it says nothing of the kind.
    pub fn read(mut file: &File) -> Option<Self> {
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        file.take(LONGEST).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// For the one that is refused.
    pub fn words(&self) -> String {
        let told: String = self.command.chars().take(TOLD).collect();
        let cut = if told.len() < self.command.len() { " ..." } else { "" };
        let (host, since) = (shown(&self.process.host), shown(&self.since));
        format!("process {} on {host} (since {since}, `{}{cut}`)", self.process.number, shown(&told))
    }
}

/// What came of it.
pub(super) enum Taken {
    /// The file at its path is this process' own.
    Held {
        /// Locked by the kernel where it can be.
        file: File,
        /// What stands in it.
        text: Vec<u8>,
        /// Whether another was there before, that is dead.
        inherited: bool,
    },
    /// Nothing can be written there.
    Unwritable,
}

/// A holder that is watched for a sign of life.
struct Watched {
    stamp: Stamp,
    since: Instant,
}

/// Takes the lock file at `path`, which says that `holder` has it, for the folder `run`.
///
/// # Errors
/// As [`super::Lock::take`].
pub(super) fn take(path: &Path, run: &Path, holder: &Holder, claim: &Claim<'_>, rules: &Rules) -> Result<Taken> {
    let within = path.parent().filter(|within| !within.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refused = |e| Error::io("cannot write", path, e);
    // Whether the file could be locked is known only once it is there: one text for either case.
    let text = |kernel| Holder { kernel, ..holder.clone() }.text(path);
    let texts = (text(false)?, text(true)?);
    let busy = |holder: Option<Holder>| {
        let holder = holder.map_or_else(|| "another process".into(), |holder| holder.words());
        Err(Error::Busy { path: run.to_path_buf(), holder })
    };
    let (began, mut watched, mut glances) = (Instant::now(), None::<Watched>, 0);
    loop {
        claim.cancel.check()?;
        match fs::create_dir_all(within) {
            // An empty folder goes with the holder that made it, now and then at this very moment.
            Err(e) if is_passing(&e, within) && began.elapsed() < PASSING => {
                std::thread::sleep(GLANCE / 10);
                continue;
            }
            made => made.map_err(|e| Error::io("cannot create folder", within, e))?,
        }
        let mine = match Mine::write(path, &texts, rules) {
            Ok(mine) => mine,
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => return Ok(Taken::Unwritable),
            Err(e) if is_passing(&e, within) && began.elapsed() < PASSING => {
                std::thread::sleep(GLANCE / 10);
                continue;
            }
            Err(e) => return Err(refused(e)),
        };
        if mine.place(path).map_err(refused)? {
            return Ok(mine.held(false));
        }
        let (old, certain) = match look(path, &mine, rules).map_err(refused)? {
            Seen::Gone if began.elapsed() > rules.stale * 4 => return Err(refused(ErrorKind::TimedOut.into())),
            Seen::Gone => {
                std::thread::sleep(GLANCE / 10);
                continue;
            }
            Seen::NoFile => {
                folder::remove(path)?;
                continue;
            }
            Seen::Alive(holder) => return busy(Some(holder)),
            Seen::Locked(holder) if glances >= GLANCES => return busy(holder),
            Seen::Locked(_) => {
                glances += 1;
                drop(mine);
                std::thread::sleep(GLANCE);
                continue;
            }
            Seen::Quiet { old, holder, stamp, age } => {
                if age < rules.stale {
                    let first = watched.get_or_insert_with(|| {
                        claim.progress.say(&waiting(run, holder.as_ref(), rules));
                        Watched { stamp, since: Instant::now() }
                    });
                    if first.stamp != stamp {
                        return busy(holder);
                    }
                    if first.since.elapsed() < rules.stale {
                        drop((old, mine));
                        std::thread::sleep(rules.poll);
                        continue;
                    }
                }
                (old, false)
            }
            Seen::Dead { old, certain } => (Some(old), certain),
        };
        // While the old file is locked, whoever else of this machine judges it waits, and then finds
        // another in its place.
        fs::rename(&mine.temporary.0, path).map_err(refused)?;
        drop(old);
        if !certain {
            std::thread::sleep(rules.settle);
            if !is_at(&mine.file, path).map_err(refused)? {
                return busy(File::open(path).ok().and_then(|file| Holder::read(&file)));
            }
        }
        return Ok(mine.held(true));
    }
}

/// Whether a folder could not be made, or not be written, because another process removed it meanwhile.
fn is_passing(error: &io::Error, folder: &Path) -> bool {
    let other = fs::metadata(folder).is_ok_and(|about| !about.is_dir());
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) && !other
}

fn waiting(run: &Path, holder: Option<&Holder>, rules: &Rules) -> String {
    let holder = holder.map_or_else(|| "another process".into(), Holder::words);
    format!(
        "{}: {holder} wrote there last; waiting up to {} s to see whether it still does",
        shown(&run.to_string_lossy()),
        rules.stale.as_secs()
    )
}

/// A lock file of this process', complete and locked, not in place yet.
struct Mine {
    temporary: Temporary,
    file: File,
    text: Vec<u8>,
}

/// A file that goes when it has not been renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Mine {
    /// Writes it, with the second of the texts where the kernel has locked it, else with the first.
    fn write(path: &Path, texts: &(Vec<u8>, Vec<u8>), rules: &Rules) -> io::Result<Self> {
        let temporary = Temporary(beside(path));
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&temporary.0)?;
        // Nobody else knows the file: this is refused only where there are no locks, or none at this moment.
        let locked = rules.kernel && file.try_lock().is_ok();
        let text = if locked { &texts.1 } else { &texts.0 };
        file.write_all(text)?;
        file.sync_data()?;
        Ok(Self { temporary, file, text: text.clone() })
    }

    /// Puts it at `path` if nothing is there; whether it is there now.
    fn place(&self, path: &Path) -> io::Result<bool> {
        match fs::hard_link(&self.temporary.0, path) {
            Ok(()) => Ok(true),
            // Its own, where only the answer was lost on the way from the server.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(is_at(&self.file, path).unwrap_or(false)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            // There are no links here.
            Err(_) => match OpenOptions::new().write(true).create_new(true).open(path) {
                Ok(_) => fs::rename(&self.temporary.0, path).map(|()| true),
                Err(e) if matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Ok(false),
                Err(e) => Err(e),
            },
        }
    }

    /// It is in place.
    fn held(self, inherited: bool) -> Taken {
        Taken::Held { file: self.file, text: self.text, inherited }
    }
}

/// A lock file that another made, as it is found.
enum Seen {
    /// It is not there any more, or just changed hands.
    Gone,
    /// A link, a pipe or a folder, which no process holds.
    NoFile,
    /// Its process lives.
    Alive(Holder),
    /// It is locked; by whom the file may not say truly.
    Locked(Option<Holder>),
    /// Nothing is known but when it was written last.
    Quiet {
        /// The file, locked where that can be; absent where it must not be opened.
        old: Option<File>,
        /// Who wrote it.
        holder: Option<Holder>,
        /// Changes when it is written.
        stamp: Stamp,
        /// Since it was written.
        age: Duration,
    },
    /// Its process is dead.
    Dead {
        /// The file, locked where that can be.
        old: File,
        /// Whether the kernel says so.
        certain: bool,
    },
}

fn look(path: &Path, mine: &Mine, rules: &Rules) -> io::Result<Seen> {
    let about = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Seen::Gone),
        about => about?,
    };
    if !about.is_file() {
        return Ok(Seen::NoFile);
    }
    let quiet = |old: Option<File>, holder: Option<Holder>, about: &Metadata| -> io::Result<Seen> {
        let (now, then) = (mine.file.metadata()?.modified()?, about.modified()?);
        // A clock that goes backwards has seen nothing grow old.
        Ok(Seen::Quiet { old, holder, stamp: Stamp::of(about), age: now.duration_since(then).unwrap_or_default() })
    };
    let old = match OpenOptions::new().read(true).write(true).open(path).or_else(|_| File::open(path)) {
        Ok(old) => old,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Seen::Gone),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => return quiet(None, None, &about),
        Err(e) => return Err(e),
    };
    let locked = match rules.kernel.then(|| old.try_lock()) {
        Some(Ok(())) => true,
        Some(Err(TryLockError::Error(_))) | None => false,
        Some(Err(TryLockError::WouldBlock)) if !is_at(&old, path).unwrap_or(false) => return Ok(Seen::Gone),
        Some(Err(TryLockError::WouldBlock)) => {
            let holder = Holder::read(&old);
            return Ok(match holder {
                Some(holder) if holder.process.lives() == Some(true) => Seen::Alive(holder),
                holder => Seen::Locked(holder),
            });
        }
    };
    if !is_at(&old, path).unwrap_or(false) {
        return Ok(Seen::Gone);
    }
    let Some(holder) = Holder::read(&old) else {
        let about = old.metadata()?;
        return quiet(Some(old), None, &about);
    };
    // A holder that had the kernel's lock and has it no more has ended. One that never had it is asked for.
    if locked && holder.kernel && holder.process.shares_kernel() {
        return Ok(Seen::Dead { old, certain: true });
    }
    match holder.process.lives() {
        Some(true) => Ok(Seen::Alive(holder)),
        Some(false) => Ok(Seen::Dead { old, certain: false }),
        None => {
            let about = old.metadata()?;
            quiet(Some(old), Some(holder), &about)
        }
    }
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    identity: (u64, u64),
    written: Option<SystemTime>,
}

impl Stamp {
    fn of(about: &Metadata) -> Self {
        Self { identity: identity(about), written: about.modified().ok() }
    }
}

/// Whether that opened file is what lies at `path` now. The path is opened for it: a network file
/// system asks its server then.
///
/// # Errors
/// When that cannot be seen, now: a server does not answer, or this process has too many files open.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = identity(&file.metadata()?);
    let there = fs::symlink_metadata(path).and_then(|about| match about.is_file() {
        true => match File::open(path).and_then(|there| there.metadata()) {
            // A file that only its owner may open.
            Err(e) if e.kind() == ErrorKind::PermissionDenied => Ok(Some(about)),
            there => there.map(Some),
        },
        false => Ok(None),
    });
    match there {
        Ok(there) => Ok(there.is_some_and(|there| identity(&there) == own)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Which file it is, whatever its name.
#[cfg(unix)]
fn identity(about: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (about.dev(), about.ino())
}

/// Which file it is, as well as that can be told: when it was made.
#[cfg(not(unix))]
fn identity(about: &Metadata) -> (u64, u64) {
    let made = about.created().ok().and_then(|made| made.duration_since(SystemTime::UNIX_EPOCH).ok());
    made.map_or((0, 0), |made| (made.as_secs(), u64::from(made.subsec_nanos())))
}
