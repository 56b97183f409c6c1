//! Answers under an intervention beside the clean answers of the same examples.
//!
//! Every delta is against the clean run of the same items in the same run folder
//! (one baseline); examples that failed on either side are left out of both.

use std::collections::BTreeMap;
use std::path::Path;

use prism_run::records::{AnswerRow, ExampleRow};
use prism_run::{Action, Intervention, Outcome, View};

use crate::Result;

/// One example under an intervention.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The clean run.
    pub clean: &'a AnswerRow,
    /// The run under the intervention (for `clean`, the clean run again).
    pub other: &'a AnswerRow,
    /// Category of the example.
    pub category: Option<&'a str>,
    /// Its gold letter.
    pub label: &'a str,
}

/// All answers of one intervention.
#[derive(Debug, Clone)]
pub struct Branch<'a> {
    /// The intervention.
    pub intervention: Intervention,
    /// Examples that ran both clean and here, in row order.
    pub pairs: Vec<Pair<'a>>,
    /// Every answer row of the intervention with its category, failures included.
    pub rows: Vec<(&'a AnswerRow, Option<&'a str>)>,
}

/// Whether any latent forward ran.
pub fn opened(answer: &AnswerRow) -> bool {
    answer.steps_context + answer.steps_target > 0
}

/// Whether the answer is right; unparsed answers and failures are not.
pub fn right(answer: &AnswerRow) -> bool {
    answer.correct == Some(true)
}

/// Whether no answer could be read from the text.
pub fn unparsed(answer: &AnswerRow) -> bool {
    answer.answer.is_none()
}

/// Whether the intervention turned a right answer into a wrong one.
pub fn lost(pair: &Pair<'_>) -> bool {
    right(pair.clean) && !right(pair.other)
}

/// Whether it turned a wrong answer into a right one.
pub fn gained(pair: &Pair<'_>) -> bool {
    !right(pair.clean) && right(pair.other)
}

/// Whether letter or parse state differ: what `unchanged` counts.
pub fn answer_changed(pair: &Pair<'_>) -> bool {
    pair.clean.answer != pair.other.answer
}

impl Branch<'_> {
    /// Whether it only checks that the hook changes nothing.
    pub fn is_sham(&self) -> bool {
        self.intervention.is_sham()
    }

    /// Whether it is the baseline.
    pub fn is_clean(&self) -> bool {
        self.intervention.is_clean()
    }
}

/// The branch beside the clean run under its own view of the image: `None` where that was not run. A branch in full view, and
/// the clean run under a view, stand beside the clean run in full view.
pub fn within_view<'a>(branch: &Branch<'a>, branches: &[Branch<'a>]) -> Option<Branch<'a>> {
    let own = branch.intervention;
    if own.view == View::Open || own.action == Action::Clean {
        return Some(branch.clone());
    }
    let baseline = branches.iter().find(|b| b.intervention == own.baseline())?;
    let clean: BTreeMap<usize, &AnswerRow> = baseline.pairs.iter().map(|p| (p.other.row, p.other)).collect();
    let pairs = branch.pairs.iter().filter_map(|p| Some(Pair { clean: clean.get(&p.other.row)?, ..*p })).collect();
    Some(Branch { pairs, ..branch.clone() })
}

/// Interventions of one run, at most.
const MOST_INTERVENTIONS: usize = 512;

/// Groups the answers by intervention, in table order, and pairs each with the clean answers.
///
/// # Errors
/// When `path` (the answers file, named in messages) holds an
/// example that is not in the benchmark, an answer twice, or no clean run.
pub fn branches<'a>(path: &Path, examples: &'a [ExampleRow], answers: &'a [AnswerRow]) -> Result<Vec<Branch<'a>>> {
    let bad = |cause: String| prism_run::Error::content(path, cause, "delete the records folder and run the audit again");
    let categories: BTreeMap<usize, Option<&str>> = examples.iter().map(|e| (e.row, e.category.as_deref())).collect();
    let labels: BTreeMap<usize, &str> = examples.iter().map(|e| (e.row, e.label.as_str())).collect();
    let mut by_name: BTreeMap<Intervention, BTreeMap<usize, &AnswerRow>> = BTreeMap::new();
    for answer in answers {
        if !categories.contains_key(&answer.row) {
            return Err(bad(format!("row {} is not among the examples", answer.row)).into());
        }
        if by_name.len() > MOST_INTERVENTIONS {
            return Err(bad(format!("holds more than {MOST_INTERVENTIONS} interventions, which no audit runs")).into());
        }
        let branch = by_name.entry(answer.intervention).or_default();
        if branch.insert(answer.row, answer).is_some() {
            return Err(bad(format!("row {} answers twice under `{}`", answer.row, answer.intervention)).into());
        }
    }
    let Some(clean) = by_name.get(&Intervention::CLEAN).cloned() else {
        return Err(bad("holds no clean run to compare with".into()).into());
    };
    let category = |row: usize| categories.get(&row).copied().flatten();
    let label = |row: usize| labels.get(&row).copied().unwrap_or_default();
    let usable = |answer: &AnswerRow| answer.outcome != Outcome::Error;
    Ok(by_name
        .into_iter()
        .map(|(intervention, rows)| Branch {
            intervention,
            pairs: rows
                .values()
                .filter_map(|other| {
                    Some(Pair { clean: clean.get(&other.row)?, other, category: category(other.row), label: label(other.row) })
                })
                .filter(|pair| usable(pair.clean) && usable(pair.other))
                .collect(),
            rows: rows.into_values().map(|answer| (answer, category(answer.row))).collect(),
        })
        .collect())
}
