//! `prism paper`: arguments.

use clap::Args;

/// Recompute the published statistics.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism paper
  prism paper --json | jq .")]
pub struct PaperArguments {}
