//! Figures and tables as files, of a binary that was built without them.

use std::path::{Path, PathBuf};

use prism_report::ReportInputs;

use crate::Context;
use crate::cli::ReportArguments;
use crate::exit::Refused;

/// Refuses what was asked for; nothing is fine.
pub fn of_report(arguments: &ReportArguments, _: &ReportInputs, _: &Context) -> anyhow::Result<Vec<PathBuf>> {
    let asked = [&arguments.figures, &arguments.tables, &arguments.paper];
    if asked.iter().any(|folder| folder.is_some()) { Err(refused()) } else { Ok(Vec::new()) }
}

/// Refuses.
pub fn published(_: &Path, _: &Context) -> anyhow::Result<()> {
    Err(refused())
}

fn refused() -> anyhow::Error {
    Refused("this binary was built without figures as files: build it with `--features figures`".into()).into()
}
