//! `prism world`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Draw the generated world.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism world --out runs/world
  prism world --out runs/world --config world.toml --preview sheet.png")]
pub struct WorldArguments {
    /// Folder to write; it must not exist
    #[arg(long)]
    pub out: PathBuf,
    /// TOML with the world's keys (see docs/reference/recipes.md)
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Seed, over the configuration's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Also draw a contact sheet of test questions
    #[arg(long)]
    pub preview: Option<PathBuf>,
}
