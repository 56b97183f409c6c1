//! From generated text to a letter, an outcome, and the answer's distribution
//! (method, section 4).

use prism_run::answer::{AnswerRule, Answers, Asked, Score};
use prism_run::{Example, Outcome};

/// What opens an answer in generated text, so that the next forward says it. The first goes before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opening {
    /// `<answer>`.
    Tag,
    /// `\boxed{`, of a model that writes no tag.
    Boxed,
}

impl Opening {
    /// Both, in their order.
    pub const ALL: [Self; 2] = [Self::Tag, Self::Boxed];

    /// Its text.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Tag => prism_run::answer::OPENING,
            Self::Boxed => prism_run::answer::BOX,
        }
    }
}

/// The answer as a recording reads it, by the rule `tagged`; other rules are applied to finished records.
pub fn parse(text: &str) -> Option<char> {
    AnswerRule::Tagged.read(text, &Asked::of("", &[]))?.said.chars().next()
}

/// What a recording makes of an example's text.
pub fn score(example: &Example, text: &str) -> Score {
    Answers::default().score(text, &example.into(), &example.label)
}

/// How a decode ended. A block that never opened comes first: whatever was
/// answered, an intervention on it is a silent no-op.
pub fn outcome(score: &Score, latent_forwards: usize) -> Outcome {
    match score.answer {
        _ if latent_forwards == 0 => Outcome::NoLatents,
        Some(_) => Outcome::Scored,
        None => Outcome::NoAnswer,
    }
}

/// Distribution over the option letters at the forward that produces the answer token.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Log-probability of the gold letter (nats, over the whole vocabulary).
    pub gold_logprob: f64,
    /// That minus the best other option's; absent with a single option.
    pub gold_margin: Option<f64>,
    /// Entropy over the options, renormalised (nats).
    pub entropy: f64,
    /// Log-probability of every option (nats, over the whole vocabulary).
    pub options: Vec<f64>,
}

/// Reads the distribution from `logits [vocab]`.
///
/// `forms[k]` holds the ids of the `k`-th letter's one-token spellings (`" B"` and
/// `"B"`): their probabilities are added, so it does not matter which of them the
/// tokenizer makes of `<answer> B`. `None` when the gold letter is not among the
/// options, or a letter has no one-token spelling.
pub fn distribution(logits: &[f32], forms: &[Vec<u32>], gold: usize) -> Option<Distribution> {
    let all = log_sum_exp(logits.iter().map(|&l| f64::from(l)))?;
    let mut letters = Vec::with_capacity(forms.len());
    for ids in forms {
        let form = log_sum_exp(ids.iter().filter_map(|&id| logits.get(id as usize)).map(|&l| f64::from(l)))?;
        letters.push(form - all);
    }
    let gold_logprob = *letters.get(gold)?;
    let best_other = letters.iter().enumerate().filter(|(k, _)| *k != gold).map(|(_, l)| *l).reduce(f64::max);
    let sum = log_sum_exp(letters.iter().copied())?;
    let entropy: f64 = letters.iter().map(|l| l - sum).map(|l| -l.exp() * l).sum();
    let gold_margin = best_other.map(|other| gold_logprob - other);
    Some(Distribution { gold_logprob, gold_margin, entropy: entropy.max(0.0), options: letters })
}

fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let max = values.clone().reduce(f64::max).filter(|m| m.is_finite())?;
    Some(max + values.map(|v| (v - max).exp()).sum::<f64>().ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(options: usize, label: &str) -> Example {
        Example {
            id: "x".into(),
            row: 0,
            question_id: "x".into(),
            images: vec![],
            prompt: String::new(),
            options: (0..options).map(|k| format!("option {k}")).collect(),
            label: label.into(),
            boxes: vec![],
            category: None,
            pair: None,
            counterfactual: None,
        }
    }

    #[test]
    fn the_last_answer_counts_and_only_its_first_character() {
        assert_eq!(parse("<answer> B </answer>"), Some('B'));
        assert_eq!(parse("<answer> A </answer>\n<answer>\n C. blue </answer><|im_end|>"), Some('C'));
        assert_eq!(parse("<answer><|im_end|>"), Some('<'));
        assert_eq!(parse("<answer>D"), Some('D'));
        assert_eq!(parse("<answer> </answer>"), None);
        assert_eq!(parse("B"), None);
        assert_eq!(parse("<answer>é</answer>"), Some('é'));
    }

    #[test]
    fn every_end_is_one_outcome() {
        let four = example(4, "B");
        let of = |text: &str| score(&four, text);
        let ended = |text: &str, latents| outcome(&of(text), latents);
        assert_eq!(ended("<answer>B", 8), Outcome::Scored);
        assert_eq!(ended("<answer>E", 8), Outcome::NoAnswer);
        assert_eq!(ended("<answer><|im_end|>", 8), Outcome::NoAnswer);
        assert_eq!(ended("B", 8), Outcome::NoAnswer);
        assert_eq!(ended("<answer>B", 0), Outcome::NoLatents);
        assert!(of("<answer>B").correct && !of("<answer>b").correct && !of("B").correct);
        // Where the options are not known, any letter is one.
        let unknown = |text: &str| score(&example(0, "B"), text).answer;
        assert_eq!((unknown("<answer>Z"), unknown("<answer><")), (Some("Z".into()), None));
    }

    #[test]
    fn both_spellings_of_a_letter_count_as_one() {
        let ln = |p: f64| p.ln() as f32;
        let logits = [ln(0.2), ln(0.3), ln(0.1), ln(0.4)];
        let d = distribution(&logits, &[vec![0, 1], vec![2]], 0).unwrap();
        assert!((d.gold_logprob - 0.5f64.ln()).abs() < 1e-6);
        assert!((d.gold_margin.unwrap() - 5f64.ln()).abs() < 1e-6);
        let (p, q) = (5.0 / 6.0, 1.0 / 6.0f64);
        assert!((d.entropy + p * f64::ln(p) + q * q.ln()).abs() < 1e-6);
        assert_eq!(distribution(&logits, &[vec![0], vec![]], 0), None);
        assert_eq!(distribution(&logits, &[vec![0], vec![1]], 2), None);
    }
}
