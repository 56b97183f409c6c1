//! The header of every run: what ran, where, on which inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prism_data::Benchmark;
use prism_run::folder;
use prism_run::manifest::{Manifest, SCHEMA};

use crate::exit::Refused;
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
        command: command(),
        commit: env!("PRISM_COMMIT").into(),
        host: host(),
        device: hardware.device_line(),
        dtype: hardware.dtype_line(),
        threads: hardware.threads,
        inputs: BTreeMap::new(),
        outcomes: BTreeMap::new(),
        causes: BTreeMap::new(),
        settings: BTreeMap::new(),
        started: now(),
        ended: None,
    }
}

/// What was typed. An argument may hold any bytes: what is not UTF-8 in it is replaced.
pub fn command() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// Refuses a path that a file of a run is to hold and cannot: such files are UTF-8.
///
/// # Errors
/// When it is not UTF-8.
pub fn check_text(path: &Path) -> anyhow::Result<()> {
    if path.to_str().is_some() {
        return Ok(());
    }
    let remedy = "rename it, or name it by a link that is";
    anyhow::bail!(Refused(format!("{}: this path is not UTF-8, and is to stand in a file that is; {remedy}", path.display())))
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
    prism_run::lock::host()
}
