//! The cloud of latents over examples, step by step: how large, how spread, of how many
//! dimensions. Latents that hardly differ between examples cannot carry an answer.

use std::collections::BTreeMap;

use prism_run::records::LatentRow;
use prism_run::{Cloud, Stage};

use super::sets::{MOST, Named, Set, centred, norm, normalised, sets};
use crate::findings::GeometryFinding;
use crate::probe::eigen::symmetric_eigen;
use crate::probe::matrix::{Matrix, dot, transposed_times};
use crate::responses::mean;
use crate::statistics::percentile::deviation;

/// One finding per mode, stage and step.
pub fn geometry(vectors: &Named, steps: &[LatentRow]) -> Vec<GeometryFinding> {
    let mut cosines: BTreeMap<(Stage, usize), [Vec<f64>; 2]> = BTreeMap::new();
    for row in steps.iter().filter(|row| row.intervention.is_clean()) {
        let [end, previous] = cosines.entry((row.stage, row.step)).or_default();
        end.extend(row.end_cosine);
        previous.extend(row.previous_cosine);
    }
    let mut found = Vec::new();
    for mode in Cloud::ALL {
        let all = sets(vectors, mode);
        for set in &all {
            let mut finding = of(set, mode);
            let before = all.iter().find(|other| other.stage == set.stage && other.step + 1 == set.step);
            finding.previous_cosine = before.and_then(|before| cosine_to_previous(set, before));
            if let (Cloud::FreeRunning, Some([end, previous])) = (mode, cosines.get(&(set.stage, set.step))) {
                finding.end_cosine = mean(end.iter().copied());
                finding.previous_cosine = mean(previous.iter().copied()).or(finding.previous_cosine);
            }
            found.push(finding);
        }
    }
    found
}

/// Mean cosine of an example's vector with its own of the step before, over the examples that have both and
/// neither without length.
fn cosine_to_previous(set: &Set, before: &Set) -> Option<f64> {
    let earlier: BTreeMap<i64, usize> = before.rows.iter().enumerate().map(|(i, row)| (*row, i)).collect();
    let cosine = |(i, row): (usize, &i64)| {
        let (a, b) = (set.matrix.row(i), before.matrix.row(*earlier.get(row)?));
        let lengths = norm(a) * norm(b);
        (lengths > 0.0).then(|| dot(a, b) / lengths)
    };
    mean(set.rows.iter().enumerate().filter_map(cosine))
}

/// Root mean square over dimensions of the clean latents' standard deviation over examples,
/// mean over steps; and their width. `None` where no step has two latents.
pub fn spread(vectors: &Named) -> Option<(f64, usize)> {
    let sets = sets(vectors, Cloud::FreeRunning);
    let width = sets.first()?.matrix.columns;
    Some((mean(sets.iter().filter_map(|set| spread_of(&centred(&set.matrix))))?, width))
}

/// The spread over the norm of the latents as decoded, mean over stages and steps.
pub fn spread_over_norm(findings: &[GeometryFinding]) -> Option<f64> {
    let of_norm = |g: &GeometryFinding| Some(g.spread? * (g.width as f64).sqrt() / g.norm.filter(|norm| *norm > 0.0)?);
    mean(findings.iter().filter(|g| g.mode == Cloud::FreeRunning).filter_map(of_norm))
}

fn spread_of(centred: &Matrix) -> Option<f64> {
    let freedom = centred.rows.checked_sub(1).filter(|f| *f > 0)? as f64;
    Some((centred.values.iter().map(|v| v * v).sum::<f64>() / freedom / centred.columns.max(1) as f64).sqrt())
}

fn of(set: &Set, mode: Cloud) -> GeometryFinding {
    let n = set.rows.len();
    // A spectrum costs the cube of the smaller side: a narrow cloud is taken whole, a wide one as a sample.
    let used = if set.matrix.columns <= MOST { set.clone() } else { set.sample() };
    let norms: Vec<f64> = (0..n).map(|i| norm(set.matrix.row(i))).collect();
    let mut finding = GeometryFinding {
        mode,
        stage: set.stage,
        step: set.step,
        vectors: n,
        width: set.matrix.columns,
        norm: mean(norms.iter().copied()),
        norm_sd: deviation(&norms),
        spread: spread_of(&centred(&set.matrix)),
        inter_example_cosine: inter_example_cosine(&set.matrix),
        effective_rank: None,
        participation_ratio: None,
        spectrum_vectors: used.matrix.rows,
        rank_bound: used.matrix.rows.saturating_sub(1).min(set.matrix.columns),
        first_share: None,
        end_cosine: None,
        previous_cosine: None,
        reason: None,
    };
    match spectrum(&centred(&used.matrix)) {
        Ok(eigenvalues) => {
            let total: f64 = eigenvalues.iter().sum();
            let singular: f64 = eigenvalues.iter().map(|v| v.sqrt()).sum();
            let entropy: f64 = eigenvalues.iter().map(|v| v.sqrt() / singular).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
            finding.effective_rank = Some(entropy.exp());
            finding.participation_ratio = Some(total * total / eigenvalues.iter().map(|v| v * v).sum::<f64>());
            finding.first_share = eigenvalues.first().map(|first| first / total);
        }
        Err(reason) => finding.reason = Some(reason),
    }
    finding
}

/// Mean cosine of two different rows; `None` for fewer than two, or a row without length.
pub fn inter_example_cosine(matrix: &Matrix) -> Option<f64> {
    let n = matrix.rows as f64;
    if matrix.rows < 2 || (0..matrix.rows).any(|i| norm(matrix.row(i)) == 0.0) {
        return None;
    }
    let units = normalised(matrix);
    let mut sum = vec![0.0; matrix.columns];
    (0..units.rows).for_each(|i| sum.iter_mut().zip(units.row(i)).for_each(|(s, v)| *s += v));
    // The squared length of the sum holds every pair twice, and every row with itself.
    Some((sum.iter().map(|s| s * s).sum::<f64>() - n) / (n * (n - 1.0)))
}

/// Squared singular values of centred rows, descending; those that are rounding are 0.
fn spectrum(centred: &Matrix) -> Result<Vec<f64>, String> {
    if centred.rows < 2 {
        return Err("fewer than two vectors have no spread".into());
    }
    // The smaller of the two Gram matrices has the same values.
    let gram = if centred.rows <= centred.columns {
        centred.times_transposed(centred)
    } else {
        let mut gram = Matrix::zeros(centred.columns, centred.columns);
        transposed_times(&centred.values, centred.columns, &centred.values, centred.columns, centred.rows, &mut gram.values);
        gram
    };
    let values = symmetric_eigen(&gram)?.values;
    let largest = values.first().copied().unwrap_or_default();
    if largest <= 0.0 {
        return Err("all vectors are the same".into());
    }
    let floor = largest * gram.rows as f64 * f64::EPSILON;
    Ok(values.into_iter().map(|v| if v > floor { v } else { 0.0 }).collect())
}
