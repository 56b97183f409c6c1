//! The one door for the files of a run.
//!
//! Run folders are mailed around. What lies in one may be a link to a private file, a pipe that
//! never ends, or a few bytes that unpack to gigabytes. Everything that reads a run goes through
//! here: [`open`] lets regular files pass that lie inside the run, [`read_bytes`] and [`read_text`]
//! bound their size, [`table`] looks at a table's pages before any of them is unpacked, [`tensors`] at a
//! header. [`share`] counts what all tables take together, [`held`] walks from the run's folder to the file, [`named()`] says which paths are the user's own,
//! and [`limits`] holds every number.

pub mod held;
pub mod limits;
mod named;
mod pages;
pub mod share;
pub mod table;
pub mod tensors;
mod thrift;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

pub use held::Entry;
pub use limits::{Limit, raise};
pub use named::named;

use held::{Blocked, Held, Links, Thing};

use crate::folder::names;
use crate::{Error, Result};

const LEADS_OUT: &str = "a link leads from there out of the run folder";
const COPY: &str = "put the file itself there, or name the run folder in which it lies";

/// Opens a file of a run for reading: a regular file that lies inside the run.
///
/// The run folder is known from the path: what holds the file, or what holds the folder
/// `records`, `findings` or another of its parts. How the run folder itself was reached is the
/// user's matter; below it no link leads out, nor any between it and a folder above it that was
/// [`named()`]. A pipe, a device or a folder is refused without waiting for it.
///
/// # Errors
/// [`Error::Io`] when there is no such file, [`Error::Content`] when it is of another kind or
/// lies elsewhere. What a link leads to is not told.
pub fn open(path: &Path) -> Result<File> {
    let (run, rest) = parted(path);
    match hold(run).and_then(|run| run.find(rest, Links::Inside)) {
        Ok(Thing::File(file)) => whole(file, path),
        Ok(Thing::Folder(_) | Thing::Other) => Err(Error::content(path, "is not a regular file", COPY)),
        Err(blocked) => Err(told(blocked, path)),
    }
}

/// Opens the file below `folder` that a record names, if it lies there: no link or `..` leads out.
/// `None` where there is no such file.
///
/// # Errors
/// [`Error`] when it cannot be read.
pub fn open_below(folder: &Path, name: &Path) -> Option<Result<File>> {
    let path = folder.join(name);
    match hold(folder).and_then(|folder| folder.find(name, Links::Inside)) {
        Ok(Thing::File(file)) => Some(whole(file, &path)),
        Err(Blocked::Unread(e)) if e.kind() == std::io::ErrorKind::PermissionDenied => Some(Err(Error::io("cannot read", &path, e))),
        Ok(Thing::Folder(_) | Thing::Other) | Err(_) => None,
    }
}

/// Whether anything stands there, a link that leads nowhere among it: [`open`] then says what.
pub fn stands(path: &Path) -> bool {
    let (run, rest) = parted(path);
    match hold(run) {
        Ok(run) => run.has(rest, Links::Inside),
        Err(blocked) => matches!(blocked, Blocked::Out),
    }
}

/// Whether a folder of the run lies there, and not a link to one.
pub fn holds_folder(path: &Path) -> bool {
    let folder = above(path);
    hold(folder).is_ok_and(|held| held.has_folder(below(path, folder), Links::Refused))
}

/// Whether a file lies there, and not a link to one. It is not opened.
pub fn holds_file(path: &Path) -> bool {
    let (run, rest) = parted(path);
    hold(run).is_ok_and(|run| run.has_file(rest, Links::Refused))
}

/// Whether a regular file of the run lies there that [`open`] would let pass.
pub fn holds(path: &Path) -> bool {
    open(path).is_ok()
}

/// What the system says of a file that [`open`] would let pass, or of a folder of the run.
pub fn about(path: &Path) -> Option<Metadata> {
    let (run, rest) = parted(path);
    match hold(run).and_then(|run| run.find(rest, Links::Inside)) {
        Ok(Thing::File(file)) => file.metadata().ok(),
        Ok(Thing::Folder(folder)) => folder.about().ok(),
        Ok(Thing::Other) | Err(_) => None,
    }
}

/// What a folder of runs, a run or a part of one holds, at most [`held::MOST_ENTRIES`] entries of it, in no order.
///
/// # Errors
/// [`Error::Io`] when there is no such folder or it cannot be listed, [`Error::Content`] when a link leads out of the run.
pub fn entries(folder: &Path) -> Result<Vec<Entry>> {
    let is_named = || named::nearest(folder).is_some_and(|named| named == folder);
    let run = if is_part(folder) && !is_named() { above(folder) } else { folder };
    let found = match hold(run).and_then(|held| held.find(below(folder, run), Links::Inside)) {
        Ok(Thing::Folder(folder)) => folder.entries(),
        Ok(Thing::File(_) | Thing::Other) => Err(std::io::ErrorKind::NotADirectory.into()),
        Err(Blocked::Unread(e)) => Err(e),
        Err(blocked @ Blocked::Out) => return Err(told(blocked, folder)),
    };
    found.map_err(|e| Error::io("cannot read folder", folder, e))
}

/// A run's folder, held open. Below a folder that the user named no link leads to it.
fn hold(run: &Path) -> Result<Held, Blocked> {
    let Some(from) = named::nearest(run) else { return Held::at(run) };
    match Held::at(&from)?.find(below(run, &from), Links::Refused)? {
        Thing::Folder(run) => Ok(run),
        Thing::File(_) | Thing::Other => Err(Blocked::Unread(std::io::ErrorKind::NotADirectory.into())),
    }
}

/// The run that a path lies in, and what is left of the path there.
fn parted(path: &Path) -> (&Path, &Path) {
    let run = run_of(path);
    (run, below(path, run))
}

fn below<'p>(path: &'p Path, folder: &Path) -> &'p Path {
    path.strip_prefix(folder).unwrap_or(path)
}

fn told(blocked: Blocked, path: &Path) -> Error {
    match blocked {
        Blocked::Out => Error::content(path, LEADS_OUT, COPY),
        Blocked::Unread(e) => Error::io("cannot read", path, e),
    }
}

/// The file, unless its length is above what it holds.
fn whole(file: File, path: &Path) -> Result<File> {
    let about = file.metadata().map_err(|e| Error::io("cannot read", path, e))?;
    if is_hollow(&file, &about) {
        return Err(Error::content(path, "is mostly holes: its length is far above what it holds", "make the file again"));
    }
    Ok(file)
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
mod tests;
