//! The report of a study: one self-contained page.
//!
//! Input is what the other stages left on disk: audit run folders (manifest,
//! records, findings), optionally the training runs behind them (their logs) and
//! a comparison. Output is one HTML file that opens without a network. In order:
//! [`study`] reads and groups, [`verdict`] says it in words, [`sections`] write
//! tables and text, [`charts`] make specifications, [`gallery`] chooses examples,
//! [`page`] puts them together.
//!
//! Two crates stand on this one: `prism-explorer` serves run folders as pages on this machine's
//! loopback, `prism-figures` writes the page's figures and tables as files.
//!
//! The same inputs give the same bytes: the page holds no clock and no path but
//! those it was given.

pub mod change;
pub mod charts;
pub mod curves;
pub mod document;
pub mod failed;
pub mod files;
pub mod gallery;
pub mod html;
pub mod interventions;
pub mod number;
pub mod page;
pub mod sections;
pub mod study;
pub mod terminal;
pub mod vendored;
pub mod verdict;

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
    /// Audit of the model every run started from, scored without a latent block, when there is one.
    pub base: Option<PathBuf>,
    /// What the page is about, beside its heading; absent = the benchmarks' names.
    pub title: Option<String>,
    /// The recipe of the study, printed under provenance, when there is one.
    pub recipe: Option<PathBuf>,
    /// Most examples shown in the gallery of each benchmark.
    pub gallery: usize,
    /// Folders the user named: a run of a study at or below them may show pictures of the study's world.
    pub folders: Vec<PathBuf>,
    /// Folders named for their pictures: a benchmark's, or those of `--images`.
    pub images: Vec<PathBuf>,
}

impl ReportInputs {
    /// A report over these audits with the default settings.
    pub fn new(audits: Vec<PathBuf>) -> Self {
        Self {
            audits,
            trainings: Vec::new(),
            comparison: None,
            base: None,
            recipe: None,
            title: None,
            gallery: 24,
            folders: Vec::new(),
            images: Vec::new(),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportSummary {
    /// The page.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The verdict in words, one line per benchmark.
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
    /// A run's findings could not be read.
    #[error(transparent)]
    Findings(#[from] prism_audit::Error),
    /// There is nothing to report on.
    #[error("no audit run was given; name at least one folder that `prism audit` wrote")]
    NoAudit,
    /// A figure or table cannot be exported.
    #[error("{figure}: cannot be drawn: {why}", figure = prism_run::shown(figure), why = prism_run::shown(why))]
    Figure {
        /// Which.
        figure: String,
        /// What the drawing engine says.
        why: String,
    },
}

/// Builds the page and writes it to `out`, whole or not at all.
///
/// Records that cannot be read, logs that are absent and images that do not open
/// are named on the page and in [`ReportSummary::left_out`]; they do not stop it.
///
/// # Errors
/// [`Error`] naming the manifest or findings that are absent or malformed, or
/// the file that cannot be written.
pub fn build_report(inputs: &ReportInputs, out: &Path) -> Result<ReportSummary, Error> {
    let mut left_out = Vec::new();
    let study = study::Study::read(inputs, &mut left_out)?;
    let (page, examples_shown, _) = page::html(&study, inputs.title.as_deref(), inputs.gallery, &mut left_out);
    prism_run::folder::write_atomic(out, page.as_bytes())?;
    let lines: Vec<String> = study.parts.iter().map(|part| prism_run::shown(&verdict::whole(&study, part)).into_owned()).collect();
    Ok(ReportSummary { path: out.to_path_buf(), bytes: page.len() as u64, verdict: lines.join("\n"), examples_shown, left_out })
}
