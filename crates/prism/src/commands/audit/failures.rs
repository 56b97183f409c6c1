//! How runs end of which not one example could be run.

use std::path::{Path, PathBuf};

use prism_audit::Findings;
use prism_run::as_text;
use prism_run::outcome::failures::{self, nothing_ran};
use serde_json::Value;

use crate::Context;
use crate::exit::ExitStatus;

/// What to give once inputs are mended: the records that are there are of the old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The same command, which must be told to replace them.
    Overwriting,
    /// The same command: it looks for itself what its inputs have become.
    Same,
    /// The commands of the shards first.
    Shards,
}

impl Again {
    fn words(self) -> &'static str {
        match self {
            Self::Overwriting => "Not one example was run. Once that is mended, give the same command with --overwrite.",
            Self::Same => "Not one example was run. Once that is mended, give the same command again.",
            Self::Shards => "Not one example was run. Once that is mended, run the shards again with --overwrite, then merge them.",
        }
    }
}

/// The status of a run without one example that could be run: an input's fault, and no word about latents. What failed is
/// told on stderr then, and where no findings tell it, as of a shard; `None` where something ran.
///
/// # Errors
/// When the records of the run at `run` cannot be read.
pub fn ended(run: &Path, findings: &Findings, again: Again, context: &Context) -> anyhow::Result<Option<ExitStatus>> {
    all_ended(&[run.to_path_buf()], !findings.failures.is_empty(), again, context)
}

/// The same of several runs, `told` where findings have told what failed: each text is told once.
///
/// # Errors
/// When the records of one cannot be read.
pub fn all_ended(runs: &[PathBuf], told: bool, again: Again, context: &Context) -> anyhow::Result<Option<ExitStatus>> {
    let failed = runs.iter().map(|run| failures::of_run(run)).collect::<Result<Vec<_>, _>>()?;
    let nothing = !failed.is_empty() && failed.iter().all(|failed| nothing_ran(failed));
    if nothing || !told {
        let mut sentences: Vec<String> = Vec::new();
        for sentence in failed.iter().flatten().map(failures::Failure::sentence) {
            if !sentences.contains(&sentence) {
                context.printer.warn(&sentence);
                sentences.push(sentence);
            }
        }
    }
    if nothing {
        context.printer.warn(again.words());
    }
    Ok(nothing.then_some(ExitStatus::Input))
}

/// What could not be run of each of `runs`, as JSON has it: a finding with the run it is of.
///
/// # Errors
/// When findings cannot be read.
pub fn account(runs: &[PathBuf]) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for run in runs {
        for failure in &Findings::read(run)?.failures {
            let mut told = serde_json::to_value(failure)?;
            if let Value::Object(told) = &mut told {
                told.insert("run".into(), as_text::of(run).into());
            }
            all.push(told);
        }
    }
    Ok(all)
}
