//! `prism curve`: audits in a row, over training or over the step budget.

use prism_audit::curve;
use prism_run::table::write_rows;

use crate::Context;
use crate::cli::CurveArguments;
use crate::exit::ExitStatus;

/// The table's file in the folder that was named.
const FILE: &str = "curve.parquet";

/// Runs the verb.
pub fn run(arguments: CurveArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let found = curve::curve(&arguments.runs)?;
    if let Some(out) = &arguments.out {
        write_rows(&out.join(FILE), found.iter().cloned())?;
    }
    context.printer.result(&curve::describe(&found));
    context.printer.result_json(&found)?;
    Ok(ExitStatus::Success)
}
