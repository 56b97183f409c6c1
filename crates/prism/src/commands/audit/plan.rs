//! What an audit or evaluation was asked for, resolved.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use prism_audit::AuditSettings;
use prism_audit::settings::Compat;
use prism_data::{Benchmark, Depth, Images};
use prism_record::record;
use prism_run::{Action, Answers, Donor, Intervention, Shard, Steps, Variant};

use super::subject;
use crate::Context;
use crate::cli::{AuditArguments, EvalArguments, SelectionArguments};
use crate::commands::decoding::Decoding;
use crate::commands::images::ImageSettings;
use crate::commands::opened::locate_as;
use crate::exit::Refused;

/// Which of the two it is: the word in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Clean and under interventions, with probes and alignment.
    Audit,
    /// The clean run alone.
    Eval,
}

impl Kind {
    /// The word in the manifest, and the verb.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Audit => "audit",
            Kind::Eval => "eval",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Kind::Audit, Kind::Eval].into_iter().find(|kind| kind.name() == name)
    }
}

/// Which examples are run, and what is told of them.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Only the first examples.
    pub limit: Option<usize>,
    /// Only these categories; all when empty.
    pub subset: Vec<String>,
    /// The part that is recorded.
    pub shard: Shard,
    /// Examples a worker decodes side by side; the model's size decides where nothing is said.
    pub batch_size: Option<NonZeroUsize>,
    /// Note and tell how long the examples took.
    pub timing: bool,
}

impl Default for Selection {
    /// The whole benchmark.
    fn default() -> Self {
        Self { limit: None, subset: Vec::new(), shard: Shard::WHOLE, batch_size: None, timing: false }
    }
}

impl Selection {
    fn resolve(arguments: SelectionArguments, context: &Context) -> anyhow::Result<Self> {
        let shard = match arguments.shard {
            Some(shard) => shard,
            None => match Shard::of_slurm(|name| std::env::var(name).ok())? {
                Some(shard) => {
                    if !shard.is_whole() {
                        context.printer.narrate(&format!("shard {shard}, from SLURM_ARRAY_TASK_ID; --shard all runs everything"));
                    }
                    shard
                }
                None => Shard::WHOLE,
            },
        };
        let mut subset = arguments.subset;
        subset.sort();
        subset.dedup();
        Ok(Self { limit: arguments.limit, subset, shard, batch_size: arguments.batch_size, timing: arguments.timing })
    }
}

/// What an audit needs.
pub struct AuditPlan {
    /// Whether it is an audit, or an evaluation.
    pub kind: Kind,
    /// Hugging Face folder.
    pub checkpoint: PathBuf,
    /// Benchmark file or folder.
    pub benchmark: PathBuf,
    /// Run folder; those of shards and of a sweep's arms lie below it.
    pub out: PathBuf,
    /// Variant it was trained as, and the training seed, when known.
    pub variant: Option<Variant>,
    /// Training seed, when known.
    pub training_seed: Option<u64>,
    /// What the run is called; the variant's name where it has one, if nothing else is said.
    pub name: Option<String>,
    /// Protocol, exit and budget.
    pub decoding: Decoding,
    /// K; several are a sweep, none is the default.
    pub steps: Vec<Steps>,
    /// The K that was declared before the run, where a sweep has others; absent: the default.
    pub headline: Option<Steps>,
    /// Rules that read the answers, where some are asked for.
    pub answers: Option<Answers>,
    /// Branches besides the clean run.
    pub interventions: Vec<Intervention>,
    /// Keep the vectors that probes read.
    pub vectors: bool,
    /// Keep the probe positions' vectors at every layer.
    pub layers: bool,
    /// Seed of noise and donors.
    pub seed: u64,
    /// Donor pool.
    pub pool: usize,
    /// Examples whose alignment is measured.
    pub alignment: usize,
    /// Which examples.
    pub selection: Selection,
    /// How images become pixels.
    pub images: ImageSettings,
    /// How records become findings.
    pub settings: AuditSettings,
    /// Also write the page.
    pub report: bool,
    /// Stop once the records are written.
    pub records_only: bool,
    /// Replace the records of a finished run of other inputs or settings.
    pub overwrite: bool,
}

impl AuditPlan {
    /// Whether anything is done to latents.
    pub fn acts(&self) -> bool {
        self.interventions.iter().any(|i| i.action != Action::Clean)
    }

    /// Members of the declared content set that are not run, and without which nothing can be called bypassed; none
    /// under the paper's pipeline, which has no words.
    pub fn undecided_without(&self) -> Vec<Intervention> {
        let wanted = |i: &&Intervention| i.action.donor() != Some(Donor::Counterfactual) && !self.interventions.contains(i);
        match self.settings.compat {
            Compat::Paper => Vec::new(),
            Compat::None => self.settings.content.iter().filter(wanted).copied().collect(),
        }
    }

    /// The audit that was typed.
    ///
    /// # Errors
    /// When the checkpoint is not found, or a setting cannot be used.
    pub fn audit(arguments: AuditArguments, context: &Context) -> anyhow::Result<Self> {
        let mut settings = AuditSettings { equivalence_margin: arguments.margin / 100.0, ..AuditSettings::default() };
        if arguments.compat == Compat::Paper {
            settings = settings.paper();
        }
        settings.floors = arguments.floor.into_iter().collect();
        if !arguments.content.is_empty() {
            settings.content = arguments.content;
        }
        if !arguments.presence.is_empty() {
            settings.presence = arguments.presence;
        }
        settings.check()?;
        let interventions = match arguments.interventions.is_empty() {
            true => interventions(&settings, has_partners(&arguments.benchmark, arguments.selection.limit)),
            false => arguments.interventions,
        };
        let selection = Selection::resolve(arguments.selection, context)?;
        if arguments.report && !selection.shard.is_whole() {
            anyhow::bail!(Refused(format!("--report: shard {} makes no page; give --report to `prism merge`", selection.shard)));
        }
        let name = arguments.name.or_else(|| arguments.variant.is_none().then(|| subject::called(&arguments.checkpoint)));
        Ok(Self {
            kind: Kind::Audit,
            name,
            checkpoint: locate_as(&arguments.checkpoint, &arguments.source, context)?,
            benchmark: arguments.benchmark,
            out: arguments.out,
            variant: arguments.variant.as_deref().map(Variant::load).transpose()?,
            training_seed: None,
            decoding: Decoding::resolve(&arguments.decoding, arguments.max_new_tokens)?,
            steps: distinct(arguments.steps)?,
            headline: None,
            answers: arguments.answers,
            interventions,
            vectors: true,
            layers: arguments.layers,
            seed: arguments.seed,
            pool: record::donors::POOL,
            alignment: 200,
            selection,
            images: ImageSettings::from(&arguments.images),
            settings,
            report: arguments.report,
            records_only: arguments.records_only,
            overwrite: arguments.overwrite,
        })
    }

    /// The evaluation that was typed: the audit without interventions, probes and alignment.
    ///
    /// # Errors
    /// When the checkpoint is not found.
    pub fn eval(arguments: EvalArguments, context: &Context) -> anyhow::Result<Self> {
        Ok(Self {
            kind: Kind::Eval,
            name: Some(subject::called(&arguments.checkpoint)),
            checkpoint: locate_as(&arguments.checkpoint, &arguments.source, context)?,
            benchmark: arguments.benchmark,
            out: arguments.out,
            variant: None,
            training_seed: None,
            decoding: Decoding::resolve(&arguments.decoding, arguments.max_new_tokens)?,
            steps: distinct(arguments.steps)?,
            headline: None,
            answers: arguments.answers,
            interventions: Vec::new(),
            vectors: false,
            layers: false,
            seed: 0,
            pool: record::donors::POOL,
            alignment: 0,
            selection: Selection::resolve(arguments.selection, context)?,
            images: ImageSettings::from(&arguments.images),
            settings: AuditSettings::default(),
            report: false,
            records_only: false,
            overwrite: arguments.overwrite,
        })
    }

    /// K and run folder of every arm: `out` itself, or `out/k4`, `out/k8`, `out/k-trained` of a
    /// sweep; a shard's lies below that.
    pub fn arms(&self) -> Vec<(Option<Steps>, PathBuf)> {
        let of_shard = |out: PathBuf| match self.selection.shard.is_whole() {
            true => out,
            false => out.join(self.selection.shard.folder()),
        };
        match self.steps.as_slice() {
            [] => vec![(None, of_shard(self.out.clone()))],
            [k] => vec![(Some(*k), of_shard(self.out.clone()))],
            several => several.iter().map(|k| (Some(*k), of_shard(self.out.join(arm(*k))))).collect(),
        }
    }
}

/// Whether the benchmark holds counterfactual partners beside the examples they are of. What cannot be read is told later.
fn has_partners(benchmark: &Path, limit: Option<usize>) -> bool {
    let read = |benchmark: Benchmark| benchmark.read(&Images::looked_at(Depth::Beginning), limit);
    let examples = Benchmark::open(benchmark).and_then(read).unwrap_or_default();
    let ids: BTreeSet<&str> = examples.iter().map(|example| example.id.as_str()).collect();
    examples.iter().any(|example| example.counterfactual.as_deref().is_some_and(|id| ids.contains(id)))
}

/// What an audit runs where nothing is said: what decides, the shams, and the paper's corruptions; the exchange with
/// partners where the benchmark has them.
fn interventions(settings: &AuditSettings, partners: bool) -> Vec<Intervention> {
    let paper = Intervention::paper_six();
    if settings.compat == Compat::Paper {
        return paper;
    }
    let partner = |i: &Intervention| i.action.donor() == Some(Donor::Counterfactual);
    let deciding = settings.content.iter().chain(&settings.presence).copied().filter(|i| partners || !partner(i));
    let shams = [Action::Swap(Donor::Itself), Action::SwapKv(Donor::Itself)].map(Intervention::from);
    let mut all: Vec<Intervention> = Vec::new();
    for intervention in deciding.chain(shams).chain(paper).filter(|i| !i.is_clean()) {
        if !all.contains(&intervention) {
            all.push(intervention);
        }
    }
    all
}

/// Folder of one K of a sweep.
pub fn arm(steps: Steps) -> String {
    match steps {
        Steps::Fixed(steps) => format!("k{steps}"),
        Steps::Trained => format!("k-{steps}"),
    }
}

/// Refuses a K that is named twice.
fn distinct(steps: Vec<Steps>) -> anyhow::Result<Vec<Steps>> {
    if let Some((_, twice)) = steps.iter().enumerate().find(|(i, k)| steps.iter().take(*i).any(|other| other == *k)) {
        anyhow::bail!(Refused(format!("--steps: {twice} is named twice; name each K once")));
    }
    Ok(steps)
}
