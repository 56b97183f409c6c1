//! `prism base`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Train the small base model from scratch.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  prism base --recipe recipes/base-tiny.toml --out assets/base-tiny")]
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
}
