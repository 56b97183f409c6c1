//! A study's arms over the step budget K: one row per arm, seed and K, from findings that are there.

use std::path::PathBuf;

use prism_run::Class;
use prism_run::manifest::Manifest;

use crate::faithfulness::ALL;
use crate::findings::{BudgetFinding, VerdictFinding};
use crate::text::{interval, number, percent, points, table};
use crate::{Findings, Result};

/// One audit of the study.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Its run folder.
    pub folder: PathBuf,
    /// K that was asked for; `None` = the declared one.
    pub k: Option<usize>,
}

/// One row per audit, in the order given.
///
/// # Errors
/// When a folder has no findings.
pub fn budgets(runs: &[Audited]) -> Result<Vec<BudgetFinding>> {
    let mut found = Vec::new();
    for run in runs {
        let (manifest, findings) = (Manifest::read(&run.folder)?, Findings::read(&run.folder)?);
        let Some(line) = findings.table1.first() else { continue };
        let exchanges = || findings.verdict.iter().filter(|v| v.class == Class::Content && v.intervention.is_whole());
        let greatest = |of: fn(&VerdictFinding) -> Option<f64>| exchanges().filter_map(of).reduce(f64::max);
        let clean = findings.faithfulness.iter().find(|f| f.category == ALL && f.intervention.is_clean());
        let parsed = clean.filter(|f| f.scored + f.no_answer > 0).map(|f| f.scored as f64 / (f.scored + f.no_answer) as f64);
        let steps = manifest.steps_by_stage();
        found.push(BudgetFinding {
            variant: line.variant.clone(),
            name: line.name.clone(),
            seed: line.seed,
            k: run.k,
            steps_context: steps.and_then(|steps| steps.context),
            steps_target: steps.and_then(|steps| steps.target),
            inside_lengths: findings.conclusion.first().and_then(|c| c.inside_lengths),
            examples: line.examples,
            opened: line.opened,
            parsed,
            accuracy: line.accuracy,
            accuracy_low: line.accuracy_low,
            accuracy_high: line.accuracy_high,
            cosine: line.cosine,
            cosine_free: line.cosine_free,
            most_changed: greatest(|v| v.changed),
            changed_bound: greatest(|v| v.changed_bound),
            content_delta: exchanges().filter_map(|v| v.delta).reduce(|a, b| if b.abs() > a.abs() { b } else { a }),
            word: line.word,
            presence: line.presence,
            qualifier: line.qualifier.clone(),
        });
    }
    Ok(found)
}

/// Means over seeds, one line per arm and K.
pub fn describe(found: &[BudgetFinding]) -> String {
    let mut keys: Vec<(&str, Option<usize>)> = Vec::new();
    for f in found {
        if !keys.contains(&(&f.variant, f.k)) {
            keys.push((&f.variant, f.k));
        }
    }
    let rows: Vec<Vec<String>> = keys
        .into_iter()
        .map(|(variant, k)| {
            let of: Vec<&BudgetFinding> = found.iter().filter(|f| f.variant == variant && f.k == k).collect();
            let mean = |pick: fn(&BudgetFinding) -> Option<f64>| crate::responses::mean(of.iter().filter_map(|f| pick(f)));
            let accuracies: Vec<f64> = of.iter().filter_map(|f| f.accuracy).map(|a| 100.0 * a).collect();
            let ends = [f64::min as fn(f64, f64) -> f64, f64::max].map(|end| accuracies.iter().copied().reduce(end));
            vec![
                of.first().map_or_else(String::new, |f| f.name.clone()),
                k.map_or_else(|| "declared".to_string(), |k| k.to_string()),
                of.len().to_string(),
                percent(mean(|f| f.accuracy)),
                interval(ends[0], ends[1], 1).replace('+', ""),
                percent(mean(|f| f.parsed)),
                number(mean(|f| f.cosine), 3),
                number(mean(|f| f.cosine_free), 3),
                percent(mean(|f| f.most_changed)),
                points(mean(|f| f.content_delta)),
            ]
        })
        .collect();
    table(&["arm", "K", "seeds", "accuracy", "seeds", "parsed", "cosine", "free", "changed", "delta"], &rows)
}
