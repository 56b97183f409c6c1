//! How many answers each part of a rule read.

use std::collections::BTreeMap;

use prism_run::answer::{Asked, Part};
use prism_run::records::scoring::Scoring;
use prism_run::records::{AnswerRow, ExampleRow};
use prism_run::{Intervention, Outcome, table_row};

table_row! {
    /// The answers of one intervention that one part of the rule read ([`prism_run::answer`]).
    pub struct ReadingFinding {
        /// The intervention.
        pub intervention: Intervention,
        /// The rules, as they were named.
        pub rules: String,
        /// The part; `unread` where no option was found.
        pub part: Part,
        /// Answers.
        pub answers: usize,
        /// Of them right.
        pub correct: usize,
    }
}

/// Reads every answer that ran again, by the rules its records are scored by, and counts. An answer that the records have
/// otherwise counts as it is recorded there.
pub fn readings(examples: &[ExampleRow], answers: &[AnswerRow], scoring: &Scoring) -> Vec<ReadingFinding> {
    let by_row: BTreeMap<usize, &ExampleRow> = examples.iter().map(|example| (example.row, example)).collect();
    let mut counts: BTreeMap<(Intervention, Part), (usize, usize)> = BTreeMap::new();
    for answer in answers.iter().filter(|answer| answer.outcome != Outcome::Error) {
        let Some(example) = by_row.get(&answer.row) else { continue };
        let score = scoring.of(answer.intervention.view).score(&answer.text, &Asked::from(*example), &example.label);
        let part = if score.answer == answer.answer { score.part } else { Part::AsRecorded };
        let (all, right) = counts.entry((answer.intervention, part)).or_default();
        *all += 1;
        *right += usize::from(answer.correct == Some(true));
    }
    let finding = |((intervention, part), (answers, correct)): ((Intervention, Part), (usize, usize))| ReadingFinding {
        rules: scoring.of(intervention.view).to_string(),
        intervention,
        part,
        answers,
        correct,
    };
    counts.into_iter().map(finding).collect()
}
