//! `prism eval`: arguments.

use std::path::PathBuf;

use clap::Args;
use prism_run::{Answers, Steps};

use super::{DecodingArguments, ImageArguments, SelectionArguments, SourceArguments};

/// Score a checkpoint.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism eval --checkpoint org/name --benchmark data/vstar_bench --out runs/eval
  prism eval --checkpoint DIR --benchmark data/MMVP --out runs/eval --limit 20 --timing
  prism eval --checkpoint DIR --benchmark data/BLINK --subset Counting,Jigsaw --out runs/eval

It is the audit's clean run alone: no interventions, no probes, no alignment. A run
that was stopped goes on where it was when the same command is given again.")]
pub struct EvalArguments {
    /// Hugging Face folder of the model, or its name in the local Hub cache (org/name)
    #[arg(long)]
    pub checkpoint: PathBuf,
    /// Where it comes from
    #[command(flatten)]
    pub source: SourceArguments,
    /// Benchmark file or folder
    #[arg(long)]
    pub benchmark: PathBuf,
    /// Run folder
    #[arg(long)]
    pub out: PathBuf,
    /// Latent steps K; `trained` takes the median length of training, stage by stage. Several make
    /// a sweep, a run folder each under --out, on one prefill per example [default: trained, where
    /// the checkpoint knows its lengths; else the protocol's, 8 for LVR]
    #[arg(long, value_delimiter = ',', value_name = "trained|K")]
    pub steps: Vec<Steps>,
    /// Protocol and exit
    #[command(flatten)]
    pub decoding: DecodingArguments,
    /// Most new tokens, latent steps included
    #[arg(long, default_value_t = 512)]
    pub max_new_tokens: usize,
    /// Rules that read the answers, the first that reads an option deciding: tagged, release, boxed,
    /// letter, option-text, or a method's own (docs/reference/answers.md)
    /// [default: the protocol's, else the benchmark's, else tagged; without a protocol
    /// tagged,boxed,letter]
    #[arg(long, value_name = "RULE[,RULE]")]
    pub answers: Option<Answers>,
    /// How images become pixels
    #[command(flatten)]
    pub images: ImageArguments,
    /// Replace what a finished run of other inputs or settings left in the run folder
    #[arg(long)]
    pub overwrite: bool,
    /// Which examples
    #[command(flatten)]
    pub selection: SelectionArguments,
}
