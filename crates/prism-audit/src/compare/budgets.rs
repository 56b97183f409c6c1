//! A study's arms over the step budget K: one row per arm, seed and K, from findings that are there.

use std::path::PathBuf;

use prism_run::Class;
use prism_run::manifest::Manifest;

use crate::faithfulness::ALL;
use crate::findings::{BudgetFinding, VerdictFinding};
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
