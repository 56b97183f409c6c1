//! How a run ends of which not one example could be run.

use std::path::Path;

use prism_audit::Findings;
use prism_run::outcome::failures::{self, nothing_ran};

use crate::Context;
use crate::exit::ExitStatus;

/// Told once inputs are mended: the records that are there are of the old ones.
const AGAIN: &str = "Not one example was run. Once that is mended, give the same command with --overwrite.";

/// The status of a run without one example that could be run: an input's fault, and no word about latents. What failed is
/// told on stderr then, and where no findings tell it, as of a shard; `None` where something ran.
///
/// # Errors
/// When the records of the run at `run` cannot be read.
pub fn ended(run: &Path, findings: &Findings, context: &Context) -> anyhow::Result<Option<ExitStatus>> {
    let failed = failures::of_run(run)?;
    let nothing = nothing_ran(&failed);
    if nothing || findings.failures.is_empty() {
        failed.iter().for_each(|failure| context.printer.warn(&failure.sentence()));
    }
    if nothing {
        context.printer.warn(AGAIN);
    }
    Ok(nothing.then_some(ExitStatus::Input))
}
