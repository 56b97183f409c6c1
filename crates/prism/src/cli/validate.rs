//! `prism validate`: arguments.

use std::path::PathBuf;

use clap::Args;

/// The instrument against arms whose verdict is known.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism validate
  prism validate recipes/controls-tiny.toml --seeds 10 --out runs/controls

Trains a bottleneck arm (its answer may look at nothing but the latents) and a blindfold arm
(its answer may not look at them) for every seed, audits both, and says how often the verdict
was not the one it must be. It ends with exit code 1 if one was not, or if an intervention that
must change nothing changed a bit. Stopped or killed, it goes on where it was.")]
pub struct ValidateArguments {
    /// A study's recipe with both kinds of control arms
    #[arg(default_value = "recipes/controls-tiny.toml")]
    pub recipe: PathBuf,
    /// Study folder [default: runs/NAME]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// A smoke run: a few steps and examples; its verdicts mean nothing
    #[arg(long)]
    pub quick: bool,
    /// Training seeds: the recipe's, and the ones that follow it
    #[arg(long)]
    pub seeds: Option<u64>,
}
