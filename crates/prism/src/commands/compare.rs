//! `prism compare`: Table 1, Table 2 and the answers over audited runs.

use std::path::{Path, PathBuf};

use prism_audit::findings::ComparisonFinding;
use prism_audit::{AuditSettings, compare};
use prism_report::ReportInputs;
use prism_report::study::Study;
use prism_report::terminal::ending::{self, Places};
use prism_report::terminal::{Look, Screen, across};
use prism_run::as_text;
use prism_run::lock::Lock;
use prism_run::manifest::Manifest;

use super::audit::failures;
use super::strangers;
use crate::cli::CompareArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, provenance};

/// The word in the manifest.
const KIND: &str = "compare";

/// A comparison.
pub struct Compared {
    /// The findings.
    pub findings: prism_audit::Findings,
    /// Where they are written, the folder is this process' own until this is dropped.
    _lock: Option<Lock>,
}

impl Compared {
    /// Table 2.
    pub fn comparison(&self) -> &[ComparisonFinding] {
        &self.findings.comparison
    }
}

/// Runs the verb.
pub fn run(arguments: CompareArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let compared = compare_runs(&arguments.runs, arguments.out.as_deref(), &AuditSettings::default(), context)?;
    if !context.printer.json() {
        tell(&arguments, &compared, context)?;
    }
    context.printer.result_json(&serde_json::json!({
        "table1": compared.findings.table1,
        "comparison": compared.findings.comparison,
        "verdict": compared.findings.verdict,
        "conclusion": compared.findings.conclusion,
        "seeds": compared.findings.seeds,
        "failures": failures::account(&arguments.runs)?,
        "warnings": compared.findings.warnings,
    }))?;
    Ok(ExitStatus::Success)
}

/// Both tables, the answers, and where more of it lies.
fn tell(arguments: &CompareArguments, compared: &Compared, context: &Context) -> anyhow::Result<()> {
    let mut study = Study::read(&ReportInputs::new(arguments.runs.clone()), &mut Vec::new())?;
    study.comparison = Some((arguments.out.clone().unwrap_or_default(), compared.findings.clone()));
    let (mut screen, look) = (context.printer.blank(), context.printer.look());
    draw(&study, &mut screen, look);
    let runs = match arguments.runs.as_slice() {
        [one] => one.display().to_string(),
        [first, second] => format!("{} {}", first.display(), second.display()),
        [first, ..] => format!("{} ...", first.display()),
        [] => String::new(),
    };
    let places = Places {
        page: None,
        tables: arguments.out.iter().map(|out| prism_audit::findings::folder(out).display().to_string()).collect(),
        next: ["report", "view"].map(|verb| format!("prism {verb} {runs}")).to_vec(),
    };
    places.draw(&mut screen);
    context.printer.screen(&screen, look);
    Ok(())
}

/// Runs beside each other: Table 1, what was found across them, and the answers, which stand last.
pub fn draw(study: &Study, screen: &mut Screen, look: Look) {
    across::variants(study, screen, look);
    across::draw(study, screen, look);
    ending::answers(study, screen, look);
}

/// Compares audit runs; with `out`, the findings are written there.
pub fn compare_runs(runs: &[PathBuf], out: Option<&Path>, settings: &AuditSettings, context: &Context) -> anyhow::Result<Compared> {
    let lock = out.map(|out| context.lock(out)).transpose()?;
    if let Some((out, there)) = out.and_then(|out| Some((out, Manifest::read(out).ok()?)))
        && there.kind != KIND
    {
        let text = format!("holds another kind of run (`{}`), which a comparison would replace; give another --out", there.kind);
        anyhow::bail!(Refused(format!("{}: {text}", out.display())));
    }
    if let Some(out) = out {
        strangers::refuse(out)?;
    }
    let findings = compare::compare(runs, settings)?;
    if let Some(out) = out {
        let mut manifest: Manifest = provenance::manifest(KIND, &context.hardware);
        let runs: Vec<String> = runs.iter().map(|run| as_text::of(run)).collect();
        manifest.settings.insert("runs".into(), serde_json::json!(runs));
        manifest.settings.insert("analysis".into(), serde_json::json!(settings));
        findings.write(out)?;
        manifest.ended = Some(provenance::now());
        manifest.write(out)?;
    }
    Ok(Compared { findings, _lock: lock })
}
