//! `prism merge`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Join the shards of a run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sbatch --array=0-7 --wrap 'prism audit --checkpoint DIR --benchmark data/vstar_bench --out runs/a'
  prism merge runs/a                                  joins runs/a/shard-1-of-8 to shard-8-of-8
  prism merge runs/a /scratch/1/shard-1-of-2 /scratch/2/shard-2-of-2

The records and findings are those of the same command without shards, byte for byte.")]
pub struct MergeArguments {
    /// Run folder to write
    pub out: PathBuf,
    /// The shards' run folders [default: OUT/shard-I-of-N]
    pub shards: Vec<PathBuf>,
    /// Also write the report page into the run folder
    #[arg(long)]
    pub report: bool,
}
