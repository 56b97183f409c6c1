//! What a table of examples needs of a run: of every example a line, of every answer a mark.
//!
//! Only some columns are read, long questions are cut, and a few runs at a time are kept, so
//! memory grows with the number of answers and not with their texts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use prism_run::records::{self, files};
use prism_run::selected::read_columns;
use prism_run::{Intervention, Outcome, table_row};

use super::library::Run;
use crate::interventions::place;

/// Runs whose index is kept.
const KEPT: usize = 8;
/// Longest question kept, in characters.
const LONGEST_QUESTION: usize = 140;
/// Longest id, category, label or answer kept.
const LONGEST_WORD: usize = 80;

table_row! {
    /// The columns of an example that a table shows.
    pub struct ExampleColumns {
        /// Row in the benchmark file.
        pub row: usize,
        /// Unique id.
        pub id: String,
        /// Subset.
        pub category: Option<String>,
        /// Id of the counterfactual partner.
        pub counterfactual: Option<String>,
        /// The user turn's text.
        pub prompt: String,
        /// Gold letter.
        pub label: String,
        /// Outcome of the clean run.
        pub outcome: Outcome,
    }
}

table_row! {
    /// The columns of an answer that a table shows.
    pub struct AnswerColumns {
        /// Row of the example.
        pub row: usize,
        /// The intervention.
        pub intervention: Intervention,
        /// How it ended.
        pub outcome: Outcome,
        /// Parsed option letter.
        pub answer: Option<String>,
        /// Whether it is right.
        pub correct: Option<bool>,
        /// Whether the generated ids differ from the clean run's.
        pub changed: Option<bool>,
    }
}

/// An answer under one intervention.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Mark {
    /// The letter.
    pub answer: Option<Box<str>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it is right.
    pub correct: Option<bool>,
    /// Whether the text changed.
    pub changed: Option<bool>,
}

/// One example in a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its row.
    pub row: usize,
    /// Its id, whole: the partner is found by it.
    pub id: String,
    /// Its category.
    pub category: Option<String>,
    /// Id of its counterfactual partner.
    pub counterfactual: Option<String>,
    /// The begin of its question.
    pub question: String,
    /// Its gold label.
    pub label: String,
    /// Outcome of its clean run.
    pub outcome: Outcome,
    /// One mark per intervention of [`Index::interventions`]; `None` where it was not run.
    pub marks: Vec<Option<Mark>>,
}

impl Line {
    /// The clean answer.
    pub fn clean(&self) -> Option<&Mark> {
        self.marks.first()?.as_ref()
    }
}

/// The examples of a run, by row.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// The clean run, then interventions as pages list them.
    pub interventions: Vec<Intervention>,
    /// The examples.
    pub lines: Vec<Line>,
    by_id: HashMap<String, usize>,
}

impl Index {
    /// Reads it from the records of a run.
    ///
    /// # Errors
    /// When the examples or answers cannot be read.
    pub fn read(run: &Path) -> Result<Self, prism_run::Error> {
        let folder = records::folder(run);
        let examples: Vec<ExampleColumns> = read_columns(&folder.join(files::EXAMPLES))?;
        let mut lines: Vec<Line> = examples
            .into_iter()
            .map(|e| Line {
                row: e.row,
                id: e.id,
                category: e.category.map(|c| short(&c, LONGEST_WORD)),
                counterfactual: e.counterfactual,
                question: short(e.prompt.trim_start().split('\n').next().unwrap_or_default(), LONGEST_QUESTION),
                label: short(&e.label, LONGEST_WORD),
                outcome: e.outcome,
                marks: Vec::new(),
            })
            .collect();
        lines.sort_by_key(|l| l.row);
        let rows: HashMap<usize, usize> = lines.iter().enumerate().map(|(i, l)| (l.row, i)).collect();
        let answers = read_columns::<AnswerColumns>(&folder.join(files::ANSWERS))?;
        let mut interventions = vec![Intervention::CLEAN];
        for answer in &answers {
            if !interventions.contains(&answer.intervention) {
                interventions.push(answer.intervention);
            }
        }
        interventions.sort_by_key(|i| (!i.is_clean(), place(*i)));
        for answer in answers {
            let Some(place) = interventions.iter().position(|i| *i == answer.intervention) else { continue };
            let Some(line) = rows.get(&answer.row).and_then(|i| lines.get_mut(*i)) else { continue };
            if line.marks.len() <= place {
                line.marks.resize(place + 1, None);
            }
            line.marks[place] = Some(Mark {
                answer: answer.answer.map(|a| short(&a, LONGEST_WORD).into()),
                outcome: answer.outcome,
                correct: answer.correct,
                changed: answer.changed,
            });
        }
        let by_id = lines.iter().enumerate().map(|(i, l)| (l.id.clone(), i)).collect();
        Ok(Self { interventions, lines, by_id })
    }

    /// The example of that row.
    pub fn of_row(&self, row: usize) -> Option<&Line> {
        self.lines.binary_search_by_key(&row, |l| l.row).ok().and_then(|i| self.lines.get(i))
    }

    /// The example of that id.
    pub fn of_id(&self, id: &str) -> Option<&Line> {
        self.by_id.get(id).and_then(|i| self.lines.get(*i))
    }

    /// The categories, sorted.
    pub fn categories(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.lines.iter().filter_map(|l| l.category.as_deref()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The outcomes of the clean run, sorted.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let mut all: Vec<Outcome> = self.lines.iter().map(|l| l.outcome).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn short(text: &str, most: usize) -> String {
    let (shown, left) = crate::example::cut(text, most);
    if left == 0 { shown.to_string() } else { format!("{shown}…") }
}

/// The indices last asked for, each as long as its run does not change.
#[derive(Debug, Default)]
pub struct Indices {
    kept: Mutex<Vec<(PathBuf, u64, Arc<Index>)>>,
}

impl Indices {
    /// The index of a run, read when it is not kept or the run has changed.
    ///
    /// # Errors
    /// As [`Index::read`].
    pub fn of(&self, run: &Run) -> Result<Arc<Index>, prism_run::Error> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = kept.iter().position(|(path, stamp, _)| *path == run.path && *stamp == run.stamp) {
            let entry = kept.remove(place);
            let index = Arc::clone(&entry.2);
            kept.push(entry);
            return Ok(index);
        }
        kept.retain(|(path, _, _)| *path != run.path);
        let index = Arc::new(Index::read(&run.path)?);
        kept.push((run.path.clone(), run.stamp, Arc::clone(&index)));
        if kept.len() > KEPT {
            kept.remove(0);
        }
        Ok(index)
    }
}
