//! `prism eval`: a checkpoint on a benchmark, clean only.

use super::audit::{AuditPlan, carry_out};
use crate::Context;
use crate::cli::EvalArguments;
use crate::exit::ExitStatus;

/// Runs the verb.
pub fn run(arguments: EvalArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    carry_out(&AuditPlan::eval(arguments, context)?, context)
}
