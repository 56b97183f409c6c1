//! `prism study`: world, base, training, audits, comparison, report, from one recipe.
//!
//! A stage whose files are complete is not done again, so a study that was stopped
//! or killed goes on where it was.

mod recipe;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use std::time::{Duration, Instant};

use prism_audit::Findings;
use prism_audit::compare::budgets::{self, Audited};
use prism_audit::compare::groups::{self, Questions};
use prism_model::preprocess::ImageProcessor;
use prism_report::ReportInputs;
use prism_report::terminal::ending::Places;
use prism_run::folder::names;
use prism_run::lock::Lock;
use prism_run::manifest::Manifest;
use prism_run::shown::files::toml_text;
use prism_run::{Intervention, Stages, Steps, Variant, as_text, door, folder, shown};

pub use recipe::StudyRecipe;

use super::audit::failures::{self, Again};
use super::audit::{self, AuditPlan, Kind, Selection, arm, audit, sweep};
use super::base::{BasePlan, make_base};
use super::compare::compare_runs;
use super::decoding::Decoding;
use super::images::ImageSettings;
use super::train::{TrainPlan, train};
use super::world::{WorldPlan, draw};
use crate::cli::StudyArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, provenance};

/// A study, resolved.
pub struct Study {
    /// Its recipe.
    pub recipe: StudyRecipe,
    /// Its arms.
    pub variants: Vec<Variant>,
    /// Its folder.
    pub out: PathBuf,
    from_scratch: bool,
}

impl Study {
    /// What was typed, as a study.
    ///
    /// # Errors
    /// When the recipe cannot be read or names an unknown arm.
    pub fn resolve(arguments: StudyArguments) -> anyhow::Result<Self> {
        let mut recipe = StudyRecipe::read(&arguments.recipe)?;
        if arguments.quick {
            recipe = recipe.quick()?;
        }
        if let Some(seeds) = arguments.seeds {
            (recipe.seed, recipe.seeds) = seeds.from(recipe.seed);
        }
        if arguments.answers.is_some() {
            recipe.audit.answers = arguments.answers;
        }
        let variants = recipe.variants()?;
        recipe.check_question(&variants)?;
        let out = arguments.out.unwrap_or_else(|| Path::new("runs").join(&recipe.name));
        Ok(Self { recipe, variants, out, from_scratch: arguments.from_scratch })
    }

    /// Training seeds.
    pub fn seeds(&self) -> impl Iterator<Item = u64> {
        (0..self.recipe.seeds).map(|i| self.recipe.seed + i)
    }

    /// Folder of a training.
    pub fn training(&self, seed: u64, variant: &Variant) -> PathBuf {
        self.out.join(format!("seed-{seed}")).join(&variant.id)
    }

    fn trainings(&self) -> Vec<PathBuf> {
        self.seeds().flat_map(|seed| self.variants.iter().map(move |v| self.training(seed, v))).collect()
    }

    fn trained_audits(&self) -> Vec<PathBuf> {
        self.trainings().into_iter().map(|run| run.join("audit")).collect()
    }
}

/// Runs the verb.
pub fn run(arguments: StudyArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let study = Study::resolve(arguments)?;
    let trained = study.train_and_audit(context)?;
    let comparison = study.out.join("comparison");
    let mut compared = compare_runs(&study.trained_audits(), Some(&comparison), &study.recipe.analysis, context)?;
    study.ask(&mut compared.findings)?;
    compared.findings.write(&comparison)?;
    let page = study.out.join(names::REPORT);
    let mut inputs = ReportInputs::new(study.trained_audits());
    inputs.folders = vec![study.out.clone()];
    inputs.trainings = study.trainings();
    inputs.comparison = Some(comparison);
    inputs.base = Some(study.out.join(names::BASE_AUDIT));
    inputs.recipe = Some(study.out.join(names::CONFIG)).filter(|path| door::holds(path));
    inputs.title = Some(study.recipe.name.clone());
    let report = prism_report::build_report(&inputs, &page)?;
    study.end(trained.manifest)?;
    if !context.printer.json() {
        study.tell(&inputs, &page, context)?;
    }
    context.printer.result_json(&serde_json::json!({
        "comparison": compared.comparison(),
        "verdict": report.verdict,
        "failures": failures::account(&study.trained_audits())?,
        "report": as_text::of(&page),
    }))?;
    if let Some(status) = failures::all_ended(&study.trained_audits(), false, Again::Same, context)? {
        return Ok(status);
    }
    if trained.opened == 0 {
        context.printer.warn(&format!(
            "{}: no latent block opened in any run, so nothing can be said about latents; train longer",
            study.out.display()
        ));
        return Ok(ExitStatus::NoLatents);
    }
    Ok(ExitStatus::Success)
}

/// What stands once every arm is trained and audited.
pub struct Trained {
    /// The study's, to be ended.
    pub manifest: Manifest,
    /// The base's audit: its folder is this process' own, too.
    _floor: audit::Audited,
    /// Examples whose block opened, over all runs.
    opened: usize,
    /// The study's folder is this process' own until its end.
    _lock: Lock,
}

impl Study {
    /// World, base, and every arm of every seed, trained and audited.
    pub fn train_and_audit(&self, context: &Context) -> anyhow::Result<Trained> {
        context.printer.narrate(&context.hardware.line());
        let lock = context.lock(&self.out)?;
        let manifest = begin(self, context)?;
        let world = self.out.join(names::WORLD);
        draw(&WorldPlan { world: self.recipe.world.clone().check()?, out: world, preview: None }, context)?;
        let base = base(self, context)?;
        let floor = audit(&audit_plan(self, &base, self.out.join(names::BASE_AUDIT), None), context)?;
        let total = self.variants.len() * self.seeds().count();
        let mut trained = Trained { manifest, _floor: floor, opened: 0, _lock: lock };
        let arms = self.seeds().flat_map(|seed| self.variants.iter().map(move |variant| (seed, variant)));
        let mut pace = Pace::default();
        for (done, (seed, variant)) in arms.enumerate() {
            let place = format!("[{}/{total}] ", done + 1);
            context.printer.narrate(&format!("{place}{} seed {seed}{}", shown(&variant.name), pace.left(total - done)));
            context.printer.stage(&place);
            let begun = Instant::now();
            let checkpoint = train(&self.train_plan(seed, variant, &base), context)?;
            let out = self.training(seed, variant).join("audit");
            let plan = audit_plan(self, &checkpoint, out, Some((variant, seed)));
            trained.opened += audit(&plan, context)?.opened;
            if let Some(plan) = self.sweep_plan(seed, variant, plan) {
                sweep(&plan, context)?;
            }
            pace.took(begun.elapsed());
        }
        context.printer.stage("");
        Ok(trained)
    }

    /// Every audit of a trained arm, at the declared K and at the sweep's.
    fn audits_over_k(&self) -> Vec<Audited> {
        let mut all = Vec::new();
        for (seed, variant) in self.seeds().flat_map(|seed| self.variants.iter().map(move |v| (seed, v))) {
            let run = self.training(seed, variant);
            all.push(Audited { folder: run.join("audit"), k: None });
            let folder = |steps: &Steps| match steps {
                Steps::Fixed(k) => Some(Audited { folder: run.join(names::SWEEP).join(arm(*steps)), k: Some(*k) }),
                Steps::Trained => None,
            };
            let swept = self.recipe.audit.sweep.iter().filter_map(folder);
            all.extend(swept.filter(|audited| door::stands(&audited.folder.join(names::MANIFEST))));
        }
        all
    }

    /// The arms over K, and what the recipe asks of groups of them: into the findings.
    fn ask(&self, findings: &mut Findings) -> anyhow::Result<()> {
        findings.budgets = budgets::budgets(&self.audits_over_k())?;
        findings.groups = groups::groups(&findings.budgets, &self.recipe.question.groups);
        findings.contrasts = groups::contrasts(&findings.budgets, &self.recipe.question.contrasts);
        Ok(())
    }

    /// Prints the runs beside each other, the answers, and where more of the study lies.
    fn tell(&self, inputs: &ReportInputs, page: &Path, context: &Context) -> anyhow::Result<()> {
        let study = prism_report::study::Study::read(inputs, &mut Vec::new())?;
        let (mut screen, look) = (context.printer.blank(), context.printer.look());
        super::compare::draw(&study, &mut screen, look);
        let places = Places {
            page: Some(page.display().to_string()),
            tables: inputs.comparison.iter().map(|folder| prism_audit::findings::folder(folder).display().to_string()).collect(),
            next: ["show", "view"].map(|verb| format!("prism {verb} {}", self.out.display())).to_vec(),
        };
        places.draw(&mut screen);
        context.printer.screen(&screen, look);
        Ok(())
    }

    /// The audit of an arm over the recipe's K: clean, and the exchanges that decide. None for an arm without a block.
    fn sweep_plan(&self, seed: u64, variant: &Variant, audit: AuditPlan) -> Option<AuditPlan> {
        let keys = &self.recipe.audit;
        let decides = |i: &Intervention| self.recipe.analysis.content.contains(i);
        let interventions: Vec<Intervention> = audit.interventions.iter().copied().filter(decides).collect();
        (!keys.sweep.is_empty() && !audit.interventions.is_empty()).then(|| AuditPlan {
            out: self.training(seed, variant).join(names::SWEEP),
            steps: keys.sweep.clone(),
            interventions,
            // Nothing is probed at other K, so that the sweep costs little.
            vectors: false,
            layers: false,
            ..audit
        })
    }

    fn train_plan(&self, seed: u64, variant: &Variant, base: &Path) -> TrainPlan {
        let before = variant.continues.as_ref().and_then(|id| self.variants.iter().find(|v| v.id == *id));
        let mut config = self.recipe.train.clone();
        config.seed = seed;
        TrainPlan {
            variant: variant.clone(),
            base: base.to_path_buf(),
            data: self.out.join(names::WORLD).join("meta.json"),
            images: None,
            config,
            out: self.training(seed, variant),
            continue_from: before.map(|v| self.training(seed, v)),
            continued_by: self.variants.clone(),
        }
    }

    /// Marks the study as complete.
    pub fn end(&self, mut manifest: Manifest) -> anyhow::Result<()> {
        manifest.ended = Some(provenance::now());
        Ok(manifest.write(&self.out)?)
    }
}

/// How long an arm takes, from those done in this run; one that was complete before says nothing.
#[derive(Debug, Default)]
struct Pace {
    arms: u32,
    time: Duration,
}

impl Pace {
    fn took(&mut self, time: Duration) {
        if time > Duration::from_secs(1) {
            self.arms += 1;
            self.time += time;
        }
    }

    /// How long `arms` more will take, in words; nothing before one was timed.
    fn left(&self, arms: usize) -> String {
        let Some(seconds) = (self.arms > 0).then(|| self.time.as_secs_f64() / f64::from(self.arms) * arms as f64) else {
            return String::new();
        };
        if seconds < 90.0 { format!(", about {seconds:.0} s left") } else { format!(", about {:.0} min left", seconds / 60.0) }
    }
}

/// Writes the study's manifest and recipe, or refuses a folder that holds another study.
fn begin(study: &Study, context: &Context) -> anyhow::Result<Manifest> {
    [&study.out, &study.recipe.base, &study.recipe.base_recipe].into_iter().try_for_each(|path| provenance::check_text(path))?;
    let mut manifest = provenance::manifest("study", &context.hardware);
    manifest.seed = Some(study.recipe.seed);
    manifest.inputs = contents(study, context)?;
    if door::stands(&study.out.join(names::MANIFEST)) {
        let there = Manifest::read(&study.out)?;
        let known = there.inputs.keys().chain(manifest.inputs.keys());
        let mut changed: Vec<&str> =
            known.filter(|name| there.inputs.get(*name) != manifest.inputs.get(*name)).map(String::as_str).collect();
        changed.sort_unstable();
        changed.dedup();
        if !changed.is_empty() {
            anyhow::bail!(Refused(format!(
                "{}: holds a study of another recipe or other inputs (changed: {}); give another --out, or remove the folder to start anew",
                study.out.display(),
                changed.join(", ")
            )));
        }
    }
    manifest.write(&study.out)?;
    let path = study.out.join(names::CONFIG);
    folder::write_atomic(&path, toml_text(&study.recipe, &path)?.as_bytes())?;
    Ok(manifest)
}

/// Hashes of all a study depends on: of files the contents, wherever they lie.
fn contents(study: &Study, context: &Context) -> anyhow::Result<BTreeMap<String, String>> {
    let hash = |text: &str| folder::hash_bytes(text.as_bytes());
    let mut keys = study.recipe.clone();
    (keys.base, keys.base_recipe, keys.variants) = (PathBuf::new(), PathBuf::new(), Vec::new());
    // Asked of what was found.
    keys.question = Questions::default();
    // No result depends on it: a study may go on with another.
    keys.audit.batch_size = None;
    // Answers are read again from the texts that the records hold.
    keys.audit.answers = None;
    let mut inputs = BTreeMap::from([
        ("recipe".into(), hash(&toml::to_string(&keys)?)),
        ("variants".into(), hash(&serde_json::to_string(&study.variants.iter().map(|v| &v.id).collect::<Vec<_>>())?)),
        ("device".into(), hash(context.hardware.device_name())),
        ("dtype".into(), hash(context.hardware.dtype.as_str())),
    ]);
    for variant in &study.variants {
        inputs.insert(format!("variant/{}", variant.id), hash(&toml::to_string(variant)?));
    }
    if study.from_scratch {
        inputs.insert("base_recipe".into(), folder::hash_file(&study.recipe.base_recipe)?);
    } else {
        refuse_no_base(study)?;
        inputs.extend(folder::hash_checkpoint(&study.recipe.base)?.into_iter().map(|(name, hash)| (format!("base/{name}"), hash)));
    }
    Ok(inputs)
}

fn refuse_no_base(study: &Study) -> anyhow::Result<()> {
    if !study.recipe.base.join("config.json").exists() {
        anyhow::bail!(Refused(format!(
            "{}: no base checkpoint there, nor of that name in the local Hub cache; use --from-scratch to train it, or correct the \
             recipe's `base`",
            study.recipe.base.display()
        )));
    }
    Ok(())
}

/// The checkpoint every variant starts from.
fn base(study: &Study, context: &Context) -> anyhow::Result<PathBuf> {
    if study.from_scratch {
        let out = study.out.join("base");
        make_base(&BasePlan::read(&study.recipe.base_recipe, out.clone())?, context)?;
        return Ok(out);
    }
    refuse_no_base(study)?;
    Ok(study.recipe.base.clone())
}

fn audit_plan(study: &Study, checkpoint: &Path, out: PathBuf, trained: Option<(&Variant, u64)>) -> AuditPlan {
    let keys = &study.recipe.audit;
    // Without a block there is nothing to intervene on: the base, and an arm without latents, are only scored.
    let has_block = trained.is_some_and(|(variant, _)| variant.stages != Stages::None);
    let interventions: Vec<Intervention> = if has_block { keys.interventions.clone() } else { Vec::new() };
    let mut settings = study.recipe.analysis.clone();
    if trained.is_some() {
        // What the base's vectors tell by themselves is no merit of the training.
        settings.floors.entry("base".into()).or_insert_with(|| study.out.join(names::BASE_AUDIT));
    }
    AuditPlan {
        checkpoint: checkpoint.to_path_buf(),
        benchmark: study.out.join(names::WORLD).join(if keys.partners { "test_paired.jsonl" } else { "test.jsonl" }),
        out,
        variant: trained.map(|(v, _)| v.clone()),
        training_seed: trained.map(|(_, seed)| seed),
        name: None,
        decoding: Decoding { max_new_tokens: keys.max_new_tokens, ..Decoding::default() },
        // Without a block there are no lengths of training either.
        steps: keys.steps.filter(|steps| has_block || *steps != Steps::Trained).into_iter().collect(),
        headline: keys.steps,
        // The base was trained on no form of answer of its own: a bare letter counts, as the floor that it is.
        answers: keys.answers.as_ref().map(|answers| if trained.is_some() { answers.clone() } else { answers.and_bare() }),
        interventions,
        vectors: keys.probes,
        layers: keys.layers && keys.probes,
        seed: study.recipe.seed,
        pool: keys.pool,
        alignment: keys.alignment,
        selection: Selection { batch_size: keys.batch_size, ..Selection::default() },
        kind: Kind::Audit,
        // Base and arms see the pixels that training sees.
        images: ImageSettings::default().or(ImageProcessor::Named),
        settings,
        report: false,
        records_only: false,
        // The folder is the study's own, and the study refuses another's.
        overwrite: true,
    }
}
