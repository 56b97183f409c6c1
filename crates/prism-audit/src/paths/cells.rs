//! Accuracies of weights crossed with latents.

use std::collections::BTreeMap;

use prism_run::records::{CellRow, ExampleRow};
use prism_run::{Outcome, PathCell, Source, Weights};

use super::Named;
use crate::findings::{PathFinding, WarningFinding};
use crate::responses::mean;
use crate::statistics::wilson::wilson;

/// Answers that ran, by cell and row of the example.
pub type Answers<'a> = BTreeMap<PathCell, BTreeMap<usize, &'a CellRow>>;

/// The answers of a crossing that ran; failures and absent cells are left out.
pub fn answers(rows: &[CellRow]) -> Answers<'_> {
    let mut found = Answers::new();
    for row in rows.iter().filter(|row| row.correct.is_some()) {
        found.entry(row.intervention).or_default().insert(row.row, row);
    }
    found
}

/// One row per cell.
pub fn findings(named: &Named, examples: &[ExampleRow], answers: &Answers<'_>) -> Vec<PathFinding> {
    PathCell::all().map(|cell| one(named, cell, examples, answers.get(&cell))).collect()
}

fn one(named: &Named, cell: PathCell, examples: &[ExampleRow], ran: Option<&BTreeMap<usize, &CellRow>>) -> PathFinding {
    let ran: Vec<&CellRow> = ran.into_iter().flatten().map(|(_, answer)| *answer).collect();
    let (n, correct) = (ran.len(), ran.iter().filter(|answer| answer.correct == Some(true)).count());
    let bounds = wilson(correct, n, 0.95);
    let is_check = cell == PathCell::of(Weights::Variant, Source::Variant);
    PathFinding {
        variant: named.name.clone(),
        seed: named.seed(),
        weights: cell.weights,
        latents: cell.latents,
        examples: n,
        left_out: examples.len().saturating_sub(n),
        correct,
        accuracy: (n > 0).then(|| correct as f64 / n as f64),
        accuracy_low: bounds.map(|b| b.low),
        accuracy_high: bounds.map(|b| b.high),
        margin: mean(ran.iter().filter_map(|answer| answer.gold_margin)),
        latent_norm: mean(ran.iter().filter_map(|answer| answer.latent_norm)),
        no_answer: ran.iter().filter(|answer| answer.answer.is_none()).count(),
        replays_changed: (is_check && n > 0).then(|| ran.iter().filter(|answer| answer.changed != Some(false)).count()),
        reason: reason(cell, examples),
    }
}

/// The commonest reason why examples have no such cell.
fn reason(cell: PathCell, examples: &[ExampleRow]) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let prefix = format!("{cell}: ");
    for message in examples.iter().filter_map(|example| example.message.as_deref()) {
        let own = message.split("; ").find_map(|part| part.strip_prefix(&prefix));
        // What failed before any cell is said without naming one.
        let whole = PathCell::all().all(|cell| !message.starts_with(&format!("{cell}: ")));
        if let Some(reason) = own.or(whole.then_some(message)) {
            *counts.entry(reason).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|(reason, n)| (*n, std::cmp::Reverse(*reason))).map(|(reason, n)| format!("{reason} ({n} examples)"))
}

/// What a reader must know before reading a crossing.
pub fn warnings(named: &Named, examples: &[ExampleRow], answers: &Answers<'_>) -> Vec<WarningFinding> {
    let mut texts = Vec::new();
    let of = |weights, latents| answers.get(&PathCell::of(weights, latents));
    if let Some(replays) = of(Weights::Variant, Source::Variant) {
        let changed = replays.values().filter(|answer| answer.changed != Some(false)).count();
        if changed > 0 {
            texts.push(format!(
                "{changed} of {} replays of the variant's own latents are not its clean run to the bit: no cell can be trusted",
                replays.len()
            ));
        }
    }
    if let Some(free) = of(Weights::Variant, Source::Free) {
        let closed = free.values().filter(|answer| answer.outcome == Outcome::NoLatents).count();
        if closed > 0 {
            texts.push(format!(
                "the variant's block did not open in {closed} of {} examples: they have no latents to cross",
                examples.len()
            ));
        }
    }
    // The markers are every token that is replayed and read.
    if let Some(read) = of(Weights::Variant, Source::Markers).or_else(|| of(Weights::Variant, Source::None)) {
        let written: BTreeMap<String, usize> = read.values().fold(BTreeMap::new(), |mut all, answer| {
            let replayed = answer.text.split_inclusive("<answer>").next().unwrap_or_default().to_owned();
            *all.entry(replayed).or_default() += 1;
            all
        });
        if written.len() > 1 {
            texts.push(format!(
                "the text that is replayed is not one and the same ({} different ones): it may carry what the variant's latents said into \
                 the cells that should not have them",
                written.len()
            ));
        }
    }
    let about = |text| WarningFinding { about: "paths".into(), text: format!("{}: {text}", named.word()) };
    texts.into_iter().map(about).collect()
}
