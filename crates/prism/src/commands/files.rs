//! Figures and tables as files: of a report, of the source paper from runs, and from its published numbers.

use std::path::{Path, PathBuf};

use prism_figures::{Written, paper};
use prism_report::ReportInputs;
use prism_run::shown;

use crate::Context;
use crate::cli::ReportArguments;

/// Writes what was asked for beside the page.
pub fn of_report(arguments: &ReportArguments, inputs: &ReportInputs, context: &Context) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if arguments.figures.is_some() || arguments.tables.is_some() {
        let written = prism_figures::write(inputs, arguments.figures.as_deref(), arguments.tables.as_deref())?;
        let folders: Vec<&Path> = arguments.figures.iter().chain(&arguments.tables).map(PathBuf::as_path).collect();
        files.extend(told(written, &folders, context));
    }
    if let Some(folder) = &arguments.paper {
        files.extend(told(paper::write_study(inputs, folder)?, &[folder], context));
    }
    Ok(files)
}

/// Writes the source paper's figures and tables from its published numbers.
pub fn published(folder: &Path, context: &Context) -> anyhow::Result<()> {
    told(paper::write_published(folder)?, &[folder], context);
    Ok(())
}

/// Says what was written where.
fn told(written: Written, folders: &[&Path], context: &Context) -> Vec<PathBuf> {
    for note in &written.notes {
        context.printer.warn(&shown(note));
    }
    for folder in folders {
        let count = written.files.iter().filter(|file| file.parent() == Some(folder)).count();
        context.printer.result(&format!("{} files in {}", count, folder.display()));
    }
    written.files
}
