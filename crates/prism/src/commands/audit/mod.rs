//! `prism audit`: a checkpoint on a benchmark, clean and under interventions.
//!
//! `prism eval` is the same with the clean run alone, and a shard is the same up to its
//! records: `prism merge` joins them and computes the findings.

mod plan;
mod tables;
mod timing;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use prism_audit::Findings;
use prism_data::{Benchmark, Images};
use prism_model::checkpoint;
use prism_model::record::{self, Setup, Summary};
use prism_model::tensor::Trainable;
use prism_run::Example;
use prism_run::manifest::Manifest;

use super::opened::Opened;

use crate::cli::AuditArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, exit, provenance};

pub use plan::{AuditPlan, Kind, Selection};
pub use tables::describe;

/// Examples decoded side by side by one worker.
const GROUP: usize = 4;
/// The manifest's key of the shard: all that differs between shards of one run.
pub const SHARD: &str = "shard";

/// Runs the verb.
pub fn run(arguments: AuditArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    carry_out(&AuditPlan::audit(arguments, context)?, context)
}

/// Runs the plan and tells what came of it.
pub fn carry_out(plan: &AuditPlan, context: &Context) -> anyhow::Result<ExitStatus> {
    context.printer.narrate(&context.hardware.line());
    let audited = audit(plan, context)?;
    if plan.selection.timing {
        timing::tell(&plan.out, audited.recorded, context)?;
    }
    let shard = plan.selection.shard;
    if shard.is_whole() {
        context.printer.result(&describe(plan.kind, &audited.findings));
        context.printer.result_json(&audited.findings)?;
    } else {
        let text = format!("shard {shard}: {} of {} examples in {}", audited.recorded, audited.examples, plan.out.display());
        context.printer.result(&format!("{text}; `prism merge` joins the shards when all are there"));
        context.printer.result_json(&serde_json::json!({ "shard": shard, "examples": audited.recorded, "folder": plan.out }))?;
    }
    if plan.report && shard.is_whole() {
        let page = plan.out.join(prism_run::folder::names::REPORT);
        let summary = prism_report::build_report(&prism_report::ReportInputs::new(vec![plan.out.clone()]), &page)?;
        context.printer.result(&format!("report {}", summary.path.display()));
    }
    Ok(ended(plan.kind, &plan.checkpoint, audited.opened, audited.recorded, context))
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
    /// The findings, on disk too; none of a shard.
    pub findings: Findings,
    /// Examples of the benchmark that were asked for.
    pub examples: usize,
    /// Examples in the records: fewer for a shard.
    pub recorded: usize,
    /// Examples in which the block opened.
    pub opened: usize,
}

/// Records and findings of a checkpoint on a benchmark; what is there already is kept.
pub fn audit(plan: &AuditPlan, context: &Context) -> anyhow::Result<Audited> {
    let fresh = !plan.out.exists();
    let result = record_and_find(plan, context);
    if let Err(error) = &result
        && fresh
        && exit::status_of(error) != ExitStatus::Interrupted
        && !record::is_begun(&plan.out)
    {
        let _ = std::fs::remove_dir_all(&plan.out);
        if let (false, Some(run)) = (plan.selection.shard.is_whole(), plan.out.parent()) {
            // Goes only when it is empty: other shards may be in it.
            let _ = std::fs::remove_dir(run);
        }
    }
    result
}

fn record_and_find(plan: &AuditPlan, context: &Context) -> anyhow::Result<Audited> {
    // All that is wrong with a checkpoint is told first: its weights take long to hash.
    checkpoint::inspect(&plan.checkpoint)?.refuse()?;
    let benchmark = Benchmark::open(&plan.benchmark)?;
    let examples = examples(plan, &benchmark)?;
    let mut manifest = manifest(plan, &benchmark, &examples, context)?;
    if !finished(&plan.out, &manifest) {
        let summary = records(plan, &examples, &mut manifest, context)?;
        let clean = summary.clean();
        for (name, n) in
            [("scored", clean.scored), ("no_answer", clean.no_answer), ("no_latents", clean.no_latents), ("error", clean.error)]
        {
            manifest.outcomes.insert(name.into(), n);
        }
        let stale = prism_audit::findings::folder(&plan.out);
        if stale.exists() {
            std::fs::remove_dir_all(&stale).map_err(|e| prism_run::Error::io("cannot remove", &stale, e))?;
        }
        if plan.records_only {
            let opened = clean.scored + clean.no_answer;
            return Ok(Audited { findings: Findings::default(), examples: examples.len(), recorded: summary.examples, opened });
        }
        manifest.write(&plan.out)?;
        if plan.selection.shard.is_whole() {
            prism_audit::audit_run(&plan.out, &plan.settings)?;
        }
        manifest.ended = Some(provenance::now());
        manifest.write(&plan.out)?;
    }
    let manifest = Manifest::read(&plan.out)?;
    let findings = if plan.selection.shard.is_whole() { Findings::read(&plan.out)? } else { Findings::default() };
    Ok(Audited { findings, examples: examples.len(), recorded: manifest.outcomes.values().sum(), opened: opened(&manifest) })
}

/// Examples in which the block opened, as a finished run's manifest counts them.
pub fn opened(manifest: &Manifest) -> usize {
    ["scored", "no_answer"].iter().filter_map(|name| manifest.outcomes.get(*name)).sum()
}

fn examples(plan: &AuditPlan, benchmark: &Benchmark) -> anyhow::Result<Vec<Example>> {
    let Selection { limit, subset, .. } = &plan.selection;
    let images = Images::extracted(None);
    let examples = if subset.is_empty() { benchmark.read(&images, *limit)? } else { of_subsets(benchmark.read(&images, None)?, plan)? };
    if examples.is_empty() {
        anyhow::bail!(Refused(format!(
            "{}: no example is left to run; give a benchmark with questions and a --limit above 0",
            plan.benchmark.display()
        )));
    }
    Ok(examples)
}

/// The examples of the named categories, as many as were asked for.
fn of_subsets(examples: Vec<Example>, plan: &AuditPlan) -> anyhow::Result<Vec<Example>> {
    let Selection { limit, subset, .. } = &plan.selection;
    let known: BTreeSet<&str> = examples.iter().filter_map(|e| e.category.as_deref()).collect();
    if let Some(unknown) = subset.iter().find(|name| !known.contains(name.as_str())) {
        let known = if known.is_empty() { "none".to_string() } else { known.into_iter().collect::<Vec<_>>().join(", ") };
        let path = plan.benchmark.display();
        anyhow::bail!(Refused(format!("--subset {unknown}: {path} has no such category; it has {known}")));
    }
    let chosen = examples.into_iter().filter(|e| e.category.as_ref().is_some_and(|category| subset.contains(category)));
    Ok(chosen.take(limit.unwrap_or(usize::MAX)).collect())
}

fn manifest(plan: &AuditPlan, benchmark: &Benchmark, examples: &[Example], context: &Context) -> anyhow::Result<Manifest> {
    let mut manifest = provenance::manifest(plan.kind.name(), &context.hardware);
    manifest.variant = plan.variant.as_ref().map(|v| v.id.clone());
    manifest.name = plan.variant.as_ref().map(|v| v.name.clone());
    manifest.seed = plan.training_seed;
    manifest.benchmark = Some(benchmark.name());
    provenance::hash_checkpoint(&mut manifest, &plan.checkpoint)?;
    provenance::hash_benchmark(&mut manifest, benchmark)?;
    provenance::hash_images(&mut manifest, examples.iter().flat_map(|e| &e.images).map(PathBuf::as_path))?;
    let mut set = |key: &str, value: serde_json::Value| manifest.settings.insert(key.into(), value);
    set("checkpoint", serde_json::json!(plan.checkpoint));
    set("benchmark", serde_json::json!(plan.benchmark));
    set("benchmark_version", format!("{} {}", benchmark.description.id, benchmark.description.version).into());
    set("steps", plan.strategy.steps.into());
    set("max_new_tokens", plan.strategy.max_new_tokens.into());
    set("interventions", serde_json::json!(plan.interventions));
    set("seed", plan.seed.into());
    set("donor_pool", plan.pool.into());
    set("alignment", plan.alignment.into());
    set("device", context.hardware.device_name().into());
    set("dtype", context.hardware.dtype.as_str().into());
    set("variant", serde_json::json!(plan.variant));
    set("limit", serde_json::json!(plan.selection.limit));
    set("subset", serde_json::json!(plan.selection.subset));
    set(SHARD, serde_json::json!(plan.selection.shard));
    set("pixels", serde_json::json!(plan.pixels));
    set("analysis", serde_json::json!(plan.settings));
    Ok(manifest)
}

/// Whether the folder holds this audit, finished: same inputs, same settings.
fn finished(out: &Path, wanted: &Manifest) -> bool {
    Manifest::read(out).is_ok_and(|there| {
        there.ended.is_some() && there.inputs == wanted.inputs && there.settings == wanted.settings && record::is_recorded(out)
    })
}

fn records(plan: &AuditPlan, examples: &[Example], manifest: &mut Manifest, context: &Context) -> anyhow::Result<Summary> {
    let opened = Opened::open(&plan.checkpoint, plan.pixels, Trainable::No, &context.hardware)?;
    if opened.tokens.starts.is_empty() {
        context.printer.narrate("this checkpoint has no latent protocol: it is run without one");
    }
    manifest.write(&plan.out).with_context(|| format!("run folder {}", plan.out.display()))?;
    let setup = Setup {
        model: &opened.model,
        prompter: &opened.prompter,
        preprocessor: &opened.preprocessor,
        tokens: &opened.tokens,
        layout: if plan.alignment > 0 { opened.layout(plan.variant.as_ref()) } else { None },
        strategy: plan.strategy,
        branches: plan.interventions.clone(),
        seed: plan.seed,
        pool: plan.pool,
        alignment: plan.alignment,
        group: GROUP,
        shard: plan.selection.shard,
        vectors: plan.kind == Kind::Audit,
        timing: plan.selection.timing,
        checkpoint: serde_json::to_string(&manifest.inputs)?,
    };
    Ok(record::record_benchmark(&setup, examples, &plan.out, &context.printer, &context.cancel)?)
}
