//! Tables as files, of a binary that was built without figures; figures it refuses.

use std::path::{Path, PathBuf};

use prism_report::{ReportInputs, files};

use crate::Context;
use crate::cli::ReportArguments;
use crate::exit::Refused;

/// Writes the tables that were asked for; refuses figures.
pub fn of_report(arguments: &ReportArguments, inputs: &ReportInputs, context: &Context) -> anyhow::Result<Vec<PathBuf>> {
    if arguments.figures.is_some() || arguments.paper.is_some() {
        return Err(refused());
    }
    let Some(folder) = &arguments.tables else { return Ok(Vec::new()) };
    let written = files::write(inputs, folder)?;
    context.printer.result(&format!("{} files in {}", written.files.len(), folder.display()));
    Ok(written.files)
}

/// Refuses.
pub fn published(_: &Path, _: &Context) -> anyhow::Result<()> {
    Err(refused())
}

fn refused() -> anyhow::Error {
    Refused("this binary was built without figures as files: build it with `--features figures`".into()).into()
}
