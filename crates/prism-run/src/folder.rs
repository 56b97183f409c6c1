//! Files and folders that appear whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Writes `bytes` beside `path` and renames: a reader never sees half a file.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be made or written.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|e| Error::io("cannot create folder", parent, e))?;
    let beside = beside(path);
    fs::write(&beside, bytes).map_err(|e| Error::io("cannot write", &beside, e))?;
    fs::rename(&beside, path).map_err(|e| Error::io("cannot rename into place", path, e))
}

/// Gives a file the permissions that new files of this process get: safetensors makes
/// its files for the owner alone, and a checkpoint is for the group as well.
///
/// # Errors
/// [`Error::Io`] when they cannot be read or set.
pub fn usual_permissions(path: &Path) -> Result<()> {
    let usual = beside(path);
    let refused = |e| Error::io("cannot set the permissions of", path, e);
    let permissions = fs::File::create(&usual).and_then(|file| file.metadata()).map_err(refused)?.permissions();
    fs::remove_file(&usual).map_err(refused)?;
    fs::set_permissions(path, permissions).map_err(refused)
}

/// The temporary sibling of `path`, same folder, ending in `.tmp`.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    path.with_file_name(name)
}

/// A folder being written beside its final place; dropped without
/// [`PartialFolder::finish`] it is removed.
#[derive(Debug)]
pub struct PartialFolder {
    target: PathBuf,
    partial: PathBuf,
    finished: bool,
}

impl PartialFolder {
    /// Starts an empty folder that will become `target`.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be created.
    pub fn create(target: &Path) -> Result<Self> {
        let partial = beside(target);
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(|e| Error::io("cannot remove", &partial, e))?;
        }
        fs::create_dir_all(&partial).map_err(|e| Error::io("cannot create folder", &partial, e))?;
        Ok(Self { target: target.to_path_buf(), partial, finished: false })
    }

    /// Where to write for now.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Moves the folder into place, replacing what was there.
    ///
    /// # Errors
    /// [`Error::Io`] when the rename fails.
    pub fn finish(mut self) -> Result<()> {
        if self.target.exists() {
            fs::remove_dir_all(&self.target).map_err(|e| Error::io("cannot replace", &self.target, e))?;
        }
        fs::rename(&self.partial, &self.target).map_err(|e| Error::io("cannot rename into place", &self.target, e))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for PartialFolder {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// SHA-256 of a file, in hexadecimal, read in pieces.
///
/// # Errors
/// [`Error::Io`] when it cannot be read.
pub fn hash_file(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).map_err(|e| Error::io("cannot read", path, e))?;
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
        let weights = name == "model.safetensors" || shards.contains(name);
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
    let index = fs::read(checkpoint.join("model.safetensors.index.json")).ok();
    let index: Option<serde_json::Value> = index.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let places = index.as_ref().and_then(|index| index.get("weight_map")?.as_object());
    places.into_iter().flat_map(|map| map.values()).filter_map(|shard| Some(shard.as_str()?.to_owned())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Names inside a run folder: same words as the commands that write them.
pub mod names {
    /// The manifest.
    pub const MANIFEST: &str = "run.json";
    /// The resolved configuration.
    pub const CONFIG: &str = "config.toml";
    /// One JSON object a training step.
    pub const LOG: &str = "log.jsonl";
    /// What the model run wrote.
    pub const RECORDS: &str = "records";
    /// How long each example took; no result depends on it.
    pub const TIMING: &str = "timing.parquet";
    /// What the audit computed from it.
    pub const FINDINGS: &str = "findings";
    /// In a study: the audit of the model that every variant started from.
    pub const BASE_AUDIT: &str = "base-audit";
    /// In a training of a study: its audits over the recipe's K.
    pub const SWEEP: &str = "sweep";
    /// The page.
    pub const REPORT: &str = "report.html";
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for name in ["config.json", "merges.txt", "model.safetensors", "trainer_state.json", "optimizer.safetensors"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let names: Vec<String> = hash_checkpoint(dir.path()).unwrap().into_keys().collect();
        assert_eq!(names, ["config.json", "merges.txt", "model.safetensors"]);
    }
}
