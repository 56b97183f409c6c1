//! `prism train`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Train one variant.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism train --variant lvr --base assets/base-tiny --data runs/world/meta.json --out runs/lvr
  prism train --variant my-arm.toml --base DIR --data meta.json --config train.toml --out runs/mine

A run that was stopped goes on where it was when the same command is given again.")]
pub struct TrainArguments {
    /// Preset (lvr, n-lvr, d-lvr, p-lvr-2, p-lvr-3, or a control arm) or a TOML file
    #[arg(long, required_unless_present = "config")]
    pub variant: Option<String>,
    /// Checkpoint to start from: a folder, or a name in the local Hub cache (org/name)
    #[arg(long, required_unless_present = "config")]
    pub base: Option<PathBuf>,
    /// Training data: meta.json, or a list of records
    #[arg(long, required_unless_present = "config")]
    pub data: Option<PathBuf>,
    /// Folder of images, when `--data` is a plain list
    #[arg(long)]
    pub images: Option<PathBuf>,
    /// TOML with the training keys, or the `config.toml` of a run, which has all but `--out`
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Seed, over the configuration's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Steps, over the configuration's
    #[arg(long)]
    pub steps: Option<usize>,
    /// Run folder
    #[arg(long)]
    pub out: PathBuf,
    /// For a variant that continues another: that run's folder
    #[arg(long)]
    pub continue_from: Option<PathBuf>,
}
