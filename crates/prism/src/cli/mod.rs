//! What can be typed. Each verb's arguments lie in the file of its name.

mod audit;
mod base;
mod benchmark;
mod compare;
mod curve;
mod decoding;
mod doctor;
mod eval;
mod images;
mod inspect;
mod merge;
mod paper;
mod paths;
mod report;
mod rescore;
mod seeds;
mod selection;
mod show;
mod source;
mod study;
mod trace;
mod train;
mod validate;
mod view;
mod world;

pub use audit::AuditArguments;
pub use base::BaseArguments;
pub use benchmark::{BenchmarkArguments, BenchmarkCommand, CheckArguments};
pub use compare::CompareArguments;
pub use curve::CurveArguments;
pub use decoding::{DecodingArguments, GenerationSource};
pub use doctor::DoctorArguments;
pub use eval::EvalArguments;
pub use images::ImageArguments;
pub use inspect::InspectArguments;
pub use merge::MergeArguments;
pub use paper::PaperArguments;
pub use paths::PathsArguments;
pub use report::ReportArguments;
pub use rescore::RescoreArguments;
pub use seeds::SeedChoice;
pub use selection::SelectionArguments;
pub use show::ShowArguments;
pub use source::SourceArguments;
pub use study::StudyArguments;
pub use trace::TraceArguments;
pub use train::TrainArguments;
pub use validate::ValidateArguments;
pub use view::ViewArguments;
pub use world::WorldArguments;

use clap::{Args, Parser, Subcommand};

use crate::hardware::{DeviceChoice, DtypeChoice};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "prism",
    version,
    about = "Does the latent do anything? Trains, audits and compares latent visual reasoning models",
    after_help = "Examples:
  prism study recipes/study-tiny.toml      the whole study, from a small base model to a report
  prism audit --checkpoint DIR --benchmark test.jsonl --out runs/a
  prism eval --checkpoint org/name --benchmark data/vstar_bench --out runs/e
  prism doctor org/name                    this machine, and whether that checkpoint can be run
  prism trace --checkpoint DIR --examples data.json --rows 0-3 --steps 8
  prism benchmark check data/MMVP          what lies there, and what is broken
  prism validate                           the instrument itself, on arms whose verdict is known
  prism view runs/study-tiny               runs and their examples, in a browser
  prism paths runs/study-tiny              through the latents, or through the weights?
  prism paper                              the published table, recomputed
  prism show runs/study-tiny               table, plot and verdicts, here in the terminal

Results go to stdout, narration to stderr. Exit codes: 0 done, 1 failure,
2 command line, 3 input refused, 4 no latent block opened, 130 interrupted."
)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Print results as JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Show tables whole, however wide the terminal is
    #[arg(long, global = true)]
    pub wide: bool,
    /// No narration, only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Where tensors live
    #[arg(long, global = true, value_enum, default_value = "auto", env = "PRISM_DEVICE")]
    pub device: DeviceChoice,
    /// Type of weights and activations
    #[arg(long, global = true, value_enum, default_value = "auto", env = "PRISM_DTYPE")]
    pub dtype: DtypeChoice,
    /// Multiply every limit on files from others (docs/reference/security.md), 1 to 1000
    #[arg(long, global = true, value_name = "FACTOR", value_parser = clap::value_parser!(u32).range(1..=1000), env = "PRISM_LIMITS")]
    pub limits: Option<u32>,
    /// Worker threads [default: all cores]; results do not depend on it
    #[arg(long, global = true, env = "PRISM_THREADS")]
    pub threads: Option<usize>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Draw the generated world: training data and a benchmark
    World(WorldArguments),
    /// Train the small base model from scratch on the world
    Base(BaseArguments),
    /// Look into a benchmark's files before anything is run on them
    Benchmark(BenchmarkArguments),
    /// Train one variant from a base model
    Train(TrainArguments),
    /// Look at this machine and this binary, and check a checkpoint without running it
    Doctor(DoctorArguments),
    /// Say what a checkpoint is: sizes, special tokens, latent protocol, memory
    Inspect(InspectArguments),
    /// Run a checkpoint on a benchmark, clean only, and print its accuracy
    Eval(EvalArguments),
    /// Run a checkpoint on a benchmark, clean and under interventions, and compute the findings
    Audit(AuditArguments),
    /// Join the shards of an evaluation or audit into one run
    Merge(MergeArguments),
    /// Read the answers of finished runs by another rule, without a model run
    Rescore(RescoreArguments),
    /// Look at single examples through the decode loop, or at a pack's losses
    Trace(TraceArguments),
    /// Compare audited runs: Table 1 and Table 2 of the paper
    Compare(CompareArguments),
    /// Set audits in a row: over the step budget, or over the checkpoints of a training
    Curve(CurveArguments),
    /// Recompute the published statistics from the published table
    Paper(PaperArguments),
    /// Tell whether a variant's gain travels through its latents or through its weights
    Paths(PathsArguments),
    /// Write the report page of a study or of runs
    Report(ReportArguments),
    /// Look at runs in a browser: findings, examples, latents step by step
    View(ViewArguments),
    /// Print a run: its table, its corruption profile, its verdicts
    Show(ShowArguments),
    /// Hold the instrument against control arms whose verdict is known, and print how often it errs
    Validate(ValidateArguments),
    /// All of it from one recipe: world, training, audits, comparison, report
    Study(StudyArguments),
}

impl Command {
    /// Whether the verb asks now and then whether it is to stop, at a place from which the same command goes on. The others
    /// only read, or write a few whole files at their end: they may end anywhere.
    pub fn has_safe_points(&self) -> bool {
        match self {
            Command::World(_)
            | Command::Base(_)
            | Command::Train(_)
            | Command::Eval(_)
            | Command::Audit(_)
            | Command::Merge(_)
            | Command::Trace(_)
            | Command::Paths(_)
            | Command::View(_)
            | Command::Validate(_)
            | Command::Study(_) => true,
            Command::Benchmark(_)
            | Command::Doctor(_)
            | Command::Inspect(_)
            | Command::Compare(_)
            | Command::Curve(_)
            | Command::Paper(_)
            | Command::Report(_)
            | Command::Rescore(_)
            | Command::Show(_) => false,
        }
    }
}
