//! The audit of one run: `records/` in, `findings/` out.

use std::path::Path;

use prism_run::kept::{Kept, keep_rows, keep_where};
use prism_run::manifest::Manifest;
use prism_run::records::scoring::Scoring;
use prism_run::records::{self, AlignmentRow, AnswerRow, ExampleRow, LatentRow, LensRow, files};
use prism_run::table::Row;
use prism_run::vectors;

use crate::clusters::Clusters;
use crate::findings::{Findings, WarningFinding, readings};
use crate::latents::sets::Named;
use crate::latents::{attention, geometry, lens, projection, retrieval};
use crate::pairs::Branch;
use crate::responses::{counterfactual, donors, dose, steps, visibility};
use crate::settings::Compat;
use crate::{AuditSettings, Result, accuracy, alignment, faithfulness, pairs, probe, summary, verdict};

/// The limit of a word where the model did not open its block by itself.
const FORCED: &str = "the block was opened by force, so whether the model opens it by itself was not seen";
/// The clause that stands in the rule's place where there was nothing to judge.
const NOTHING_RAN: &str = "no example could be run";

/// Reads the run's records, computes every finding and writes `findings/`.
///
/// The same records and settings give the same bytes, whatever the thread count.
///
/// # Errors
/// When the records are absent, empty or inconsistent, a vector is not finite, a
/// setting cannot be used, or the findings cannot be written.
pub fn audit_run(run: &Path, settings: &AuditSettings) -> Result<Findings> {
    settings.check()?;
    let manifest = Manifest::read(run)?;
    let folder = records::folder(run);
    let examples = keep_rows::<ExampleRow>(&folder.join(files::EXAMPLES))?;
    if examples.is_empty() {
        let path = folder.join(files::EXAMPLES);
        return Err(prism_run::Error::content(&path, "holds no example", "audit a benchmark with at least one example").into());
    }
    let digests = records::digests::check(run)?;
    let answers_path = folder.join(files::ANSWERS);
    let answers = keep_rows::<AnswerRow>(&answers_path)?;
    let branches = pairs::branches(&answers_path, &examples, &answers)?;

    let failures = prism_run::outcome::failures::failures(&examples);
    let mut findings = Findings { failures: failures.into_iter().map(Into::into).collect(), ..Findings::default() };
    let nothing_ran = findings.nothing_ran();
    let digests_absent = digests.is_none();
    if let Some(edited) = digests.filter(|names| !names.is_empty()) {
        let text =
            format!("THE RECORDS WERE CHANGED after they were written: {}; these findings are of what lies there now", edited.join(", "));
        findings.warnings.push(WarningFinding { about: "records".into(), text });
    }
    let alignment_path = folder.join(files::ALIGNMENT);
    if prism_run::door::stands(&alignment_path) {
        findings.alignment = alignment::align(&keep_rows::<AlignmentRow>(&alignment_path)?);
    }
    if findings.alignment.is_empty() && !nothing_ran {
        let text = "no alignment was recorded: the benchmark has no boxes, the model has no latent block, or none was asked for";
        findings.warnings.push(WarningFinding { about: "alignment".into(), text: text.into() });
    }
    findings.probe = probe::probe_run(run, &examples, &answers, settings)?;
    findings.warnings.extend(probe::warnings(&findings.probe, settings));
    let gap = probe::gap(run, &examples, &answers, &findings.probe, settings)?;
    findings.warnings.extend(gap.as_ref().and_then(probe::Gap::warning));
    findings.readings = readings::readings(&examples, &answers, &Scoring::read(run)?);
    let clusters = Clusters::of(&examples);
    findings.faithfulness = faithfulness::faithfulness(&branches, &clusters, settings);
    // A model without a block that answers questions alone has none that could have opened.
    let has_no_block = manifest.settings.get("protocol").is_some_and(serde_json::Value::is_null) && branches.len() < 2;
    findings.warnings.extend(faithfulness::warnings(&branches, &findings.faithfulness, !has_no_block));
    answers_to(&mut findings, &branches, &examples, &clusters, settings);
    of_latents(&mut findings, &folder, &examples, &answers, &clusters, settings)?;
    findings.pairs = accuracy::pair_findings(&examples, &branches);
    let judged = verdict::judge(&branches, &examples, &clusters, settings);
    let mut concluded = judged.conclusion;
    if let Some(failed) = findings.failed().filter(|_| nothing_ran) {
        // No block could open, and none was closed: it is the examples that failed.
        (concluded.sentence, concluded.rule, concluded.presence_rule) = (failed, NOTHING_RAN.into(), NOTHING_RAN.into());
    }
    concluded.spread_over_norm = geometry::spread_over_norm(&findings.geometry);
    if let Some(budget) = manifest.step_budget() {
        (concluded.steps_context, concluded.steps_target) = (budget.by_stage.context, budget.by_stage.target);
        concluded.inside_lengths = budget.inside();
        let exploratory = budget.exploratory.then(|| "exploratory: one of several K of a sweep, and not the declared one".to_string());
        let limits: Vec<String> = [concluded.qualifier.take(), budget.outside(), exploratory].into_iter().flatten().collect();
        concluded.qualifier = (!limits.is_empty()).then(|| limits.join("; "));
        findings.warnings.extend(budget.warnings().into_iter().map(|text| WarningFinding { about: "step budget".into(), text }));
    }
    if manifest.settings.get(records::FORCE_OPEN).and_then(serde_json::Value::as_bool) == Some(true) {
        let limits: Vec<String> = concluded.qualifier.take().into_iter().chain([FORCED.to_string()]).collect();
        concluded.qualifier = Some(limits.join("; "));
    }
    if let Some(set) = manifest.settings.get(records::PROTOCOL_SET).and_then(serde_json::Value::as_array) {
        let set: Vec<&str> = set.iter().filter_map(serde_json::Value::as_str).collect();
        let text = format!("the protocol was run with {} in place of its own (--set)", set.join(", "));
        findings.warnings.push(WarningFinding { about: "protocol".into(), text });
    }
    (findings.verdict, findings.categories, findings.conclusion) = (judged.verdicts, judged.categories, vec![concluded]);
    if settings.compat == Compat::Paper {
        // Its pipeline has changes of accuracy (`faithfulness`) and no words.
        findings.verdict.clear();
        findings.categories.clear();
        findings.conclusion.clear();
    }
    if digests_absent {
        let text = "the records carry no digest: whether they were changed after they were written is not known";
        findings.warnings.push(WarningFinding { about: "records".into(), text: text.into() });
    }
    findings.table1 = vec![summary::summarise(&manifest, &examples, gap.as_ref(), &findings)];
    for (verdict, line) in findings.verdict.iter_mut().flat_map(|v| findings.table1.first().map(|line| (v, line))) {
        verdict.variant.clone_from(&line.variant);
        verdict.seed = line.seed;
    }
    for (conclusion, line) in findings.conclusion.iter_mut().zip(&findings.table1) {
        conclusion.variant.clone_from(&line.variant);
        conclusion.seed = line.seed;
    }
    findings.write(run)?;
    Ok(findings)
}

/// What answers do under crossed interventions.
fn answers_to(findings: &mut Findings, branches: &[Branch<'_>], examples: &[ExampleRow], clusters: &Clusters, settings: &AuditSettings) {
    findings.visibility = visibility::visibility(branches, examples, clusters, settings);
    findings.steps = steps::partial(&findings.faithfulness);
    findings.donors = donors::donors(branches, examples, clusters, settings);
}

/// What the latents are like, from the tables and vectors of the clean run that are there.
fn of_latents(
    findings: &mut Findings,
    folder: &Path,
    examples: &[ExampleRow],
    answers: &[AnswerRow],
    clusters: &Clusters,
    settings: &AuditSettings,
) -> Result<()> {
    let path = folder.join(files::LATENTS);
    let vectors = if prism_run::door::stands(&path) { vectors::read(&path)? } else { Named::default() };
    // Of every other branch there are as many rows again, and nothing here reads them.
    let steps = rows_where(folder, files::STEPS, |row: &LatentRow| row.intervention.is_clean())?;
    findings.geometry = geometry::geometry(&vectors, &steps);
    findings.retrieval = retrieval::retrieval(&vectors);
    findings.lens = lens::lens(&steps, &rows_of::<LensRow>(folder, files::LENS)?);
    findings.attention = attention::attention(&rows_of(folder, files::ATTENTION)?, clusters);
    findings.projection = projection::projection(&vectors, examples, answers);
    findings.counterfactual = counterfactual::counterfactuals(&vectors, examples, answers, settings);
    findings.doses = dose::doses(&findings.faithfulness, geometry::spread(&vectors));
    Ok(())
}

/// The rows of a table that older records, or those of an evaluation, may lack.
fn rows_of<R: Row>(folder: &Path, name: &str) -> Result<Kept<R>> {
    rows_where(folder, name, |_| true)
}

/// Those that are wanted; the others never gather in memory.
fn rows_where<R: Row>(folder: &Path, name: &str, wanted: impl Fn(&R) -> bool) -> Result<Kept<R>> {
    let path = folder.join(name);
    if prism_run::door::stands(&path) { Ok(keep_where(&path, wanted)?) } else { Ok(Kept::default()) }
}
