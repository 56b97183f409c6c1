//! `prism report`: the page of a study or of runs.

use std::path::{Path, PathBuf};

use prism_report::{ReportInputs, build_report};
use prism_run::folder::{self, names};
use prism_run::manifest::Manifest;
use prism_run::{as_text, door, shown};

use super::files;
use crate::Context;
use crate::cli::ReportArguments;
use crate::exit::{ExitStatus, Refused};

/// Runs the verb.
pub fn run(arguments: ReportArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let mut inputs = inputs(&arguments.runs)?;
    inputs.images = arguments.images.clone();
    let first = arguments.runs.first().cloned().unwrap_or_default();
    let page = arguments.out.clone().unwrap_or_else(|| first.join(names::REPORT));
    // What one left beside it that was stopped; where that cannot be looked for, the page cannot be written either.
    let _ = folder::repair_target(&page);
    let summary = build_report(&inputs, &page)?;
    context.printer.result(&summary.verdict);
    for left_out in &summary.left_out {
        context.printer.narrate(&format!("left out: {}", shown(left_out)));
    }
    context.printer.result(&format!("report {} ({:.1} MB)", summary.path.display(), summary.bytes as f64 / 1e6));
    let files = files::of_report(&arguments, &inputs, context)?;
    let (page, files) = (as_text::of(&summary.path), files.iter().map(|file| as_text::of(file)).collect::<Vec<_>>());
    context
        .printer
        .result_json(&serde_json::json!({ "report": page, "bytes": summary.bytes, "verdict": summary.verdict, "files": files }))?;
    Ok(ExitStatus::Success)
}

/// What these folders hold: audits, trainings with their audits, comparisons, whole studies.
///
/// # Errors
/// When one is no run folder, or holds nothing to report.
pub fn inputs(runs: &[PathBuf]) -> anyhow::Result<ReportInputs> {
    let mut inputs = ReportInputs::new(Vec::new());
    inputs.folders = runs.to_vec();
    runs.iter().for_each(|run| door::named(run));
    for run in runs {
        add(&mut inputs, run)?;
    }
    Ok(inputs)
}

/// Adds what a folder holds: an audit, a training with its audit, a comparison, or a whole study.
fn add(inputs: &mut ReportInputs, run: &Path) -> anyhow::Result<()> {
    let manifest = Manifest::read(run)?;
    match manifest.kind.as_str() {
        "audit" => inputs.audits.push(run.to_path_buf()),
        "train" => {
            inputs.trainings.push(run.to_path_buf());
            let audit = run.join("audit");
            if door::holds_folder(&audit) && door::stands(&audit.join(names::MANIFEST)) {
                inputs.audits.push(audit);
            }
        }
        "compare" => inputs.comparison = Some(run.to_path_buf()),
        "study" => {
            inputs.recipe = Some(run.join(names::CONFIG)).filter(|path| door::holds(path));
            inputs.title = run.file_name().map(|n| n.to_string_lossy().into_owned());
            for child in runs_below(run)? {
                match child.ends_with(names::BASE_AUDIT) {
                    true => inputs.base = Some(child),
                    false => add(inputs, &child)?,
                }
            }
        }
        other => anyhow::bail!(Refused(format!("{}: a `{other}` run has nothing to report; name a study or audit folder", run.display()))),
    }
    Ok(())
}

/// The run folders of a study: its children and those of its seeds, in order of name.
fn runs_below(study: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for child in folders(study)? {
        if door::stands(&child.join(names::MANIFEST)) {
            found.push(child);
        } else {
            found.extend(folders(&child)?.into_iter().filter(|c| door::stands(&c.join(names::MANIFEST))));
        }
    }
    found.retain(|c| Manifest::read(c).is_ok_and(|m| matches!(m.kind.as_str(), "audit" | "train" | "compare")));
    Ok(found)
}

fn folders(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = door::entries(path)?.into_iter().filter(|entry| entry.is_folder);
    let mut folders: Vec<PathBuf> = entries.map(|entry| path.join(entry.name)).collect();
    folders.sort();
    Ok(folders)
}
