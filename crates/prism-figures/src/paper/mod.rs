//! The source paper's figures and tables, from any study or from its published
//! numbers: Figure 1 (cosine against accuracy), Figure 4 (change under each
//! corruption), Figure 5 (decodability gap against the response), Table 1
//! (variants side by side), Table 2 (correlations), Table 3 (probes), Table 4
//! (corruption).

mod figures;
mod sources;
mod tables;

use std::path::Path;

use prism_run::Intervention;

use super::{Figure, Listed, Written, write_figures, write_tables};
use prism_report::change::Change;
use prism_report::charts::theme::VariantStyle;
use prism_report::document::Table;
use prism_report::study::Study;
use prism_report::{Error, ReportInputs};

pub use sources::{published_source, study_source};

/// One line of the tables: a run, or a published variant. Shares, not percent.
#[derive(Debug, Clone)]
pub struct Line {
    /// The variant's look.
    pub style: VariantStyle,
    /// Variant and, if needed, seed.
    pub label: String,
    /// Training seed, where it is needed to tell lines apart.
    pub seed: Option<i64>,
    /// Teacher-forced, target stage.
    pub cosine: Option<f64>,
    /// Accuracy on each benchmark of [`Source::benchmarks`].
    pub accuracies: Vec<Option<f64>>,
    /// Interval of the first of them.
    pub accuracy_interval: (Option<f64>, Option<f64>),
    /// Probe at (a).
    pub probe_a: Probe,
    /// Probe at (b).
    pub probe_b: Probe,
    /// Probe accuracy at the question mean.
    pub question_mean: Option<f64>,
    /// Probe accuracy at (a) minus that at (b).
    pub gap: Option<f64>,
    /// Change under each of [`Source::interventions`].
    pub changes: Vec<Option<Change>>,
}

/// A probe as Table 3 prints it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Probe {
    /// Accuracy.
    pub accuracy: Option<f64>,
    /// Its spread over folds, see [`Source::spread`].
    pub spread: Option<f64>,
    /// Cross-entropy, nats.
    pub cross_entropy: Option<f64>,
}

/// What the figures and tables are drawn from.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is, for captions.
    pub name: String,
    /// Benchmarks of the accuracies; everything else is of the first.
    pub benchmarks: Vec<String>,
    /// What spread the probes are given with, e.g. `standard error`.
    pub spread: &'static str,
    /// Interventions.
    pub interventions: Vec<Intervention>,
    /// Lines in order.
    pub lines: Vec<Line>,
    /// Table 2.
    pub correlations: Table,
    /// Half-width of the equivalence band, where one was declared.
    pub margin: Option<f64>,
    /// Whether the answers gained and lost are known.
    pub counted: bool,
    /// Why a number is absent.
    pub absent: &'static str,
}

/// Writes the preset from the published numbers.
///
/// # Errors
/// When the built-in table cannot be read, a figure not drawn or a file not written.
pub fn write_published(folder: &Path) -> Result<Written, Error> {
    let published = prism_audit::paper::published()?;
    let mut written = Written::default();
    write_source(&published_source(&published), folder, "", &mut written)?;
    Ok(written)
}

/// Writes the preset from a study; of several benchmarks, each into a folder of its name.
///
/// # Errors
/// As [`super::write`].
pub fn write_study(inputs: &ReportInputs, folder: &Path) -> Result<Written, Error> {
    let mut left_out = Vec::new();
    let study = Study::read(inputs, &mut left_out)?;
    let mut written = Written::default();
    for (place, part) in study.parts.iter().enumerate() {
        let prefix = if study.parts.len() > 1 { format!("benchmark-{}-", place + 1) } else { String::new() };
        write_source(&study_source(&study, part), folder, &prefix, &mut written)?;
    }
    Ok(written)
}

fn write_source(source: &Source, folder: &Path, prefix: &str, written: &mut Written) -> Result<(), Error> {
    let figures: Vec<Figure> = source.figures().into_iter().map(|f| Figure { stem: format!("{prefix}{}", f.stem), ..f }).collect();
    let drawn = |stem: &str| figures.iter().any(|f| f.stem.starts_with(&format!("{prefix}{stem}")));
    for stem in ["figure-1", "figure-4", "figure-5"].into_iter().filter(|stem| !drawn(stem)) {
        written.notes.push(format!("{prefix}{stem}: not drawn, {} has no numbers for it", source.name));
    }
    write_figures(&figures, folder, written)?;
    let tables: Vec<Listed> = source.tables().iter().map(|table| Listed::of(format!("{prefix}{}", table.name), table)).collect();
    write_tables(&tables, folder, written)
}
