//! The release's probe (method, section 6), number for number: `--compat paper`.
//!
//! C = 1, scikit-learn's stratified folds and its stopping rule; beside it the same
//! optimum at a tight tolerance, and permuted labels. No search for C, no clusters, no
//! repeats: see [`super::suite`] for the default.

use prism_run::random::Stream;
use rayon::prelude::*;

use super::row::{OWN, empty};
use super::rows::Place;
use super::targets::Target;
use super::{Matrix, Pipeline, Tolerance, cross_validate};
use crate::findings::ProbeFinding;
use crate::statistics::entropy::entropy;
use crate::{AuditSettings, Error, Result};

/// Probes the gold label from the rows of `x` as the release does; classes are the labels in sorted order.
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
    let mut finding = empty(&Place::from_name(position), OWN, Target::Gold, &counts, folds);
    finding.repeats = 1;

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
    finding.c = Some(settings.c);
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
    finding.control_draws = control.map(|_| settings.control_draws);
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
