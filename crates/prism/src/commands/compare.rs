//! `prism compare`: Table 1 and Table 2 over audited runs.

use std::path::{Path, PathBuf};

use prism_audit::findings::ComparisonFinding;
use prism_audit::{AuditSettings, compare};
use prism_run::lock::Lock;
use prism_run::manifest::Manifest;
use prism_run::{as_text, shown};

use crate::cli::CompareArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, provenance};

/// The word in the manifest.
const KIND: &str = "compare";

/// A comparison, as text and as rows.
pub struct Compared {
    /// Both tables and the warnings.
    pub text: String,
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
    context.printer.result(&compared.text);
    context.printer.result_json(&serde_json::json!({
        "table1": compared.findings.table1,
        "comparison": compared.findings.comparison,
        "verdict": compared.findings.verdict,
        "conclusion": compared.findings.conclusion,
        "seeds": compared.findings.seeds,
        "warnings": compared.findings.warnings,
    }))?;
    Ok(ExitStatus::Success)
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
    let mut text = format!("Table 1\n\n{}\nTable 2\n\n{}", compare::table1(&findings.table1), compare::table2(&findings.comparison));
    if !findings.seeds.is_empty() {
        text.push_str(&format!("\nTraining seeds, in percent and points\n\n{}", compare::seed_table(&findings.seeds)));
    }
    for conclusion in &findings.conclusion {
        let seed = conclusion.seed.map_or_else(String::new, |seed| format!(" seed {seed}"));
        let qualifier = conclusion.qualifier.as_ref().map_or_else(String::new, |q| format!(" ({})", shown(q)));
        text.push_str(&format!(
            "\n{}{seed}: {}; block {}{qualifier}. {}",
            shown(&conclusion.variant),
            conclusion.marked_word(),
            conclusion.presence,
            shown(&conclusion.sentence)
        ));
    }
    for warning in &findings.warnings {
        text.push_str(&format!("\nnote: {}", shown(&warning.text)));
    }
    Ok(Compared { text, findings, _lock: lock })
}
