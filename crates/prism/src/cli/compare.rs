//! `prism compare`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Compare audited runs.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  prism compare runs/study/seed-42/*/audit --out runs/study/comparison")]
pub struct CompareArguments {
    /// Audit run folders, one per variant (and seed)
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Folder for the findings [default: printed only]
    #[arg(long)]
    pub out: Option<PathBuf>,
}
