//! A folder that appears whole or not at all.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::beside::{aside, beside};
use super::{delete, flush_folder, parent};
use crate::{Error, Result};

/// Files of a folder from which the whole file system is flushed instead of each of them.
#[cfg(target_os = "linux")]
const MANY: usize = 64;

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
        fs::create_dir_all(&partial).map_err(|e| Error::io("cannot create folder", &partial, e))?;
        Ok(Self { target: target.to_path_buf(), partial, finished: false })
    }

    /// Where to write for now.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Flushes the folder and moves it into place; what was there before is moved aside first, and
    /// removed when the new one is in its place.
    ///
    /// A folder in a lower layer of a layered file system cannot be moved aside. It is removed
    /// first: a kill between that and the rename leaves neither the old folder nor the new one in
    /// place, and the next repair removes what is left of the new one.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be flushed or renamed; then what was there before is there still,
    /// unless it lay in a lower layer.
    pub fn finish(mut self) -> Result<()> {
        flush_all(&self.partial)?;
        let target = self.target.as_path();
        let misplaced = |e| Error::io("cannot rename into place", target, e);
        let before = aside(target);
        match fs::rename(target, &before) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            // Layered file systems do not rename folders of a lower layer.
            Err(e) if e.kind() == ErrorKind::CrossesDevices => delete(target).map_err(|e| Error::io("cannot replace", target, e))?,
            moved => moved.map_err(|e| Error::io("cannot replace", target, e))?,
        }
        if let Err(e) = fs::rename(&self.partial, target) {
            let _ = fs::rename(&before, target);
            return Err(misplaced(e));
        }
        self.finished = true;
        flush_folder(parent(target))?;
        // It has no name any more that anybody reads: what cannot be removed now goes with the next repair.
        let _ = delete(&before);
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

/// Hands everything in `folder` to the disk.
fn flush_all(folder: &Path) -> Result<()> {
    let refused = |e| Error::io("cannot write", folder, e);
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    let mut next = 0;
    while let Some(at) = folders.get(next).cloned() {
        next += 1;
        for entry in fs::read_dir(&at).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let kind = entry.file_type().map_err(refused)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    #[cfg(target_os = "linux")]
    if files.len() > MANY {
        let whole = fs::File::open(folder).map_err(refused)?;
        return rustix::fs::syncfs(&whole).map_err(|e| refused(e.into()));
    }
    for file in &files {
        fs::File::open(file).and_then(|file| file.sync_all()).map_err(|e| Error::io("cannot write", file, e))?;
    }
    folders.iter().try_for_each(|folder| flush_folder(folder))
}
