//! One variant in one line: the paper's Table 1.

use std::collections::BTreeMap;

use prism_run::manifest::Manifest;
use prism_run::records::ExampleRow;
use prism_run::{Action, Donor, Intervention, Mode, Outcome, Position};

use crate::alignment::target_cosine;
use crate::faithfulness::ALL;
use crate::findings::{FaithfulnessFinding, Findings, VariantSummary};
use crate::probe::{Gap, is_own};

/// The line of Table 1 that these findings make.
pub fn summarise(manifest: &Manifest, examples: &[ExampleRow], gap: Option<&Gap>, findings: &Findings) -> VariantSummary {
    let overall = |action: Action| -> Option<&FaithfulnessFinding> {
        let intervention = Intervention::from(action);
        findings.faithfulness.iter().find(|f| f.intervention == intervention && f.category == ALL)
    };
    let delta = |action| overall(action).and_then(|f| f.delta);
    let probed = |position: Position| findings.probe.iter().find(|p| is_own(p, position)).and_then(|p| p.accuracy);
    let clean = overall(Action::Clean);
    let concluded = findings.conclusion.first();
    let variant = manifest.variant.clone().unwrap_or_else(|| "model".into());
    VariantSummary {
        name: manifest.name.clone().unwrap_or_else(|| variant.clone()),
        variant,
        seed: manifest.seed.and_then(|s| i64::try_from(s).ok()),
        benchmark: manifest.benchmark.clone().unwrap_or_default(),
        examples: clean.map_or(0, |f| f.examples),
        cosine: target_cosine(&findings.alignment, Mode::TeacherForced),
        cosine_free: target_cosine(&findings.alignment, Mode::FreeRunning),
        accuracy: clean.and_then(|f| f.accuracy),
        accuracy_low: clean.and_then(|f| f.accuracy_low),
        accuracy_high: clean.and_then(|f| f.accuracy_high),
        probe_a: probed(Position::AnswerState),
        probe_b: probed(Position::LatentLast),
        gap: gap.map(Gap::value),
        gap_rows: gap.map(|g| g.rows),
        question_mean: probed(Position::QuestionMean),
        majority: majority(examples),
        type_floor: type_floor(examples),
        opened: clean.and_then(|f| f.opened),
        delta_truncate: delta(Action::Zero),
        delta_noise_01: delta(Action::Noise(0.1)),
        delta_noise_03: delta(Action::Noise(0.3)),
        delta_noise_10: delta(Action::Noise(1.0)),
        delta_swap: delta(Action::Swap(Donor::Random)),
        word: concluded.map(|c| c.word),
        presence: concluded.map(|c| c.presence),
        sentence: concluded.map(|c| c.sentence.clone()),
        qualifier: concluded.and_then(|c| c.qualifier.clone()),
    }
}

/// Examples a question type needs for its commonest label to be a floor; rarer types are taken together.
const LEAST_OF_TYPE: usize = 20;

/// Share of the commonest label among the examples that could be run.
fn majority(examples: &[ExampleRow]) -> Option<f64> {
    let counts = labels(runnable(examples));
    let total: usize = counts.values().sum();
    counts.values().max().map(|&largest| largest as f64 / total as f64)
}

/// Accuracy of the commonest label of each question type (category), over the examples that could be run: what a guess
/// that knows the type gets. Types of fewer than 20 examples are taken together, for in a few examples one label is always
/// common. `None` where there is no example.
pub fn type_floor(examples: &[ExampleRow]) -> Option<f64> {
    let mut types: BTreeMap<Option<&str>, Vec<&ExampleRow>> = BTreeMap::new();
    for example in runnable(examples) {
        types.entry(example.category.as_deref()).or_default().push(example);
    }
    let total: usize = types.values().map(Vec::len).sum();
    let (large, rare): (Vec<_>, Vec<_>) = types.into_values().partition(|of| of.len() >= LEAST_OF_TYPE);
    let rare: Vec<&ExampleRow> = rare.into_iter().flatten().collect();
    let right = |of: &[&ExampleRow]| labels(of.iter().copied()).into_values().max().unwrap_or(0);
    let all = large.iter().map(|of| right(of)).sum::<usize>() + right(&rare);
    (total > 0).then(|| all as f64 / total as f64)
}

fn runnable(examples: &[ExampleRow]) -> impl Iterator<Item = &ExampleRow> {
    examples.iter().filter(|e| e.outcome != Outcome::Error)
}

fn labels<'a>(examples: impl Iterator<Item = &'a ExampleRow>) -> BTreeMap<&'a str, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for example in examples {
        *counts.entry(&example.label).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(row: usize, category: Option<&str>, label: &str) -> ExampleRow {
        let plain = crate::clusters::tests::example(row, None, "", None);
        ExampleRow { category: category.map(str::to_string), label: label.into(), ..plain }
    }

    #[test]
    fn a_guess_that_knows_the_question_type_gets_more_than_one_that_does_not() {
        // 20 of one type, 12 A; 30 of another, 16 B; three rare types of one example each, labels C, C, A: taken together.
        let mut all = Vec::new();
        let mut add = |category: Option<&str>, label: &str, times: usize| {
            for _ in 0..times {
                all.push(example(all.len(), category, label));
            }
        };
        add(Some("attribute"), "A", 12);
        add(Some("attribute"), "C", 8);
        add(Some("position"), "B", 16);
        add(Some("position"), "A", 14);
        for (kind, label) in [("x", "C"), ("y", "C"), ("z", "A")] {
            add(Some(kind), label, 1);
        }
        assert_eq!(type_floor(&all), Some(30.0 / 53.0));
        assert_eq!(majority(&all), Some(27.0 / 53.0));
        assert_eq!(type_floor(&[]), None);
        // An example that could not be run is no example.
        all[20].outcome = Outcome::Error;
        assert_eq!(type_floor(&all), Some(29.0 / 52.0));
    }
}
