//! What a run answered, and the row of `answers.parquet` that says it: an audit's, by
//! intervention, and a crossing's, by cell, are made of the same [`Scored`].

use prism_model::Result;
use prism_model::tokenizer::Tokenizer;
use prism_run::records::{AnswerRow, CellRow};
use prism_run::{Example, Intervention, Outcome, PathCell, Stage};

use crate::decode::Trajectory;
use crate::decode::answer::{self, Distribution};

/// Ids of each letter's one-token spellings, A to Z: with and without a space before it.
pub(super) fn letter_forms(tokenizer: &Tokenizer) -> Result<Vec<Vec<u32>>> {
    let mut all = Vec::with_capacity(26);
    for letter in 'A'..='Z' {
        let mut forms = Vec::new();
        for text in [format!(" {letter}"), letter.to_string()] {
            // A letter the tokenizer cannot spell has no form; a space of its own is no letter.
            if let Ok(&[id]) = tokenizer.encode(&text).as_deref() {
                forms.push(id);
            }
        }
        all.push(forms);
    }
    Ok(all)
}

/// Index of the gold letter among the options.
pub(super) fn gold(example: &Example) -> Option<usize> {
    index(&example.label)
}

/// Index of a one-letter label among the options, A = 0.
pub(super) fn index(label: &str) -> Option<usize> {
    let mut letters = label.chars();
    match (letters.next(), letters.next()) {
        (Some(letter @ 'A'..='Z'), None) => Some(letter as usize - 'A' as usize),
        _ => None,
    }
}

/// The answer's distribution, `of` the option taken for gold; `letters` as [`letter_forms`] gives them.
pub(super) fn distribution(example: &Example, letters: &[Vec<u32>], run: &Trajectory, of: usize) -> Option<Distribution> {
    let forms = letters.get(..example.options.len())?;
    answer::distribution(run.answer_logits.as_deref()?, forms, of)
}

/// What a run came to, whatever asked for it.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    pub outcome: Outcome,
    /// The parsed answer, where it is an option.
    answer: Option<String>,
    correct: Option<bool>,
    text: String,
    generated: Vec<i64>,
    steps_context: usize,
    steps_target: usize,
    /// Over the options, where the gold letter is one.
    distribution: Option<Distribution>,
    latent_norm: Option<f64>,
    perturbation_norm: Option<f64>,
}

impl Scored {
    /// A run that was not made, or whose answer does not count.
    pub fn absent(outcome: Outcome) -> Self {
        Self {
            outcome,
            answer: None,
            correct: None,
            text: String::new(),
            generated: Vec::new(),
            steps_context: 0,
            steps_target: 0,
            distribution: None,
            latent_norm: None,
            perturbation_norm: None,
        }
    }

    /// A run that its hook stopped: an error, of which the steps taken are known.
    pub fn stopped(run: &Trajectory) -> Self {
        Self { steps_context: run.steps(Stage::Context), steps_target: run.steps(Stage::Target), ..Self::absent(Outcome::Error) }
    }

    /// A complete run. `latents`: its latent forwards, as the outcome counts them.
    pub fn of(example: &Example, letters: &[Vec<u32>], run: &Trajectory, latents: usize) -> Self {
        let score = answer::score(example, &run.text);
        Self {
            outcome: answer::outcome(&score, latents),
            answer: score.answer,
            correct: Some(score.correct),
            text: run.text.clone(),
            generated: run.generated.iter().map(|&id| i64::from(id)).collect(),
            distribution: gold(example).and_then(|gold| distribution(example, letters, run, gold)),
            latent_norm: run.latent_norm(),
            perturbation_norm: run.perturbation_norm(),
            ..Self::stopped(run)
        }
    }

    /// The row of an audit; what is known of a donor, of the strength and of a change is left out.
    pub fn of_branch(self, example: &Example, branch: &Intervention) -> AnswerRow {
        let distribution = self.distribution.as_ref();
        AnswerRow {
            row: example.row,
            id: example.id.clone(),
            intervention: *branch,
            donor: None,
            outcome: self.outcome,
            answer: self.answer,
            correct: self.correct,
            text: self.text,
            generated: self.generated,
            changed: None,
            steps_context: self.steps_context,
            steps_target: self.steps_target,
            gold_margin: distribution.and_then(|d| d.gold_margin),
            gold_logprob: distribution.map(|d| d.gold_logprob),
            answer_entropy: distribution.map(|d| d.entropy),
            latent_norm: self.latent_norm,
            perturbation_norm: self.perturbation_norm,
            strength: None,
            option_logprobs: self.distribution.map(|d| d.options),
            donor_label: None,
            donor_margin: None,
        }
    }

    /// The row of a crossing's cell; whether it changed is left out.
    pub fn of_cell(self, example: &Example, cell: PathCell) -> CellRow {
        let distribution = self.distribution.as_ref();
        CellRow {
            row: example.row,
            id: example.id.clone(),
            intervention: cell,
            outcome: self.outcome,
            answer: self.answer,
            correct: self.correct,
            text: self.text,
            generated: self.generated,
            changed: None,
            steps_context: self.steps_context,
            steps_target: self.steps_target,
            gold_margin: distribution.and_then(|d| d.gold_margin),
            gold_logprob: distribution.map(|d| d.gold_logprob),
            answer_entropy: distribution.map(|d| d.entropy),
            latent_norm: self.latent_norm,
            perturbation_norm: self.perturbation_norm,
            option_logprobs: self.distribution.map(|d| d.options),
        }
    }
}
