//! A benchmark becomes records: every example under every intervention (method,
//! sections 4 to 7), with one vision pass and one prefill per example.
//!
//! Examples run in groups, a group's branches side by side in one batch; groups run
//! in parallel on the caller's rayon pool. Results are written in parts that appear
//! whole, so a killed recording goes on where it stopped, and are merged at the end,
//! sorted by row: the bytes depend on neither threads, nor groups, nor interruptions.
//!
//! Swaps, what is drawn from the latents' distribution, and the strength of whatever is put in
//! need clean latents of other examples. The declared donors ([`donors`]) come
//! first: their branches without donor run at once, and when all are done their
//! latents serve everyone, themselves included; of the first donors, as many as a pool has
//! and more, none is decoded twice.
//!
//! A sweep ([`record_sweep`]) records several strategies at once, each into a run folder
//! of its own: an example's vision pass and prefill are made once for all of them.
//!
//! A shard records its part of the examples. Donors and the alignment sample are drawn
//! from the whole benchmark all the same; donors of other shards are run clean, for
//! their latents alone. So [`parts::join`] makes of the shards' records the very bytes
//! of the unsharded run.
//!
//! [`crossing`] records something else: two checkpoints' weights and latents crossed.
//!
//! Every example ends in one outcome. An example that cannot be run (a broken image)
//! ends as `error` with its cause and its message; a model that fails ends the recording.

mod answered;
mod branch;
mod crossed;
pub mod crossing;
pub mod donors;
mod example;
mod join;
mod lens;
mod maps;
mod merge;
mod notes;
pub mod parts;
mod prompted;
mod rescore;
pub mod rows;
mod strength;
mod sweep;
mod views;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use prism_model::preprocess::Preprocessor;
use prism_model::prompt::{BlockLayout, Prompter};
use prism_model::{Engine, Error, Result};
use prism_run::random::Stream;
use prism_run::records::AnswerRow;
use prism_run::records::narrow::ExampleKey;
use prism_run::stream::RowReader;
use prism_run::{Cancel, Donor, Example, Intervention, Outcome, Progress, Shard, records};

use self::donors::{Declared, Donors};
use self::example::Runner;
use self::parts::Parts;
pub use self::parts::discard_damaged;
pub use self::rescore::rescore;
pub use self::rows::{Answered, Records};
use self::sweep::{Arm, Recording};
use self::views::Views;
use crate::decode::{ControlTokens, Decoder, Strategy};

/// Examples per part.
const PART: usize = 32;
/// Donors whose branches wait in memory until all donors' latents are known; whole parts.
const WAITING: usize = 4 * PART;

/// What is recorded, and with what.
pub struct Setup<'a> {
    /// The model.
    pub model: &'a dyn Engine,
    /// Its prompts and tokenizer.
    pub prompter: &'a Prompter,
    /// Its image preprocessing.
    pub preprocessor: &'a Preprocessor,
    /// Start, end and stop tokens.
    pub tokens: &'a ControlTokens,
    /// How regions become blocks, for the alignment; `None` for a model without latent
    /// tokens: no alignment is measured.
    pub layout: Option<BlockLayout>,
    /// Steps, budget and exit of every branch; a sweep names others.
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
    /// Whether the probe positions' vectors, the latents and the attention of the clean run are kept.
    pub vectors: bool,
    /// Whether the probe positions' vectors are kept at the input of every layer too.
    pub layers: bool,
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
    pub branches: Vec<(Intervention, Counts)>,
}

impl Summary {
    /// Counts what the finished records of `run` hold.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(run: &Path, branches: &[Intervention]) -> Result<Self> {
        let folder = records::folder(run);
        let mut all: Vec<Counts> = vec![Counts::default(); branches.len()];
        for answer in RowReader::<AnswerRow>::open(&folder.join(records::files::ANSWERS))? {
            let answer = answer?;
            let Some(counts) = branches.iter().position(|branch| *branch == answer.intervention).and_then(|i| all.get_mut(i)) else {
                continue;
            };
            match answer.outcome {
                Outcome::Scored => counts.scored += 1,
                Outcome::NoAnswer => counts.no_answer += 1,
                Outcome::NoLatents => counts.no_latents += 1,
                Outcome::Error => counts.error += 1,
            }
            counts.correct += usize::from(answer.correct == Some(true));
            counts.changed += usize::from(answer.changed == Some(true));
        }
        let mut examples = 0;
        for example in RowReader::<ExampleKey>::open(&folder.join(records::files::EXAMPLES))? {
            example?;
            examples += 1;
        }
        Ok(Self { examples, branches: branches.iter().copied().zip(all).collect() })
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

/// What a sweep came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// One per strategy, in their order.
    pub summaries: Vec<Summary>,
    /// Vision passes with prefill that were made: one per example that was run, and one
    /// more for each whose prefix was dropped to save memory.
    pub prefills: usize,
}

/// Runs every example of the shard under every branch and writes `run/records/`; records
/// of the same plan that are there already are kept.
///
/// # Errors
/// An empty or inconsistent benchmark, a branch that names an absent donor, an exit that
/// the checkpoint cannot take, a model or file failure, or
/// [`prism_run::Error::Interrupted`]; finished parts are kept.
pub fn record_benchmark(setup: &Setup<'_>, examples: &[Example], run: &Path, progress: &dyn Progress, cancel: &Cancel) -> Result<Summary> {
    let mut sweep = record_sweep(setup, &[(setup.strategy, run.to_path_buf())], examples, progress, cancel)?;
    Ok(sweep.summaries.pop().unwrap_or_default())
}

/// Records several strategies, each into its run folder, with one vision pass and one
/// prefill per example. Every folder holds to the byte what [`record_benchmark`] would
/// have written there.
///
/// # Errors
/// As [`record_benchmark`].
pub fn record_sweep(
    setup: &Setup<'_>,
    strategies: &[(Strategy, PathBuf)],
    examples: &[Example],
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Sweep> {
    for (strategy, _) in strategies {
        check_strategy(setup, *strategy)?;
    }
    let branches = checked(setup, examples)?;
    let keys_values = branches.iter().any(|branch| branch.action.gives_keys_values());
    let declared = Arc::new(Declared::new(examples, &branches, setup.seed, setup.pool));
    let own: Vec<&Example> = examples.iter().enumerate().filter(|(place, _)| setup.shard.holds(*place)).map(|(_, e)| e).collect();
    let (first, rest): (Vec<&Example>, Vec<&Example>) = own.iter().copied().partition(|e| declared.rows.contains(&e.row));
    let foreign = examples.iter().enumerate().filter(|(place, e)| declared.rows.contains(&e.row) && !setup.shard.holds(*place));
    // Where many give, as counterfactual partners do, the branches of all cannot wait in
    // memory for each other's latents: those beyond the first are run clean before.
    let foreign: Vec<&Example> = foreign.map(|(_, e)| e).chain(first.iter().skip(WAITING).copied()).collect();
    let (aligned, letters) = (sample(setup, examples), answered::letter_forms(setup.prompter.tokenizer())?);
    let chunks: Vec<(bool, &[&Example])> = first.chunks(PART).map(|c| (true, c)).chain(rest.chunks(PART).map(|c| (false, c))).collect();

    let mut summaries: Vec<Option<Summary>> = Vec::with_capacity(strategies.len());
    let mut arms: Vec<Arm<'_>> = Vec::new();
    let (mut done, all) = (0, own.len() * strategies.len());
    for (index, (strategy, run)) in strategies.iter().enumerate() {
        let whole = plan(setup, *strategy, &branches, examples);
        let plan = sharded(whole.clone(), setup.shard);
        let recorded = parts::recorded(run, &plan)?;
        summaries.push(recorded.then(|| Summary::read(run, &branches)).transpose()?);
        if recorded {
            done += own.len();
            continue;
        }
        let parts = Parts::open(run, &plan)?;
        done += chunks.iter().enumerate().filter(|(i, _)| parts.has(*i)).map(|(_, (_, chunk))| chunk.len()).sum::<usize>();
        let donors = match (declared.rows.is_empty(), parts.donors()) {
            (true, _) => Some(Donors::default()),
            (false, known) => known.map(|clean| Donors::new(declared.clone(), clean)),
        };
        let runner = Runner { setup, strategy: *strategy, branches: &branches, aligned: &aligned, letters: &letters, keys_values };
        arms.push(Arm { index, run, whole, runner, parts, donors });
    }
    progress.begin("records", "examples", all as u64, done as u64);
    let views = Views::new(setup, &branches, examples);
    let recording = Recording { setup, views, progress, cancel, prefills: AtomicUsize::new(0) };
    let donor_chunks: Vec<(usize, &[&Example])> =
        chunks.iter().enumerate().take(WAITING / PART).filter(|(_, (donor, _))| *donor).map(|(i, (_, chunk))| (i, *chunk)).collect();
    recording.donors(&mut arms, &donor_chunks, &foreign, &declared)?;
    for (index, (_, chunk)) in chunks.iter().enumerate() {
        recording.part(&arms, index, chunk)?;
    }
    progress.end();
    for arm in arms {
        let whole = (!setup.shard.is_whole()).then_some(&arm.whole);
        arm.parts.merge::<AnswerRow>(arm.run, chunks.len(), whole)?;
        if let Some(summary) = summaries.get_mut(arm.index) {
            *summary = Some(Summary::read(arm.run, &branches)?);
        }
    }
    let summaries: Vec<Summary> = summaries.into_iter().flatten().collect();
    summaries.iter().filter_map(Summary::warning).for_each(|warning| progress.say(&warning));
    Ok(Sweep { summaries, prefills: recording.prefills.into_inner() })
}

/// Refuses what [`record_sweep`] would refuse before it runs anything.
///
/// # Errors
/// As [`record_benchmark`], files apart.
pub fn check(setup: &Setup<'_>, strategies: &[Strategy], examples: &[Example]) -> Result<()> {
    strategies.iter().try_for_each(|strategy| check_strategy(setup, *strategy))?;
    checked(setup, examples).map(drop)
}

fn check_strategy(setup: &Setup<'_>, strategy: Strategy) -> Result<()> {
    if strategy.max_new_tokens == 0 {
        return Err(Error::input("budget", "of 0 new tokens leaves nothing to record", "allow at least one"));
    }
    Decoder { model: setup.model, tokenizer: setup.prompter.tokenizer(), tokens: setup.tokens, strategy }.check()
}

/// The rows of the examples; refuses none at all, and two of one row or id.
fn check_examples(examples: &[Example]) -> Result<BTreeSet<usize>> {
    if examples.is_empty() {
        return Err(Error::input("benchmark", "has no examples", "give a benchmark with at least one question"));
    }
    let rows: BTreeSet<usize> = examples.iter().map(|e| e.row).collect();
    let ids: BTreeSet<&str> = examples.iter().map(|e| e.id.as_str()).collect();
    if rows.len() != examples.len() || ids.len() != examples.len() {
        return Err(Error::input("benchmark", "has two examples of one row or id", "give every example its own"));
    }
    Ok(rows)
}

/// The branches, the clean run first and each once, after a look at what was asked.
fn checked(setup: &Setup<'_>, examples: &[Example]) -> Result<Vec<Intervention>> {
    let rows = check_examples(examples)?;
    if setup.shard.count() > examples.len() {
        let cause = format!("is one of {} parts of {} examples", setup.shard.count(), examples.len());
        return Err(Error::input(format!("shard {}", setup.shard), cause, "give at most as many shards as examples"));
    }
    let mut branches = vec![Intervention::CLEAN];
    for branch in &setup.branches {
        if let Some(Donor::Row(row)) = branch.action.donor()
            && !rows.contains(&row)
        {
            return Err(Error::input(
                format!("intervention `{branch}`"),
                "names a row that is not among the examples of this run",
                "name a row of the benchmark that --limit and --subset leave in",
            ));
        }
        let layers = setup.model.config().text.num_hidden_layers;
        if let Some(layer) = branch.scope.layer.filter(|layer| *layer >= layers) {
            let cause = format!("names layer {layer} of {layers}, which are counted from 0");
            return Err(Error::input(format!("intervention `{branch}`"), cause, "name a layer of the model"));
        }
        if !branches.contains(branch) {
            branches.push(*branch);
        }
    }
    Ok(branches)
}

/// Of the records' tables; raised when one changes, so that older records are made again. A new column that may be
/// absent does not raise it.
const FORMAT: usize = 4;

/// What the parts are parts of; the group's size is not in it, it changes nothing.
fn plan(setup: &Setup<'_>, strategy: Strategy, branches: &[Intervention], examples: &[Example]) -> serde_json::Value {
    serde_json::json!({
        "format": FORMAT,
        "checkpoint": setup.checkpoint,
        "device": setup.model.device(),
        "dtype": setup.model.dtype(),
        "steps": strategy.steps,
        "max_new_tokens": strategy.max_new_tokens,
        "exit": strategy.exit,
        "force_open": strategy.force_open,
        "tokens": format!("{:?}", setup.tokens),
        "pixels": format!("{:?}", setup.preprocessor),
        "layout": format!("{:?}", setup.layout),
        "branches": branches,
        "seed": setup.seed,
        "pool": setup.pool,
        "alignment": setup.alignment,
        "vectors": setup.vectors,
        "layers": setup.layers,
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

/// Whether `run` holds records, or finished parts of them.
pub fn is_begun(run: &Path) -> bool {
    is_recorded(run) || parts::any(run)
}

/// Whether `run` holds finished records, or something in the place of them, which reading them then refuses.
pub fn is_recorded(run: &Path) -> bool {
    prism_run::door::stands(&records::folder(run).join(records::files::ANSWERS))
}
