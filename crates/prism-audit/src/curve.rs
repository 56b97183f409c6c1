//! Audits in a row: the same examples at several checkpoints of one training, or at several
//! step budgets K. Nothing is run again; what the runs found is set side by side, and their
//! answers are paired.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prism_run::manifest::Manifest;
use prism_run::{Cloud, Intervention, Outcome, Stage, shown};

use crate::compare::items;
use crate::findings::{CurveFinding, GeometryFinding, marked};
use crate::responses::mean;
use crate::statistics::mcnemar::mcnemar_exact;
use crate::statistics::sign_flip::exact_of_counts;
use crate::text::{interval, number, percent, points, table};
use crate::{Error, Findings, Result};

/// Settings that must agree, besides the benchmark itself.
const MUST: [&str; 3] = ["limit", "subset", "pixels"];

/// One finding per run, in the order given; changes are against the first.
///
/// # Errors
/// When a run has no findings, or was audited on other examples than the first.
pub fn curve(runs: &[PathBuf]) -> Result<Vec<CurveFinding>> {
    let mut found: Vec<CurveFinding> = Vec::new();
    let mut first: Option<(Manifest, Option<items::Answers>)> = None;
    for run in runs {
        let (manifest, findings, answers) = (Manifest::read(run)?, Findings::read(run)?, items::read(run)?);
        if let Some((of_first, _)) = &first {
            alike(of_first, &manifest, run)?;
        }
        let mut finding = one(run, &manifest, &findings);
        match (&first, &answers) {
            (Some((_, Some(there))), Some(here)) => pair(&mut finding, there, here),
            (Some(_), _) => finding.reason = Some("changes: the records of this run or of the first were not kept".into()),
            (None, _) => {}
        }
        if let Some(failed) = findings.failed().filter(|_| findings.nothing_ran()) {
            finding.reason = Some(failed);
        }
        found.push(finding);
        first = first.or(Some((manifest, answers)));
    }
    Ok(found)
}

fn alike(first: &Manifest, other: &Manifest, run: &Path) -> Result<()> {
    let benchmark = first.inputs.get("benchmark") == other.inputs.get("benchmark");
    let differs = MUST.iter().find(|key| first.settings.get(**key) != other.settings.get(**key));
    let what = if benchmark { differs.copied() } else { Some("benchmark") };
    what.map_or(Ok(()), |what| {
        let cause = format!("`{what}` of `{}` is not that of the first run", run.display());
        Err(Error::Compare { cause, remedy: "audit all on the same questions".into() })
    })
}

fn one(run: &Path, manifest: &Manifest, findings: &Findings) -> CurveFinding {
    let line = findings.table1.first();
    let judged = line.filter(|_| !findings.nothing_ran());
    let all = manifest.examples();
    let parsed = manifest.ended_as(Outcome::Scored);
    let setting = |key: &str| manifest.settings.get(key);
    let checkpoint = setting("checkpoint").and_then(|path| path.as_str()).and_then(|path| Path::new(path).file_name()?.to_str());
    let latents = |of: fn(&GeometryFinding) -> Option<f64>| {
        mean(findings.geometry.iter().filter(|g| g.mode == Cloud::FreeRunning && g.stage == Stage::Target).filter_map(of))
    };
    CurveFinding {
        run: run.display().to_string(),
        training_step: checkpoint.and_then(|name| name.strip_prefix("checkpoint-")?.parse().ok()),
        steps: manifest.steps_by_stage().and_then(|steps| steps.target),
        examples: line.map_or(0, |line| line.examples),
        opened: line.and_then(|line| line.opened),
        parsed: (all > 0 && !findings.nothing_ran()).then(|| parsed as f64 / all as f64),
        accuracy: line.and_then(|line| line.accuracy),
        accuracy_low: line.and_then(|line| line.accuracy_low),
        accuracy_high: line.and_then(|line| line.accuracy_high),
        gained: None,
        lost: None,
        delta: None,
        mcnemar_p: None,
        clustered_p: None,
        cosine: line.and_then(|line| line.cosine),
        cosine_free: line.and_then(|line| line.cosine_free),
        spread: latents(|g| g.spread),
        effective_rank: latents(|g| g.effective_rank),
        end_cosine: latents(|g| g.end_cosine),
        delta_zero: line.and_then(|line| line.delta_truncate),
        word: judged.and_then(|line| line.word),
        presence: judged.and_then(|line| line.presence),
        qualifier: line.and_then(|line| line.qualifier.clone()),
        inside_lengths: findings.conclusion.first().and_then(|c| c.inside_lengths),
        reason: None,
    }
}

/// Changes of the clean answers from the first run to this one, on the examples both have.
fn pair(finding: &mut CurveFinding, first: &items::Answers, here: &items::Answers) {
    let (Some(before), Some(after)) = (first.scores.get(&Intervention::CLEAN), here.scores.get(&Intervention::CLEAN)) else { return };
    let changes: Vec<(&str, f64)> = after.iter().filter_map(|(id, score)| Some((id.as_str(), score - before.get(id)?))).collect();
    if changes.is_empty() {
        finding.reason = Some("changes: no example is in both runs".into());
        return;
    }
    let gained = changes.iter().filter(|(_, change)| *change > 0.0).count();
    let lost = changes.iter().filter(|(_, change)| *change < 0.0).count();
    (finding.gained, finding.lost) = (Some(gained), Some(lost));
    finding.delta = Some((gained as f64 - lost as f64) / changes.len() as f64);
    finding.mcnemar_p = Some(mcnemar_exact(gained, lost));
    let mut clusters: BTreeMap<&str, i64> = BTreeMap::new();
    for (id, change) in &changes {
        *clusters.entry(here.clusters.get(*id).map_or(*id, String::as_str)).or_default() += *change as i64;
    }
    if clusters.len() < changes.len() {
        finding.clustered_p = Some(exact_of_counts(&clusters.into_values().collect::<Vec<_>>()));
    }
}

/// The rows in plain text.
pub fn describe(found: &[CurveFinding]) -> String {
    let header = [
        "training", "K", "n", "opened", "parsed", "accuracy", "95 %", "delta", "gained", "lost", "p", "cosine", "free", "spread", "rank",
        "to end", "zero", "latents",
    ];
    let whole = |value: Option<usize>| value.map_or_else(|| "n/a".to_string(), |value| value.to_string());
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|f| {
            let bounds = interval(f.accuracy_low.map(|v| 100.0 * v), f.accuracy_high.map(|v| 100.0 * v), 1).replace('+', "");
            vec![
                whole(f.training_step),
                whole(f.steps),
                f.examples.to_string(),
                percent(f.opened),
                percent(f.parsed),
                percent(f.accuracy),
                bounds,
                points(f.delta),
                whole(f.gained),
                whole(f.lost),
                number(f.clustered_p.or(f.mcnemar_p), 3),
                number(f.cosine, 3),
                number(f.cosine_free, 3),
                number(f.spread, 3),
                number(f.effective_rank, 1),
                number(f.end_cosine, 3),
                points(f.delta_zero),
                f.word.map_or_else(|| "n/a".to_string(), |word| marked(word, f.qualifier.as_deref())),
            ]
        })
        .collect();
    let mut out = table(&header, &rows);
    for f in found {
        if let Some(reason) = &f.reason {
            out.push_str(&format!("\n{}: {}\n", shown(&f.run), shown(reason)));
        }
    }
    if found.iter().any(|f| f.clustered_p.is_some()) {
        out.push_str("\np: exact, examples of one cluster (pair, image, partner) flipped together; not adjusted for the number of runs\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Questions in pairs of one image, `pairs` of them, with the scores of the two.
    fn answers(pairs: &[(f64, f64)]) -> items::Answers {
        let mut found = items::Answers::default();
        let scores = found.scores.entry(Intervention::CLEAN).or_default();
        for (i, (a, b)) in pairs.iter().enumerate() {
            for (part, score) in [("a", a), ("b", b)] {
                scores.insert(format!("{i}{part}"), *score);
                found.clusters.insert(format!("{i}{part}"), format!("{i}a"));
            }
        }
        found
    }

    #[test]
    fn pairs_that_change_together_count_once() {
        let (before, after) = (answers(&[(1.0, 1.0); 4]), answers(&[(0.0, 0.0); 4]));
        let empty = serde_json::json!({"run": "r", "examples": 8, "conclusion": ""});
        let mut finding: CurveFinding = serde_json::from_value(empty).unwrap();
        pair(&mut finding, &before, &after);
        assert_eq!((finding.gained, finding.lost, finding.delta), (Some(0), Some(8), Some(-1.0)));
        // Eight coins of one side, or four of them: 2 / 2^8 and 2 / 2^4.
        let near = |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
        near(finding.mcnemar_p, 2.0 / 256.0);
        near(finding.clustered_p, 2.0 / 16.0);
    }
}
