//! Any benchmark by its path; the format is detected.

use std::path::{Path, PathBuf};

use prism_run::Example;

use super::{jsonl, training, vstar};
use crate::{Error, Place, Result};

/// The file that holds a benchmark's questions: `path` itself, or for a folder its
/// `test_questions.jsonl` (V*Bench) or `test.jsonl` (the world).
///
/// # Errors
/// When the path does not exist or the folder holds neither.
pub fn benchmark_file(path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    if !path.is_dir() {
        return Err(Error::data(path, Place::File, "there is no such file or folder", "give a benchmark's file or folder"));
    }
    let candidates = [vstar::QUESTIONS, "test.jsonl"];
    candidates.iter().map(|name| path.join(name)).find(|file| file.is_file()).ok_or_else(|| {
        let cause = format!("the folder holds neither {} (V*Bench) nor {}", candidates[0], candidates[1]);
        Error::data(path, Place::File, cause, "give the benchmark's folder, or a .jsonl or .json file")
    })
}

/// Reads a benchmark: V*Bench's folder, a generic `.jsonl`, or training data as
/// questions (`.json`, images below the file's folder unless it is a meta file).
///
/// # Errors
/// [`Error::Data`] naming file, place, cause and remedy; [`Error::Run`] when a file
/// cannot be read.
pub fn read_benchmark(path: &Path) -> Result<Vec<Example>> {
    let file = benchmark_file(path)?;
    if file.file_name().is_some_and(|name| name == vstar::QUESTIONS) {
        return vstar::read(super::checks::folder_of(&file));
    }
    match file.extension().and_then(|e| e.to_str()) {
        Some("jsonl") => jsonl::read(&file),
        Some("json") => training::read_examples(&file),
        _ => Err(Error::data(&file, Place::File, "the format is not known", "give a .jsonl or .json file, or a V*Bench folder")),
    }
}

/// Reads the counterfactual partners that lie beside a benchmark
/// (`test_counterfactual.jsonl` for `test.jsonl`); empty when there is no such file.
///
/// # Errors
/// As [`read_benchmark`].
pub fn read_partners(path: &Path) -> Result<Vec<Example>> {
    let file = benchmark_file(path)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let partners = file.with_file_name(format!("{stem}_counterfactual.jsonl"));
    if partners.is_file() { jsonl::read(&partners) } else { Ok(Vec::new()) }
}

/// A short name for records and reports: the folder's name for a folder's standard
/// file, else the file's stem.
pub fn benchmark_name(path: &Path) -> String {
    let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned());
    if path.is_dir() {
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        return name(&whole).unwrap_or_else(|| "benchmark".into());
    }
    path.file_stem().map_or_else(|| "benchmark".into(), |stem| stem.to_string_lossy().into_owned())
}
