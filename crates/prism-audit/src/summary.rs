//! One variant in one line: the paper's Table 1.

use std::collections::BTreeMap;

use prism_run::manifest::Manifest;
use prism_run::records::ExampleRow;
use prism_run::{Action, Donor, Intervention, Outcome, Position};

use crate::alignment::target_cosine;
use crate::faithfulness::ALL;
use crate::findings::{FaithfulnessFinding, Findings, VariantSummary};
use crate::probe::{Gap, is_own};
use crate::verdict;

/// The line of Table 1 that these findings make.
pub fn summarise(manifest: &Manifest, examples: &[ExampleRow], gap: Option<&Gap>, findings: &Findings) -> VariantSummary {
    let overall = |action: Action| -> Option<&FaithfulnessFinding> {
        let name = Intervention::from(action).to_string();
        findings.faithfulness.iter().find(|f| f.intervention == name && f.category == ALL)
    };
    let delta = |action| overall(action).and_then(|f| f.delta);
    let probed = |position: Position| findings.probe.iter().find(|p| is_own(p, position)).and_then(|p| p.accuracy);
    let clean = overall(Action::Clean);
    let variant = manifest.variant.clone().unwrap_or_else(|| "model".into());
    VariantSummary {
        name: manifest.name.clone().unwrap_or_else(|| variant.clone()),
        variant,
        seed: manifest.seed.and_then(|s| i64::try_from(s).ok()),
        benchmark: manifest.benchmark.clone().unwrap_or_default(),
        examples: clean.map_or(0, |f| f.examples),
        cosine: target_cosine(&findings.alignment, "teacher_forced"),
        cosine_free: target_cosine(&findings.alignment, "free_running"),
        accuracy: clean.and_then(|f| f.accuracy),
        accuracy_low: clean.and_then(|f| f.accuracy_low),
        accuracy_high: clean.and_then(|f| f.accuracy_high),
        probe_a: probed(Position::AnswerState),
        probe_b: probed(Position::LatentLast),
        gap: gap.map(Gap::value),
        gap_rows: gap.map(|g| g.rows),
        question_mean: probed(Position::QuestionMean),
        majority: majority(examples),
        opened: clean.and_then(|f| f.opened),
        delta_truncate: delta(Action::Zero),
        delta_noise_01: delta(Action::Noise(0.1)),
        delta_noise_03: delta(Action::Noise(0.3)),
        delta_noise_10: delta(Action::Noise(1.0)),
        delta_swap: delta(Action::Swap(Donor::Random)),
        verdict: verdict::in_words(&findings.verdict),
        conclusion: findings.conclusion.first().map_or_else(String::new, |c| c.verdict.clone()),
    }
}

/// Share of the commonest label among the examples that could be run.
fn majority(examples: &[ExampleRow]) -> Option<f64> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for example in examples.iter().filter(|e| e.outcome != Outcome::Error.name()) {
        *counts.entry(&example.label).or_default() += 1;
    }
    let total: usize = counts.values().sum();
    counts.values().max().map(|&largest| largest as f64 / total as f64)
}
