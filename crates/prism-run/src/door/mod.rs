//! The one door for the files of a run.
//!
//! Run folders are mailed around. What lies in one may be a link to a private file, a pipe that
//! never ends, or a few bytes that unpack to gigabytes. Everything that reads a run goes through
//! here: [`open`] lets regular files pass that lie inside the run, [`read_bytes`] and [`read_text`]
//! bound their size, [`table`] looks at a table's pages before any of them is unpacked, [`tensors`] at a
//! header.
//! [`limits`] holds every number.

pub mod held;
pub mod limits;
mod pages;
pub mod table;
pub mod tensors;
mod thrift;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

pub use limits::{Limit, raise};

use crate::folder::names;
use crate::{Error, Result};

const LEADS_OUT: &str = "a link leads from there out of the run folder";
const COPY: &str = "put the file itself there, or name the run folder in which it lies";

/// Opens a file of a run for reading: a regular file that lies inside the run.
///
/// The run folder is known from the path: what holds the file, or what holds the folder
/// `records`, `findings` or another of its parts. How the run folder itself was reached is the
/// user's matter; below it no link leads out. A pipe, a device or a folder is refused without
/// waiting for it.
///
/// # Errors
/// [`Error::Io`] when there is no such file, [`Error::Content`] when it is of another kind or
/// lies elsewhere. What a link leads to is not told.
pub fn open(path: &Path) -> Result<File> {
    let unread = |e| Error::io("cannot read", path, e);
    if leads_out(path, run_of(path)).map_err(unread)? {
        return Err(Error::content(path, LEADS_OUT, COPY));
    }
    if !std::fs::metadata(path).map_err(unread)?.is_file() {
        return Err(Error::content(path, "is not a regular file", COPY));
    }
    let file = unhurried(path).map_err(unread)?;
    // Looked at again: it may have been exchanged.
    let about = file.metadata().map_err(unread)?;
    if !about.is_file() {
        return Err(Error::content(path, "is not a regular file", COPY));
    }
    if !is_inside(&file, run_of(path)) {
        return Err(Error::content(path, LEADS_OUT, COPY));
    }
    if is_hollow(&file, &about) {
        return Err(Error::content(path, "is mostly holes: its length is far above what it holds", "make the file again"));
    }
    Ok(file)
}

/// Whether anything stands there, a link that leads nowhere among it: [`open`] then says what.
pub fn stands(path: &Path) -> bool {
    match leads_out(path, run_of(path)) {
        Ok(out) => out || std::fs::symlink_metadata(path).is_ok(),
        Err(_) => false,
    }
}

/// Whether a folder of the run lies there, and not a link to one.
pub fn holds_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|about| about.is_dir())
}

/// Whether a regular file of the run lies there that [`open`] would let pass.
pub fn holds(path: &Path) -> bool {
    open(path).is_ok()
}

/// The bytes of a file of a run.
///
/// # Errors
/// As [`open`], and [`Error::Content`] when it is longer than `limit` allows.
pub fn read_bytes(path: &Path, limit: Limit) -> Result<Vec<u8>> {
    within(open(path)?, path, limit)
}

/// The text of a file of a run.
///
/// # Errors
/// As [`read_bytes`], and [`Error::Content`] when it is not UTF-8.
pub fn read_text(path: &Path, limit: Limit) -> Result<String> {
    String::from_utf8(read_bytes(path, limit)?).map_err(|_| Error::content(path, "is not UTF-8 text", "save it as UTF-8"))
}

/// The text of a file that the user names, wherever it lies and whatever it is: only its size is bounded.
///
/// # Errors
/// [`Error::Io`] when it cannot be read, [`Error::Content`] when it is longer than `limit` allows or not UTF-8.
pub fn read_named(path: &Path, limit: Limit) -> Result<String> {
    let file = File::open(path).map_err(|e| Error::io("cannot read", path, e))?;
    String::from_utf8(within(file, path, limit)?).map_err(|_| Error::content(path, "is not UTF-8 text", "save it as UTF-8"))
}

/// The bytes of a small file of a checkpoint: a regular file, or a link to one, as the cache of the Hub has them.
///
/// # Errors
/// [`Error::Io`] when it cannot be read, [`Error::Content`] when it is of another kind or longer than `limit` allows.
pub fn read_linked(path: &Path, limit: Limit) -> Result<Vec<u8>> {
    let unread = |e| Error::io("cannot read", path, e);
    let refused = || Error::content(path, "is not a regular file", "copy the file from the checkpoint again");
    if !std::fs::metadata(path).map_err(unread)?.is_file() {
        return Err(refused());
    }
    let file = unhurried(path).map_err(unread)?;
    // Looked at again: it may have been exchanged.
    if !file.metadata().map_err(unread)?.is_file() {
        return Err(refused());
    }
    within(file, path, limit)
}

/// What an opened file holds, if that is no more than `limit` allows.
fn within(file: File, path: &Path, limit: Limit) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is longer, or grows, from one that is not.
    file.take(limit.value().saturating_add(1)).read_to_end(&mut bytes).map_err(|e| Error::io("cannot read", path, e))?;
    if bytes.len() as u64 > limit.value() {
        return Err(limit.exceeded(path));
    }
    Ok(bytes)
}

/// Files that lie in a run folder itself, whatever that folder is called.
const OF_A_RUN: [&str; 5] = [names::MANIFEST, names::CONFIG, names::LOG, names::TIMING, names::REPORT];

/// The run folder that a file belongs to: the folder that holds it, or the one above a part of a run. Names alone say so, and
/// never lead higher, for the run itself may have been given any name.
fn run_of(path: &Path) -> &Path {
    let folder = above(path);
    if OF_A_RUN.contains(&name_of(path)) {
        folder
    } else if name_of(folder).starts_with("part-") && name_of(above(folder)) == PARTS {
        above(above(folder))
    } else if is_part(folder) {
        above(folder)
    } else {
        folder
    }
}

/// Where the parts of unfinished records lie.
const PARTS: &str = "records.parts";

fn above(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether a folder of that name is a part of a run rather than a run.
fn is_part(folder: &Path) -> bool {
    let name = name_of(folder);
    [names::RECORDS, names::FINDINGS, "images", PARTS].contains(&name) || name.starts_with("checkpoint-")
}

/// Whether what was opened lies in the run: a link may have been put on the way since it was looked at.
#[cfg(target_os = "linux")]
fn is_inside(file: &File, run: &Path) -> bool {
    use std::os::fd::AsRawFd;
    let run = if run.as_os_str().is_empty() { Path::new(".") } else { run };
    let inside = |at: PathBuf| run.canonicalize().is_ok_and(|whole| at.starts_with(whole));
    // Without /proc nothing more can be said.
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_or(true, inside)
}

#[cfg(not(target_os = "linux"))]
fn is_inside(_: &File, _: &Path) -> bool {
    true
}

/// Whether a link on the way from the run folder to `path` leads out of it, or nowhere: which of the two is not told apart.
fn leads_out(path: &Path, run: &Path) -> std::io::Result<bool> {
    let mut here = if run.as_os_str().is_empty() { PathBuf::from(".") } else { run.to_path_buf() };
    let whole = here.canonicalize()?;
    for part in path.strip_prefix(run).unwrap_or(path).components() {
        here.push(part);
        if std::fs::symlink_metadata(&here)?.is_symlink() && !here.canonicalize().is_ok_and(|to| to.starts_with(&whole)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The file below `folder` that a record names, if it lies there: relative names only, and no
/// link or `..` that leads out.
pub fn below(folder: &Path, name: &Path) -> Option<PathBuf> {
    let whole = folder.join(name).canonicalize().ok()?;
    let inside = whole.starts_with(folder.canonicalize().ok()?);
    (inside && whole.is_file()).then_some(whole)
}

/// Opens without waiting for the other end of a pipe.
fn unhurried(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    options.open(path)
}

/// Whether a long file holds next to nothing: a few bytes in a mail can stand for any length of zeros. Blocks alone do not
/// tell, for some file systems count them late; a hole is asked for as well.
#[cfg(unix)]
fn is_hollow(mut file: &File, about: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    const LONG: u64 = 64 << 20;
    /// File systems that compress keep less than this of what records hold.
    const LEAST_SHARE: u64 = 32;
    let few = about.len() > LONG && about.blocks().saturating_mul(512) < about.len() / LEAST_SHARE;
    #[cfg(target_os = "linux")]
    let hole = few && rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(0)).is_ok_and(|at| at < about.len());
    #[cfg(not(target_os = "linux"))]
    let hole = few;
    // Looking for a hole moves the place that is read next.
    few && file.seek(SeekFrom::Start(0)).map_or(true, |_| hole)
}

#[cfg(not(unix))]
fn is_hollow(_: &File, _: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_parts_are_known_by_name() {
        for (path, run) in [
            ("a/run.json", "a"),
            ("a/records/answers.parquet", "a"),
            ("a/records.parts/part-00001/t.parquet", "a"),
            ("run.json", ""),
            ("/x/images/1.png", "/x"),
            // A run of any name.
            ("part-1/report.html", "part-1"),
            ("records/run.json", "records"),
            ("images/records/part-1/records/t.parquet", "images/records/part-1"),
            ("images/records/t.parquet", "images"),
        ] {
            assert_eq!(run_of(Path::new(path)), Path::new(run), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere_out_of_a_run() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (run, other) = (dir.path().join("run"), dir.path().join("other"));
        std::fs::create_dir_all(run.join("records")).unwrap();
        std::fs::create_dir_all(&other).unwrap();
        std::fs::write(other.join("secret"), "secret").unwrap();
        std::fs::write(run.join("kept"), "kept").unwrap();
        symlink(other.join("secret"), run.join("a")).unwrap();
        symlink(&other, run.join("findings")).unwrap();
        symlink("../kept", run.join("records/b")).unwrap();
        symlink(other.join("nothing"), run.join("c")).unwrap();
        for name in ["a", "c", "findings/secret", "findings/absent"] {
            let told = open(&run.join(name)).unwrap_err().to_string();
            assert!(told.ends_with(&format!("a link leads from there out of the run folder; {COPY}")), "{told}");
        }
        assert_eq!(read_text(&run.join("records/b"), Limit::Manifest).unwrap(), "kept");
        // The run folder itself may be reached by a link.
        symlink(&run, dir.path().join("linked")).unwrap();
        assert_eq!(read_text(&dir.path().join("linked/kept"), Limit::Manifest).unwrap(), "kept");
        assert_eq!(below(&run, Path::new("../other/secret")), None);
        assert_eq!(below(&run, Path::new("findings/secret")), None);
        assert!(below(&run, Path::new("kept")).is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(open(&pipe).unwrap_err().to_string().contains("not a regular file"));
        assert!(read_linked(&pipe, Limit::Manifest).unwrap_err().to_string().contains("not a regular file"));
        assert!(open(dir.path()).is_err());
        assert!(open(Path::new("/dev/zero")).is_err());
        let hollow = File::create(dir.path().join("hollow")).unwrap();
        hollow.set_len(1 << 40).unwrap();
        assert!(open(&dir.path().join("hollow")).unwrap_err().to_string().contains("holes"));
    }

    #[test]
    fn a_long_file_is_told_from_one_that_just_fits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let most = Limit::Manifest.value() as usize;
        std::fs::write(&path, vec![b' '; most]).unwrap();
        assert_eq!(read_bytes(&path, Limit::Manifest).unwrap().len(), most);
        std::fs::write(&path, vec![b' '; most + 1]).unwrap();
        let told = read_bytes(&path, Limit::Manifest).unwrap_err().to_string();
        assert!(told.contains("run.json") && told.contains("--limits"), "{told}");
    }
}
