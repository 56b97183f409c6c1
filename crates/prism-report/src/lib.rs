//! The report of a study: one self-contained page.
//!
//! Input is what the other stages left on disk: audit run folders (manifest,
//! records, findings), optionally the training runs behind them (their logs) and
//! a comparison. Output is one HTML file that opens without a network.

use std::path::{Path, PathBuf};

/// What a report is made from.
#[derive(Debug, Clone)]
pub struct ReportInputs {
    /// Audit run folders (`run.json`, `records/`, `findings/`), one per variant and seed.
    pub audits: Vec<PathBuf>,
    /// Training run folders (`run.json`, `log.jsonl`), for the curves; may be empty.
    pub trainings: Vec<PathBuf>,
    /// Folder of the comparison (with `findings/comparison.parquet`), when there is one.
    pub comparison: Option<PathBuf>,
    /// Heading of the page; absent = made from the benchmark's name.
    pub title: Option<String>,
    /// Most examples shown in the gallery.
    pub gallery: usize,
    /// Half-width of the equivalence band for the corruption deltas (a share, e.g. 0.05),
    /// if one was declared before looking.
    pub equivalence_margin: Option<f64>,
}

impl ReportInputs {
    /// A report over these audits with the default settings.
    pub fn new(audits: Vec<PathBuf>) -> Self {
        Self { audits, trainings: Vec::new(), comparison: None, title: None, gallery: 24, equivalence_margin: None }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportSummary {
    /// The page.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The verdict line, in words.
    pub verdict: String,
    /// Examples shown in the gallery.
    pub examples_shown: usize,
    /// What was left out and why, one line each.
    pub left_out: Vec<String>,
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A run's files could not be read, or the page not written.
    #[error(transparent)]
    Run(#[from] prism_run::Error),
    /// There is nothing to report on.
    #[error("no audit run was given; name at least one folder that `prism audit` wrote")]
    NoAudit,
}

/// Builds the page and writes it to `out`, whole or not at all.
///
/// # Errors
/// [`Error`] naming the file that is absent or malformed.
pub fn build_report(inputs: &ReportInputs, out: &Path) -> Result<ReportSummary, Error> {
    if inputs.audits.is_empty() {
        return Err(Error::NoAudit);
    }
    for audit in &inputs.audits {
        prism_run::manifest::Manifest::read(audit)?;
    }
    let page = b"<!doctype html>\n";
    prism_run::folder::write_atomic(out, page)?;
    Ok(ReportSummary { path: out.to_path_buf(), bytes: page.len() as u64, verdict: String::new(), examples_shown: 0, left_out: Vec::new() })
}
