//! What a report speaks about: audits grouped by benchmark, variants in one
//! order with one colour and one shape each.

use std::path::{Path, PathBuf};

use prism_audit::Findings;
use prism_audit::findings::{ConclusionFinding, FaithfulnessFinding, VariantSummary};
use prism_run::manifest::Manifest;
use prism_run::{Action, Intervention, Scope, Variant, View};

use crate::charts::theme::VariantStyle;
use crate::html::{clipped, plain};
use crate::{Error, ReportInputs};

/// The category of rows that speak of the whole benchmark.
pub const ALL: &str = "all";

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

    /// What the run allows to be said of its latents; `None` where no intervention was run.
    pub fn conclusion(&self) -> Option<&ConclusionFinding> {
        self.findings.conclusion.first()
    }

    /// The row of an intervention over the whole benchmark.
    pub fn effect(&self, intervention: &str) -> Option<&FaithfulnessFinding> {
        self.findings.faithfulness.iter().find(|f| f.category == ALL && f.intervention == intervention)
    }

    /// The change under an intervention; `None` when no latent ran, for then
    /// nothing was changed and a zero would be no finding.
    pub fn delta(&self, intervention: &str) -> Option<f64> {
        let f = self.effect(intervention)?;
        if self.is_silent() { None } else { f.delta.filter(|d| d.is_finite()) }
    }

    /// The change under an intervention on the examples its verdict reads, those whose
    /// block opened; `None` when no latent ran. The sham has no verdict: all examples.
    pub fn change(&self, intervention: &str) -> Option<Change> {
        let delta = self.delta(intervention)?;
        if let Some(v) = self.findings.verdict.iter().find(|v| v.intervention == intervention) {
            let delta = v.delta.filter(|d| d.is_finite())?;
            return Some(Change { delta, low: v.delta_low, high: v.delta_high, gained: v.gained, lost: v.lost });
        }
        let f = self.effect(intervention)?;
        Some(Change { delta, low: f.delta_low, high: f.delta_high, gained: f.gained, lost: f.lost })
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
        self.effect("clean").is_some_and(|c| c.opened == Some(0.0))
    }

    /// Examples of the clean run.
    pub fn examples(&self) -> Option<usize> {
        self.effect("clean").map(|c| c.examples).or_else(|| self.summary().map(|s| s.examples))
    }
}

/// A change of accuracy with its interval, all from the same examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Accuracy minus clean accuracy.
    pub delta: f64,
    /// 95 % interval.
    pub low: Option<f64>,
    /// 95 % interval.
    pub high: Option<f64>,
    /// Wrong clean, right under the intervention.
    pub gained: usize,
    /// Right clean, wrong under the intervention.
    pub lost: usize,
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
    /// Interventions other than clean: those on the whole block with the image in view, then
    /// those on part of it, then those under another view; each in the order they were run.
    pub fn interventions(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for row in self.audits.iter().flat_map(|a| &a.findings.faithfulness) {
            if row.category == ALL && row.intervention != "clean" && !all.contains(&row.intervention) {
                all.push(row.intervention.clone());
            }
        }
        all.sort_by_key(|i| if is_whole(i) { 0 } else { 1 + usize::from(!prism_audit::conclusion::is_main(i)) });
        all
    }

    /// Those of [`Part::interventions`] on the whole block, with the image in view.
    pub fn whole_interventions(&self) -> Vec<String> {
        self.interventions().into_iter().filter(|i| is_whole(i)).collect()
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
            // Tests that stand on one page are one family, as in a comparison of these runs.
            prism_audit::verdict::adjust(&mut part.audits.iter_mut().flat_map(|a| &mut a.findings.verdict).collect::<Vec<_>>());
            for audit in part.audits.iter_mut().filter(|a| !a.findings.verdict.is_empty()) {
                let concluded = prism_audit::conclusion::conclude(&audit.findings.verdict);
                audit.findings.conclusion =
                    vec![ConclusionFinding { variant: variants[audit.variant].id.clone(), seed: audit.seed, ..concluded }];
            }
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
        let recipe = inputs.recipe.as_deref().and_then(|path| match std::fs::read_to_string(path) {
            Ok(text) => Some(clipped(&plain(&text), LONGEST_RECIPE)),
            Err(e) => {
                left_out.push(format!("the recipe: {}: {e}", path.display()));
                None
            }
        });
        Ok(Self { parts, variants, comparison, base, recipe, trainings })
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

/// Whether an intervention is on the whole block with the image in view.
fn is_whole(text: &str) -> bool {
    match text.parse::<Intervention>() {
        Ok(Intervention { scope, view, .. }) => scope == Scope::default() && view == View::Open,
        Err(_) => true,
    }
}

/// An intervention as the page prints it.
pub fn intervention_label(text: &str) -> String {
    match text.parse::<Intervention>() {
        Ok(Intervention { action: Action::Noise(sigma), scope, view: View::Open }) => format!("noise σ {sigma}{scope}"),
        Ok(other) => other.to_string(),
        Err(_) => text.to_string(),
    }
}
