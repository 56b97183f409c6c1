//! A folder held open, and what lies below it, reached name by name.
//!
//! A path that is looked at and then opened is walked twice, and whoever can write the folder may
//! exchange a part of it in between. Here each step starts at the descriptor of the folder before
//! it and follows no link. A link is read as text, and its names are walked from the folder in which
//! it lies. So nothing is opened that was not reached through the folder, whatever is exchanged
//! meanwhile.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Names and links on one way, at most.
const LONGEST: usize = 256;

/// Entries of one folder that are looked at, at most.
pub const MOST_ENTRIES: usize = 100_000;

/// What stands at the end of a way.
#[derive(Debug)]
pub enum Thing {
    /// A regular file, opened for reading.
    File(File),
    /// A folder, held open.
    Folder(Held),
    /// A pipe, a device or a socket. It is not opened.
    Other,
}

/// Why a way does not lead to its end.
#[derive(Debug)]
pub enum Blocked {
    /// By a link that leads out of the folder or nowhere, or by one where none is followed.
    Out,
    /// The system refused.
    Unread(io::Error),
}

impl From<io::Error> for Blocked {
    fn from(error: io::Error) -> Self {
        Self::Unread(error)
    }
}

/// What becomes of links on a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// None is followed.
    Refused,
    /// Those that stay inside the folder are followed.
    Inside,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// Whether it is a folder, and not a link to one.
    pub is_folder: bool,
}

/// One step of a way.
enum Step {
    Into(OsString),
    Up,
}

/// The steps that are left, from the folder that was reached.
struct Way {
    steps: VecDeque<Step>,
    /// How many of the first of them come from a link.
    of_link: usize,
    /// Whether the last step taken came from a link.
    by_link: bool,
    left: usize,
}

impl Way {
    fn to(below: &Path) -> Result<Self, Blocked> {
        Ok(Self { steps: steps(below)?, of_link: 0, by_link: false, left: LONGEST })
    }

    /// The next step.
    fn next(&mut self) -> Result<Option<Step>, Blocked> {
        let Some(step) = self.steps.pop_front() else { return Ok(None) };
        self.by_link = self.of_link > 0;
        self.left = self.left.checked_sub(1).ok_or_else(|| self.stuck(io::ErrorKind::InvalidFilename.into()))?;
        self.of_link = self.of_link.saturating_sub(1);
        Ok(Some(step))
    }

    /// Puts the steps of a link before the others.
    #[cfg(unix)]
    fn follow(&mut self, to: &Path) -> Result<(), Blocked> {
        let steps = steps(to)?;
        self.of_link += steps.len();
        steps.into_iter().rev().for_each(|step| self.steps.push_front(step));
        Ok(())
    }

    /// Why it ends here. A link that leads nowhere is not told apart from one that leads out.
    fn stuck(&self, error: io::Error) -> Blocked {
        if self.by_link { Blocked::Out } else { Blocked::Unread(error) }
    }
}

fn steps(path: &Path) -> Result<VecDeque<Step>, Blocked> {
    let mut steps = VecDeque::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => steps.push_back(Step::Into(name.to_os_string())),
            Component::ParentDir => steps.push_back(Step::Up),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err(Blocked::Out),
        }
    }
    Ok(steps)
}

#[cfg(unix)]
pub use self::by_descriptor::Held;
#[cfg(not(unix))]
pub use self::by_path::Held;

#[cfg(unix)]
mod by_descriptor {
    use std::ffi::OsStr;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, open, openat, readlinkat, statat};
    use rustix::io::Errno;

    use super::*;

    /// Opens a folder to take steps from it, which needs no permission to list it.
    #[cfg(target_os = "linux")]
    const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    #[cfg(not(target_os = "linux"))]
    const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    /// Opens a file without waiting for the other end of a pipe.
    const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

    /// A folder held open.
    #[derive(Debug)]
    pub struct Held {
        folder: OwnedFd,
        path: PathBuf,
    }

    /// Where a way ends.
    struct End {
        /// The folder that was reached.
        folder: OwnedFd,
        /// What stands there under a name, unless the end is the folder itself.
        thing: Option<(OsString, FileType)>,
    }

    impl Held {
        /// Opens a folder by its path, and follows links on the way.
        ///
        /// # Errors
        /// [`Blocked::Unread`] when there is none, or the system refuses.
        pub fn at(path: &Path) -> Result<Self, Blocked> {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            let folder = open(path, FOLDER, Mode::empty()).map_err(io::Error::from)?;
            Ok(Self { folder, path: path.to_path_buf() })
        }

        /// What lies there.
        ///
        /// # Errors
        /// [`Blocked`] when the way does not lead there.
        pub fn find(&self, below: &Path, links: Links) -> Result<Thing, Blocked> {
            let End { folder, thing } = self.walk(below, links)?;
            match thing {
                None => Ok(Thing::Folder(Self { folder, path: self.path.join(below) })),
                Some((name, FileType::RegularFile)) => {
                    let file = File::from(openat(&folder, &*name, FILE, Mode::empty()).map_err(exchanged)?);
                    // It may have been exchanged for another kind.
                    if file.metadata()?.is_file() { Ok(Thing::File(file)) } else { Ok(Thing::Other) }
                }
                Some(_) => Ok(Thing::Other),
            }
        }

        /// Whether a regular file lies there. It is not opened.
        pub fn has_file(&self, below: &Path, links: Links) -> bool {
            self.walk(below, links).is_ok_and(|end| end.thing.is_some_and(|(_, kind)| kind == FileType::RegularFile))
        }

        /// Whether a folder lies there.
        pub fn has_folder(&self, below: &Path, links: Links) -> bool {
            self.walk(below, links).is_ok_and(|end| end.thing.is_none())
        }

        /// Whether anything lies there, a link that is not followed among it.
        pub fn has(&self, below: &Path, links: Links) -> bool {
            !matches!(self.walk(below, links), Err(Blocked::Unread(_)))
        }

        /// What the system says of the folder itself.
        ///
        /// # Errors
        /// When it refuses.
        pub fn about(&self) -> io::Result<Metadata> {
            File::from(self.folder.try_clone()?).metadata()
        }

        /// The entries of the folder, the first [`MOST_ENTRIES`] of them.
        ///
        /// # Errors
        /// When it cannot be listed.
        pub fn entries(&self) -> io::Result<Vec<Entry>> {
            let listed = openat(&self.folder, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            let mut entries = Vec::new();
            for entry in Dir::new(listed)? {
                let entry = entry?;
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                if name == "." || name == ".." {
                    continue;
                }
                if entries.len() >= MOST_ENTRIES {
                    break;
                }
                let kind = match entry.file_type() {
                    FileType::Unknown => kind_of(self.folder.as_fd(), name).unwrap_or(FileType::Unknown),
                    known => known,
                };
                entries.push(Entry { name: name.to_os_string(), is_folder: kind == FileType::Directory });
            }
            Ok(entries)
        }

        fn walk(&self, below: &Path, links: Links) -> Result<End, Blocked> {
            let mut way = Way::to(below)?;
            // Those between this one and the one that was reached, to go up again without asking the system for `..`.
            let mut folders: Vec<OwnedFd> = Vec::new();
            while let Some(step) = way.next()? {
                let name = match step {
                    Step::Into(name) => name,
                    Step::Up => {
                        folders.pop().ok_or(Blocked::Out)?;
                        continue;
                    }
                };
                let here = folders.last().unwrap_or(&self.folder).as_fd();
                match kind_of(here, &name).map_err(|e| way.stuck(e.into()))? {
                    FileType::Symlink if links == Links::Refused => return Err(Blocked::Out),
                    FileType::Symlink => {
                        let to = readlinkat(here, &*name, Vec::new()).map_err(exchanged)?;
                        let to = PathBuf::from(OsString::from_vec(to.into_bytes()));
                        if to.is_absolute() {
                            folders.clear();
                            way.follow(self.inside(&to)?)?;
                        } else {
                            way.follow(&to)?;
                        }
                    }
                    FileType::Directory => {
                        let folder = openat(here, &*name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(exchanged)?;
                        folders.push(folder);
                    }
                    kind if way.steps.is_empty() => {
                        let folder = self.reached(folders)?;
                        return Ok(End { folder, thing: Some((name, kind)) });
                    }
                    _ => return Err(way.stuck(Errno::NOTDIR.into())),
                }
            }
            Ok(End { folder: self.reached(folders)?, thing: None })
        }

        fn reached(&self, mut folders: Vec<OwnedFd>) -> io::Result<OwnedFd> {
            folders.pop().map_or_else(|| self.folder.try_clone(), Ok)
        }

        /// The end of an absolute path that begins with this folder's. Its names are walked from here, so that a wrong answer
        /// leads nowhere else.
        fn inside<'p>(&self, to: &'p Path) -> Result<&'p Path, Blocked> {
            let whole = self.path.canonicalize().map_err(|_| Blocked::Out)?;
            to.strip_prefix(whole).map_err(|_| Blocked::Out)
        }
    }

    fn kind_of(folder: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<FileType> {
        Ok(FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode))
    }

    /// What was there a moment ago was exchanged for a link or for another kind.
    fn exchanged(error: Errno) -> Blocked {
        match error {
            Errno::LOOP | Errno::MLINK | Errno::NOTDIR | Errno::INVAL => Blocked::Out,
            other => Blocked::Unread(other.into()),
        }
    }
}

#[cfg(not(unix))]
mod by_path {
    use super::*;

    /// A folder. This system opens nothing relative to it, so that no link is followed at all, and each name is looked at
    /// before and after a file is opened.
    #[derive(Debug)]
    pub struct Held {
        path: PathBuf,
    }

    impl Held {
        /// A folder by its path.
        ///
        /// # Errors
        /// [`Blocked::Unread`] when there is none.
        pub fn at(path: &Path) -> Result<Self, Blocked> {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            if !std::fs::metadata(path)?.is_dir() {
                return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
            }
            Ok(Self { path: path.to_path_buf() })
        }

        /// What lies there.
        ///
        /// # Errors
        /// [`Blocked`] when the way does not lead there.
        pub fn find(&self, below: &Path, links: Links) -> Result<Thing, Blocked> {
            let (path, about) = self.walk(below, links)?;
            if about.is_dir() {
                return Ok(Thing::Folder(Self { path }));
            }
            if !about.is_file() {
                return Ok(Thing::Other);
            }
            let file = File::open(&path)?;
            self.walk(below, links)?;
            Ok(Thing::File(file))
        }

        /// Whether a regular file lies there. It is not opened.
        pub fn has_file(&self, below: &Path, links: Links) -> bool {
            self.walk(below, links).is_ok_and(|(_, about)| about.is_file())
        }

        /// Whether a folder lies there.
        pub fn has_folder(&self, below: &Path, links: Links) -> bool {
            self.walk(below, links).is_ok_and(|(_, about)| about.is_dir())
        }

        /// Whether anything lies there, a link that is not followed among it.
        pub fn has(&self, below: &Path, links: Links) -> bool {
            !matches!(self.walk(below, links), Err(Blocked::Unread(_)))
        }

        /// What the system says of the folder itself.
        ///
        /// # Errors
        /// When it refuses.
        pub fn about(&self) -> io::Result<Metadata> {
            std::fs::metadata(&self.path)
        }

        /// The entries of the folder, the first [`MOST_ENTRIES`] of them.
        ///
        /// # Errors
        /// When it cannot be listed.
        pub fn entries(&self) -> io::Result<Vec<Entry>> {
            let listed = std::fs::read_dir(&self.path)?.take(MOST_ENTRIES);
            listed.map(|entry| entry.and_then(|e| Ok(Entry { name: e.file_name(), is_folder: e.file_type()?.is_dir() }))).collect()
        }

        fn walk(&self, below: &Path, _: Links) -> Result<(PathBuf, Metadata), Blocked> {
            let (mut path, mut way) = (self.path.clone(), Way::to(below)?);
            let mut about = std::fs::metadata(&path)?;
            while let Some(step) = way.next()? {
                let Step::Into(name) = step else { return Err(Blocked::Out) };
                path.push(name);
                about = std::fs::symlink_metadata(&path).map_err(|e| way.stuck(e))?;
                if about.is_symlink() {
                    return Err(Blocked::Out);
                }
            }
            Ok((path, about))
        }
    }
}
