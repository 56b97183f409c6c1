//! `prism doctor`: arguments.

use std::path::PathBuf;

use clap::Args;

use super::SourceArguments;

/// Say what this machine and this binary are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism doctor
  prism doctor org/name            also: is everything there, and does it fit together?
  prism doctor ADAPTER --base DIR   the same of a LoRA adapter over its base
  prism doctor DIR --json | jq .faults

Nothing is run and no weight is read. Exit code 0: the checkpoint can be run; 3: it cannot,
and every reason is listed.")]
pub struct DoctorArguments {
    /// Checkpoint to check: a Hugging Face folder, or a name in the local Hub cache (org/name)
    pub checkpoint: Option<PathBuf>,
    /// Where it comes from
    #[command(flatten)]
    pub source: SourceArguments,
}
