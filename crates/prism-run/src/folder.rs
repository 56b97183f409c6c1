//! Files and folders that appear whole or not at all.
//!
//! What is written goes beside its place, under a name that no other process gives, is flushed, and
//! is renamed into place; the folder is flushed after. What is replaced is moved aside first and
//! removed last. So at every moment either what was there before is whole or what is new, and
//! [`repair`] puts the one or the other in place after a crash.
//!
//! There is one exception: a layered file system (overlayfs, as in containers) refuses to rename a
//! folder that lies in a lower layer, as one that came with the container's image does. Such a
//! folder is removed before the new one takes its place. A file is always replaced as said above,
//! and so is a folder that was made in the container.

mod beside;
mod partial;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use self::beside::{Beside, is_within_one};
use crate::door::{self, Limit};
use crate::{Error, Result};

pub use self::beside::beside;
pub use self::partial::PartialFolder;

/// Writes `bytes` beside `path`, flushes, and renames: a reader never sees half a file. In a folder
/// that is not in place yet ([`PartialFolder`]) the file is written as it is: the folder is flushed
/// as a whole.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be made or written; then nothing is left.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = parent(path);
    fs::create_dir_all(parent).map_err(|e| Error::io("cannot create folder", parent, e))?;
    if is_within_one(parent) {
        return fs::write(path, bytes).map_err(|e| Error::io("cannot write", path, e));
    }
    let new = beside(path);
    let written = fs::File::create(&new).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    let written = written.map_err(|e| Error::io("cannot write", path, e));
    let placed = written.and_then(|()| fs::rename(&new, path).map_err(|e| Error::io("cannot rename into place", path, e)));
    if placed.is_err() {
        let _ = fs::remove_file(&new);
    }
    placed.and_then(|()| flush_folder(parent))
}

/// Flushes a finished file that lies elsewhere on the same file system, and moves it to `path`.
///
/// # Errors
/// [`Error::Io`] when it cannot be flushed or renamed.
pub fn place(file: &Path, path: &Path) -> Result<()> {
    fs::File::open(file).and_then(|file| file.sync_all()).map_err(|e| Error::io("cannot write", path, e))?;
    fs::rename(file, path).map_err(|e| Error::io("cannot rename into place", path, e))?;
    flush_folder(parent(path))
}

/// Gives a file the permissions that new files of this process get: safetensors makes
/// its files for the owner alone, and a checkpoint is for the group as well.
///
/// # Errors
/// [`Error::Io`] when they cannot be read or set.
pub fn usual_permissions(path: &Path) -> Result<()> {
    let usual = beside(path);
    let refused = |e| Error::io("cannot write the permissions of", path, e);
    let permissions = fs::File::create(&usual).and_then(|file| file.metadata()).map(|about| about.permissions());
    let _ = fs::remove_file(&usual);
    permissions.and_then(|permissions| fs::set_permissions(path, permissions)).map_err(refused)
}

/// Removes a file or folder such that nobody finds half of it, if it is there.
///
/// # Errors
/// [`Error::Io`] when it cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    let leaving = beside(path);
    let leaving = match fs::rename(path, &leaving) {
        Ok(()) => leaving.as_path(),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        // Layered file systems do not rename folders of a lower layer.
        Err(e) if e.kind() == ErrorKind::CrossesDevices => path,
        Err(e) => return Err(Error::io("cannot remove", path, e)),
    };
    delete(leaving).map_err(|e| Error::io("cannot remove", path, e))
}

/// Removes what lies there, whatever it is: of a link the link alone.
fn delete(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The folder that holds `path`.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Puts in order what a crash left in `folder`: what was moved aside and not replaced comes back,
/// what was never finished goes. To be called by whoever alone writes there
/// ([`crate::lock::Lock`]); what living processes are at is left alone.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be read, or what was moved aside cannot be put back.
pub fn repair(folder: &Path) -> Result<()> {
    put_in_order(folder, None)
}

/// As [`repair`], for the one file or folder that `target` is or will be.
///
/// # Errors
/// As [`repair`].
pub fn repair_target(target: &Path) -> Result<()> {
    put_in_order(parent(target), target.file_name())
}

fn put_in_order(folder: &Path, only: Option<&OsStr>) -> Result<()> {
    let unread = |e| Error::io("cannot read folder", folder, e);
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(unread)?,
    };
    for entry in entries {
        let path = entry.map_err(unread)?.path();
        let Some(found) = path.file_name().and_then(OsStr::to_str).and_then(Beside::read) else { continue };
        if only.is_some_and(|only| only != found.name) || !found.is_left_over(&path) {
            continue;
        }
        let target = folder.join(found.name);
        if found.old && !is_there(&target) {
            fs::rename(&path, &target).map_err(|e| Error::io("cannot rename into place", &target, e))?;
        } else {
            // Whoever cannot remove it can work beside it all the same.
            let _ = delete(&path);
        }
    }
    Ok(())
}

/// Hands the names in `folder` to the disk. Some file systems cannot, and lose nothing by it; a
/// disk that fails or is full is told.
fn flush_folder(folder: &Path) -> Result<()> {
    /// An error of the device, for which there is no kind.
    const DEVICE: i32 = 5;
    match fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(e) if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) || e.raw_os_error() == Some(DEVICE) => {
            Err(Error::io("cannot write", folder, e))
        }
        _ => Ok(()),
    }
}

/// SHA-256 of a file, in hexadecimal, read in pieces.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub fn hash_file(path: &Path) -> Result<String> {
    hash_reader(path, fs::File::open(path).map_err(|e| Error::io("cannot read", path, e))?)
}

/// SHA-256 of what an opened file still holds, in hexadecimal; `path` for messages.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub fn hash_reader(path: &Path, mut file: fs::File) -> Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash).map_err(|e| Error::io("cannot read", path, e))?;
    Ok(hex(&hash.finalize()))
}

/// SHA-256 of bytes, in hexadecimal.
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of every file of a checkpoint on which its results depend, by name:
/// configuration, weights, tokenizer, processor and generation settings.
///
/// # Errors
/// [`Error::Io`] when the folder or a file in it cannot be read.
pub fn hash_checkpoint(checkpoint: &Path) -> Result<BTreeMap<String, String>> {
    let refused = |e| Error::io("cannot read checkpoint folder", checkpoint, e);
    let mut hashes = BTreeMap::new();
    let shards = indexed_shards(checkpoint);
    for entry in fs::read_dir(checkpoint).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let weights = matches!(name, "model.safetensors" | "adapter_model.safetensors") || shards.contains(name);
        let settings = [".json", ".txt", ".jinja"].iter().any(|end| name.ends_with(end)) && name != "trainer_state.json";
        if (weights || settings) && path.is_file() {
            hashes.insert(name.to_owned(), hash_file(&path)?);
        }
    }
    Ok(hashes)
}

/// Files that the index of a sharded checkpoint names, whatever they are called; none
/// without a readable index, which opening the checkpoint refuses.
fn indexed_shards(checkpoint: &Path) -> BTreeSet<String> {
    let index = door::read_linked(&checkpoint.join("model.safetensors.index.json"), Limit::Settings).ok();
    let index: Option<serde_json::Value> = index.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let places = index.as_ref().and_then(|index| index.get("weight_map")?.as_object());
    places.into_iter().flat_map(|map| map.values()).filter_map(|shard| Some(shard.as_str()?.to_owned())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Names inside a run folder: same words as the commands that write them.
pub mod names {
    /// In a folder that is being written: by whom.
    pub const LOCK: &str = ".lock";
    /// The manifest.
    pub const MANIFEST: &str = "run.json";
    /// The resolved configuration.
    pub const CONFIG: &str = "config.toml";
    /// One JSON object a training step.
    pub const LOG: &str = "log.jsonl";
    /// What the model run wrote.
    pub const RECORDS: &str = "records";
    /// What it has written so far.
    pub const PARTS: &str = "records.parts";
    /// How long each example took; no result depends on it.
    pub const TIMING: &str = "timing.parquet";
    /// What the audit computed from it.
    pub const FINDINGS: &str = "findings";
    /// In a study: the generated world.
    pub const WORLD: &str = "world";
    /// In a study: the audit of the model that every variant started from.
    pub const BASE_AUDIT: &str = "base-audit";
    /// In a training of a study: its audits over the recipe's K.
    pub const SWEEP: &str = "sweep";
    /// The page.
    pub const REPORT: &str = "report.html";
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::beside::aside;
    use super::*;

    /// Names in a folder, sorted.
    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn folder_with(target: &Path, text: &str) {
        let partial = PartialFolder::create(target).unwrap();
        write_atomic(&partial.path().join("file"), text.as_bytes()).unwrap();
        assert_eq!(names(partial.path()), ["file"]);
        partial.finish().unwrap();
    }

    /// A name as a dead process of this machine would have given it.
    fn of_the_dead(path: &Path, old: bool) -> PathBuf {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let own = format!(".{}-", std::process::id());
        let name = if old { aside(path) } else { beside(path) };
        PathBuf::from(name.to_str().unwrap().replace(&own, &format!(".{}-", child.id())))
    }

    #[test]
    fn a_file_and_a_folder_are_replaced_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("a/file"), dir.path().join("a/folder"));
        for text in ["one", "two"] {
            write_atomic(&file, text.as_bytes()).unwrap();
            folder_with(&folder, text);
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), text);
        }
        drop(PartialFolder::create(&dir.path().join("a/other")).unwrap());
        assert_eq!(names(&dir.path().join("a")), ["file", "folder"]);
        remove(&folder).unwrap();
        remove(&folder).unwrap();
        remove(&file).unwrap();
        assert!(names(&dir.path().join("a")).is_empty());
    }

    #[test]
    fn what_was_there_survives_a_failed_replacement() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        folder_with(&folder, "one");
        let partial = PartialFolder::create(&folder).unwrap();
        // Somebody removed what was to be put in place.
        fs::remove_dir_all(partial.path()).unwrap();
        assert!(partial.finish().unwrap_err().is_write_failure());
        assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "one");
        assert_eq!(names(dir.path()), ["folder"]);
        // A file cannot be written into a folder of its own name.
        assert!(write_atomic(&folder, b"text").unwrap_err().is_write_failure());
        assert_eq!(names(dir.path()), ["folder"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_crash_left_is_put_in_order_and_what_is_under_way_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let put = |path: &Path, text: &str| {
            fs::create_dir_all(path).unwrap();
            fs::write(path.join("file"), text).unwrap();
        };
        // Killed between the two renames of a replacement.
        put(&of_the_dead(&at("records"), true), "before");
        put(&of_the_dead(&at("records"), false), "new");
        // Killed after them.
        put(&at("findings"), "new");
        put(&of_the_dead(&at("findings"), true), "before");
        // Under way, and no business of ours.
        let under_way = beside(&at("report.html"));
        fs::write(&under_way, "half").unwrap();
        fs::write(at("notes.tmp"), "mine").unwrap();
        repair(dir.path()).unwrap();
        let under_way = under_way.file_name().unwrap().to_str().unwrap();
        assert_eq!(names(dir.path()), ["findings", "notes.tmp", "records", under_way]);
        assert_eq!(fs::read_to_string(at("records/file")).unwrap(), "before");
        assert_eq!(fs::read_to_string(at("findings/file")).unwrap(), "new");
        repair(&at("nowhere")).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_target_is_put_in_order_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (world, other) = (dir.path().join("world"), dir.path().join("other"));
        for path in [&world, &other] {
            fs::create_dir_all(of_the_dead(path, false)).unwrap();
        }
        repair_target(&world).unwrap();
        let left = names(dir.path());
        assert!(left.len() == 1 && left[0].starts_with("other."), "{left:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (link, kept) = (dir.path().join("link"), dir.path().join("kept"));
        folder_with(&kept, "kept");
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        folder_with(&link, "new");
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(kept.join("file")).unwrap(), "kept");
    }

    #[cfg(unix)]
    #[test]
    fn usual_permissions_are_those_of_a_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (closed, new) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&closed, "a").unwrap();
        fs::write(&new, "b").unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o400)).unwrap();
        usual_permissions(&closed).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&closed), mode(&new));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_checkpoints_hash_leaves_out_what_no_result_depends_on() {
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["config.json", "merges.txt", "model.safetensors", "adapter_model.safetensors", "trainer_state.json", "optimizer.safetensors"]
        {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let names: Vec<String> = hash_checkpoint(dir.path()).unwrap().into_keys().collect();
        assert_eq!(names, ["adapter_model.safetensors", "config.json", "merges.txt", "model.safetensors"]);
    }
}
