//! `prism paper`: the published statistics from the published table.

use prism_audit::{AuditSettings, paper};

use crate::Context;
use crate::cli::PaperArguments;
use crate::exit::ExitStatus;

/// Runs the verb.
pub fn run(arguments: PaperArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let rows = paper::recompute(u64::from(AuditSettings::default().seed))?;
    context.printer.result(&paper::table(&rows));
    let judged = rows.iter().filter(|r| r.within.is_some()).count();
    let within = rows.iter().filter(|r| r.within == Some(true)).count();
    context.printer.result(&format!("{within} of {judged} published statistics are reproduced from the published table"));
    context.printer.result_json(&rows)?;
    if let Some(folder) = &arguments.figures {
        super::files::published(folder, context)?;
    }
    Ok(ExitStatus::Success)
}
