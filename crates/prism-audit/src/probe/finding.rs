//! The probes of a run as rows of `probe.parquet`.

use std::collections::BTreeMap;
use std::path::Path;

use prism_run::records::{self, AnswerRow, ExampleRow, files};
use prism_run::vectors::{self, Vectors};
use prism_run::{Cloud, Position};
use rayon::prelude::*;

use super::floors::{self, Floor, absent, attach};
use super::paper;
use super::probed::Probed;
use super::row::OWN;
use super::rows::{Place, QUESTION_BLIND, Rows};
use super::suite::{Effort, probe_rows};
use super::targets::{Question, Target, questions};
use crate::clusters::Clusters;
use crate::findings::{ProbeFinding, WarningFinding};
use crate::settings::Compat;
use crate::{AuditSettings, Result};

/// Probes every position the run recorded vectors for: the last layer in full, in
/// [`Position::ALL`]'s order and every target; then the floors' vectors; then every single
/// latent step and every other layer, once. Under [`Compat::Paper`] the last layer's gold letter alone, as the release.
///
/// # Errors
/// When vectors or a floor's run cannot be read, or vectors hold values that are not finite.
pub fn probe_run(run: &Path, examples: &[ExampleRow], answers: &[AnswerRow], settings: &AuditSettings) -> Result<Vec<ProbeFinding>> {
    let path = records::folder(run).join(files::LATENTS);
    if !prism_run::door::stands(&path) {
        return Ok(Vec::new());
    }
    // What the latents were trained towards, and what they are with it given, is not the run's own.
    let own = |name: &str| !matches!(Cloud::of(name), Some(Cloud::TeacherForced | Cloud::TeacherTarget));
    let mut all: Vec<(Place, Vectors)> =
        vectors::read_named(&path, own)?.into_iter().map(|(name, v)| (Place::from_name(&name), v)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let questions = questions(examples, answers);
    let clusters = Clusters::of(examples);
    let of = Subjects { questions: &questions, clusters: &clusters, settings };
    let (last, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(place, _)| place.is_whole());
    if settings.compat == Compat::Paper {
        let known = last.iter().filter(|(place, _)| Position::from_name(&place.position).is_some());
        return known
            .map(|(place, vectors)| {
                let rows = Rows::join(vectors, &questions, &clusters, Target::Gold, 1);
                paper::probe(&place.name(), &rows.x, &rows.names(), settings)
            })
            .collect();
    }
    let mut found = of.full(&last, examples)?;
    found.extend(of.once(&others)?);
    Ok(found)
}

/// What every probe of a run shares.
struct Subjects<'a> {
    questions: &'a BTreeMap<i64, Question<'a>>,
    clusters: &'a Clusters,
    settings: &'a AuditSettings,
}

impl Subjects<'_> {
    fn probe(&self, place: &Place, source: &str, target: Target, vectors: &Vectors, effort: Effort) -> Result<Probed> {
        let rows = Rows::join(vectors, self.questions, self.clusters, target, 2);
        probe_rows(place, source, target, &rows, effort, self.settings)
    }

    /// Single steps and other layers, one repeat each.
    fn once(&self, others: &[(Place, Vectors)]) -> Result<Vec<ProbeFinding>> {
        let cells: Vec<(&(Place, Vectors), Target)> = others.iter().flat_map(|cell| Target::ALL.map(|target| (cell, target))).collect();
        cells.into_par_iter().map(|((place, vectors), target)| Ok(self.probe(place, OWN, target, vectors, Effort::Once)?.finding)).collect()
    }

    /// The last layer with its floors, and the floors' own rows.
    fn full(&self, last: &[(Place, Vectors)], examples: &[ExampleRow]) -> Result<Vec<ProbeFinding>> {
        let mut sources: Vec<(String, Vec<(Place, Vectors)>)> = Vec::new();
        for (name, run) in &self.settings.floors {
            let vectors = floors::of_run(name, run, examples)?;
            let wanted = vectors.into_iter().filter(|(place, _)| last.iter().any(|(own, _)| own == place));
            sources.push((name.clone(), wanted.collect()));
        }
        let own = last.iter().map(|(place, vectors)| (place, OWN, vectors, Effort::Full));
        let others = sources.iter().flat_map(|(name, all)| all.iter().map(|(p, v)| (p, name.as_str(), v, Effort::Repeats)));
        let cells: Vec<_> = own.chain(others).flat_map(|cell| Target::ALL.map(|target| (cell, target))).collect();
        let mut probed: Vec<(Target, Probed)> = cells
            .par_iter()
            .map(|((place, source, vectors, effort), target)| Ok((*target, self.probe(place, source, *target, vectors, *effort)?)))
            .collect::<Result<_>>()?;
        let recorded = last.iter().any(|(place, _)| place.position == QUESTION_BLIND);
        let missing = absent(recorded, self.settings);
        for i in 0..probed.len() {
            let ((place, source, vectors, _), target) = &cells[i];
            if *source != OWN {
                continue;
            }
            let is_floor = |of: Target, p: &Probed| {
                let blind = p.finding.source == OWN && p.finding.position == QUESTION_BLIND && place.position != QUESTION_BLIND;
                of == *target && !p.right.is_empty() && (blind || (p.finding.source != OWN && p.finding.position == place.position))
            };
            let named = |p: &Probed| Floor::of(p, if p.finding.source == OWN { QUESTION_BLIND } else { &p.finding.source });
            let beside: Vec<Floor> = probed.iter().filter(|(of, p)| is_floor(*of, p)).map(|(_, p)| named(p)).collect();
            let rows = Rows::join(vectors, self.questions, self.clusters, *target, 2);
            attach(&mut probed[i].1, &rows, *target, &beside, &missing, self.settings);
        }
        Ok(probed.into_iter().map(|(_, p)| p.finding).collect())
    }
}

/// What a reader must know before reading the probes.
pub fn warnings(findings: &[ProbeFinding], settings: &AuditSettings) -> Vec<WarningFinding> {
    let mut texts = Vec::new();
    let whole = |f: &&ProbeFinding| f.source == OWN && Place::from_name(&f.position).is_whole() && f.layer.is_none();
    for finding in findings.iter().filter(whole) {
        let target = if finding.target == Target::Gold.name() { String::new() } else { format!(" for {}", finding.target) };
        let place = format!("{}{target}", finding.position);
        if let Some(reason) = &finding.reason {
            texts.push(format!("no probe at {place}: {reason}"));
        } else if finding.folds < settings.folds {
            texts.push(format!("the probe at {place} has {} folds, not {}: a label is rare", finding.folds, settings.folds));
        }
        if finding.left_out > 0 {
            texts.push(format!("the probe at {place} leaves {} examples out: their label occurs with one image only", finding.left_out));
        }
        if finding.converged == Some(false) {
            texts.push(format!("a probe fit at {place} ended before it converged"));
        }
    }
    let failed = findings.iter().filter(|f| !whole(f) && f.source == OWN && f.converged == Some(false)).count();
    if failed > 0 {
        texts.push(format!("{failed} probes of other layers or single steps have a fit that ended before it converged"));
    }
    texts.into_iter().map(|text| WarningFinding { about: "probe".into(), text }).collect()
}
