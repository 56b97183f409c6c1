//! Decisive interventions category by category: a loss in one may hide in the whole.

use std::collections::BTreeMap;

use super::measure::{Compared, change, changed};
use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::CategoryFinding;
use crate::pairs::{Branch, Pair, gained, lost, opened};
use crate::statistics::adjust::holm;
use crate::statistics::mcnemar::mcnemar_exact;

/// Examples a category needs to be judged by itself; smaller ones are taken together.
pub const LEAST: usize = 20;

/// What the small ones are called.
pub const OTHER: &str = "other";

/// What one category shows, for the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Nothing that would forbid `not used`.
    Nothing,
    /// Accuracy falls.
    Loss,
    /// Neither a loss nor its absence.
    Unclear,
}

/// The categories of these branches, where the benchmark has at least two that are large enough.
pub fn categories(branches: &[&Branch<'_>], clusters: &Clusters, settings: &AuditSettings) -> Vec<CategoryFinding> {
    let mut found = Vec::new();
    for branch in branches {
        let mut groups: BTreeMap<&str, Vec<&Pair<'_>>> = BTreeMap::new();
        for pair in branch.pairs.iter().filter(|p| opened(p.clean)) {
            groups.entry(pair.category.unwrap_or(OTHER)).or_default().push(pair);
        }
        let small: Vec<&str> = groups.iter().filter(|(_, of)| of.len() < LEAST).map(|(name, _)| *name).collect();
        let rest: Vec<&Pair<'_>> = small.iter().filter_map(|name| groups.remove(name)).flatten().collect();
        if rest.len() >= LEAST {
            groups.entry(OTHER).or_default().extend(rest);
        }
        if groups.len() > 1 {
            found.extend(groups.into_iter().map(|(name, pairs)| one(branch, name, &pairs, clusters, settings)));
        }
    }
    let p: Vec<f64> = found.iter().filter_map(|c| c.p).collect();
    let mut adjusted = holm(&p).into_iter();
    for finding in &mut found {
        finding.holm_p = finding.p.and_then(|_| adjusted.next());
    }
    found
}

fn one(branch: &Branch<'_>, category: &str, pairs: &[&Pair<'_>], clusters: &Clusters, settings: &AuditSettings) -> CategoryFinding {
    let compared = Compared::of(pairs.iter().copied(), clusters, change);
    let changed = changed(pairs.iter().copied(), clusters, settings.alpha);
    CategoryFinding {
        intervention: branch.intervention,
        category: category.to_string(),
        examples: pairs.len(),
        changed_answers: changed.count,
        changed_bound: changed.bound,
        gained: pairs.iter().filter(|p| gained(p)).count(),
        lost: pairs.iter().filter(|p| lost(p)).count(),
        delta: compared.delta(),
        p: compared.p(),
        holm_p: None,
    }
}

/// What a category shows among `tests` that are adjusted together. `Nothing` is said where the bound on
/// changed answers is below the margin; or below the category's margin while not even all its lost answers,
/// with no gain set against them, would be a loss beyond chance. So fewer changes never show more.
pub fn shows(finding: &CategoryFinding, tests: usize, settings: &AuditSettings) -> Shows {
    let below = |margin: f64| finding.changed_bound.is_some_and(|bound| bound < margin);
    let worst = mcnemar_exact(0, finding.lost) * tests.max(1) as f64;
    if below(settings.equivalence_margin) || (below(settings.category_margin) && worst >= settings.alpha) {
        Shows::Nothing
    } else if finding.holm_p.is_some_and(|p| p < settings.alpha) && finding.delta.is_some_and(|d| d < 0.0) {
        Shows::Loss
    } else {
        Shows::Unclear
    }
}
