//! What a report speaks about: audits grouped by benchmark, variants in one
//! order with one colour and one shape each.

use std::path::{Path, PathBuf};

use prism_audit::Findings;
use prism_audit::findings::{ConclusionFinding, FaithfulnessFinding, VariantSummary, VerdictFinding};
use prism_run::door::{self, Limit};
use prism_run::manifest::Manifest;
use prism_run::{Intervention, Variant};

use crate::change::{self, ALL, Change};
use crate::charts::theme::VariantStyle;
use crate::gallery::Sources;
use crate::html::{clipped, plain};
use crate::{Error, ReportInputs, interventions};

/// Longest name of a variant or a benchmark printed, in characters.
const LONGEST_NAME: usize = 60;

/// Longest recipe printed, in characters.
const LONGEST_RECIPE: usize = 20_000;

/// One audit run folder, read.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The folder as it was given.
    pub folder: PathBuf,
    /// Its `run.json`.
    pub manifest: Manifest,
    /// Its findings.
    pub findings: Findings,
    /// Index into [`Study::variants`].
    pub variant: usize,
    /// Training seed.
    pub seed: Option<i64>,
}

impl Audit {
    /// The run's own line of Table 1.
    pub fn summary(&self) -> Option<&VariantSummary> {
        self.findings.table1.first()
    }

    /// The verdict of the run, as its audit found it; `None` where no intervention was run.
    pub fn conclusion(&self) -> Option<&ConclusionFinding> {
        self.findings.conclusion.first()
    }

    /// The row of an intervention over the whole benchmark.
    pub fn effect(&self, intervention: Intervention) -> Option<&FaithfulnessFinding> {
        change::effect(&self.findings, intervention)
    }

    /// The row of the clean run over the whole benchmark.
    pub fn clean(&self) -> Option<&FaithfulnessFinding> {
        self.effect(Intervention::CLEAN)
    }

    /// What each intervention shows, as pages list them.
    pub fn verdicts(&self) -> Vec<&VerdictFinding> {
        let mut all: Vec<&VerdictFinding> = self.findings.verdict.iter().collect();
        all.sort_by_key(|v| interventions::place(v.intervention));
        all
    }

    /// The change under an intervention ([`change::change`]).
    pub fn change(&self, intervention: Intervention) -> Option<Change> {
        change::change(&self.findings, intervention)
    }

    /// The interval of the clean accuracy when it reaches down to what the commonest label of each
    /// question type gets: (low, high, that floor).
    pub fn guesses(&self) -> Option<(f64, f64, f64)> {
        let s = self.summary()?;
        let (low, high, floor) = (s.accuracy_low?, s.accuracy_high?, s.type_floor?);
        (low <= floor).then_some((low, high, floor))
    }

    /// Whether the latent block never opened.
    pub fn is_silent(&self) -> bool {
        change::is_silent(&self.findings)
    }

    /// Examples of the clean run.
    pub fn examples(&self) -> Option<usize> {
        self.clean().map(|c| c.examples).or_else(|| self.summary().map(|s| s.examples))
    }
}

/// The audits of one benchmark.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name.
    pub benchmark: String,
    /// In the order of variants, then seeds.
    pub audits: Vec<Audit>,
}

impl Part {
    /// Interventions other than clean, as pages list them ([`interventions::place`]).
    pub fn interventions(&self) -> Vec<Intervention> {
        let rows = self.audits.iter().flat_map(|a| &a.findings.faithfulness).filter(|row| row.category == ALL);
        let mut all: Vec<Intervention> = rows.map(|row| row.intervention).filter(|i| !i.is_clean()).collect();
        all.sort_by_key(|i| interventions::place(*i));
        all.dedup();
        all
    }

    /// Those of [`Part::interventions`] on the whole block, with the image in view.
    pub fn whole_interventions(&self) -> Vec<Intervention> {
        self.interventions().into_iter().filter(Intervention::is_whole).collect()
    }

    /// Indices of the variants it holds, in order, each once.
    pub fn variants(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.audits.iter().map(|a| a.variant).collect();
        all.dedup();
        all
    }

    /// The audits of one variant.
    pub fn of(&self, variant: usize) -> impl Iterator<Item = &Audit> {
        self.audits.iter().filter(move |a| a.variant == variant)
    }

    /// The names of these runs; where all runs of a variant are among them, the variant's.
    pub fn names<'a>(&self, study: &Study, runs: impl Iterator<Item = &'a Audit>) -> Vec<String> {
        let runs: Vec<&Audit> = runs.collect();
        let is_named = |audit: &&Audit| runs.iter().any(|run| run.folder == audit.folder);
        let of = |variant: usize| -> Vec<String> {
            if self.of(variant).all(|audit| is_named(&audit)) {
                return vec![study.variants[variant].name.clone()];
            }
            self.of(variant).filter(is_named).map(|audit| self.run_name(study, audit)).collect()
        };
        self.variants().into_iter().flat_map(of).collect()
    }

    /// Whether any variant has more than one run.
    pub fn has_seeds(&self) -> bool {
        self.variants().len() < self.audits.len()
    }

    /// The name of a run: its variant, and its seed when that is needed to tell runs apart.
    pub fn run_name(&self, study: &Study, audit: &Audit) -> String {
        let name = &study.variants[audit.variant].name;
        match audit.seed {
            Some(seed) if self.has_seeds() => format!("{name} · {seed}"),
            _ => name.clone(),
        }
    }

    /// Smallest and largest number of examples over the runs.
    pub fn examples(&self) -> Option<(usize, usize)> {
        let all: Vec<usize> = self.audits.iter().filter_map(Audit::examples).collect();
        Some((*all.iter().min()?, *all.iter().max()?))
    }

    /// The equivalence margin, when every run declared the same one.
    pub fn margin(&self) -> Option<f64> {
        let mut margins = self.audits.iter().flat_map(|a| &a.findings.verdict).map(|v| v.margin);
        let first = margins.next()?;
        margins.all(|m| m == first).then_some(first)
    }
}

/// Everything the page is made from, but for records, logs and images.
#[derive(Debug, Clone)]
pub struct Study {
    /// One per benchmark, in the order of first appearance.
    pub parts: Vec<Part>,
    /// Every variant of the page, audited or only trained.
    pub variants: Vec<VariantStyle>,
    /// The comparison's folder and findings.
    pub comparison: Option<(PathBuf, Findings)>,
    /// What the model was before: Table 1 of the base's audit.
    pub base: Option<VariantSummary>,
    /// The study's recipe, as text.
    pub recipe: Option<String>,
    /// Training runs: folder, manifest, variant.
    pub trainings: Vec<Training>,
    /// Where pictures may be taken from.
    pub sources: Sources,
}

/// One training run folder.
#[derive(Debug, Clone)]
pub struct Training {
    /// The folder as it was given.
    pub folder: PathBuf,
    /// Its `run.json`.
    pub manifest: Manifest,
    /// Index into [`Study::variants`].
    pub variant: usize,
    /// Training seed.
    pub seed: Option<i64>,
}

impl Study {
    /// Reads manifests and findings; what is absent but not needed goes to `left_out`.
    ///
    /// # Errors
    /// When an audit's manifest or findings cannot be read.
    pub fn read(inputs: &ReportInputs, left_out: &mut Vec<String>) -> Result<Self, Error> {
        if inputs.audits.is_empty() {
            return Err(Error::NoAudit);
        }
        let mut names: Vec<(String, String)> = Vec::new();
        let mut audits = Vec::new();
        for folder in &inputs.audits {
            let manifest = Manifest::read(folder)?;
            let findings = Findings::read(folder)?;
            let summary = findings.table1.first();
            let id = manifest.variant.clone().or_else(|| summary.map(|s| s.variant.clone())).unwrap_or_else(|| folder_name(folder));
            let name = manifest.name.clone().or_else(|| summary.map(|s| s.name.clone())).unwrap_or_else(|| id.clone());
            let seed = seed_of(&manifest).or_else(|| summary.and_then(|s| s.seed));
            let benchmark = manifest.benchmark.clone().or_else(|| summary.map(|s| s.benchmark.clone()));
            if findings.faithfulness.is_empty() {
                left_out.push(format!("{}: no corruption results among its findings", folder.display()));
            }
            remember(&mut names, &id, &name);
            let benchmark = benchmark.as_deref().map_or_else(|| "benchmark".into(), |name| clipped(&plain(name), LONGEST_NAME));
            audits.push((id, seed, benchmark, folder.clone(), manifest, findings));
        }
        let mut trainings = Vec::new();
        for folder in &inputs.trainings {
            match Manifest::read(folder) {
                Ok(manifest) => {
                    let id = manifest.variant.clone().unwrap_or_else(|| folder_name(folder));
                    remember(&mut names, &id, manifest.name.as_deref().unwrap_or(&id));
                    trainings.push((id, folder.clone(), manifest));
                }
                Err(e) => left_out.push(format!("training curves of {}: {e}", folder.display())),
            }
        }
        let presets: Vec<&str> = Variant::preset_ids().collect();
        // A stable sort: presets in the paper's order, the others as they came.
        names.sort_by_key(|(id, _)| presets.iter().position(|p| p == id).unwrap_or(presets.len()));
        let variants: Vec<VariantStyle> = names.iter().enumerate().map(|(i, (id, name))| VariantStyle::new(i, id, name)).collect();
        let index = |id: &str| variants.iter().position(|v| v.id == id).unwrap_or_default();
        let mut parts: Vec<Part> = Vec::new();
        for (id, seed, benchmark, folder, manifest, findings) in audits {
            let audit = Audit { folder, manifest, findings, variant: index(&id), seed };
            match parts.iter_mut().find(|p| p.benchmark == benchmark) {
                Some(part) => part.audits.push(audit),
                None => parts.push(Part { benchmark, audits: vec![audit] }),
            }
        }
        for part in &mut parts {
            part.audits.sort_by_key(|a| (a.variant, a.seed));
        }
        let mut trainings: Vec<Training> = trainings
            .into_iter()
            .map(|(id, folder, manifest)| Training { seed: seed_of(&manifest), variant: index(&id), folder, manifest })
            .collect();
        trainings.sort_by_key(|t| (t.variant, t.seed));
        let comparison = match &inputs.comparison {
            None => None,
            Some(folder) => Some((folder.clone(), Findings::read(folder)?)),
        };
        let base = match &inputs.base {
            None => None,
            Some(folder) => Findings::read(folder)?.table1.into_iter().next(),
        };
        let recipe = inputs.recipe.as_deref().and_then(|path| match door::read_text(path, Limit::Recipe) {
            Ok(text) => Some(clipped(&plain(&text), LONGEST_RECIPE)),
            Err(e) => {
                left_out.push(format!("the recipe: {e}"));
                None
            }
        });
        let sources = Sources::new(&inputs.folders, &inputs.images);
        Ok(Self { parts, variants, comparison, base, recipe, trainings, sources })
    }

    /// p of an intervention of a run adjusted over all runs of the comparison, where there is one. No word rests on it.
    pub fn across(&self, audit: &Audit, intervention: Intervention) -> Option<f64> {
        let (_, findings) = self.comparison.as_ref()?;
        let id = &self.style(audit).id;
        let of = |v: &&VerdictFinding| v.variant == *id && v.seed == audit.seed && v.intervention == intervention;
        findings.verdict.iter().find(of)?.across_holm_p
    }

    /// The style of an audit's variant.
    pub fn style(&self, audit: &Audit) -> &VariantStyle {
        &self.variants[audit.variant]
    }
}

fn seed_of(manifest: &Manifest) -> Option<i64> {
    manifest.seed.and_then(|s| i64::try_from(s).ok())
}

fn folder_name(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "run".into(), |n| n.to_string_lossy().into_owned())
}

fn remember(names: &mut Vec<(String, String)>, id: &str, name: &str) {
    if !names.iter().any(|(known, _)| known == id) {
        names.push((id.to_string(), clipped(&plain(name), LONGEST_NAME)));
    }
}
