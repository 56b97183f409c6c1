//! `prism paths`: arguments.

use std::path::PathBuf;

use clap::Args;
use prism_run::Steps;

use super::{DecodingArguments, ImageArguments};

/// Through the latents, or through the weights?
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism paths runs/study-tiny                          base and arms of a study, into runs/study-tiny/paths
  prism paths runs/study-tiny --variant lvr,p-lvr-3    only these arms of it
  prism paths --base assets/base-tiny --variant runs/lvr/checkpoint-600 --benchmark runs/world/test.jsonl --out runs/paths
  prism paths --base DIR --variant runs/a/checkpoint-600 --variant runs/b/checkpoint-600 --benchmark B --out RUN --limit 100

Crosses the base's and each variant's weights with the base's latents, the variant's, the teacher
targets, and none; and measures how far weights moved, what training logged of the two losses'
gradients, and how alike states are. The base's block is opened by replaying what the variant wrote.
What each figure means, and how it misleads: docs/concepts/paths.md. Stopped or killed, the same
command goes on where it was.")]
pub struct PathsArguments {
    /// Folder of a study: base, arms, benchmark, steps and margins are its own
    #[arg(required_unless_present = "base")]
    pub study: Option<PathBuf>,
    /// Checkpoint that training started from: a folder, or a name in the local Hub cache (org/name)
    #[arg(long)]
    pub base: Option<PathBuf>,
    /// Checkpoint that training ended with, may be given several times; with a study: ids of its
    /// arms [default: all of them]
    #[arg(long, value_delimiter = ',')]
    pub variant: Vec<PathBuf>,
    /// Benchmark file or folder [default: the study's]
    #[arg(long, required_unless_present = "study")]
    pub benchmark: Option<PathBuf>,
    /// Run folder [default: STUDY/paths]
    #[arg(long, required_unless_present = "study")]
    pub out: Option<PathBuf>,
    /// Only the first N examples
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Latent steps K; `trained` takes the median length of each variant's training, stage by stage
    /// [default: the study's; else trained, where a checkpoint knows its lengths; else the protocol's]
    #[arg(long, value_name = "trained|K")]
    pub steps: Option<Steps>,
    /// Protocol and exit of the variants
    #[command(flatten)]
    pub decoding: DecodingArguments,
    /// Most new tokens, latent steps included [default: the study's, else 512]
    #[arg(long)]
    pub max_new_tokens: Option<usize>,
    /// Equivalence margin in points, declared before the run [default: the study's, else 5]
    #[arg(long)]
    pub margin: Option<f64>,
    /// How images become pixels
    #[command(flatten)]
    pub images: ImageArguments,
    /// Replace what a finished run of other inputs or settings left in the run folder
    #[arg(long)]
    pub overwrite: bool,
}
