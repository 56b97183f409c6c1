//! One probe as a row of `probe.parquet`.

use std::collections::BTreeMap;
use std::path::Path;

use prism_run::random::Stream;
use prism_run::records::{self, ExampleRow, files};
use prism_run::vectors::{self, Vectors};
use prism_run::{Outcome, Position};
use rayon::prelude::*;

use super::{Matrix, Pipeline, Tolerance, cross_validate};
use crate::findings::{ProbeFinding, WarningFinding};
use crate::statistics::entropy::entropy;
use crate::{AuditSettings, Error, Result};

/// Probes every position the run recorded vectors for, in [`Position::ALL`]'s order.
///
/// # Errors
/// When the vectors cannot be read, or hold values that are not finite.
pub fn probe_run(run: &Path, examples: &[ExampleRow], settings: &AuditSettings) -> Result<Vec<ProbeFinding>> {
    let path = records::folder(run).join(files::LATENTS);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let all = vectors::read(&path)?;
    let labels = labels(examples);
    let present = Position::ALL.into_iter().filter_map(|p| all.get(p.name()).map(|v| (p, v)));
    let mut found = Vec::new();
    for (position, vectors) in present {
        let (x, gold) = labelled(vectors, &labels);
        found.push(probe(position.name(), &x, &gold, settings)?);
    }
    Ok(found)
}

fn labels(examples: &[ExampleRow]) -> BTreeMap<i64, &str> {
    examples.iter().filter(|e| e.outcome != Outcome::Error.name()).map(|e| (e.row as i64, e.label.as_str())).collect()
}

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
                "answer_state was probed on {a} examples and latent_last on {b}: the decodability gap is over the {} that have both                  ({:.1} and {:.1} % there), not the difference of the two columns",
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
/// As [`probe_run`].
pub fn gap(run: &Path, examples: &[ExampleRow], probes: &[ProbeFinding], settings: &AuditSettings) -> Result<Option<Gap>> {
    let positions = [Position::AnswerState, Position::LatentLast];
    let path = records::folder(run).join(files::LATENTS);
    if !path.exists() {
        return Ok(None);
    }
    let all = vectors::read(&path)?;
    let labels = labels(examples);
    let [Some(a), Some(b)] = positions.map(|p| all.get(p.name())) else { return Ok(None) };
    let rows = |v: &Vectors| -> BTreeMap<i64, &str> { v.rows.iter().filter_map(|row| Some((*row, *labels.get(row)?))).collect() };
    let (of_a, of_b) = (rows(a), rows(b));
    let common: BTreeMap<i64, &str> = of_a.iter().filter(|(row, _)| of_b.contains_key(row)).map(|(r, l)| (*r, *l)).collect();
    let whole = of_a.len() == common.len() && of_b.len() == common.len();
    // Only the accuracy is read here: no control draws.
    let plain = AuditSettings { control_draws: 0, ..settings.clone() };
    let mut accuracy = [0.0; 2];
    for ((position, vectors), found) in positions.into_iter().zip([a, b]).zip(&mut accuracy) {
        let known = probes.iter().find(|p| whole && p.position == position.name());
        let value = match known {
            Some(finding) => finding.accuracy,
            None => {
                let (x, gold) = labelled(vectors, &common);
                probe(position.name(), &x, &gold, &plain)?.accuracy
            }
        };
        let Some(value) = value else { return Ok(None) };
        *found = value;
    }
    Ok(Some(Gap { rows: common.len(), of: [of_a.len(), of_b.len()], accuracy }))
}

/// The vectors whose example has a label, in row order, with those labels.
fn labelled<'a>(vectors: &Vectors, labels: &BTreeMap<i64, &'a str>) -> (Matrix, Vec<&'a str>) {
    let mut order: Vec<(i64, usize, &str)> =
        vectors.rows.iter().enumerate().filter_map(|(i, row)| labels.get(row).map(|l| (*row, i, *l))).collect();
    order.sort_unstable();
    let mut x = Matrix { rows: order.len(), columns: vectors.width, values: Vec::with_capacity(order.len() * vectors.width) };
    for (_, i, _) in &order {
        x.values.extend(vectors.vector(*i).iter().map(|v| f64::from(*v)));
    }
    (x, order.into_iter().map(|(_, _, label)| label).collect())
}

/// Probes the gold label from the rows of `x`; classes are the labels in sorted order.
///
/// Folds drop to the rarest class's count. Fewer than two classes, fewer than two
/// members of a class or fewer than `2 * folds` rows give a finding without numbers
/// that says why.
///
/// # Errors
/// [`Error::Probe`] when the fit fails, e.g. on values that are not finite.
pub fn probe(position: &str, x: &Matrix, gold: &[&str], settings: &AuditSettings) -> Result<ProbeFinding> {
    let mut names: Vec<&str> = gold.to_vec();
    names.sort_unstable();
    names.dedup();
    let labels: Vec<usize> = gold.iter().filter_map(|g| names.binary_search(g).ok()).collect();
    let mut counts = vec![0usize; names.len()];
    labels.iter().for_each(|&l| counts[l] += 1);
    let rarest = counts.iter().copied().min().unwrap_or(0);
    let folds = settings.folds.min(rarest);
    let mut finding = empty(position, &labels, &counts, folds);

    finding.reason = if names.len() < 2 {
        Some(format!("{} class among {} rows: nothing to tell apart", names.len(), labels.len()))
    } else if labels.len() < 2 * settings.folds {
        Some(format!("{} rows are fewer than 2 x {} folds", labels.len(), settings.folds))
    } else if folds < 2 {
        Some("a class has a single member: it cannot be in training and test".into())
    } else {
        None
    };
    if finding.reason.is_some() {
        return Ok(finding);
    }

    let refuse = |cause: String| Error::Probe { position: position.to_string(), cause };
    let pipeline =
        Pipeline { folds, c: settings.c, seed: settings.seed, tolerance: Tolerance::release(settings.max_iterations), reduce: false };
    let result = cross_validate(x, &labels, names.len(), pipeline).map_err(refuse)?;
    let tight = cross_validate(x, &labels, names.len(), Pipeline { tolerance: Tolerance::tight(), reduce: true, ..pipeline });
    let tight = tight.map_err(refuse)?;
    let accuracy = result.accuracy();
    let prior = entropy(&counts);
    finding.accuracy = Some(accuracy);
    finding.accuracy_sd = Some(result.accuracy_sd());
    finding.cross_entropy = Some(result.cross_entropy);
    finding.mi = Some(prior - result.cross_entropy);
    finding.mi_clamped = Some((prior - result.cross_entropy).max(0.0));
    finding.mi_uniform = Some(((names.len() as f64).ln() - result.cross_entropy).max(0.0));
    finding.iterations_max = usize::try_from(result.iterations_max).ok();
    finding.converged = Some(result.converged);
    finding.gradient_max = Some(result.gradient_max);
    finding.tight_cross_entropy = Some(tight.cross_entropy);
    let control = control(position, x, &labels, names.len(), pipeline, settings).map_err(refuse)?;
    finding.control_accuracy = control;
    finding.selectivity = control.map(|c| accuracy - c);
    Ok(finding)
}

/// Mean accuracy of the same pipeline on permuted labels (same marginals), over the draws.
fn control(
    position: &str,
    x: &Matrix,
    labels: &[usize],
    classes: usize,
    pipeline: Pipeline,
    settings: &AuditSettings,
) -> Result<Option<f64>, String> {
    let draws: Vec<f64> = (0..settings.control_draws)
        .into_par_iter()
        .map(|draw| {
            let mut permuted = labels.to_vec();
            Stream::new(u64::from(settings.seed), "control labels", &[position, &draw.to_string()]).shuffle(&mut permuted);
            cross_validate(x, &permuted, classes, pipeline).map(|r| r.accuracy())
        })
        .collect::<Result<_, _>>()?;
    Ok((!draws.is_empty()).then(|| draws.iter().sum::<f64>() / draws.len() as f64))
}

fn empty(position: &str, labels: &[usize], counts: &[usize], folds: usize) -> ProbeFinding {
    let largest = counts.iter().copied().max().unwrap_or(0);
    ProbeFinding {
        position: position.to_string(),
        target: "gold".into(),
        rows: labels.len(),
        classes: counts.len(),
        folds,
        accuracy: None,
        accuracy_sd: None,
        cross_entropy: None,
        label_entropy: (!labels.is_empty()).then(|| entropy(counts)),
        mi: None,
        mi_clamped: None,
        mi_uniform: None,
        majority: (!labels.is_empty()).then(|| largest as f64 / labels.len() as f64),
        control_accuracy: None,
        selectivity: None,
        iterations_max: None,
        converged: None,
        gradient_max: None,
        tight_cross_entropy: None,
        reason: None,
    }
}

/// What a reader must know before reading the probes.
pub fn warnings(findings: &[ProbeFinding], settings: &AuditSettings) -> Vec<WarningFinding> {
    let mut texts = Vec::new();
    for finding in findings {
        if let Some(reason) = &finding.reason {
            texts.push(format!("no probe at {}: {reason}", finding.position));
        } else if finding.folds < settings.folds {
            texts.push(format!("the probe at {} has {} folds, not {}: a label is rare", finding.position, finding.folds, settings.folds));
        }
        if finding.converged == Some(false) {
            texts.push(format!("a probe fit at {} ended before it converged", finding.position));
        }
    }
    texts.into_iter().map(|text| WarningFinding { about: "probe".into(), text }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_data_gives_a_reason_instead_of_a_number() {
        let x = Matrix::zeros(12, 2);
        let settings = AuditSettings::default();
        let why = |gold: &[&str]| {
            let x = x.select(&(0..gold.len()).collect::<Vec<_>>());
            let finding = probe("latent_last", &x, gold, &settings).unwrap();
            assert_eq!(finding.accuracy, None);
            finding.reason.unwrap()
        };
        assert!(why(&["A"; 12]).contains("nothing to tell apart"));
        assert!(why(&[]).contains("nothing to tell apart"));
        assert!(why(&["A", "B", "A", "B"]).contains("fewer than 2 x 5"));
        assert!(why(&["A", "A", "A", "A", "A", "A", "A", "A", "A", "A", "A", "B"]).contains("single member"));
    }
}
