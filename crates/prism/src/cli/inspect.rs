//! `prism inspect`: arguments.

use std::path::PathBuf;

use clap::Args;

use super::SourceArguments;

/// Say what a checkpoint is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism inspect org/name
  prism inspect ADAPTER --base DIR
  prism inspect runs/lvr/checkpoint-600 --json | jq .protocol

No weight is read. Exit code 3: the checkpoint cannot be run; `prism doctor` lists why, and so does this.")]
pub struct InspectArguments {
    /// A Hugging Face folder, or a name in the local Hub cache (org/name)
    pub checkpoint: PathBuf,
    /// Where it comes from
    #[command(flatten)]
    pub source: SourceArguments,
}
