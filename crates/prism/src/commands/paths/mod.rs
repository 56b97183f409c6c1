//! `prism paths`: does the gain of a trained variant travel through the latents or through
//! the weights? What it computes is told in `docs/concepts/paths.md`.

mod plan;
mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use prism_audit::clusters::Clusters;
use prism_audit::paths::states::{self, States};
use prism_audit::paths::{PathFindings, cells, drift, effects, gradient};
use prism_data::{Benchmark, Images};
use prism_model::Config;
use prism_model::checkpoint::drift as weights;
use prism_model::tensor::Trainable;
use prism_model::tokenizer::Tokenizer;
use prism_record::decode::{Strategy, detect};
use prism_record::record::crossing::{Crossing, Side, record_crossing};
use prism_record::record::{self, Records, is_recorded};
use prism_run::folder::{self, names};
use prism_run::manifest::Manifest;
use prism_run::records::CellRow;
use prism_run::{Example, Protocol, Source, Steps, Weights, as_text, door, shown};

use super::audit::failures::{self, Again};
use super::audit::{GROUP, LARGE, difference};
use super::decoding::Decoding;
use super::opened::Opened;
use super::strangers;
use crate::cli::PathsArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, provenance};
use plan::{PathsPlan, Trained};

/// Settings whose change leaves the records as they are.
const NOT_IN_RECORDS: [&str; 4] = ["analysis", "base", "variants", "benchmark"];

/// Runs the verb.
pub fn run(arguments: PathsArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    context.printer.narrate(&context.hardware.line());
    let plan = PathsPlan::resolve(arguments, context)?;
    // Before anything is looked at: another process may be writing there.
    let lock = context.lock(&plan.out)?;
    let findings = paths(&plan, lock.is_fresh(), context).inspect_err(|_| {
        // A variant's folder is gone on from, and says nothing of whose it is without the manifest.
        if lock.is_fresh() && !plan.variants.iter().any(|trained| plan.out.join(trained.slug()).exists()) {
            lock.clear();
        }
    })?;
    context.printer.result(&tables::describe(&findings));
    context.printer.result_json(&findings)?;
    for trained in &plan.variants {
        let run = plan.out.join(trained.slug());
        if let Some(status) = failures::ended(&run, &prism_audit::Findings::default(), Again::Overwriting, context)? {
            return Ok(status);
        }
    }
    let crossed = findings.paths.iter().filter(|cell| cell.weights == Weights::Variant && cell.latents == Source::Variant);
    let crossed = crossed.map(|cell| cell.examples).fold(0, usize::saturating_add);
    if crossed == 0 {
        context.printer.warn(&format!(
            "{}: no variant opened a latent block, so there were no latents to cross; weights and states are compared all the same",
            plan.out.display()
        ));
        return Ok(ExitStatus::NoLatents);
    }
    Ok(ExitStatus::Success)
}

/// Records and findings; what is there already is kept.
fn paths(plan: &PathsPlan, fresh: bool, context: &Context) -> anyhow::Result<PathFindings> {
    // All that is wrong with a checkpoint is told first: its weights take long to hash.
    for checkpoint in std::iter::once(&plan.base).chain(plan.variants.iter().map(|trained| &trained.checkpoint)) {
        let inspected = prism_record::inspect(checkpoint)?;
        inspected.refuse()?;
        inspected.notes.iter().for_each(|note| context.printer.warn(&prism_run::shown(note)));
    }
    let benchmark = Benchmark::open(&plan.benchmark)?;
    let examples = benchmark.read(&Images::extracted(None), plan.limit)?;
    let mut manifest = manifest(plan, &benchmark, &examples, context)?;
    if is_finished(plan, &manifest, fresh)? {
        return Ok(PathFindings::read(&plan.out)?);
    }
    let protocol = detect(&Config::open(&plan.base)?, &Tokenizer::from_dir(&plan.base)?)?;
    let base = Opened::open(&plan.base, protocol.as_ref(), plan.images, Trainable::No, &context.hardware)?;
    let base = base.generating(&plan.base, &plan.decoding, protocol.as_ref(), context)?;
    let decoding = Decoding { max_new_tokens: plan.decoding.max_new_tokens, ..Decoding::default() };
    // Its own lengths of training, if it has any, are not the variants'.
    let steps = plan.steps_for(protocol.as_ref()).filter(|steps| *steps != Steps::Trained);
    let strategy = decoding.strategy(&plan.base, protocol.as_ref(), steps)?.strategy;
    let base = Base { opened: base, strategy };
    let mut findings = PathFindings::default();
    let mut all: Vec<States> = Vec::new();
    for trained in &plan.variants {
        let (records, drift) = cross(plan, trained, &base, &examples, &mut manifest, context)?;
        let (named, answers) = (&trained.named, cells::answers(&records.answers));
        findings.paths.extend(cells::findings(named, &records.examples, &answers));
        findings.effects.extend(effects::findings(named, &answers, &Clusters::of(&records.examples), &plan.settings));
        findings.warnings.extend(cells::warnings(named, &records.examples, &answers));
        findings.drift.extend(drift_findings(trained, &drift));
        findings.gradient_cosine.extend(gradients(trained)?);
        // The base ran under each variant's image settings; where those are the same, so are its states.
        let mut of_base = States::of("base".into(), "base", &records.vectors);
        if !all.iter().any(|states| states.name.starts_with("base") && states.vectors == of_base.vectors) {
            if all.iter().any(|states| states.name == "base") {
                of_base.name = format!("base, images as for {}", named.word());
            }
            all.push(of_base);
        }
        all.push(States::of(named.word(), "variant", &records.vectors));
    }
    findings.cka = states::likeness(&all, u64::from(plan.settings.seed));
    findings.write(&plan.out)?;
    manifest.ended = Some(provenance::now());
    manifest.write(&plan.out)?;
    Ok(findings)
}

/// The base, opened once for all variants.
struct Base {
    opened: Opened,
    strategy: Strategy,
}

/// One variant crossed with the base; its records lie in a folder of their own.
fn cross(
    plan: &PathsPlan,
    trained: &Trained,
    base: &Base,
    examples: &[Example],
    manifest: &mut Manifest,
    context: &Context,
) -> anyhow::Result<(Records<CellRow>, weights::Drift)> {
    let protocol: Option<Protocol> = plan.decoding.protocol(&trained.checkpoint)?;
    let opened = Opened::open(&trained.checkpoint, protocol.as_ref(), plan.images, Trainable::No, &context.hardware)?;
    let opened = opened.generating(&trained.checkpoint, &plan.decoding, protocol.as_ref(), context)?;
    context.printer.narrate(&shown(&plan.images.in_words(&opened.preprocessor, protocol.as_ref())));
    let steps = plan.steps_for(protocol.as_ref());
    let chosen = plan.decoding.strategy(&trained.checkpoint, protocol.as_ref(), steps)?;
    context.printer.narrate(&format!("{}: {}", shown(&trained.named.word()), chosen.budget.in_words()));
    let strategy = chosen.strategy;
    // What other variants there are changes nothing here.
    let own = format!("{}/", trained.slug());
    let concerns = |name: &str| ["base/", own.as_str(), "benchmark"].iter().any(|prefix| name.starts_with(prefix)) || name == "images";
    let inputs: BTreeMap<&String, &String> = manifest.inputs.iter().filter(|(name, _)| concerns(name)).collect();
    let crossing = Crossing {
        base: side_of(&base.opened, base.strategy),
        variant: side_of(&opened, strategy),
        preprocessor: &opened.preprocessor,
        layout: opened.layout(trained.variant.as_ref()),
        group: if opened.model.parameter_count() >= LARGE { 1 } else { GROUP },
        checkpoints: serde_json::to_string(&inputs)?,
    };
    crossing.check(examples)?;
    let drift = weights::drift(&plan.base, &trained.checkpoint)?;
    // What is refused leaves the folder as it is.
    manifest.write(&plan.out)?;
    folder::repair(&plan.out.join(trained.slug()))?;
    context.printer.narrate(&shown(&trained.named.word()));
    if plan.overwrite {
        record::discard_damaged(&plan.out.join(trained.slug()))?;
    }
    let records = record_crossing(&crossing, examples, &plan.out.join(trained.slug()), &context.printer, &context.cancel)?;
    Ok((records, drift))
}

fn side_of(opened: &Opened, strategy: Strategy) -> Side<'_> {
    Side { model: &opened.model, prompter: &opened.prompter, tokens: &opened.tokens, strategy }
}

fn drift_findings(trained: &Trained, found: &weights::Drift) -> Vec<prism_audit::findings::DriftFinding> {
    let tensors: Vec<drift::Tensor> = found
        .tensors
        .iter()
        .map(|t| {
            let sums = drift::Sums {
                tensors: 1,
                elements: t.elements,
                base: t.base,
                variant: t.variant,
                difference: t.difference,
                product: t.product,
            };
            let rows = t.rows_left_out;
            let note = (rows > 0).then(|| format!("{rows} rows of tokens that only one of the two has are left out"));
            (t.name.clone(), sums, note)
        })
        .collect();
    let only =
        |names: &[String], whose: &str| names.iter().map(|name| (name.clone(), format!("only the {whose} has it"))).collect::<Vec<_>>();
    let absent = [only(&found.only_base, "base"), only(&found.only_variant, "variant")].concat();
    drift::findings(&trained.named, &tensors, &absent)
}

fn gradients(trained: &Trained) -> anyhow::Result<Vec<prism_audit::findings::GradientCosineFinding>> {
    let Some(log) = trained.log() else {
        let reason = format!("{} lies in no training's folder with a {}", trained.checkpoint.display(), names::LOG);
        return Ok(gradient::findings(&trained.named, Err(reason)));
    };
    let step = |step: prism_train::log::StepLog| gradient::Step {
        step: step.step,
        has_latent_loss: step.latent.is_some(),
        cosines: step.gradient_cosine,
    };
    let steps: Vec<gradient::Step> = prism_train::log::read(&log)?.into_iter().map(step).collect();
    Ok(gradient::findings(&trained.named, Ok(&steps)))
}

fn manifest(plan: &PathsPlan, benchmark: &Benchmark, examples: &[Example], context: &Context) -> anyhow::Result<Manifest> {
    let mut manifest = provenance::manifest("paths", &context.hardware);
    manifest.benchmark = Some(benchmark.name());
    let checkpoints = std::iter::once(("base".to_string(), &plan.base));
    for (name, checkpoint) in checkpoints.chain(plan.variants.iter().map(|trained| (trained.slug(), &trained.checkpoint))) {
        let files = folder::hash_checkpoint(checkpoint)?;
        manifest.inputs.extend(files.into_iter().map(|(file, hash)| (format!("{name}/{file}"), hash)));
    }
    for trained in &plan.variants {
        if let Some(log) = trained.log() {
            let hash = folder::hash_reader(&log, door::open(&log)?)?;
            manifest.inputs.insert(format!("log of {}", trained.slug()), hash);
        }
    }
    provenance::hash_benchmark(&mut manifest, benchmark)?;
    provenance::hash_images(&mut manifest, examples.iter().flat_map(|e| &e.images).map(PathBuf::as_path))?;
    let checkpoints: Vec<String> = plan.variants.iter().map(|trained| as_text::of(&trained.checkpoint)).collect();
    let variants: Vec<_> = plan.variants.iter().map(|trained| &trained.variant).collect();
    let mut set = |key: &str, value: serde_json::Value| manifest.settings.insert(key.into(), value);
    set("base", as_text::of(&plan.base).into());
    set("variants", serde_json::json!(checkpoints));
    set("trained_as", serde_json::json!(variants));
    set("benchmark", as_text::of(&plan.benchmark).into());
    set("protocol", serde_json::json!(plan.decoding.named));
    set("exit", serde_json::json!(format!("{:?}", plan.decoding.exit)));
    set("generation", serde_json::json!([plan.decoding.generation.name(), format!("{:?}", plan.decoding.repetition_penalty)]));
    if plan.decoding.force_open {
        set("force_open", true.into());
    }
    set("steps", serde_json::json!(plan.steps));
    set("max_new_tokens", plan.decoding.max_new_tokens.into());
    set("limit", serde_json::json!(plan.limit));
    set("pixels", serde_json::json!(plan.images.pixels));
    set("image_processor", serde_json::json!(plan.images.processor));
    set("exif", serde_json::json!(plan.images.exif));
    set("resize", serde_json::json!(plan.images.resize));
    set("device", context.hardware.device_name().into());
    set("dtype", context.hardware.dtype.as_str().into());
    set("analysis", serde_json::json!(plan.settings));
    Ok(manifest)
}

/// Whether the folder, which is `fresh` where it holds nothing, holds these findings already; refuses one that holds another run.
fn is_finished(plan: &PathsPlan, wanted: &Manifest, fresh: bool) -> anyhow::Result<bool> {
    let out = &plan.out;
    let folders: Vec<PathBuf> = plan.variants.iter().map(|trained| out.join(trained.slug())).chain([out.clone()]).collect();
    // What is a run's by its files may be replaced if that is asked for, whatever became of its manifest.
    let replaced = || folders.iter().try_for_each(|folder| strangers::refuse(folder)).map(|()| false);
    if !door::stands(&out.join(names::MANIFEST)) {
        if !fresh && !plan.overwrite {
            let text = "holds files, and no run.json that says whose; give another --out, or --overwrite to replace what is a run's";
            anyhow::bail!(Refused(format!("{}: {text}", out.display())));
        }
        return replaced();
    }
    let there = match Manifest::read(out) {
        Err(prism_run::Error::Content { .. }) if plan.overwrite && folders.iter().any(|folder| record::is_begun(folder)) => {
            return replaced();
        }
        there => there?,
    };
    if there.kind != wanted.kind {
        anyhow::bail!(Refused(format!(
            "{}: holds another kind of run (`{}`); give another --out, or remove it",
            out.display(),
            there.kind
        )));
    }
    let recorded = plan.variants.iter().all(|trained| is_recorded(&out.join(trained.slug())));
    let same = there.inputs == wanted.inputs && there.settings == wanted.settings;
    if there.ended.is_some() && same && recorded {
        return Ok(true);
    }
    let changed = difference::between(&there, wanted, &NOT_IN_RECORDS);
    if !plan.overwrite && there.ended.is_some() && !changed.is_empty() {
        let text = format!("holds another run ({changed}); give another --out, or --overwrite to replace it");
        anyhow::bail!(Refused(format!("{}: {text}", out.display())));
    }
    folders.iter().try_for_each(|folder| strangers::refuse_folders(folder))?;
    Ok(false)
}
