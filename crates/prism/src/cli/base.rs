//! `prism base`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Train the small base model, a Qwen2.5-VL, from scratch.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism base --recipe recipes/base-tiny.toml --out assets/base-tiny
  prism base --untrained --out runs/untrained      the same model before any training: a floor for probes")]
pub struct BaseArguments {
    /// The recipe
    #[arg(long, default_value = "recipes/base-tiny.toml")]
    pub recipe: PathBuf,
    /// Folder to write: a Hugging Face checkpoint
    #[arg(long)]
    pub out: PathBuf,
    /// Start the language stages from this checkpoint instead of a tower trained anew
    #[arg(long, value_name = "CHECKPOINT")]
    pub from: Option<PathBuf>,
    /// Write the first, random weights and train nothing: `prism audit` of it is a floor
    /// (`--floor random=RUN`)
    #[arg(long, conflicts_with = "from")]
    pub untrained: bool,
}
