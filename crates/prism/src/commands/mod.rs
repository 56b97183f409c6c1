//! What is done: one file a verb.

mod analysis;
mod answers;
mod audit;
mod base;
mod benchmark;
mod compare;
mod curve;
mod decoding;
mod doctor;
#[cfg_attr(not(feature = "download"), path = "without_download.rs")]
mod download;
mod eval;
#[cfg_attr(not(feature = "figures"), path = "without_figures.rs")]
mod files;
mod images;
mod inspect;
mod merge;
mod opened;
mod paper;
mod paths;
mod report;
mod rescore;
mod show;
mod strangers;
pub mod study;
mod trace;
mod train;
mod validate;
#[cfg_attr(not(feature = "explorer"), path = "without_explorer.rs")]
mod view;
mod world;

use crate::Context;
use crate::cli::Command;
use crate::exit::ExitStatus;

/// Runs the verb.
///
/// # Errors
/// Whatever stopped it; [`crate::exit::status_of`] turns it into an exit code.
pub fn run(command: Command, context: &Context) -> anyhow::Result<ExitStatus> {
    match command {
        Command::World(arguments) => world::run(arguments, context),
        Command::Base(arguments) => base::run(arguments, context),
        Command::Benchmark(arguments) => benchmark::run(arguments, context),
        Command::Train(arguments) => train::run(arguments, context),
        Command::Doctor(arguments) => doctor::run(arguments, context),
        Command::Inspect(arguments) => inspect::run(arguments, context),
        Command::Eval(arguments) => eval::run(arguments, context),
        Command::Audit(arguments) => audit::run(arguments, context),
        Command::Merge(arguments) => merge::run(arguments, context),
        Command::Rescore(arguments) => rescore::run(arguments, context),
        Command::Trace(arguments) => trace::run(arguments, context),
        Command::Compare(arguments) => compare::run(arguments, context),
        Command::Curve(arguments) => curve::run(arguments, context),
        Command::Paper(arguments) => paper::run(arguments, context),
        Command::Paths(arguments) => paths::run(arguments, context),
        Command::Report(arguments) => report::run(arguments, context),
        Command::View(arguments) => view::run(arguments, context),
        Command::Show(arguments) => show::run(arguments, context),
        Command::Validate(arguments) => validate::run(arguments, context),
        Command::Study(arguments) => study::run(arguments, context),
    }
}
