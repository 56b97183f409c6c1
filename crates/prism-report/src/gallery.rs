//! The gallery: which examples are shown, and what is known of each.
//!
//! Records are read one run at a time and only what the chosen examples need is
//! kept, so memory is bounded by the largest answers table and the gallery.

pub mod card;
pub mod picture;

use std::collections::BTreeMap;

use prism_run::records::{self, AnswerRow, ExampleRow, files};
use prism_run::table::read_rows;

use crate::study::{Audit, Part};

/// Longest generated text shown, in characters.
const LONGEST_TEXT: usize = 600;

/// One run's answer under one intervention.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The parsed letter.
    pub letter: Option<String>,
    /// Whether it is right.
    pub correct: Option<bool>,
    /// How it ended.
    pub outcome: String,
    /// Whether the generated tokens differ from the clean run's.
    pub changed: Option<bool>,
    /// The generated text, cut.
    pub text: String,
    /// Characters cut off.
    pub cut: usize,
}

/// One example with the answers of the runs shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The example.
    pub example: ExampleRow,
    /// Runs whose correctness differs from clean under at least one intervention, times interventions.
    pub flips: usize,
    /// Per run (index into the part's audits): intervention to answer.
    pub answers: BTreeMap<usize, BTreeMap<String, Answer>>,
}

/// The chosen examples and how they were chosen.
#[derive(Debug, Clone, Default)]
pub struct Gallery {
    /// In the order shown.
    pub shown: Vec<Shown>,
    /// Indices of the audits whose answers are shown: the first seed of each variant.
    pub runs: Vec<usize>,
    /// Examples of the benchmark.
    pub total: usize,
    /// Those that flip in at least one of those runs.
    pub flipping: usize,
}

/// Chooses at most `most` examples, those with most flips first, then by row.
/// Runs whose records cannot be read are named in `left_out`.
pub fn choose(part: &Part, most: usize, left_out: &mut Vec<String>) -> Gallery {
    let mut runs = Vec::new();
    for variant in part.variants() {
        if let Some(index) = part.audits.iter().position(|a| a.variant == variant) {
            runs.push(index);
        }
    }
    let mut examples: BTreeMap<String, ExampleRow> = BTreeMap::new();
    let mut flips: BTreeMap<String, usize> = BTreeMap::new();
    let mut readable = Vec::new();
    for &index in &runs {
        let Some(audit) = part.audits.get(index) else { continue };
        match (read_examples(audit), read_answers(audit)) {
            (Ok(rows), Ok(answers)) => {
                for row in rows {
                    examples.entry(row.id.clone()).or_insert(row);
                }
                count_flips(&answers, &mut flips);
                readable.push(index);
            }
            (Err(e), _) | (_, Err(e)) => left_out.push(format!("examples of {}: {e}", audit.folder.display())),
        }
    }
    let total = examples.len();
    let mut order: Vec<(usize, ExampleRow)> = examples.into_values().map(|e| (flips.get(&e.id).copied().unwrap_or(0), e)).collect();
    let flipping = order.iter().filter(|(n, _)| *n > 0).count();
    order.sort_by(|(a, x), (b, y)| b.cmp(a).then(x.row.cmp(&y.row)).then(x.id.cmp(&y.id)));
    order.truncate(most);
    let mut shown: Vec<Shown> = order.into_iter().map(|(flips, example)| Shown { example, flips, answers: BTreeMap::new() }).collect();
    for &index in &readable {
        let Some(Ok(answers)) = part.audits.get(index).map(read_answers) else { continue };
        for answer in answers {
            if let Some(s) = shown.iter_mut().find(|s| s.example.id == answer.id) {
                s.answers.entry(index).or_default().insert(answer.intervention.clone(), keep(answer));
            }
        }
    }
    if total > shown.len() {
        left_out.push(format!("{} of {total} examples of {} are not in the gallery", total - shown.len(), part.benchmark));
    }
    if part.has_seeds() {
        left_out.push(format!("the gallery of {} shows the first seed of each variant only", part.benchmark));
    }
    Gallery { shown, runs: readable, total, flipping }
}

fn read_examples(audit: &Audit) -> Result<Vec<ExampleRow>, prism_run::Error> {
    read_rows(&records::folder(&audit.folder).join(files::EXAMPLES))
}

fn read_answers(audit: &Audit) -> Result<Vec<AnswerRow>, prism_run::Error> {
    read_rows(&records::folder(&audit.folder).join(files::ANSWERS))
}

fn count_flips(answers: &[AnswerRow], flips: &mut BTreeMap<String, usize>) {
    let clean: BTreeMap<&str, bool> =
        answers.iter().filter(|a| a.intervention == "clean").filter_map(|a| Some((a.id.as_str(), a.correct?))).collect();
    for a in answers {
        if let (Some(before), Some(after)) = (clean.get(a.id.as_str()), a.correct)
            && *before != after
        {
            *flips.entry(a.id.clone()).or_default() += 1;
        }
    }
}

fn keep(answer: AnswerRow) -> Answer {
    let length = answer.text.chars().count();
    Answer {
        letter: answer.answer,
        correct: answer.correct,
        outcome: answer.outcome,
        changed: answer.changed,
        text: answer.text.chars().take(LONGEST_TEXT).collect(),
        cut: length.saturating_sub(LONGEST_TEXT),
    }
}
