//! What is predicted (pitfall 18). At `answer_state` the gold letter is nearly the
//! model's own answer, so the answer itself is probed too, and gold where it was wrong.

use std::collections::BTreeMap;

use prism_run::Outcome;
use prism_run::records::{AnswerRow, ExampleRow};

/// What a probe predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The gold letter.
    Gold,
    /// The letter the model gave in its clean run; examples without one are left out.
    OwnPrediction,
    /// The gold letter, over the examples the clean run answered wrongly.
    GoldAmongErrors,
}

impl Target {
    /// Every target, in the order tables list them.
    pub const ALL: [Target; 3] = [Target::Gold, Target::OwnPrediction, Target::GoldAmongErrors];

    /// The word used in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Target::Gold => "gold",
            Target::OwnPrediction => "own_prediction",
            Target::GoldAmongErrors => "gold_among_errors",
        }
    }
}

/// What a question shows without its image or any vector, and what the model said.
#[derive(Debug, Clone, PartialEq)]
pub struct Question<'a> {
    /// Gold letter.
    pub gold: &'a str,
    /// Category, empty if it has none.
    pub category: &'a str,
    /// Number of options; 0 if it is not multiple choice.
    pub options: usize,
    /// The clean run's letter.
    pub answer: Option<&'a str>,
    /// Whether that is gold; absent if the example could not be run.
    pub correct: Option<bool>,
}

impl<'a> Question<'a> {
    /// The label to predict, if the example is among those of the target.
    pub fn label(&self, target: Target) -> Option<&'a str> {
        match target {
            Target::Gold => Some(self.gold),
            Target::OwnPrediction => self.answer,
            Target::GoldAmongErrors => (self.correct == Some(false)).then_some(self.gold),
        }
    }
}

/// The examples that ran, by row.
pub fn questions<'a>(examples: &'a [ExampleRow], answers: &'a [AnswerRow]) -> BTreeMap<i64, Question<'a>> {
    let said: BTreeMap<usize, &AnswerRow> = answers.iter().filter(|a| a.intervention.is_clean()).map(|a| (a.row, a)).collect();
    examples
        .iter()
        .filter(|e| e.outcome != Outcome::Error)
        .map(|e| {
            let answer = said.get(&e.row);
            let question = Question {
                gold: &e.label,
                category: e.category.as_deref().unwrap_or_default(),
                options: e.options.len(),
                answer: answer.and_then(|a| a.answer.as_deref()),
                correct: answer.and_then(|a| a.correct),
            };
            (e.row as i64, question)
        })
        .collect()
}
