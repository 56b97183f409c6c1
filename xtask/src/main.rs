//! Checks, oracles and benchmarks of the workspace: `cargo xtask <command>`.

mod audit_cost;
mod bench;
mod browser;
mod check;
mod dependencies;
mod oracle;
mod steps;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", about = "Checks, oracles and benchmarks of the workspace")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Format, clippy, dependencies, spelling, tests, doc tests, browser: what has to pass.
    Check,
    /// The report and the explorer in Chromium (needs Node.js, npm and Chromium).
    Browser,
    /// Licences and origins of every dependency.
    Dependencies,
    /// Runs the generators of expected numbers again (needs the Python of oracle/requirements.txt).
    Oracle {
        /// Only generators whose name contains this.
        filter: Option<String>,
    },
    /// Speed beside PyTorch and scikit-learn, and the cost of an audit.
    Bench {
        /// Skip the Python side.
        #[arg(long)]
        without_torch: bool,
        /// Only the cost of an audit, on the study in runs/study-tiny.
        #[arg(long)]
        audit: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Check => check::run(),
        Command::Browser => browser::run(true),
        Command::Dependencies => dependencies::run(),
        Command::Oracle { filter } => oracle::run(filter.as_deref()),
        Command::Bench { without_torch, audit } => bench::run(without_torch, audit),
    }
}
