//! Made-up records: one example and one answer that tests start from.

use prism_run::records::{AnswerRow, ExampleRow};
use prism_run::{Intervention, Outcome};

/// An example of four options whose gold letter is `label`.
pub fn example(row: usize, label: &str) -> ExampleRow {
    ExampleRow {
        row,
        id: format!("e{row}"),
        question_id: row.to_string(),
        category: None,
        pair: None,
        counterfactual: None,
        prompt: "?".into(),
        options: ["w", "x", "y", "z"].map(String::from).to_vec(),
        label: label.into(),
        image: String::new(),
        images: 1,
        boxes: "[]".into(),
        prompt_tokens: 10,
        visual_tokens: 4,
        outcome: Outcome::Scored,
        cause: None,
        message: None,
    }
}

/// The answer `letter` to an example whose gold letter is `label`, after four latent steps; `None` is no parsed answer.
pub fn answer(row: usize, intervention: Intervention, letter: Option<&str>, label: &str) -> AnswerRow {
    AnswerRow {
        row,
        id: format!("e{row}"),
        intervention,
        donor: None,
        outcome: if letter.is_some() { Outcome::Scored } else { Outcome::NoAnswer },
        answer: letter.map(str::to_string),
        correct: Some(letter == Some(label)),
        text: String::new(),
        generated: vec![letter.map_or(-1, |letter| i64::from(letter.as_bytes()[0]))],
        changed: None,
        steps_context: 0,
        steps_target: 4,
        gold_margin: None,
        gold_logprob: None,
        answer_entropy: None,
        latent_norm: Some(1.0),
        perturbation_norm: (!intervention.is_clean()).then_some(1.0),
        strength: (!intervention.is_clean()).then_some(2.0),
        option_logprobs: None,
        donor_label: None,
        donor_margin: None,
    }
}
