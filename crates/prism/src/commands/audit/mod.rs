//! `prism audit`: a checkpoint on a benchmark, clean and under interventions; a sweep over
//! K is several audits on one prefill per example, each in a run folder of its own.
//!
//! `prism eval` is the same with the clean run alone, and a shard is the same up to its
//! records: `prism merge` joins them and computes the findings.

pub mod account;
pub mod difference;
pub mod failures;
mod plan;
mod subject;
mod tables;
mod timing;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use prism_audit::Findings;
use prism_data::Benchmark;
use prism_model::tensor::Trainable;
use prism_record::decode::Strategy;
use prism_record::record::{self, Setup, Summary};
use prism_run::lock::Lock;
use prism_run::manifest::Manifest;
use prism_run::records::scoring;
use prism_run::shown::shown_path;
use prism_run::{Example, Intervention, Outcome, Protocol, Steps, as_text, door, folder, shown, steps};

use super::answers::Chosen as Answers;
use super::decoding::{Chosen, Decoding};
use super::opened::Opened;
use super::strangers;

use crate::cli::AuditArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, exit, provenance};

use failures::Again;
pub use plan::{AuditPlan, Kind, Selection, arm};
pub use subject::called;
pub use tables::{describe, places};

/// Examples decoded side by side by one worker.
pub const GROUP: usize = 4;
/// Parameters from which an example keeps a worker busy by itself: groups of one then
/// reach all workers sooner, and the records are the same.
pub const LARGE: usize = 500_000_000;
/// The manifest's key of the shard: all that differs between shards of one run.
pub const SHARD: &str = "shard";

/// Settings whose change leaves the records as they are: how findings are made of them and read,
/// where inputs lie, whose contents are compared by hash, and what follows from them and K.
const NOT_IN_RECORDS: [&str; 9] = [
    "analysis",
    "checkpoint",
    "benchmark",
    // Records hold the texts, and are scored again from them.
    scoring::ANSWERS,
    scoring::FLOOR_ANSWERS,
    steps::keys::BY_STAGE,
    steps::keys::TRAINED,
    steps::keys::OUTSIDE,
    steps::keys::EXPLORATORY,
];

/// Runs the verb.
pub fn run(arguments: AuditArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    carry_out(&AuditPlan::audit(arguments, context)?, context)
}

/// Runs the plan and tells what came of it.
pub fn carry_out(plan: &AuditPlan, context: &Context) -> anyhow::Result<ExitStatus> {
    context.printer.narrate(&context.hardware.line());
    let audited = sweep(plan, context)?;
    let several = audited.len() > 1;
    let mut status = ExitStatus::Success;
    for (i, arm) in audited.iter().enumerate() {
        if several {
            context.printer.result(&format!("K = {}, {}", arm.steps, arm.out.display()));
        }
        tell(plan, arm, several, context)?;
        let ended = match failures::ended(&arm.out, &arm.findings, Again::Overwriting, context)? {
            Some(status) => status,
            None => ended(plan.kind, &plan.checkpoint, arm.opened, arm.recorded, context),
        };
        // A sweep has found latents if any K has.
        status = if i == 0 || ended == ExitStatus::Success { ended } else { status };
    }
    Ok(status)
}

/// One arm's findings, or where a shard's records are; its times and its page.
fn tell(plan: &AuditPlan, arm: &Audited, several: bool, context: &Context) -> anyhow::Result<()> {
    if plan.selection.timing {
        timing::tell(&arm.out, arm.recorded, context)?;
    }
    let shard = plan.selection.shard;
    if !shard.is_whole() {
        let text = format!("shard {shard}: {} of {} examples in {}", arm.recorded, arm.examples, arm.out.display());
        context.printer.result(&format!("{text}; `prism merge` joins the shards when all are there"));
        return context
            .printer
            .result_json(&serde_json::json!({ "shard": shard, "examples": arm.recorded, "folder": as_text::of(&arm.out) }));
    }
    if plan.records_only {
        let text = format!("records of {} of {} examples in {}", arm.recorded, arm.examples, arm.out.display());
        context.printer.result(&format!("{text}; the same command without --records-only adds the findings"));
        return context.printer.result_json(&serde_json::json!({ "examples": arm.recorded, "folder": as_text::of(&arm.out) }));
    }
    let manifest = Manifest::read(&arm.out)?;
    describe(plan.kind, &arm.out, &arm.findings, context)?;
    match several {
        true => {
            let mut told = account::verdict(&manifest, &arm.findings)?;
            told.insert("steps".into(), serde_json::json!(arm.steps));
            told.insert("run".into(), as_text::of(&arm.out).into());
            told.insert("findings".into(), account::tables(&manifest, &arm.findings)?.into());
            context.printer.result_json(&told)?;
        }
        false => context.printer.result_json(&account::account(&manifest, &arm.findings)?)?,
    }
    if plan.report {
        let page = arm.out.join(folder::names::REPORT);
        let mut inputs = prism_report::ReportInputs::new(vec![arm.out.clone()]);
        // The benchmark is the user's own: its pictures lie in its folder, or below it, or were taken out of its tables.
        let folder = if plan.benchmark.is_dir() { Some(plan.benchmark.as_path()) } else { plan.benchmark.parent() };
        inputs.images = folder.map(Path::to_path_buf).into_iter().chain([prism_data::readers::cache_folder()]).collect();
        prism_report::build_report(&inputs, &page)?;
    }
    places(plan.kind, &arm.out, context);
    Ok(())
}

/// How a run ends: an audit without a single latent block says so, loudly. An evaluation
/// asks for answers, not for latents.
pub fn ended(kind: Kind, subject: &Path, opened: usize, examples: usize, context: &Context) -> ExitStatus {
    if opened > 0 || kind == Kind::Eval {
        return ExitStatus::Success;
    }
    context.printer.warn(&format!(
        "{}: the latent block never opened in {examples} examples, so nothing can be said about its latents; check that the checkpoint \
         was trained to emit its start token, and the ids in its config.json",
        subject.display()
    ));
    ExitStatus::NoLatents
}

/// What an audit came to.
pub struct Audited {
    /// Its run folder.
    pub out: PathBuf,
    /// K.
    pub steps: Steps,
    /// The findings, on disk too; none of a shard.
    pub findings: Findings,
    /// Examples of the benchmark that were asked for.
    pub examples: usize,
    /// Examples in the records: fewer for a shard.
    pub recorded: usize,
    /// Examples in which the block opened.
    pub opened: usize,
    /// Its run folder is this process' own while what was found is told.
    lock: Option<Lock>,
}

/// Records and findings of a checkpoint on a benchmark; what is there already is kept.
///
/// # Errors
/// As [`sweep`].
pub fn audit(plan: &AuditPlan, context: &Context) -> anyhow::Result<Audited> {
    sweep(plan, context)?.pop().ok_or_else(|| anyhow::anyhow!("no audit was made"))
}

/// The same for every K of the plan, in their order.
///
/// # Errors
/// When an input is refused, or a model or file fails; what was finished is kept.
pub fn sweep(plan: &AuditPlan, context: &Context) -> anyhow::Result<Vec<Audited>> {
    let arms = plan.arms();
    // Before anything is looked at: another process may be writing there.
    let mut locks = Locks::take(arms.iter().map(|(_, out)| out.as_path()), context)?;
    let result = record_and_find(plan, context);
    if let Err(error) = &result
        && exit::status_of(error) != ExitStatus::Interrupted
    {
        let begun = |out: &Path| record::is_begun(out);
        locks.0.iter().zip(&arms).filter(|(lock, (_, out))| lock.is_fresh() && !begun(out)).for_each(|(lock, _)| lock.clear());
    }
    let mut audited = result?;
    let mut held: Vec<Option<Lock>> = locks.0.drain(..).map(Some).collect();
    for audited in &mut audited {
        let own = arms.iter().zip(&mut held).find(|((_, out), _)| *out == audited.out);
        audited.lock = own.and_then(|(_, lock)| lock.take());
    }
    Ok(audited)
}

/// The locks of the run folders of a sweep, given back in the reverse of the order in which they
/// were taken: what was made for the first holds the others.
struct Locks(Vec<Lock>);

impl Locks {
    fn take<'a>(folders: impl Iterator<Item = &'a Path>, context: &Context) -> prism_run::Result<Self> {
        let mut locks = Self(Vec::new());
        for folder in folders {
            locks.0.push(context.lock(folder)?);
        }
        Ok(locks)
    }
}

impl Drop for Locks {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

/// One K of a plan.
struct Arm {
    out: PathBuf,
    chosen: Chosen,
    manifest: Manifest,
}

fn record_and_find(plan: &AuditPlan, context: &Context) -> anyhow::Result<Vec<Audited>> {
    // All that is wrong with a checkpoint is told first: its weights take long to hash.
    let inspected = prism_record::inspect(&plan.checkpoint)?;
    inspected.refuse()?;
    inspected.notes.iter().for_each(|note| context.printer.warn(&shown(note)));
    let protocol = plan.decoding.protocol_said(&plan.checkpoint, context)?;
    let benchmark = Benchmark::open(&plan.benchmark)?;
    let mut examples = subject::examples(plan, &benchmark)?;
    if let Some(release) = benchmark.release(&examples).filter(|release| release.is_earlier()) {
        context.printer.warn(&shown(&format!("{}: {}", plan.benchmark.display(), release.in_words())));
    }
    Decoding::words(protocol.as_ref(), &benchmark, &mut examples);
    let answers = Answers::of(plan.answers.as_ref(), protocol.as_ref(), benchmark.description.answer.as_ref());
    let scoring = answers.scoring(&plan.interventions);
    let mut base = subject::manifest(plan, protocol.as_ref(), &benchmark, &examples, context)?;
    scoring.set(&mut base.settings);
    let choose = |asked| plan.decoding.strategy(&plan.checkpoint, protocol.as_ref(), asked);
    let mut arms = Vec::new();
    let asked = plan.arms();
    let several = asked.len() > 1;
    if several && plan.out.join("run.json").exists() {
        let cause = format!("{} holds a run of its own: give a sweep over K another --out", shown_path(&plan.out));
        anyhow::bail!(Refused(cause));
    }
    for (steps, out) in asked {
        let mut chosen = choose(steps)?;
        // What was not declared before is exploratory: the best of several K is no finding.
        chosen.budget.exploratory = several && chosen.budget.by_stage != choose(plan.headline)?.budget.by_stage;
        let mut manifest = base.clone();
        chosen.budget.write(&mut manifest.settings);
        manifest.settings.insert("exit".into(), serde_json::json!(chosen.strategy.exit));
        arms.push(Arm { out, chosen, manifest });
    }
    arms.iter().try_for_each(|arm| refuse_another(&arm.out, &arm.manifest, plan.overwrite))?;
    let mut left: Vec<&mut Arm> = arms.iter_mut().filter(|arm| !finished(plan, &arm.out, &arm.manifest, context)).collect();
    if !left.is_empty() {
        left.iter().try_for_each(|arm| strangers::refuse_folders(&arm.out))?;
        if plan.overwrite {
            left.iter().try_for_each(|arm| record::discard_damaged(&arm.out))?;
        }
        answers.say(&scoring, context);
        let mut summaries = records(plan, protocol.as_ref(), &examples, &left, context)?;
        for (arm, summary) in left.iter_mut().zip(&mut summaries) {
            if record::rescore(&arm.out, &scoring)? {
                *summary = Summary::read(&arm.out, &[Intervention::CLEAN])?;
            }
            find(plan, arm, summary)?;
        }
        if plan.records_only {
            let unfound = |arm: &Arm, summary: &Summary| Audited {
                out: arm.out.clone(),
                steps: arm.chosen.budget.steps,
                findings: Findings::default(),
                examples: examples.len(),
                recorded: summary.examples,
                opened: summary.clean().scored + summary.clean().no_answer,
                lock: None,
            };
            return Ok(left.iter().zip(&summaries).map(|(arm, summary)| unfound(arm, summary)).collect());
        }
    }
    let audited = |arm: Arm| {
        let manifest = Manifest::read(&arm.out)?;
        let findings = if plan.selection.shard.is_whole() { Findings::read(&arm.out)? } else { Findings::default() };
        let (recorded, opened) = (manifest.examples(), opened(&manifest));
        Ok(Audited { findings, steps: arm.chosen.budget.steps, examples: examples.len(), recorded, opened, out: arm.out, lock: None })
    };
    arms.into_iter().map(audited).collect()
}

/// From records to findings; stale findings go, new ones come unless only records are asked
/// for, or the records are a shard's.
fn find(plan: &AuditPlan, arm: &mut Arm, summary: &Summary) -> anyhow::Result<()> {
    let clean = summary.clean();
    for (outcome, n) in [
        (Outcome::Scored, clean.scored),
        (Outcome::NoAnswer, clean.no_answer),
        (Outcome::NoLatents, clean.no_latents),
        (Outcome::Error, clean.error),
    ] {
        arm.manifest.outcomes.insert(outcome.name().into(), n);
    }
    let failed = prism_run::outcome::failures::of_run(&arm.out)?;
    arm.manifest.causes = failed.into_iter().map(|failure| (failure.cause.name().into(), failure.examples)).collect();
    folder::remove(&prism_audit::findings::folder(&arm.out))?;
    if !plan.records_only {
        arm.manifest.write(&arm.out)?;
        if plan.selection.shard.is_whole() {
            prism_audit::audit_run(&arm.out, &plan.settings)?;
        }
        arm.manifest.ended = Some(provenance::now());
        arm.manifest.write(&arm.out)?;
    }
    Ok(())
}

/// Examples in which the block opened, as a finished run's manifest counts them.
pub fn opened(manifest: &Manifest) -> usize {
    manifest.ended_as(Outcome::Scored).saturating_add(manifest.ended_as(Outcome::NoAnswer))
}

/// Whether the folder holds this audit, finished: same inputs, same settings, and findings that this version reads (those of
/// another are made again, from the records).
fn finished(plan: &AuditPlan, out: &Path, wanted: &Manifest, context: &Context) -> bool {
    let found = plan.records_only || !plan.selection.shard.is_whole() || readable(out, context);
    Manifest::read(out).is_ok_and(|there| {
        let same = there.inputs == wanted.inputs && there.settings == wanted.settings && there.name == wanted.name;
        there.ended.is_some() && same && found && record::is_recorded(out)
    })
}

/// Whether the findings that are there can be read; why not is said.
fn readable(out: &Path, context: &Context) -> bool {
    if !door::stands(&prism_audit::findings::folder(out)) {
        return false;
    }
    let why = match (Findings::read(out), prism_run::records::digests::check(out)) {
        (Err(why), _) => why.to_string(),
        (_, Err(why)) => why.to_string(),
        (Ok(found), _) if found.conclusion.iter().any(|c| c.rule_edition != prism_audit::verdict::EDITION) => {
            "they were judged by another edition of the rule".to_string()
        }
        // Findings of records that were changed say so, once they are made from what lies there now.
        (Ok(found), Ok(Some(changed))) if !changed.is_empty() && !found.warnings.iter().any(|w| w.about == "records") => {
            format!("the records were changed after they were written ({})", shown(&changed.join(", ")))
        }
        _ => return true,
    };
    context.printer.narrate(&format!("findings are made again from the records: {why}"));
    false
}

/// Refuses a folder whose records are not this command's to replace.
fn refuse_another(out: &Path, wanted: &Manifest, overwrite: bool) -> anyhow::Result<()> {
    let foreign = |what: &str, else_: &str| Refused(format!("{}: holds {what}; give another --out, {else_}", out.display()));
    let ours = [prism_run::records::folder(out), prism_audit::findings::folder(out)];
    let held = ours.iter().find(|folder| door::stands(folder));
    if !door::stands(&out.join(folder::names::MANIFEST)) {
        return match held {
            // What is a run's by its files may be replaced if that is asked for, whatever became of its manifest.
            Some(_) if overwrite => strangers::refuse(out),
            Some(folder) => {
                let what = format!("`{}`, and no run.json that says whose", folder.display());
                Err(foreign(&what, "--overwrite to replace it, or move it away").into())
            }
            None => Ok(()),
        };
    }
    let there = match Manifest::read(out) {
        Err(prism_run::Error::Content { .. }) if overwrite && held.is_some() => return strangers::refuse(out),
        there => there?,
    };
    if there.kind != wanted.kind {
        anyhow::bail!(foreign(&format!("another kind of run (`{}`)", there.kind), "or remove it"));
    }
    let changed = difference::between(&there, wanted, &NOT_IN_RECORDS);
    if !overwrite && !changed.is_empty() && record::is_recorded(out) {
        let text = format!("holds the records of another run ({changed}); give another --out, or --overwrite to replace them");
        anyhow::bail!(Refused(format!("{}: {text}", out.display())));
    }
    Ok(())
}

/// Records every arm that is left, on one vision pass and one prefill per example.
fn records(
    plan: &AuditPlan,
    protocol: Option<&Protocol>,
    examples: &[Example],
    arms: &[&mut Arm],
    context: &Context,
) -> anyhow::Result<Vec<Summary>> {
    let opened = Opened::open(&plan.checkpoint, protocol, plan.images, Trainable::No, &context.hardware)?;
    let opened = opened.generating(&plan.checkpoint, &plan.decoding, protocol, context)?;
    if plan.acts() && opened.tokens.generation.reads_history() {
        context.printer.narrate(
            "a penalty reads the tokens appended in a block: in every intervention it sees the clean run's, so that no exchange of \
             latents reaches the answer through them",
        );
    }
    if plan.decoding.force_open {
        context.printer.narrate("the block is opened by force: the first token is the start token, whatever the model says");
    }
    context.printer.narrate(&shown(&plan.images.in_words(&opened.preprocessor, protocol)));
    let Some(first) = arms.first() else { return Ok(Vec::new()) };
    match protocol {
        Some(protocol) => {
            context.printer.narrate(&format!("latent protocol {}: {}", shown(&protocol.id), first.chosen.strategy.exit.kind().name()))
        }
        None if !plan.acts() => context.printer.narrate("no latent protocol: answers alone, without a latent block"),
        None => context.printer.narrate(
            "this checkpoint has no latent protocol (none of the known start tokens): it is run without one, and every branch equals \
             the clean run; name its protocol with --protocol if it has one",
        ),
    }
    let setup = Setup {
        model: &opened.model,
        prompter: &opened.prompter,
        preprocessor: &opened.preprocessor,
        tokens: &opened.tokens,
        layout: if plan.alignment > 0 { opened.layout(plan.variant.as_ref()) } else { None },
        strategy: first.chosen.strategy,
        branches: plan.interventions.clone(),
        seed: plan.seed,
        pool: plan.pool,
        alignment: plan.alignment,
        group: plan.selection.batch_size.map_or(if opened.model.parameter_count() >= LARGE { 1 } else { GROUP }, NonZeroUsize::get),
        shard: plan.selection.shard,
        vectors: plan.vectors,
        layers: plan.layers,
        timing: plan.selection.timing,
        checkpoint: serde_json::to_string(&first.manifest.inputs)?,
    };
    // What is refused leaves the folders as they are.
    record::check(&setup, &arms.iter().map(|arm| arm.chosen.strategy).collect::<Vec<_>>(), examples)?;
    if plan.acts() {
        let tests = plan.settings.content.iter().filter(|declared| plan.interventions.contains(declared)).count();
        let independent = prism_audit::clusters::Clusters::of_examples(examples).worth();
        context.printer.narrate(&prism_audit::power::planned(examples.len(), independent, tests, &plan.settings).in_words());
        let left_out: Vec<String> = plan.undecided_without().iter().map(ToString::to_string).collect();
        if !left_out.is_empty() {
            context.printer.narrate(&format!("`bypassed` cannot be said: of the content set {} is not run", left_out.join(", ")));
        }
    }
    arms.iter().for_each(|arm| arm.chosen.say(context));
    for arm in arms {
        arm.manifest.write(&arm.out).with_context(|| format!("run folder {}", arm.out.display()))?;
    }
    let strategies: Vec<(Strategy, PathBuf)> = arms.iter().map(|arm| (arm.chosen.strategy, arm.out.clone())).collect();
    let sweep = record::record_sweep(&setup, &strategies, examples, &context.printer, &context.cancel)?;
    if arms.len() > 1 {
        context.printer.narrate(&format!("{} strategies, {} examples, {} prefills", arms.len(), examples.len(), sweep.prefills));
    }
    Ok(sweep.summaries)
}
