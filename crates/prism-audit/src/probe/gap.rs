//! The decodability gap (method, section 6): how much more of the answer can be read at
//! `answer_state` than at `latent_last`, both probed on the same examples.

use std::collections::BTreeMap;
use std::path::Path;

use prism_run::Position;
use prism_run::records::{self, AnswerRow, ExampleRow, files};
use prism_run::vectors::{self, Vectors};

use super::paper;
use super::row::{OWN, is_own};
use super::rows::{Place, Rows};
use super::suite::{Effort, probe_rows};
use super::targets::{Target, questions};
use crate::clusters::Clusters;
use crate::findings::{ProbeFinding, WarningFinding};
use crate::settings::Compat;
use crate::{AuditSettings, Result};

/// The decodability gap: both probes on the same examples.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    /// Examples with both vectors.
    pub rows: usize,
    /// Examples with a vector at `answer_state`, and at `latent_last`.
    pub of: [usize; 2],
    /// Probe accuracy at `answer_state`, and at `latent_last`, on the common rows.
    pub accuracy: [f64; 2],
}

impl Gap {
    /// acc(a) - acc(b).
    pub fn value(&self) -> f64 {
        self.accuracy[0] - self.accuracy[1]
    }

    /// Says that the rows differ, if they do.
    pub fn warning(&self) -> Option<WarningFinding> {
        let [a, b] = self.of;
        (a != self.rows || b != self.rows).then(|| WarningFinding {
            about: "probe".into(),
            text: format!(
                "answer_state was probed on {a} examples and latent_last on {b}: the decodability gap is over the {} that have both \
                 ({:.1} and {:.1} % there), not the difference of the two columns",
                self.rows,
                100.0 * self.accuracy[0],
                100.0 * self.accuracy[1]
            ),
        })
    }
}

/// The decodability gap of a run whose positions were probed as `probes` say; `None`
/// when either position cannot be probed on the rows common to both.
///
/// # Errors
/// As [`super::probe_run`].
pub fn gap(
    run: &Path,
    examples: &[ExampleRow],
    answers: &[AnswerRow],
    probes: &[ProbeFinding],
    settings: &AuditSettings,
) -> Result<Option<Gap>> {
    let positions = [Position::AnswerState, Position::LatentLast];
    let path = records::folder(run).join(files::LATENTS);
    if !prism_run::door::stands(&path) {
        return Ok(None);
    }
    let all = vectors::read_named(&path, |name| positions.iter().any(|p| p.name() == name))?;
    let known = questions(examples, answers);
    let clusters = Clusters::of(examples);
    let [Some(a), Some(b)] = positions.map(|p| all.get(p.name())) else { return Ok(None) };
    let rows = |v: &Vectors| -> Vec<i64> { v.rows.iter().copied().filter(|row| known.contains_key(row)).collect() };
    let (of_a, of_b) = (rows(a), rows(b));
    let set = |rows: &[i64]| rows.iter().copied().collect::<std::collections::BTreeSet<i64>>();
    let (in_a, in_b) = (set(&of_a), set(&of_b));
    let common: BTreeMap<_, _> =
        known.iter().filter(|(row, _)| in_a.contains(row) && in_b.contains(row)).map(|(row, q)| (*row, q.clone())).collect();
    let whole = of_a.len() == common.len() && of_b.len() == common.len();
    let mut accuracy = [0.0; 2];
    for ((position, vectors), found) in positions.into_iter().zip([a, b]).zip(&mut accuracy) {
        let value = match probes.iter().find(|p| whole && is_own(p, position)) {
            Some(finding) => finding.accuracy,
            None => one(position, vectors, &common, &clusters, settings)?,
        };
        let Some(value) = value else { return Ok(None) };
        *found = value;
    }
    Ok(Some(Gap { rows: common.len(), of: [of_a.len(), of_b.len()], accuracy }))
}

/// Accuracy at one position on these examples, by the pipeline of the settings.
fn one(
    position: Position,
    vectors: &Vectors,
    known: &BTreeMap<i64, super::targets::Question<'_>>,
    clusters: &Clusters,
    settings: &AuditSettings,
) -> Result<Option<f64>> {
    let place = Place::from_name(position.name());
    match settings.compat {
        Compat::Paper => {
            let rows = Rows::join(vectors, known, clusters, Target::Gold, 1);
            let plain = AuditSettings { control_draws: 0, ..settings.clone() };
            Ok(paper::probe(position.name(), &rows.x, &rows.names(), &plain)?.accuracy)
        }
        Compat::None => {
            let rows = Rows::join(vectors, known, clusters, Target::Gold, 2);
            Ok(probe_rows(&place, OWN, Target::Gold, &rows, Effort::Repeats, settings)?.finding.accuracy)
        }
    }
}
