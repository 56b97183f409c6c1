//! `prism benchmark`: arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Look into benchmarks.
#[derive(Debug, Args)]
pub struct BenchmarkArguments {
    /// What to do
    #[command(subcommand)]
    pub command: BenchmarkCommand,
}

/// What can be done with a benchmark.
#[derive(Debug, Subcommand)]
pub enum BenchmarkCommand {
    /// Read every question and image, and say what was found, how many, which labels, what is broken
    Check(CheckArguments),
}

/// Check a benchmark.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism benchmark check data/vstar_bench           V*Bench as published
  prism benchmark check data/MMVP                  Questions.csv and MMVP Images/
  prism benchmark check data/BLINK                 a folder a task, parquet
  prism benchmark check data/BLINK/Counting        one task
  prism benchmark check mine.jsonl --decode        JSON lines, every pixel decoded
  prism benchmark check mine.toml --json | jq .    a description of your own

The layout is told from what lies there (docs/reference/data.md). Nothing is written.
Exit code 0: whole; 3: something is broken, and the messages say what to do.")]
pub struct CheckArguments {
    /// The benchmark's folder or file, or a .toml that describes it
    pub path: PathBuf,
    /// Also decode every image, with the decoder that a run uses (slower)
    #[arg(long)]
    pub decode: bool,
}
