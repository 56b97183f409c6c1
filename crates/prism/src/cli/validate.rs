//! `prism validate`: arguments.

use std::path::PathBuf;

use clap::Args;

use super::seeds::SeedChoice;

/// The instrument against arms whose verdict is known.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism validate
  prism validate recipes/controls-tiny.toml --seeds 5 --out runs/controls
  prism validate --seeds 100-104 --out runs/a       a part, on one machine
  prism validate --join runs/a runs/b --out runs/all

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
    /// How many training seeds, from the recipe's first; or which: 100-104
    #[arg(long, value_name = "N|A-B")]
    pub seeds: Option<SeedChoice>,
    /// Parts that were run apart, told together: study folders, or their validity.parquet; nothing is trained
    #[arg(long, num_args = 1.., value_name = "FOLDER", conflicts_with_all = ["quick", "seeds"])]
    pub join: Vec<PathBuf>,
}
