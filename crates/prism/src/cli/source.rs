//! Where a checkpoint comes from: options that the verbs share that run or look at one.

use std::path::PathBuf;

use clap::Args;

/// Base of an adapter, and whether to download.
#[derive(Debug, Clone, Default, Args)]
pub struct SourceArguments {
    /// Base of a LoRA adapter: a folder, or a name in the local Hub cache [default: the weights beside
    /// the adapter, else what adapter_config.json names]
    #[arg(long, value_name = "DIR|org/name")]
    pub base: Option<PathBuf>,
    /// Fetch org/name from the Hub into its cache, and --base org/name too; what is there is kept, and every file is
    /// held against its hash (in binaries built with `--features download`)
    #[arg(long)]
    pub download: bool,
}
