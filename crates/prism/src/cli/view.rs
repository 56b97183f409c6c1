//! `prism view`: arguments.

use std::path::PathBuf;

use clap::Args;

/// Look at runs in a browser.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism view runs/study-tiny               a study, also while it runs
  prism view runs                          every run below a folder
  prism view runs/a/audit runs/b/audit     two audits, to be compared
  prism view runs/a/audit --images data    with the pictures below a folder
  prism view runs --port 8080 --open

It listens on this machine only (127.0.0.1 and ::1), never writes, and answers only who has the
token in the address it prints. On another machine, give the `ssh -L` line it prints on yours, and
open the same address there. Programs send `Authorization: Bearer TOKEN`; `--json` prints the token.
Ctrl-C ends it, with exit code 0.")]
pub struct ViewArguments {
    /// Runs, studies, or folders that hold some
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Port to listen at; 0 for any that is free [default: the first free one from 7171]
    #[arg(long)]
    pub port: Option<u16>,
    /// Open the address in the browser; other accounts of the machine may see it among its processes
    #[arg(long)]
    pub open: bool,
    /// Folder whose pictures the pages may show; else each run shows its own, and those of its study's
    /// world where the study or a folder above it is named. May be given again
    #[arg(long, value_name = "DIR")]
    pub images: Vec<PathBuf>,
}
