//! `prism view`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Look at runs in a browser.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism view runs/study-tiny               a study, also while it runs
  prism view runs                          every run below a folder
  prism view runs/a/audit runs/b/audit     two audits, to be compared
  prism view runs --port 8080 --open

It listens on this machine only (127.0.0.1 and ::1) and never writes. On another machine, give
the `ssh -L` line it prints on yours, and open the same address there. Ctrl-C ends it, with
exit code 0.")]
pub struct ViewArguments {
    /// Runs, studies, or folders that hold some
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Port to listen at; 0 for any that is free [default: the first free one from 7171]
    #[arg(long)]
    pub port: Option<u16>,
    /// Open the address in the browser
    #[arg(long)]
    pub open: bool,
}
