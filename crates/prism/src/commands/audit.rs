//! `prism audit`: a checkpoint on a benchmark, clean and under interventions.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use prism_audit::{AuditSettings, Findings};
use prism_data::{Benchmark, Images};
use prism_model::decode::Strategy;
use prism_model::record::{self, Setup, Summary};
use prism_model::tensor::Trainable;
use prism_run::manifest::Manifest;
use prism_run::{Example, Intervention, Variant};

use super::opened::Opened;

use crate::cli::AuditArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, exit, provenance};

/// Examples decoded side by side by one worker.
const GROUP: usize = 4;

/// What an audit needs.
pub struct AuditPlan {
    /// Hugging Face folder.
    pub checkpoint: PathBuf,
    /// Benchmark file or folder.
    pub benchmark: PathBuf,
    /// Run folder.
    pub out: PathBuf,
    /// Variant it was trained as, and the training seed, when known.
    pub variant: Option<Variant>,
    /// Training seed, when known.
    pub training_seed: Option<u64>,
    /// Steps and budget.
    pub strategy: Strategy,
    /// Branches besides the clean run.
    pub interventions: Vec<Intervention>,
    /// Seed of noise and donors.
    pub seed: u64,
    /// Donor pool.
    pub pool: usize,
    /// Examples whose alignment is measured.
    pub alignment: usize,
    /// Only the first examples.
    pub limit: Option<usize>,
    /// Bounds of an image's pixels over the checkpoint's.
    pub pixels: (Option<usize>, Option<usize>),
    /// How records become findings.
    pub settings: AuditSettings,
    /// Also write the page.
    pub report: bool,
    /// Stop once the records are written.
    pub records_only: bool,
}

impl AuditPlan {
    fn resolve(arguments: AuditArguments) -> anyhow::Result<Self> {
        let settings = AuditSettings { equivalence_margin: arguments.margin / 100.0, ..AuditSettings::default() };
        settings.check()?;
        Ok(Self {
            checkpoint: arguments.checkpoint,
            benchmark: arguments.benchmark,
            out: arguments.out,
            variant: arguments.variant.as_deref().map(Variant::load).transpose()?,
            training_seed: None,
            strategy: Strategy { steps: arguments.steps, max_new_tokens: arguments.max_new_tokens },
            interventions: arguments.interventions,
            seed: arguments.seed,
            pool: record::donors::POOL,
            alignment: 200,
            limit: arguments.limit,
            pixels: (arguments.min_pixels, arguments.max_pixels),
            settings,
            report: arguments.report,
            records_only: arguments.records_only,
        })
    }
}

/// Runs the verb.
pub fn run(arguments: AuditArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let plan = AuditPlan::resolve(arguments)?;
    context.printer.narrate(&context.hardware.line());
    let audited = audit(&plan, context)?;
    context.printer.result(&table(&audited.findings));
    context.printer.result_json(&audited.findings)?;
    if plan.report {
        let page = plan.out.join(prism_run::folder::names::REPORT);
        let summary = prism_report::build_report(&prism_report::ReportInputs::new(vec![plan.out.clone()]), &page)?;
        context.printer.result(&format!("report {}", summary.path.display()));
    }
    if audited.opened == 0 {
        context.printer.warn(&format!(
            "{}: the latent block never opened in {} examples, so nothing can be said about its latents; check that the checkpoint \
             was trained to emit its start token, and the ids in its config.json",
            plan.checkpoint.display(),
            audited.examples
        ));
        return Ok(ExitStatus::NoLatents);
    }
    Ok(ExitStatus::Success)
}

/// What an audit came to.
pub struct Audited {
    /// The findings, on disk too.
    pub findings: Findings,
    /// Examples of the benchmark.
    pub examples: usize,
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
    }
    result
}

fn record_and_find(plan: &AuditPlan, context: &Context) -> anyhow::Result<Audited> {
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
            return Ok(Audited { findings: Findings::default(), examples: examples.len(), opened: clean.scored + clean.no_answer });
        }
        manifest.write(&plan.out)?;
        prism_audit::audit_run(&plan.out, &plan.settings)?;
        manifest.ended = Some(provenance::now());
        manifest.write(&plan.out)?;
    }
    let manifest = Manifest::read(&plan.out)?;
    let findings = Findings::read(&plan.out)?;
    let count = |name: &str| manifest.outcomes.get(name).copied().unwrap_or(0);
    Ok(Audited { findings, examples: examples.len(), opened: count("scored") + count("no_answer") })
}

fn examples(plan: &AuditPlan, benchmark: &Benchmark) -> anyhow::Result<Vec<Example>> {
    let examples = benchmark.read(&Images::extracted(None), plan.limit)?;
    if examples.is_empty() {
        anyhow::bail!(Refused(format!(
            "{}: no example is left to run; give a benchmark with questions and a --limit above 0",
            plan.benchmark.display()
        )));
    }
    Ok(examples)
}

fn manifest(plan: &AuditPlan, benchmark: &Benchmark, examples: &[Example], context: &Context) -> anyhow::Result<Manifest> {
    let mut manifest = provenance::manifest("audit", &context.hardware);
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
    set("limit", serde_json::json!(plan.limit));
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
        context.printer.narrate("this checkpoint has no latent protocol: it is audited without one");
    }
    manifest.write(&plan.out).with_context(|| format!("run folder {}", plan.out.display()))?;
    let setup = Setup {
        model: &opened.model,
        prompter: &opened.prompter,
        preprocessor: &opened.preprocessor,
        tokens: &opened.tokens,
        layout: opened.layout(plan.variant.as_ref()),
        strategy: plan.strategy,
        branches: plan.interventions.clone(),
        seed: plan.seed,
        pool: plan.pool,
        alignment: plan.alignment,
        group: GROUP,
        checkpoint: serde_json::to_string(&manifest.inputs)?,
    };
    Ok(record::record_benchmark(&setup, examples, &plan.out, &context.printer, &context.cancel)?)
}

/// The findings in plain text.
fn table(findings: &Findings) -> String {
    use prism_audit::text::{number, percent, points, signed};
    let mut rows = Vec::new();
    for f in findings.faithfulness.iter().filter(|f| f.category == prism_audit::faithfulness::ALL) {
        let verdict = findings.verdict.iter().find(|v| v.intervention == f.intervention);
        rows.push(vec![
            f.intervention.clone(),
            f.examples.to_string(),
            percent(f.accuracy),
            points(f.delta),
            f.gained.to_string(),
            f.lost.to_string(),
            number(f.mcnemar_p, 3),
            signed(f.margin_delta, 3),
            percent(verdict.and_then(|v| v.relative_change)),
            percent(verdict.filter(|v| v.examples > 0).map(|v| v.changed as f64 / v.examples as f64)),
            verdict.map_or_else(String::new, |v| v.verdict.clone()),
        ]);
    }
    let header = ["intervention", "n", "accuracy", "delta", "gained", "lost", "p", "margin", "moved", "changed", "verdict"];
    let mut text = format!("{}\n{}", prism_audit::compare::table1(&findings.table1), prism_audit::text::table(&header, &rows));
    if !findings.pairs.is_empty() {
        let rows = findings.pairs.iter().map(|p| {
            let numbers = [p.pairs.to_string(), p.correct.to_string(), percent(p.accuracy), p.incomplete.to_string()];
            std::iter::once(p.intervention.clone()).chain(numbers).collect::<Vec<_>>()
        });
        let header = ["pairs, all questions right", "pairs", "right", "accuracy", "incomplete"];
        text.push_str(&format!("\n{}", prism_audit::text::table(&header, &rows.collect::<Vec<_>>())));
    }
    for warning in &findings.warnings {
        text.push_str(&format!("\nnote: {}", warning.text));
    }
    text
}
