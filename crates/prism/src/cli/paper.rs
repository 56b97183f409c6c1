//! `prism paper`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Recompute the published statistics.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism paper
  prism paper --json | jq .
  prism paper --figures paper       the published Figures 1, 4, 5 and Tables 1 to 4")]
pub struct PaperArguments {
    /// Folder for the published Figures 1, 4 and 5 (SVG, PNG, Vega-Lite) and Tables 1 to 4 (CSV, Markdown, LaTeX)
    #[arg(long, value_name = "DIR")]
    pub figures: Option<PathBuf>,
}
