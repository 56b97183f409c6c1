//! A benchmark becomes records: every example under every intervention (method,
//! sections 4 to 7), with one vision pass and one prefill per example.
//!
//! Examples run in groups, a group's branches side by side in one batch; groups run
//! in parallel on the caller's rayon pool. Results are written in parts that appear
//! whole, so a killed recording goes on where it stopped, and are merged at the end,
//! sorted by row: the bytes depend on neither threads, nor groups, nor interruptions.
//!
//! Swaps need clean latents of other examples. The declared donors ([`donors`]) come
//! first: their branches without donor run at once, and when all are done their
//! latents serve everyone, themselves included; no donor is decoded twice.
//!
//! A shard records its part of the examples. Donors and the alignment sample are drawn
//! from the whole benchmark all the same; donors of other shards are run clean, for
//! their latents alone. So [`parts::join`] makes of the shards' records the very bytes
//! of the unsharded run.
//!
//! Every example ends in one outcome. An example that cannot be run (a broken image)
//! ends as `error` with its message; a model that fails ends the recording.

pub mod donors;
mod example;
pub mod parts;
pub mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prism_run::random::Stream;
use prism_run::{Cancel, Example, Intervention, Outcome, Progress, Shard, records};
use rayon::prelude::*;

use self::donors::Donors;
use self::example::{Begun, Runner};
use self::parts::Parts;
pub use self::rows::Records;
use crate::clock;
use crate::decode::{ControlTokens, Latents, Strategy};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::preprocess::Preprocessor;
use crate::prompt::{BlockLayout, Prompter};

/// Examples per part.
const PART: usize = 32;
/// Bytes of prefixes kept for donors until all donors are known; the rest is prefilled again.
const KEPT_PREFIXES: usize = 512 << 20;

/// What is recorded, and with what.
pub struct Setup<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its prompts and tokenizer.
    pub prompter: &'a Prompter,
    /// Its image preprocessing.
    pub preprocessor: &'a Preprocessor,
    /// Start and stop tokens.
    pub tokens: &'a ControlTokens,
    /// How regions become blocks, for the alignment; `None` for a model without latent
    /// tokens: no alignment is measured.
    pub layout: Option<BlockLayout>,
    /// Steps and budget of every branch.
    pub strategy: Strategy,
    /// The branches; the clean run is put first if it is not there.
    pub branches: Vec<Intervention>,
    /// Seed of noise, donors and the alignment sample.
    pub seed: u64,
    /// Members of the donor pool; the paper's 64 is [`donors::POOL`].
    pub pool: usize,
    /// Examples whose alignment is measured: a sample drawn by the seed among those with boxes.
    pub alignment: usize,
    /// Examples decoded side by side; changes speed and memory, never a byte of the records.
    pub group: usize,
    /// Which of the examples are recorded.
    pub shard: Shard,
    /// Whether the probe positions' vectors are kept.
    pub vectors: bool,
    /// Whether it is noted how long each example took, beside the records.
    pub timing: bool,
    /// What identifies the checkpoint's files and the images' contents (hashes):
    /// finished parts of others are not reused.
    pub checkpoint: String,
}

/// Outcomes of one branch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// An option letter was parsed.
    pub scored: usize,
    /// The block ran, no option letter was parsed.
    pub no_answer: usize,
    /// The block never opened.
    pub no_latents: usize,
    /// It could not be run.
    pub error: usize,
    /// Answers equal to the label, whatever the outcome.
    pub correct: usize,
    /// Generated ids that differ from the clean run's.
    pub changed: usize,
}

/// What a recording came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Examples.
    pub examples: usize,
    /// Counts per intervention, in the order they ran.
    pub branches: Vec<(String, Counts)>,
}

impl Summary {
    fn of(all: &Records, branches: &[Intervention]) -> Self {
        let count = |branch: &Intervention| {
            let name = branch.to_string();
            let mut counts = Counts::default();
            for answer in all.answers.iter().filter(|a| a.intervention == name) {
                match Outcome::from_name(&answer.outcome) {
                    Some(Outcome::Scored) => counts.scored += 1,
                    Some(Outcome::NoAnswer) => counts.no_answer += 1,
                    Some(Outcome::NoLatents) => counts.no_latents += 1,
                    Some(Outcome::Error) | None => counts.error += 1,
                }
                counts.correct += usize::from(answer.correct == Some(true));
                counts.changed += usize::from(answer.changed == Some(true));
            }
            (name, counts)
        };
        Self { examples: all.examples.len(), branches: branches.iter().map(count).collect() }
    }

    /// Counts of the clean run.
    pub fn clean(&self) -> Counts {
        self.branches.first().map(|(_, counts)| *counts).unwrap_or_default()
    }

    /// A sentence for the reader when the block did not open everywhere: interventions
    /// on those examples are silent no-ops.
    pub fn warning(&self) -> Option<String> {
        let closed = self.clean().no_latents;
        (closed > 0).then(|| {
            let n = self.examples;
            format!("the latent block never opened in {closed} of {n} examples: no intervention could act on them; see the outcome counts")
        })
    }
}

/// Runs every example of the shard under every branch and writes `run/records/`; records
/// of the same plan that are there already are kept.
///
/// # Errors
/// An empty or inconsistent benchmark, a branch that names an absent donor, a model
/// or file failure, or [`prism_run::Error::Interrupted`]; finished parts are kept.
pub fn record_benchmark(setup: &Setup<'_>, examples: &[Example], run: &Path, progress: &dyn Progress, cancel: &Cancel) -> Result<Summary> {
    let branches = checked(setup, examples)?;
    let declared = donors::declared(examples, &branches, setup.seed, setup.pool);
    let pool = donors::declared(examples, &[Intervention::Swap], setup.seed, setup.pool);
    let own: Vec<&Example> = examples.iter().enumerate().filter(|(place, _)| setup.shard.holds(*place)).map(|(_, e)| e).collect();
    let whole = plan(setup, &branches, examples);
    let plan = sharded(whole.clone(), setup.shard);
    if let Some(all) = parts::recorded(run, &plan)? {
        progress.begin("records", "examples", own.len() as u64, own.len() as u64);
        progress.end();
        return Ok(told(&all, &branches, progress));
    }
    let (first, rest): (Vec<&Example>, Vec<&Example>) = own.iter().copied().partition(|e| declared.contains(&e.row));
    let foreign = examples.iter().enumerate().filter(|(place, e)| declared.contains(&e.row) && !setup.shard.holds(*place));
    let foreign: Vec<&Example> = foreign.map(|(_, e)| e).collect();
    let parts = Parts::open(run, &plan)?;
    let runner = Runner {
        setup,
        branches: &branches,
        aligned: sample(setup, examples),
        letters: example::letter_forms(setup.prompter.tokenizer())?,
    };
    let chunks: Vec<(bool, &[&Example])> = first.chunks(PART).map(|c| (true, c)).chain(rest.chunks(PART).map(|c| (false, c))).collect();
    let todo = |index: &usize| !parts.has(*index);
    let left: usize = (0..chunks.len()).filter(todo).filter_map(|i| chunks.get(i)).map(|(_, c)| c.len()).sum();
    progress.begin("records", "examples", own.len() as u64, (own.len() - left) as u64);
    let recording = Recording { runner, parts: &parts, progress, cancel };
    let donors = match (declared.is_empty(), parts.donors()?) {
        (true, _) => Donors::default(),
        (false, Some(latents)) => Donors { pool, latents },
        (false, None) => {
            let declared: Vec<(usize, &[&Example])> =
                chunks.iter().enumerate().filter(|(_, (donor, _))| *donor).map(|(i, (_, chunk))| (i, *chunk)).collect();
            recording.donors(&declared, &foreign, pool)?
        }
    };
    for (index, (_, chunk)) in chunks.iter().enumerate().filter(|(i, _)| !parts.has(*i)) {
        recording.part(index, chunk, &donors)?;
    }
    progress.end();
    let whole = (!setup.shard.is_whole()).then_some(&whole);
    Ok(told(&parts.merge(run, chunks.len(), whole)?, &branches, progress))
}

fn told(all: &Records, branches: &[Intervention], progress: &dyn Progress) -> Summary {
    let summary = Summary::of(all, branches);
    if let Some(warning) = summary.warning() {
        progress.say(&warning);
    }
    summary
}

/// The branches, the clean run first and each once, after a look at what was asked.
fn checked(setup: &Setup<'_>, examples: &[Example]) -> Result<Vec<Intervention>> {
    if examples.is_empty() {
        return Err(Error::input("benchmark", "has no examples", "give a benchmark with at least one question"));
    }
    let rows: BTreeSet<usize> = examples.iter().map(|e| e.row).collect();
    let ids: BTreeSet<&str> = examples.iter().map(|e| e.id.as_str()).collect();
    if rows.len() != examples.len() || ids.len() != examples.len() {
        return Err(Error::input("benchmark", "has two examples of one row or id", "give every example its own"));
    }
    if setup.shard.count() > examples.len() {
        let cause = format!("is one of {} parts of {} examples", setup.shard.count(), examples.len());
        return Err(Error::input(format!("shard {}", setup.shard), cause, "give at most as many shards as examples"));
    }
    if setup.strategy.max_new_tokens == 0 {
        return Err(Error::input("budget", "of 0 new tokens leaves nothing to record", "allow at least one"));
    }
    let mut branches = vec![Intervention::Clean];
    for branch in &setup.branches {
        if let Intervention::SwapWith(row) = branch
            && !rows.contains(row)
        {
            return Err(Error::input(
                format!("intervention `{branch}`"),
                "names a row that the benchmark does not have",
                "name a row of the benchmark",
            ));
        }
        if !branches.contains(branch) {
            branches.push(branch.clone());
        }
    }
    Ok(branches)
}

/// What the parts are parts of; the group's size is not in it, it changes nothing.
fn plan(setup: &Setup<'_>, branches: &[Intervention], examples: &[Example]) -> serde_json::Value {
    serde_json::json!({
        "checkpoint": setup.checkpoint,
        "device": if setup.model.device.is_cpu() { "cpu" } else { "cuda" },
        "dtype": setup.model.dtype.as_str(),
        "steps": setup.strategy.steps,
        "max_new_tokens": setup.strategy.max_new_tokens,
        "pixels": format!("{:?}", setup.preprocessor),
        "layout": format!("{:?}", setup.layout),
        "branches": branches,
        "seed": setup.seed,
        "pool": setup.pool,
        "alignment": setup.alignment,
        "vectors": setup.vectors,
        "examples": examples,
    })
}

/// The plan of one shard; of the whole, if it is that.
fn sharded(mut plan: serde_json::Value, shard: Shard) -> serde_json::Value {
    if let (false, Some(keys)) = (shard.is_whole(), plan.as_object_mut()) {
        keys.insert("shard".into(), shard.to_string().into());
    }
    plan
}

/// Rows whose alignment is measured.
fn sample(setup: &Setup<'_>, examples: &[Example]) -> BTreeSet<usize> {
    let mut rows: Vec<usize> = examples.iter().filter(|e| !e.boxes.is_empty()).map(|e| e.row).collect();
    Stream::new(setup.seed, "alignment sample", &[]).shuffle(&mut rows);
    rows.into_iter().take(setup.alignment).collect()
}

struct Recording<'a> {
    runner: Runner<'a>,
    parts: &'a Parts,
    progress: &'a dyn Progress,
    cancel: &'a Cancel,
}

impl Recording<'_> {
    fn groups<'e>(&self, chunk: &[&'e Example]) -> Vec<Vec<&'e Example>> {
        chunk.chunks(self.runner.setup.group.max(1)).map(<[_]>::to_vec).collect()
    }

    /// Runs one part, all donors known.
    fn part(&self, index: usize, chunk: &[&Example], donors: &Donors) -> Result<()> {
        let done: Vec<Vec<Records>> = self
            .groups(chunk)
            .into_par_iter()
            .map(|group| {
                self.cancel.check()?;
                let records = clock::task(|| self.runner.complete(self.runner.begin(&group, Some(donors))?, donors))?;
                self.progress.advance(group.len() as u64);
                Ok(records)
            })
            .collect::<Result<_>>()?;
        self.parts.write(index, joined(done))
    }

    /// Clean latents of donors whose records are another shard's.
    fn foreign(&self, donors: &[&Example]) -> Result<BTreeMap<usize, Arc<Latents>>> {
        let runner = Runner { branches: &[Intervention::Clean], aligned: BTreeSet::new(), ..self.runner.clone() };
        let begun: Vec<Vec<Begun<'_>>> = self
            .groups(donors)
            .into_par_iter()
            .map(|group| {
                self.cancel.check()?;
                let mut begun = clock::task(|| runner.begin(&group, None))?;
                begun.iter_mut().for_each(Begun::drop_prefix);
                Ok(begun)
            })
            .collect::<Result<_>>()?;
        Ok(begun.iter().flatten().filter_map(|b| Some((b.example.row, b.latents.clone()?))).collect())
    }

    /// Runs the parts of the donors: first what needs no donor, then, all latents
    /// known, what does.
    fn donors(&self, chunks: &[(usize, &[&Example])], foreign: &[&Example], pool: BTreeSet<usize>) -> Result<Donors> {
        let kept = AtomicUsize::new(0);
        let mut begun_parts: Vec<(usize, Vec<Vec<Begun<'_>>>)> = Vec::new();
        if !foreign.is_empty() {
            self.progress.say(&format!("{} donors belong to other shards: they are run clean, for their latents", foreign.len()));
        }
        let mut latents = self.foreign(foreign)?;
        for (index, chunk) in chunks {
            let begun: Vec<Vec<Begun<'_>>> = self
                .groups(chunk)
                .into_par_iter()
                .map(|group| {
                    self.cancel.check()?;
                    let mut begun = clock::task(|| self.runner.begin(&group, None))?;
                    for b in &mut begun {
                        let bytes = b.prefix_bytes(self.runner.setup.model);
                        if kept.fetch_add(bytes, Ordering::Relaxed) + bytes > KEPT_PREFIXES {
                            b.drop_prefix();
                        }
                    }
                    Ok(begun)
                })
                .collect::<Result<_>>()?;
            latents.extend(begun.iter().flatten().filter_map(|b| Some((b.example.row, b.latents.clone()?))));
            begun_parts.push((*index, begun));
        }
        self.parts.write_donors(&latents)?;
        let donors = Donors { pool, latents };
        for (index, begun) in begun_parts {
            if self.parts.has(index) {
                continue;
            }
            let done: Vec<Vec<Records>> = begun
                .into_par_iter()
                .map(|group| {
                    self.cancel.check()?;
                    let count = group.len() as u64;
                    let records = clock::task(|| self.runner.complete(group, &donors))?;
                    self.progress.advance(count);
                    Ok(records)
                })
                .collect::<Result<_>>()?;
            self.parts.write(index, joined(done))?;
        }
        Ok(donors)
    }
}

fn joined(done: Vec<Vec<Records>>) -> Records {
    let mut all = Records::default();
    done.into_iter().flatten().for_each(|records| all.extend(records));
    all
}

/// Whether `run` holds records, or finished parts of them.
pub fn is_begun(run: &Path) -> bool {
    is_recorded(run) || parts::any(run)
}

/// Whether `run` holds finished records.
pub fn is_recorded(run: &Path) -> bool {
    records::folder(run).join(records::files::ANSWERS).is_file()
}
