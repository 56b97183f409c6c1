//! `prism curve`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Set audits in a row.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism curve runs/sweep/k0 runs/sweep/k1 runs/sweep/k4 runs/sweep/k16 --out runs/sweep      over K
  prism curve runs/t/100 runs/t/300 runs/t/500 --out runs/t                       over training

Audits of the same examples, in the order given: at several step budgets (`prism audit --steps 0,1,4,16`)
or at several checkpoints of one training (`[train] keep` says how many are kept). Changes are against the first.")]
pub struct CurveArguments {
    /// Audit run folders, in order
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Folder for curve.parquet [default: printed only]
    #[arg(long)]
    pub out: Option<PathBuf>,
}
