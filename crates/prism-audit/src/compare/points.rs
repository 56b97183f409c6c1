//! The points of a correlation across variants, and one replicate of them.

use std::collections::BTreeMap;

use prism_run::door::share::Share;
use prism_run::random::Stream;
use prism_run::{Action, Donor, Intervention};

use super::items::{Answers, Items};
use crate::findings::{CategoryFinding, ConclusionFinding, VariantSummary, VerdictFinding};
use crate::statistics::binomial_bootstrap::binomial;

/// Discordant counts of one intervention in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Paired examples.
    pub examples: usize,
    /// Wrong clean, right under the intervention.
    pub gained: usize,
    /// Right clean, wrong under the intervention.
    pub lost: usize,
}

/// One audit run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its line of Table 1.
    pub summary: VariantSummary,
    /// Its interventions, by textual form.
    pub effects: BTreeMap<Intervention, Effect>,
    /// What its interventions show.
    pub verdicts: Vec<VerdictFinding>,
    /// Its decisive interventions by category.
    pub categories: Vec<CategoryFinding>,
    /// Its verdict.
    pub conclusion: Vec<ConclusionFinding>,
    /// Its answers item by item, when the records are there.
    pub answers: Option<Answers>,
    /// What its findings hold of the memory that all tables may take.
    pub held: Share,
}

/// The items behind a column of Table 1, joined over the runs; `None` when a run lacks
/// them, or the column is not a share of items.
pub fn items(runs: &[Run], column: &str) -> Option<Items> {
    let intervention = if column == "accuracy" { Intervention::CLEAN } else { intervention(column)? };
    let answers: Vec<&Answers> = runs.iter().map(|r| r.answers.as_ref()).collect::<Option<_>>()?;
    Items::join(&answers, intervention)
}

/// What a point stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A variant: the mean over its seeds.
    SeedMean,
    /// A variant and seed.
    Run,
}

impl Unit {
    /// The word used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Unit::SeedMean => "seed_mean",
            Unit::Run => "run",
        }
    }
}

/// A point: the runs it averages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Printed name.
    pub name: String,
    /// Variant id: points of one variant are left out together.
    pub variant: String,
    /// Indices of its runs.
    pub runs: Vec<usize>,
}

/// Variant ids in order of first appearance.
pub fn variants(runs: &[Run]) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for run in runs {
        if !ids.contains(&run.summary.variant.as_str()) {
            ids.push(&run.summary.variant);
        }
    }
    ids
}

/// The points over these runs.
pub fn points(runs: &[Run], unit: Unit) -> Vec<Point> {
    match unit {
        Unit::Run => runs
            .iter()
            .enumerate()
            .map(|(i, run)| {
                let seed = run.summary.seed.map_or(String::new(), |s| format!(" s{s}"));
                Point { name: format!("{}{seed}", run.summary.name), variant: run.summary.variant.clone(), runs: vec![i] }
            })
            .collect(),
        Unit::SeedMean => variants(runs)
            .into_iter()
            .map(|id| {
                let of_variant = |i: &usize| runs[*i].summary.variant == id;
                let members: Vec<usize> = (0..runs.len()).filter(of_variant).collect();
                let name = members.first().map_or(id, |&i| runs[i].summary.name.as_str()).to_string();
                Point { name, variant: id.to_string(), runs: members }
            })
            .collect(),
    }
}

impl Point {
    /// Mean of a column of Table 1 over the point's runs; absent if any run lacks it.
    pub fn mean(&self, runs: &[Run], column: &str) -> Option<f64> {
        self.average(runs, |run| value(&run.summary, column))
    }

    /// That mean over a joint draw of the items, which gave each run its value.
    pub fn drawn(&self, values: &[Option<f64>]) -> Option<f64> {
        let values: Vec<f64> = self.runs.iter().map(|&i| *values.get(i)?).collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// One replicate of that mean where the items are not at hand, each run by itself:
    /// accuracies are redrawn binomially, deltas by redrawing each example as gained,
    /// lost or neither; other columns stay.
    pub fn redraw(&self, runs: &[Run], column: &str, stream: &mut Stream) -> Option<f64> {
        self.average(runs, |run| {
            let as_found = value(&run.summary, column)?;
            if column == "accuracy" {
                let n = run.summary.examples;
                return Some(binomial(stream, n, as_found) as f64 / n.max(1) as f64);
            }
            let Some(effect) = intervention(column).and_then(|name| run.effects.get(&name)) else { return Some(as_found) };
            let n = effect.examples.max(1) as f64;
            let (gained, lost) = (effect.gained as f64 / n, effect.lost as f64 / n);
            let sum: i64 = (0..effect.examples)
                .map(|_| {
                    let u = stream.uniform();
                    if u < gained { 1 } else { -i64::from(u < gained + lost) }
                })
                .sum();
            Some(sum as f64 / n)
        })
    }

    fn average(&self, runs: &[Run], mut of: impl FnMut(&Run) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.runs.iter().map(|&i| of(runs.get(i)?)).collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

/// The intervention behind a delta column.
fn intervention(column: &str) -> Option<Intervention> {
    let action = match column {
        "delta_truncate" => Action::Zero,
        "delta_noise_01" => Action::Noise(0.1),
        "delta_noise_03" => Action::Noise(0.3),
        "delta_noise_10" => Action::Noise(1.0),
        "delta_swap" => Action::Swap(Donor::Random),
        _ => return None,
    };
    Some(action.into())
}

/// A column of Table 1 by name.
pub fn value(summary: &VariantSummary, column: &str) -> Option<f64> {
    match column {
        "cosine" => summary.cosine,
        "cosine_free" => summary.cosine_free,
        "accuracy" => summary.accuracy,
        "probe_a" => summary.probe_a,
        "probe_b" => summary.probe_b,
        "gap" => summary.gap,
        "question_mean" => summary.question_mean,
        "delta_truncate" => summary.delta_truncate,
        "delta_noise_01" => summary.delta_noise_01,
        "delta_noise_03" => summary.delta_noise_03,
        "delta_noise_10" => summary.delta_noise_10,
        "delta_swap" => summary.delta_swap,
        _ => None,
    }
}
