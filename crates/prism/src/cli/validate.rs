//! `prism validate`: arguments.

use std::path::PathBuf;

use clap::Args;

/// The instrument against arms whose verdict is known.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism validate
  prism validate recipes/controls-tiny.toml --seeds 5 --out runs/controls

Trains arms of which it is known by construction whether what their latents say is used, and
whether their block is needed; audits each for every seed, and says how often the words were
not the ones they must be, with intervals. It ends with exit code 1 if one was not, or if an
intervention that must change nothing changed a bit. Stopped or killed, it goes on where it was.")]
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
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: Option<u64>,
}
