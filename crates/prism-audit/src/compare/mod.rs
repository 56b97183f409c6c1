//! Several audits beside each other: the paper's Table 1 and Table 2 (method, section 8).
//!
//! [`compare`] reads the findings of audit runs; [`points`] makes the points of a
//! correlation; [`correlate`] its row, on the [`items`] the runs share; [`same`] says
//! which runs were made alike; [`budgets`] sets a study's arms beside each other over K, and
//! [`groups`] asks of them what the recipe asks; [`seeds`] sums up a variant's training seeds.

pub mod budgets;
pub mod correlate;
pub mod groups;
pub mod items;
pub mod points;
pub mod same;
pub mod seeds;

use std::path::{Path, PathBuf};

use prism_run::door::Limit;
use prism_run::manifest::Manifest;
use rayon::prelude::*;

use crate::faithfulness::ALL;
use crate::findings::{Findings, VariantSummary, WarningFinding};
use crate::statistics::clusters;
use crate::verdict;
use crate::{AuditSettings, Error, Result};

pub use points::{Effect, Run, Unit};

/// Columns of Table 1 that stand on the x axis.
pub const X: [&str; 5] = ["cosine", "cosine_free", "probe_a", "probe_b", "gap"];
/// Columns of Table 1 that stand on the y axis.
pub const Y: [&str; 3] = ["accuracy", "delta_truncate", "delta_noise_01"];

/// Reads the findings of audit runs and makes Table 1 (all runs) and Table 2 (over
/// variants, seeds averaged; and over single runs when there are several seeds).
/// The result is not written: [`Findings::write`] puts it into a comparison folder.
///
/// Table 2 has every pair of [`X`] and [`Y`], each x with accuracy given the
/// question-mean probe, and the truncate and swap deltas with accuracy.
///
/// # Errors
/// When a folder has no findings, the runs are of different benchmarks or budgets
/// ([`same`]), or a variant and seed appear twice.
pub fn compare(runs: &[PathBuf], settings: &AuditSettings) -> Result<Findings> {
    settings.check()?;
    let folders = runs;
    let manifests: Vec<Manifest> = folders.iter().map(|folder| Ok(Manifest::read(folder)?)).collect::<Result<_>>()?;
    let mut runs: Vec<Run> = folders.iter().map(|folder| read(folder)).collect::<Result<_>>()?;
    let refuse = |cause: String, remedy: &str| Err(Error::Compare { cause, remedy: remedy.into() });
    let Some(first) = runs.first() else {
        return refuse("no run was given".into(), "name at least one audit run folder");
    };
    for (i, run) in runs.iter().enumerate() {
        let summary = &run.summary;
        if summary.benchmark != first.summary.benchmark {
            let cause = format!("`{}` and `{}` are different benchmarks", first.summary.benchmark, summary.benchmark);
            return refuse(cause, "compare runs of one benchmark at a time");
        }
        if runs[..i].iter().any(|r| r.summary.variant == summary.variant && r.summary.seed == summary.seed) {
            let seed = summary.seed.map_or("no seed".into(), |s| format!("seed {s}"));
            return refuse(format!("{} with {seed} was given twice", summary.name), "name each run once");
        }
    }
    let differences = same::check(folders, &manifests)?;
    // A run's word is made from the run alone; the adjustment over all runs stands beside it.
    verdict::adjust_across(runs.iter_mut().flat_map(|r| &mut r.verdicts));
    let mut findings = Findings { table1: runs.iter().map(|r| r.summary.clone()).collect(), ..Findings::default() };
    findings.verdict = runs.iter().flat_map(|r| r.verdicts.iter().cloned()).collect();
    findings.conclusion = runs.iter().flat_map(|r| r.conclusion.iter().cloned()).collect();
    findings.categories = runs.iter().flat_map(|r| r.categories.iter().cloned()).collect();
    findings.seeds = seeds::seeds(&runs, settings);
    let mut units = vec![Unit::SeedMean];
    if points::variants(&runs).len() < runs.len() {
        units.push(Unit::Run);
    }
    let rows: Vec<_> = units.into_iter().flat_map(|unit| pairs().into_iter().map(move |pair| (unit, pair))).collect();
    findings.comparison =
        rows.into_par_iter().map(|(unit, (x, y, given))| correlate::correlate(&runs, unit, x, y, given, settings)).collect();
    findings.warnings = warnings(&runs);
    findings.warnings.extend(differences);
    for folder in folders {
        // Intervals read the records; the runs' own findings may be of records that were changed since.
        if let Some(changed) = prism_run::records::digests::check(folder)?.filter(|changed| !changed.is_empty()) {
            let text = format!("{}: THE RECORDS WERE CHANGED after they were written: {}", folder.display(), changed.join(", "));
            findings.warnings.push(WarningFinding { about: "records".into(), text });
        }
    }
    Ok(findings)
}

fn pairs() -> Vec<(&'static str, &'static str, Option<&'static str>)> {
    let mut all: Vec<_> = X.into_iter().flat_map(|x| Y.into_iter().map(move |y| (x, y, None))).collect();
    all.extend(X.into_iter().map(|x| (x, "accuracy", Some("question_mean"))));
    all.extend([("delta_truncate", "accuracy", None), ("delta_swap", "accuracy", None)]);
    all
}

fn read(folder: &Path) -> Result<Run> {
    let findings = Findings::read(folder)?;
    let [summary] = findings.table1.as_slice() else {
        let cause = format!("holds {} lines of Table 1, not the one of an audit", findings.table1.len());
        return Err(prism_run::Error::content(folder, cause, "name audit run folders, not a comparison").into());
    };
    let most = Limit::Rows.size();
    if summary.examples > most || findings.faithfulness.iter().any(|f| f.examples > most || f.gained.saturating_add(f.lost) > f.examples) {
        let cause = "counts more examples than any run has";
        return Err(prism_run::Error::content(folder, cause, "run the audit again: its findings are made again from its records").into());
    }
    let effects = findings
        .faithfulness
        .iter()
        .filter(|f| f.category == ALL && f.delta.is_some())
        .map(|f| (f.intervention, Effect { examples: f.examples, gained: f.gained, lost: f.lost }))
        .collect();
    Ok(Run {
        summary: summary.clone(),
        effects,
        verdicts: findings.verdict,
        categories: findings.categories,
        conclusion: findings.conclusion,
        answers: items::read(folder)?,
        held: findings.held,
    })
}

fn warnings(runs: &[Run]) -> Vec<WarningFinding> {
    let mut texts = Vec::new();
    let variants = points::variants(runs);
    if variants.len() < 10 {
        texts.push(format!(
            "correlations over {} variants: read the exact p, leave-one-out and cluster columns before the coefficient",
            variants.len()
        ));
    }
    if variants.len() == runs.len() {
        texts.push("one training seed per variant: differences between seeds are not in any interval".into());
    } else {
        texts.push(
            "several training seeds: the intervals of Table 2 redraw questions only; those of the seed table redraw seeds with them".into(),
        );
    }
    let sizes: Vec<usize> = runs.iter().map(|r| r.summary.examples).collect();
    if sizes.iter().min() != sizes.iter().max() {
        texts.push("the runs answered different numbers of examples: accuracies are not over the same items".into());
    }
    if runs.iter().any(|r| r.answers.is_none()) {
        texts.push(
            "a run's records are absent: bootstrap intervals redraw each run by itself, as if the runs did not share their questions"
                .into(),
        );
    }
    let closed = |s: &VariantSummary| s.opened == Some(0.0);
    texts.extend(runs.iter().filter(|r| closed(&r.summary)).map(|r| {
        let seed = r.summary.seed.map_or(String::new(), |s| format!(" (seed {s})"));
        format!("{}{seed}: NO LATENTS RAN, its deltas are absent", r.summary.name)
    }));
    let means = points::points(runs, Unit::SeedMean);
    let (names, cosine): (Vec<String>, Vec<f64>) = means.iter().filter_map(|p| Some((p.name.clone(), p.mean(runs, "cosine")?))).unzip();
    let accuracy: Vec<f64> =
        means.iter().filter(|p| p.mean(runs, "cosine").is_some()).map(|p| p.mean(runs, "accuracy").unwrap_or(f64::NAN)).collect();
    if let Some(text) = clusters::split(&cosine).and_then(|c| c.warning(&cosine, &accuracy, &names)) {
        texts.push(format!("cosine falls into {text} (with accuracy)"));
    }
    texts.into_iter().map(|text| WarningFinding { about: "comparison".into(), text }).collect()
}
