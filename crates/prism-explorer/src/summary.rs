//! What a run's findings say in a line, for lists of runs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use maud::{Markup, html};
use prism_audit::Findings;
use prism_audit::findings::{ConclusionFinding, VariantSummary, files};
use prism_run::stream::RowReader;
use prism_run::table::{Row, read_findings};

use super::library::Run;
use prism_report::document::html::Safe;
use prism_report::document::{Cell, Column, Tone};
use prism_report::html::clipped;

/// Longest reason kept, in characters.
const LONGEST_REASON: usize = 300;
/// Bytes of a summary, written as JSON.
const LONGEST: usize = 64 << 10;
/// Summaries kept.
const KEPT: usize = 8000;

/// What a run's findings say in a line.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Summary {
    /// Its line of Table 1.
    pub line: Option<VariantSummary>,
    /// Its verdict.
    pub conclusion: Option<ConclusionFinding>,
    /// Why there is neither.
    pub reason: Option<String>,
}

impl Summary {
    /// The cells of [`columns`].
    pub fn cells(&self) -> Vec<Cell> {
        let of = |read: fn(&VariantSummary) -> Option<f64>| Cell::number(self.line.as_ref().and_then(read));
        let line = self.line.as_ref();
        let word = |c: &ConclusionFinding| Cell::words(c.marked_word(), c.word.into()).note(c.qualifier.clone());
        vec![
            Cell::count(line.map(|l| l.examples)),
            of(|l| l.accuracy),
            Cell::interval(line.and_then(|l| l.accuracy_low), line.and_then(|l| l.accuracy_high)),
            of(|l| l.type_floor),
            of(|l| l.cosine),
            of(|l| l.opened),
            self.conclusion.as_ref().map_or_else(|| Cell::absent(""), word),
            self.conclusion.as_ref().map_or_else(|| Cell::absent(""), |c| Cell::word(c.presence)),
        ]
    }

    /// Why a cell of it is absent.
    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or(if self.line.is_some() { "not measured" } else { "no Table 1 among its findings" })
    }

    /// Reads the first rows of the two tables; why they are not there is part of the summary.
    pub fn read(run: &Path) -> Self {
        let folder = prism_audit::findings::folder(run);
        let line = match first::<VariantSummary>(&folder.join(files::TABLE1)) {
            Ok(line) => line,
            Err(_) if !prism_run::door::holds_folder(&folder) => return Self::without("no findings yet"),
            Err(e) => return Self::without(&e.to_string()),
        };
        let failures = folder.join(files::FAILURES);
        let failures = if prism_run::door::stands(&failures) { read_findings(&failures).unwrap_or_default() } else { Vec::new() };
        let failed = Findings { failures, ..Findings::default() };
        if let Some(said) = failed.failed().filter(|_| failed.nothing_ran()) {
            // Of no example there is neither a number nor a word.
            return Self::without(&said);
        }
        let conclusion = first::<ConclusionFinding>(&folder.join(files::CONCLUSION)).ok().flatten();
        let summary = Self { line, conclusion, reason: None };
        let written = serde_json::to_vec(&summary).map_or(usize::MAX, |bytes| bytes.len());
        if written > LONGEST { Self::without("its findings are longer than a list has room for") } else { summary }
    }

    fn without(reason: &str) -> Self {
        Self { reason: Some(clipped(reason, LONGEST_REASON)), ..Self::default() }
    }
}

/// The columns of a run in a line.
pub fn columns() -> Vec<Column> {
    let accuracy = Column::percent("accuracy", "accuracy, %");
    let interval = accuracy.interval("accuracy_interval", "95 %");
    vec![
        Column::count("examples", "n"),
        accuracy,
        interval,
        Column::percent("type_floor", "commonest labels, %").priority(3),
        Column::decimal("cosine", "cosine", 3).priority(3),
        Column::percent("opened", "opened, %").priority(3),
        Column::words("word", "word"),
        Column::words("presence", "block"),
    ]
}

/// A word, as it is set apart everywhere.
pub fn word(text: &str, tone: Tone, why: Option<&str>) -> Markup {
    html! { span class={ "word " (tone.class()) } title=[why.map(Safe)] { (Safe(text)) } }
}

/// Both answers of a run.
pub fn answers(c: &ConclusionFinding) -> Markup {
    html! {
        (word(&c.marked_word(), c.word.into(), c.qualifier.as_deref())) ", block " (word(&c.presence.to_string(), c.presence.into(), None))
    }
}

/// The first row of a table, if it has any.
fn first<R: Row>(table: &Path) -> prism_run::Result<Option<R>> {
    RowReader::open(table)?.next().transpose()
}

/// Summaries that were read, each as long as its run does not change.
#[derive(Debug, Default)]
pub struct Summaries {
    kept: Mutex<HashMap<PathBuf, (u64, Arc<Summary>)>>,
}

impl Summaries {
    /// The summary of a run, read when it is not kept or the run has changed.
    pub fn of(&self, run: &Run) -> Arc<Summary> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept().get(&run.path).filter(|(stamp, _)| *stamp == run.stamp).map(|(_, summary)| Arc::clone(summary));
        known.unwrap_or_else(|| {
            let summary = Arc::new(Summary::read(&run.path));
            if summary.reason.is_some() {
                // The system may give later what it refused now.
                return summary;
            }
            let mut kept = kept();
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert(run.path.clone(), (run.stamp, Arc::clone(&summary)));
            summary
        })
    }
}
