//! `prism study`: arguments.

use std::path::PathBuf;

use clap::Args;
use prism_run::Answers;

use super::seeds::SeedChoice;

/// The whole study from one recipe.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism study recipes/study-tiny.toml
  prism study recipes/study-tiny.toml --seeds 3 --out runs/three-seeds
  prism study recipes/study-tiny.toml --quick

Stopped or killed, it goes on where it was when the same command is given again.")]
pub struct StudyArguments {
    /// The recipe
    #[arg(default_value = "recipes/study-tiny.toml")]
    pub recipe: PathBuf,
    /// Study folder [default: runs/NAME]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// A smoke run: a few steps and examples; its numbers mean nothing
    #[arg(long)]
    pub quick: bool,
    /// How many training seeds, from the recipe's first; or which: 100-104
    #[arg(long, value_name = "N|A-B")]
    pub seeds: Option<SeedChoice>,
    /// Rules that read the answers, instead of the recipe's `audit.answers`; nothing is trained or
    /// run again for it (docs/reference/answers.md)
    #[arg(long, value_name = "RULE[,RULE]")]
    pub answers: Option<Answers>,
    /// Train the base model anew instead of taking the shipped one
    #[arg(long)]
    pub from_scratch: bool,
}
