//! Prism: does the latent do anything?
//!
//! The command line over the stages of a study. Each verb is one file in
//! [`cli`] (what was typed), and one in [`commands`] (what is done). The science
//! is in the crates below: `prism-model`, `prism-record`, `prism-train` and `prism-audit`
//! (`docs/architecture.md`).

pub mod cli;
pub mod commands;
pub mod exit;
pub mod hardware;
pub mod machine;
pub mod printer;
pub mod provenance;
pub mod signals;

use std::io::{ErrorKind, Write};
use std::path::Path;

use clap::Parser;

use exit::ExitStatus;
use hardware::Hardware;
use printer::Printer;
use prism_run::Cancel;
use prism_run::lock::{Claim, Lock};

/// What every command is given besides its own arguments.
pub struct Context {
    /// Where output goes.
    pub printer: Printer,
    /// Device, dtype, threads.
    pub hardware: Hardware,
    /// Raised by SIGINT and SIGTERM.
    pub cancel: Cancel,
}

impl Context {
    /// Makes a run folder this command's to write, until what is returned is dropped. To be called
    /// before anything in the folder is looked at.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn lock(&self, folder: &Path) -> prism_run::Result<Lock> {
        self.claiming(|claim| Lock::take(folder, claim))
    }

    /// The same for a folder that is replaced as a whole.
    ///
    /// # Errors
    /// As [`Lock::take_beside`].
    pub fn lock_beside(&self, target: &Path) -> prism_run::Result<Lock> {
        self.claiming(|claim| Lock::take_beside(target, claim))
    }

    fn claiming(&self, take: impl FnOnce(&Claim<'_>) -> prism_run::Result<Lock>) -> prism_run::Result<Lock> {
        let (command, since) = (provenance::command().join(" "), provenance::now());
        let alarm = printer::alarm;
        take(&Claim { command: &command, since: &since, progress: &self.printer, cancel: &self.cancel, alarm })
    }
}

/// Parses the command line, runs the command, and tells how it ended.
pub fn run() -> ExitStatus {
    prism_run::contained::silence_panics();
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => return usage(&told),
    };
    if let Some(factor) = arguments.global.limits {
        prism_run::door::raise(factor);
    }
    let printer = Printer::new(arguments.global.quiet, arguments.global.json).widened(arguments.global.wide);
    let ended = prepare(&arguments, printer).and_then(|context| {
        let status = commands::run(arguments.command, &context)?;
        // What nobody can read was not done.
        context.printer.check()?;
        Ok(status)
    });
    ended.unwrap_or_else(|error| {
        let status = exit::status_of(&error);
        printer::tell(&format!("{}: {}", if status == ExitStatus::Interrupted { "stopped" } else { "error" }, chain(&error)));
        status
    })
}

/// Prints the help or the version that was asked for, or what is wrong with the command line.
fn usage(told: &clap::Error) -> ExitStatus {
    let printed = told.print().and_then(|()| std::io::stdout().flush());
    match printed {
        _ if told.use_stderr() => ExitStatus::CommandLine,
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            printer::tell(&format!("error: cannot write to the output: {error}"));
            ExitStatus::Failure
        }
        _ => ExitStatus::Success,
    }
}

fn prepare(arguments: &cli::Arguments, printer: Printer) -> anyhow::Result<Context> {
    let global = &arguments.global;
    let cancel = signals::install(arguments.command.has_safe_points())?;
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
