//! `prism audit`: a checkpoint on a benchmark, clean and under interventions; a sweep over
//! K is several audits on one prefill per example, each in a run folder of its own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use prism_audit::{AuditSettings, Findings};
use prism_data::{Benchmark, Images};
use prism_model::decode::Strategy;
use prism_model::record::{self, Counts, Setup, Summary};
use prism_model::tensor::Trainable;
use prism_run::manifest::Manifest;
use prism_run::{Example, Intervention, Protocol, Variant, folder};

use super::decoding::Decoding;
use super::opened::{Opened, refuse_no_folder};

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
    /// Protocol, exit and budget.
    pub decoding: Decoding,
    /// K; several are a sweep, none is the protocol's own.
    pub steps: Vec<usize>,
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
        let steps = arguments.steps;
        if let Some(twice) = steps.iter().enumerate().find(|(i, k)| steps.iter().take(*i).any(|other| other == *k)) {
            anyhow::bail!(Refused(format!("--steps: {} is named twice; name each K once", twice.1)));
        }
        Ok(Self {
            checkpoint: arguments.checkpoint,
            benchmark: arguments.benchmark,
            out: arguments.out,
            variant: arguments.variant.as_deref().map(Variant::load).transpose()?,
            training_seed: None,
            decoding: Decoding::resolve(&arguments.decoding, arguments.max_new_tokens)?,
            steps,
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

    /// K and run folder of every arm: `out` itself, or `out/k4`, `out/k8`, ... of a sweep.
    fn arms(&self) -> Vec<(Option<usize>, PathBuf)> {
        match self.steps.as_slice() {
            [] => vec![(None, self.out.clone())],
            [k] => vec![(Some(*k), self.out.clone())],
            several => several.iter().map(|k| (Some(*k), self.out.join(format!("k{k}")))).collect(),
        }
    }
}

/// Runs the verb.
pub fn run(arguments: AuditArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let plan = AuditPlan::resolve(arguments)?;
    context.printer.narrate(&context.hardware.line());
    let audited = sweep(&plan, context)?;
    for arm in &audited {
        if audited.len() > 1 {
            context.printer.result(&format!("K = {}, {}", arm.steps, arm.out.display()));
            context.printer.result_json(&serde_json::json!({"steps": arm.steps, "run": arm.out, "findings": arm.findings}))?;
        } else {
            context.printer.result_json(&arm.findings)?;
        }
        context.printer.result(&table(&arm.findings));
        if plan.report {
            let page = arm.out.join(folder::names::REPORT);
            let summary = prism_report::build_report(&prism_report::ReportInputs::new(vec![arm.out.clone()]), &page)?;
            context.printer.result(&format!("report {}", summary.path.display()));
        }
        if arm.opened == 0 {
            context.printer.warn(&format!(
                "{}: the latent block never opened in {} examples, so nothing can be said about its latents; check that the checkpoint \
                 was trained to emit its start token, and the ids in its config.json",
                plan.checkpoint.display(),
                arm.examples
            ));
        }
    }
    Ok(if audited.iter().all(|arm| arm.opened == 0) { ExitStatus::NoLatents } else { ExitStatus::Success })
}

/// What an audit came to.
pub struct Audited {
    /// Its run folder.
    pub out: PathBuf,
    /// K.
    pub steps: usize,
    /// The findings, on disk too.
    pub findings: Findings,
    /// Examples of the benchmark.
    pub examples: usize,
    /// Examples in which the block opened.
    pub opened: usize,
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
    let fresh = !plan.out.exists();
    let result = record_and_find(plan, context);
    if let Err(error) = &result
        && fresh
        && exit::status_of(error) != ExitStatus::Interrupted
        && !plan.arms().iter().any(|(_, out)| record::is_begun(out))
    {
        let _ = std::fs::remove_dir_all(&plan.out);
    }
    result
}

/// One K of a plan.
struct Arm {
    out: PathBuf,
    strategy: Strategy,
    manifest: Manifest,
}

fn record_and_find(plan: &AuditPlan, context: &Context) -> anyhow::Result<Vec<Audited>> {
    let benchmark = Benchmark::open(&plan.benchmark)?;
    let examples = examples(plan, &benchmark)?;
    refuse_no_folder(&plan.checkpoint)?;
    let protocol = plan.decoding.protocol(&plan.checkpoint)?;
    let base = manifest(plan, protocol.as_ref(), &benchmark, &examples, context)?;
    let mut arms = Vec::new();
    for (steps, out) in plan.arms() {
        let strategy = plan.decoding.strategy(protocol.as_ref(), steps)?;
        let mut manifest = base.clone();
        manifest.settings.insert("steps".into(), strategy.steps.into());
        manifest.settings.insert("exit".into(), serde_json::json!(strategy.exit));
        arms.push(Arm { out, strategy, manifest });
    }
    let mut left: Vec<&mut Arm> = arms.iter_mut().filter(|arm| !finished(&arm.out, &arm.manifest)).collect();
    if !left.is_empty() {
        let summaries = records(plan, protocol.as_ref(), &examples, &left, context)?;
        for (arm, summary) in left.iter_mut().zip(&summaries) {
            find(plan, arm, summary)?;
        }
        if plan.records_only {
            let unfound = |arm: &Arm, clean: Counts| Audited {
                out: arm.out.clone(),
                steps: arm.strategy.steps,
                findings: Findings::default(),
                examples: examples.len(),
                opened: clean.scored + clean.no_answer,
            };
            return Ok(left.iter().zip(&summaries).map(|(arm, summary)| unfound(arm, summary.clean())).collect());
        }
    }
    let audited = |arm: Arm| {
        let manifest = Manifest::read(&arm.out)?;
        let count = |name: &str| manifest.outcomes.get(name).copied().unwrap_or(0);
        let opened = count("scored") + count("no_answer");
        let findings = Findings::read(&arm.out)?;
        Ok(Audited { findings, steps: arm.strategy.steps, examples: examples.len(), opened, out: arm.out })
    };
    arms.into_iter().map(audited).collect()
}

/// From records to findings; stale findings go, new ones come unless only records are asked for.
fn find(plan: &AuditPlan, arm: &mut Arm, summary: &Summary) -> anyhow::Result<()> {
    let clean = summary.clean();
    for (name, n) in [("scored", clean.scored), ("no_answer", clean.no_answer), ("no_latents", clean.no_latents), ("error", clean.error)] {
        arm.manifest.outcomes.insert(name.into(), n);
    }
    let stale = prism_audit::findings::folder(&arm.out);
    if stale.exists() {
        std::fs::remove_dir_all(&stale).map_err(|e| prism_run::Error::io("cannot remove", &stale, e))?;
    }
    if !plan.records_only {
        arm.manifest.write(&arm.out)?;
        prism_audit::audit_run(&arm.out, &plan.settings)?;
        arm.manifest.ended = Some(provenance::now());
        arm.manifest.write(&arm.out)?;
    }
    Ok(())
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

fn manifest(
    plan: &AuditPlan,
    protocol: Option<&Protocol>,
    benchmark: &Benchmark,
    examples: &[Example],
    context: &Context,
) -> anyhow::Result<Manifest> {
    let mut manifest = provenance::manifest("audit", &context.hardware);
    manifest.variant = plan.variant.as_ref().map(|v| v.id.clone());
    manifest.name = plan.variant.as_ref().map(|v| v.name.clone());
    manifest.seed = plan.training_seed;
    manifest.benchmark = Some(benchmark.name());
    provenance::hash_checkpoint(&mut manifest, &plan.checkpoint)?;
    provenance::hash_benchmark(&mut manifest, benchmark)?;
    provenance::hash_images(&mut manifest, examples.iter().flat_map(|e| &e.images).map(PathBuf::as_path))?;
    if let Some(protocol) = protocol {
        manifest.inputs.insert("protocol".into(), folder::hash_bytes(&serde_json::to_vec(protocol)?));
    }
    let mut set = |key: &str, value: serde_json::Value| manifest.settings.insert(key.into(), value);
    set("checkpoint", serde_json::json!(plan.checkpoint));
    set("benchmark", serde_json::json!(plan.benchmark));
    set("benchmark_version", format!("{} {}", benchmark.description.id, benchmark.description.version).into());
    set("protocol", serde_json::json!(protocol.map(|protocol| &protocol.id)));
    set("max_new_tokens", plan.decoding.max_new_tokens.into());
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

/// Records every arm that is left, on one vision pass and one prefill per example.
fn records(
    plan: &AuditPlan,
    protocol: Option<&Protocol>,
    examples: &[Example],
    arms: &[&mut Arm],
    context: &Context,
) -> anyhow::Result<Vec<Summary>> {
    let opened = Opened::open(&plan.checkpoint, protocol, plan.pixels, Trainable::No, &context.hardware)?;
    let Some(first) = arms.first() else { return Ok(Vec::new()) };
    match protocol {
        Some(protocol) => context.printer.narrate(&format!("latent protocol {}: {}", protocol.id, first.strategy.exit.kind().name())),
        None => context.printer.narrate(
            "this checkpoint has no latent protocol (none of the known start tokens): it is audited without one, and every branch equals \
             the clean run; name its protocol with --protocol if it has one",
        ),
    }
    for arm in arms {
        arm.manifest.write(&arm.out).with_context(|| format!("run folder {}", arm.out.display()))?;
    }
    let setup = Setup {
        model: &opened.model,
        prompter: &opened.prompter,
        preprocessor: &opened.preprocessor,
        tokens: &opened.tokens,
        layout: opened.layout(plan.variant.as_ref()),
        strategy: first.strategy,
        branches: plan.interventions.clone(),
        seed: plan.seed,
        pool: plan.pool,
        alignment: plan.alignment,
        group: GROUP,
        checkpoint: serde_json::to_string(&first.manifest.inputs)?,
    };
    let strategies: Vec<(Strategy, PathBuf)> = arms.iter().map(|arm| (arm.strategy, arm.out.clone())).collect();
    let sweep = record::record_sweep(&setup, &strategies, examples, &context.printer, &context.cancel)?;
    if arms.len() > 1 {
        context.printer.narrate(&format!("{} strategies, {} examples, {} prefills", arms.len(), examples.len(), sweep.prefills));
    }
    Ok(sweep.summaries)
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
