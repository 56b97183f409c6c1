//! `prism audit`: arguments.

use std::path::PathBuf;

use clap::Args;
use prism_audit::settings::Compat;
use prism_run::{Answers, Intervention, Steps};

use super::{DecodingArguments, ImageArguments, SelectionArguments, SourceArguments};

/// Audit a checkpoint.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism audit --checkpoint runs/lvr/checkpoint-600 --benchmark runs/world/test.jsonl --out runs/lvr/audit
  prism audit --checkpoint DIR --benchmark test.jsonl --steps 16 --interventions zero,noise:0.3,swap --out runs/a
  prism audit --checkpoint DIR --benchmark test.jsonl --steps 4,8,16 --out runs/sweep    runs/sweep/k4, k8, k16
  prism audit --checkpoint DIR --benchmark test.jsonl --exit latent --exit-threshold 0.1 --cap 16 --out runs/b
  prism audit --checkpoint DIR --benchmark test.jsonl --floor base=runs/base/audit --out runs/c

The clean run is always made: every delta is against it. A run that was stopped
goes on where it was when the same command is given again. In a Slurm array every task
records its shard; `prism merge OUT` joins them.")]
pub struct AuditArguments {
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
    /// Variant the checkpoint was trained as, for the stages of the teacher targets
    /// [default: from the checkpoint's config]
    #[arg(long)]
    pub variant: Option<String>,
    /// What tables and pages call the checkpoint [default: the variant's name, else the folder's]
    #[arg(long)]
    pub name: Option<String>,
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
    /// Interventions, besides the clean run [default: the content set, the presence set, the shams
    /// and the paper's zero, noise and swap; with --compat paper the paper's alone]
    #[arg(long, value_delimiter = ',')]
    pub interventions: Vec<Intervention>,
    /// The content set, declared before the run: what decides whether the answers use what the
    /// latents say [default: swap:other-answer, swap-kv:other-answer, draw, mean, and
    /// swap:counterfactual where it is run]
    #[arg(long, value_delimiter = ',')]
    pub content: Vec<Intervention>,
    /// The presence set, declared before the run: what decides whether the block is needed
    /// [default: remove, markers, format]
    #[arg(long, value_delimiter = ',')]
    pub presence: Vec<Intervention>,
    /// Keep the probe positions' vectors at the input of every layer, for probes layer by layer
    #[arg(long)]
    pub layers: bool,
    /// Seed of noise and donors
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Equivalence margin in points, declared before the run
    #[arg(long, default_value_t = 5.0)]
    pub margin: f64,
    /// Whose probes: `none` tunes C in an inner loop and keeps images whole over folds; `paper`
    /// is the release's pipeline, number for number
    #[arg(long, default_value = "none", value_name = "none|paper")]
    pub compat: Compat,
    /// Vectors that probes must beat: the audit of the base model or of a randomly initialised
    /// one on the same benchmark; may be given several times
    #[arg(long, value_name = "NAME=RUN", value_parser = floor)]
    pub floor: Vec<(String, PathBuf)>,
    /// How images become pixels
    #[command(flatten)]
    pub images: ImageArguments,
    /// Write the records only; `prism audit` with the same arguments adds the findings
    #[arg(long)]
    pub records_only: bool,
    /// Also write the report page into the run folder
    #[arg(long, conflicts_with = "records_only")]
    pub report: bool,
    /// Replace what a finished run of other inputs or settings left in the run folder
    #[arg(long)]
    pub overwrite: bool,
    /// Which examples
    #[command(flatten)]
    pub selection: SelectionArguments,
}

/// `NAME=RUN` of a floor.
fn floor(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, run)) if !name.is_empty() && name != "own" && !run.is_empty() => Ok((name.into(), run.into())),
        _ => Err("give a name other than `own` and a run folder, as base=runs/base/audit".into()),
    }
}
