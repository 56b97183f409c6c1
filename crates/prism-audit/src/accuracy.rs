//! Accuracy of a set of answers: overall, by category, and by pair.
//!
//! A pair counts only when all of its questions are right (MMVP's official score): a
//! model that answers both images of a pair alike gets half of the questions and none
//! of the pairs. Questions that could not be run are in no number.

use std::collections::BTreeMap;

use prism_run::records::ExampleRow;

use crate::findings::PairFinding;
use crate::pairs::Branch;
use crate::statistics::wilson::wilson;

/// One answer with what it is grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// Subset of the benchmark.
    pub category: Option<&'a str>,
    /// The word its pair shares.
    pub pair: Option<&'a str>,
    /// Whether it is right; absent when it could not be run.
    pub correct: Option<bool>,
}

/// Right ones of some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Right.
    pub correct: usize,
    /// Of.
    pub total: usize,
}

impl Share {
    /// The accuracy, a fraction of 1; absent for none of none.
    pub fn accuracy(self) -> Option<f64> {
        (self.total > 0).then(|| self.correct as f64 / self.total as f64)
    }

    fn add(&mut self, correct: bool) {
        self.correct += usize::from(correct);
        self.total += 1;
    }
}

/// Pairs answered right as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairShare {
    /// Of the whole pairs.
    pub share: Share,
    /// Pairs left out: one question only, or one that could not be run.
    pub incomplete: usize,
}

/// Accuracy over all questions.
pub fn overall<'a>(items: impl IntoIterator<Item = Item<'a>>) -> Share {
    let mut share = Share::default();
    items.into_iter().filter_map(|item| item.correct).for_each(|correct| share.add(correct));
    share
}

/// Accuracy by category, in name order; questions without one are left out.
pub fn by_category<'a>(items: impl IntoIterator<Item = Item<'a>>) -> BTreeMap<&'a str, Share> {
    let mut shares: BTreeMap<&str, Share> = BTreeMap::new();
    for item in items {
        if let (Some(category), Some(correct)) = (item.category, item.correct) {
            shares.entry(category).or_default().add(correct);
        }
    }
    shares
}

/// Accuracy by pair; questions without one are left out.
pub fn by_pair<'a>(items: impl IntoIterator<Item = Item<'a>>) -> PairShare {
    let mut pairs: BTreeMap<&str, (usize, Option<bool>)> = BTreeMap::new();
    for item in items {
        if let Some(pair) = item.pair {
            let (size, right) = pairs.entry(pair).or_insert((0, Some(true)));
            *size += 1;
            *right = right.zip(item.correct).map(|(all, this)| all && this);
        }
    }
    let mut found = PairShare::default();
    for (size, right) in pairs.into_values() {
        match right {
            Some(right) if size > 1 => found.share.add(right),
            _ => found.incomplete += 1,
        }
    }
    found
}

/// Pair accuracy under each intervention; empty for a benchmark without pairs.
pub fn pair_findings(examples: &[ExampleRow], branches: &[Branch<'_>]) -> Vec<PairFinding> {
    let words: BTreeMap<usize, &str> = examples.iter().filter_map(|e| Some((e.row, e.pair.as_deref()?))).collect();
    if words.is_empty() {
        return Vec::new();
    }
    branches
        .iter()
        .map(|branch| {
            let items = branch.rows.iter().map(|(answer, category)| Item {
                category: *category,
                pair: words.get(&answer.row).copied(),
                correct: answer.correct,
            });
            let found = by_pair(items);
            let bounds = wilson(found.share.correct, found.share.total, 0.95);
            PairFinding {
                intervention: branch.intervention,
                pairs: found.share.total,
                correct: found.share.correct,
                accuracy: found.share.accuracy(),
                accuracy_low: bounds.map(|b| b.low),
                accuracy_high: bounds.map(|b| b.high),
                incomplete: found.incomplete,
                reason: (found.share.total == 0).then(|| "no pair ran whole".into()),
            }
        })
        .collect()
}
