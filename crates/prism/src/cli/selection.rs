//! Which examples of a benchmark are run, and how many at a time: shared by the verbs that run them.

use std::num::NonZeroUsize;

use clap::Args;
use prism_run::Shard;

/// Which examples, and what is told of them.
#[derive(Debug, Clone, Args)]
pub struct SelectionArguments {
    /// Only the first N examples (of the subsets, where some are named)
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Only these categories of the benchmark, e.g. direct_attributes
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',')]
    pub subset: Vec<String>,
    /// Only part I of N, e.g. 2/8, into OUT/shard-2-of-8; or `all`
    /// [default: the task of a Slurm array, else all]
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Examples a worker decodes side by side; speed and memory depend on it, results do not
    /// [default: 4, from 500 million parameters on 1]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<NonZeroUsize>,
    /// Tell how long the examples took (image, vision, prefill, decode), and the peak memory
    #[arg(long)]
    pub timing: bool,
}
