//! Prism: does the latent do anything?
//!
//! The command line over the stages of a study. Each verb is one file in
//! [`cli`] (what was typed), and one in [`commands`] (what is done); the science
//! lies in `prism-model`, `prism-train` and `prism-audit`.

pub mod cli;
pub mod commands;
pub mod exit;
pub mod hardware;
pub mod machine;
pub mod printer;
pub mod provenance;
pub mod signals;

use clap::Parser;

use exit::ExitStatus;
use hardware::Hardware;
use printer::Printer;
use prism_run::Cancel;

/// What every command is given besides its own arguments.
pub struct Context {
    /// Where output goes.
    pub printer: Printer,
    /// Device, dtype, threads.
    pub hardware: Hardware,
    /// Raised by SIGINT and SIGTERM.
    pub cancel: Cancel,
}

/// Parses the command line, runs the command, and tells how it ended.
pub fn run() -> ExitStatus {
    prism_run::contained::hush();
    let arguments = cli::Arguments::parse();
    let printer = Printer::new(arguments.global.quiet, arguments.global.json);
    match prepare(&arguments.global, printer).and_then(|context| commands::run(arguments.command, &context)) {
        Ok(status) => status,
        Err(error) => {
            let status = exit::status_of(&error);
            eprintln!("{}: {}", if status == ExitStatus::Interrupted { "stopped" } else { "error" }, chain(&error));
            status
        }
    }
}

fn prepare(global: &cli::Global, printer: Printer) -> anyhow::Result<Context> {
    let cancel = signals::install()?;
    let hardware = Hardware::choose(global.device, global.dtype, global.threads)?;
    Ok(Context { printer, hardware, cancel })
}

/// The causes of an error, outermost first, without repeating what a cause already says.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}
