//! `prism audit`: arguments.

use std::path::PathBuf;

use clap::Args;
use prism_run::Intervention;

use super::{DecodingArguments, SelectionArguments};

/// Audit a checkpoint.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism audit --checkpoint runs/lvr/checkpoint-600 --benchmark runs/world/test.jsonl --out runs/lvr/audit
  prism audit --checkpoint DIR --benchmark test.jsonl --steps 16 --interventions zero,noise:0.3,swap --out runs/a
  prism audit --checkpoint DIR --benchmark test.jsonl --steps 4,8,16 --out runs/sweep    runs/sweep/k4, k8, k16
  prism audit --checkpoint DIR --benchmark test.jsonl --exit latent --exit-threshold 0.1 --cap 16 --out runs/b

The clean run is always made: every delta is against it. A run that was stopped
goes on where it was when the same command is given again. In a Slurm array every task
records its shard; `prism merge OUT` joins them.")]
pub struct AuditArguments {
    /// Hugging Face folder of the model, or its name in the local Hub cache (org/name)
    #[arg(long)]
    pub checkpoint: PathBuf,
    /// Benchmark file or folder
    #[arg(long)]
    pub benchmark: PathBuf,
    /// Run folder
    #[arg(long)]
    pub out: PathBuf,
    /// Variant the checkpoint was trained as, for the stages of the teacher targets
    /// [default: from the checkpoint's config]
    #[arg(long)]
    pub variant: Option<String>,
    /// What tables and pages call the checkpoint [default: the variant's name, else the folder's]
    #[arg(long)]
    pub name: Option<String>,
    /// Latent steps K; several make a sweep, a run folder each under --out, on one prefill
    /// per example [default: the protocol's, 8 for LVR]
    #[arg(long, value_delimiter = ',')]
    pub steps: Vec<usize>,
    /// Protocol and exit
    #[command(flatten)]
    pub decoding: DecodingArguments,
    /// Most new tokens, latent steps included
    #[arg(long, default_value_t = 512)]
    pub max_new_tokens: usize,
    /// Interventions, besides the clean run
    #[arg(long, value_delimiter = ',', default_value = "zero,noise:0.1,noise:0.3,noise:1,swap")]
    pub interventions: Vec<Intervention>,
    /// Seed of noise and donors
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Equivalence margin in points, declared before the run
    #[arg(long, default_value_t = 5.0)]
    pub margin: f64,
    /// Fewest pixels of an image [default: the checkpoint's]
    #[arg(long)]
    pub min_pixels: Option<usize>,
    /// Most pixels of an image [default: the checkpoint's]
    #[arg(long)]
    pub max_pixels: Option<usize>,
    /// Write the records only; `prism audit` with the same arguments adds the findings
    #[arg(long)]
    pub records_only: bool,
    /// Also write the report page into the run folder
    #[arg(long)]
    pub report: bool,
    /// Replace what a finished run of other inputs or settings left in the run folder
    #[arg(long)]
    pub overwrite: bool,
    /// Which examples
    #[command(flatten)]
    pub selection: SelectionArguments,
}
