//! What the tests of the benchmarks share.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use prism_data::{Benchmark, Images, Picture, Unusable};
use prism_run::Example;
use tempfile::TempDir;

/// A file or folder of the fixtures (`oracle/benchmarks.py`).
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/benchmarks").join(name)
}

/// A copy of a fixture's folder, to be damaged.
pub fn copy(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    copy_into(&fixture(name), &path);
    (folder, path)
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_into(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Every pixel decoded, by a decoder that these tests hand in.
pub fn decoded() -> Images {
    Images::checked_by(|picture| {
        let bytes = match picture {
            Picture::File(path) => fs::read(path).unwrap(),
            Picture::Bytes(bytes, _) => bytes.to_vec(),
        };
        let read = image::load_from_memory(&bytes).map(|_| Vec::new());
        read.map_err(|e| Unusable { cause: format!("cannot be decoded here: {e}"), remedy: "give a whole file".into() })
    })
}

/// Reads a benchmark with a cache folder of its own.
pub fn read(path: &Path, limit: Option<usize>) -> prism_data::Result<(Vec<Example>, TempDir)> {
    let cache = tempfile::tempdir().unwrap();
    let images = Images::extracted(Some(cache.path().to_path_buf()));
    let examples = Benchmark::open(path)?.read(&images, limit)?;
    Ok((examples, cache))
}
