//! The header of every run: what ran, where, on which inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prism_data::Benchmark;
use prism_run::folder;
use prism_run::manifest::{Manifest, SCHEMA};

use crate::hardware::Hardware;

/// A manifest with everything the process knows about itself.
pub fn manifest(kind: &str, hardware: &Hardware) -> Manifest {
    Manifest {
        schema: SCHEMA,
        kind: kind.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        variant: None,
        name: None,
        seed: None,
        benchmark: None,
        command: std::env::args().collect(),
        commit: env!("PRISM_COMMIT").into(),
        host: host(),
        device: hardware.device_line(),
        dtype: hardware.dtype_line(),
        threads: hardware.threads,
        inputs: BTreeMap::new(),
        outcomes: BTreeMap::new(),
        settings: BTreeMap::new(),
        started: now(),
        ended: None,
    }
}

/// UTC now, RFC 3339.
pub fn now() -> String {
    jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_else(|_| jiff::Timestamp::now()).to_string()
}

/// Adds the hash of a file under `name`.
///
/// # Errors
/// When it cannot be read.
pub fn hash_input(manifest: &mut Manifest, name: &str, path: &Path) -> prism_run::Result<()> {
    manifest.inputs.insert(name.into(), folder::hash_file(path)?);
    Ok(())
}

/// Adds the hashes of a benchmark's files of questions and of the user's description.
///
/// # Errors
/// When one cannot be read.
pub fn hash_benchmark(manifest: &mut Manifest, benchmark: &Benchmark) -> prism_run::Result<()> {
    for (number, file) in benchmark.files().iter().enumerate() {
        let name = if number == 0 { "benchmark".into() } else { format!("benchmark/{number}") };
        hash_input(manifest, &name, file)?;
    }
    if let Some(description) = &benchmark.described_in {
        hash_input(manifest, "benchmark/description", description)?;
    }
    Ok(())
}

/// Adds the hashes of a checkpoint's files on which its results depend.
///
/// # Errors
/// When the folder or a file in it cannot be read.
pub fn hash_checkpoint(manifest: &mut Manifest, checkpoint: &Path) -> prism_run::Result<()> {
    let files = folder::hash_checkpoint(checkpoint)?;
    manifest.inputs.extend(files.into_iter().map(|(name, hash)| (format!("checkpoint/{name}"), hash)));
    Ok(())
}

/// Adds one hash of the contents of all `images`, under the name `images`.
///
/// # Errors
/// When one cannot be read.
pub fn hash_images<'a>(manifest: &mut Manifest, images: impl Iterator<Item = &'a Path>) -> prism_run::Result<()> {
    let paths: BTreeSet<&Path> = images.collect();
    let hashes = paths.into_iter().map(folder::hash_file).collect::<prism_run::Result<Vec<_>>>()?;
    manifest.inputs.insert("images".into(), folder::hash_bytes(hashes.concat().as_bytes()));
    Ok(())
}

/// The name of this machine.
pub fn host() -> String {
    std::fs::read_to_string("/etc/hostname")
        .map(|s| s.trim().to_string())
        .ok()
        .filter(|s| !s.is_empty())
        .unwrap_or_else(|| "unknown".into())
}
