//! `prism report`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Write the report page.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism report runs/study-tiny
  prism report runs/a runs/b --out report.html")]
pub struct ReportArguments {
    /// A study's folder, or audit run folders
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// The page [default: report.html in the first folder]
    #[arg(long)]
    pub out: Option<PathBuf>,
}
