//! `prism report`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Write the report page.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism report runs/study-tiny
  prism report runs/a runs/b --out report.html
  prism report runs/study-tiny --figures figures --tables tables
  prism report runs/study-tiny --paper paper        Figures 1, 4, 5 and Tables 1 to 4")]
pub struct ReportArguments {
    /// A study's folder, or audit run folders
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// The page [default: report.html in the first folder]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Folder whose pictures the page may show; else each run shows its own, and those of its study's
    /// world where the study is named. May be given again
    #[arg(long, value_name = "DIR")]
    pub images: Vec<PathBuf>,
    /// Folder for every figure of the page as SVG, PNG and Vega-Lite specification
    #[arg(long, value_name = "DIR")]
    pub figures: Option<PathBuf>,
    /// Folder for every table of the page as CSV, Markdown and LaTeX
    #[arg(long, value_name = "DIR")]
    pub tables: Option<PathBuf>,
    /// Folder for the source paper's Figures 1, 4 and 5 and Tables 1 to 4, drawn from these runs
    #[arg(long, value_name = "DIR")]
    pub paper: Option<PathBuf>,
}
