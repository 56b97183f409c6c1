//! Audits in a row: the same examples at several checkpoints of one training, or at several
//! step budgets K. Nothing is run again; what the runs found is set side by side, and their
//! answers are paired.

use std::path::{Path, PathBuf};

use prism_run::manifest::Manifest;

use crate::compare::items;
use crate::findings::{CurveFinding, GeometryFinding};
use crate::responses::mean;
use crate::statistics::mcnemar::mcnemar_exact;
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
    let all: usize = manifest.outcomes.values().sum();
    let parsed = manifest.outcomes.get("scored").copied().unwrap_or_default();
    let setting = |key: &str| manifest.settings.get(key);
    let checkpoint = setting("checkpoint").and_then(|path| path.as_str()).and_then(|path| Path::new(path).file_name()?.to_str());
    let latents = |of: fn(&GeometryFinding) -> Option<f64>| {
        mean(findings.geometry.iter().filter(|g| g.mode == "free_running" && g.stage == "target").filter_map(of))
    };
    CurveFinding {
        run: run.display().to_string(),
        training_step: checkpoint.and_then(|name| name.strip_prefix("checkpoint-")?.parse().ok()),
        steps: setting("steps").and_then(|steps| usize::try_from(steps.as_u64()?).ok()),
        examples: line.map_or(0, |line| line.examples),
        opened: line.and_then(|line| line.opened),
        parsed: (all > 0).then(|| parsed as f64 / all as f64),
        accuracy: line.and_then(|line| line.accuracy),
        accuracy_low: line.and_then(|line| line.accuracy_low),
        accuracy_high: line.and_then(|line| line.accuracy_high),
        gained: 0,
        lost: 0,
        delta: None,
        mcnemar_p: None,
        cosine: line.and_then(|line| line.cosine),
        cosine_free: line.and_then(|line| line.cosine_free),
        spread: latents(|g| g.spread),
        effective_rank: latents(|g| g.effective_rank),
        end_cosine: latents(|g| g.end_cosine),
        delta_zero: line.and_then(|line| line.delta_truncate),
        conclusion: line.map(|line| line.conclusion.clone()).unwrap_or_default(),
        reason: None,
    }
}

/// Changes of the clean answers from the first run to this one, on the examples both have.
fn pair(finding: &mut CurveFinding, first: &items::Answers, here: &items::Answers) {
    let (Some(before), Some(after)) = (first.scores.get("clean"), here.scores.get("clean")) else { return };
    let changes: Vec<f64> = after.iter().filter_map(|(id, score)| Some(score - before.get(id)?)).collect();
    if changes.is_empty() {
        finding.reason = Some("changes: no example is in both runs".into());
        return;
    }
    finding.gained = changes.iter().filter(|change| **change > 0.0).count();
    finding.lost = changes.iter().filter(|change| **change < 0.0).count();
    finding.delta = Some((finding.gained as f64 - finding.lost as f64) / changes.len() as f64);
    finding.mcnemar_p = Some(mcnemar_exact(finding.gained, finding.lost));
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
                f.gained.to_string(),
                f.lost.to_string(),
                number(f.mcnemar_p, 3),
                number(f.cosine, 3),
                number(f.cosine_free, 3),
                number(f.spread, 3),
                number(f.effective_rank, 1),
                number(f.end_cosine, 3),
                points(f.delta_zero),
                f.conclusion.clone(),
            ]
        })
        .collect();
    table(&header, &rows)
}
