//! `prism show`: a run in the terminal.

use std::path::{Path, PathBuf};

use prism_audit::findings;
use prism_report::ReportInputs;
use prism_report::study::Study;
use prism_report::terminal::ending::Places;
use prism_report::terminal::{self, across, training};
use prism_run::as_text;
use prism_run::folder::names;
use prism_run::manifest::Manifest;

use super::audit::{account, failures};
use crate::Context;
use crate::cli::ShowArguments;
use crate::exit::{ExitStatus, Refused};

/// Runs the verb.
pub fn run(arguments: ShowArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let run = arguments.run.as_path();
    let manifest = Manifest::read(run)?;
    let mut inputs = match manifest.kind.as_str() {
        "eval" => ReportInputs::new(vec![run.to_path_buf()]),
        "study" | "audit" | "train" | "compare" => super::report::inputs(&[run.to_path_buf()])?,
        other => anyhow::bail!(Refused(format!(
            "{}: a `{other}` run has nothing to show; name a study, audit, evaluation, training or comparison",
            run.display()
        ))),
    };
    let audited = |run: &Path| prism_run::door::holds_folder(&findings::folder(run));
    let (done, open): (Vec<PathBuf>, Vec<PathBuf>) = inputs.audits.iter().cloned().partition(|audit| audited(audit));
    inputs.audits = done;
    inputs.base = inputs.base.filter(|base| audited(base));
    inputs.comparison = inputs.comparison.filter(|comparison| audited(comparison));
    let (mut screen, look) = (context.printer.blank(), context.printer.look());
    screen.heading(&heading(run, &manifest));
    let study = if inputs.audits.is_empty() { None } else { Some(Study::read(&inputs, &mut Vec::new())?) };
    if let Some(study) = &study {
        let all = study.parts.iter().flat_map(|part| part.audits.iter().map(move |audit| (part.run_name(study, audit), audit)));
        for (name, failed) in all.filter_map(|(name, audit)| Some((name, audit.findings.failed()?))) {
            screen.wrapped(&format!("{name}: {failed}"), look);
        }
    }
    for audit in &open {
        screen.line(format!("{}: not finished, no findings yet", audit.display()));
    }
    let mut logs = Vec::new();
    for folder in inputs.trainings.iter().filter(|folder| prism_run::door::stands(&folder.join(names::LOG))) {
        let log = training::read(folder)?;
        if inputs.trainings.len() > 1 {
            screen.line(format!("{}:", folder.display()));
        }
        training::draw(&log, &mut screen, look);
        logs.push(serde_json::json!({
            "run": as_text::of(folder), "steps": log.curves.steps, "ce": log.curves.ce, "latent": log.curves.latent, "last": log.last,
        }));
    }
    let compared = inputs.comparison.as_deref().map(prism_audit::Findings::read).transpose()?;
    match (&study, &compared) {
        (Some(study), _) => terminal::study::draw(study, &mut screen, look),
        (None, Some(findings)) => across::correlations(findings, &mut screen, look),
        (None, None) => {}
    }
    let report = run.join(names::REPORT);
    let tables: Vec<PathBuf> = inputs.audits.iter().chain(&inputs.comparison).map(|run| findings::folder(run)).collect();
    let reports = !inputs.audits.is_empty() && manifest.kind != "eval" && !prism_run::door::holds(&report);
    let places = Places {
        page: prism_run::door::holds(&report).then(|| report.display().to_string()),
        tables: tables.iter().map(|folder| folder.display().to_string()).collect(),
        next: reports
            .then(|| format!("prism report {}", run.display()))
            .into_iter()
            .chain([format!("prism view {}", run.display())])
            .collect(),
    };
    places.draw(&mut screen);
    context.printer.screen(&screen, look);
    if !context.printer.json() {
        return Ok(ExitStatus::Success);
    }
    let paths = |paths: &[PathBuf]| paths.iter().map(|path| as_text::of(path)).collect::<Vec<_>>();
    let all = || study.iter().flat_map(|s| &s.parts).flat_map(|p| &p.audits).map(|a| &a.findings);
    let mut runs = Vec::new();
    for audit in &inputs.audits {
        let mut told = account::verdict(&Manifest::read(audit)?, &prism_audit::Findings::read(audit)?)?;
        told.insert("run".into(), as_text::of(audit).into());
        runs.push(told);
    }
    // A folder that is one run says its verdict at the top, too.
    let own = if let [one] = runs.as_slice() { one.clone() } else { serde_json::Map::new() };
    let mut object = own;
    let shown = serde_json::json!({
        "run": as_text::of(run),
        "runs": runs,
        "kind": manifest.kind,
        "failures": failures::account(&inputs.audits)?,
        "readings": all().flat_map(|f| &f.readings).collect::<Vec<_>>(),
        "table1": all().flat_map(|f| &f.table1).collect::<Vec<_>>(),
        "faithfulness": all().flat_map(|f| &f.faithfulness).collect::<Vec<_>>(),
        "verdict": all().flat_map(|f| &f.verdict).collect::<Vec<_>>(),
        "conclusion": all().flat_map(|f| &f.conclusion).collect::<Vec<_>>(),
        "comparison": compared.iter().flat_map(|f| &f.comparison).collect::<Vec<_>>(),
        "trainings": logs,
        "unfinished": paths(&open),
        "report": prism_run::door::holds(&report).then(|| as_text::of(&report)),
        "tables": paths(&tables),
    });
    if let serde_json::Value::Object(shown) = shown {
        object.extend(shown);
    }
    context.printer.result_json(&object)?;
    Ok(ExitStatus::Success)
}

fn heading(run: &Path, manifest: &Manifest) -> String {
    let name = manifest.name.as_deref().map_or_else(String::new, |name| format!(", {name}"));
    let seed = manifest.seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
    let open = if manifest.ended.is_none() { ", not finished" } else { "" };
    format!("{}: {}{name}{seed}{open}", run.display(), manifest.kind)
}
