//! `prism show`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Print a run in the terminal.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism show runs/study-tiny                 the whole study
  prism show runs/study-tiny/seed-42/lvr     a training: its loss, and its audit if there is one
  prism show runs/e                          an evaluation: accuracy by category
  prism show runs/a --json | jq .conclusion
  prism show runs/a --wide                   every column, and every intervention in the plot

A table shows the columns that the terminal has room for, and names the others below itself.
The plot is plain ASCII where the locale is not UTF-8; COLUMNS overrides the terminal's
width, NO_COLOR turns bold headings off.")]
pub struct ShowArguments {
    /// Folder of a study, audit, evaluation, training or comparison
    pub run: PathBuf,
}
