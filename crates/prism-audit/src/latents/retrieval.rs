//! Latents beside their teacher targets: a high cosine says little where every latent is
//! near every target, so the same is asked with the means taken off, in the targets' own
//! metric, and as a search: does a latent find its own target among all examples'?

use std::collections::BTreeMap;

use prism_run::Cloud;

use super::sets::{MOST, Named, Set, centred, norm, normalised, sets};
use super::whitening::Whitening;
use crate::findings::RetrievalFinding;
use crate::probe::matrix::{Matrix, dot};
use crate::responses::{mean, share};
use crate::statistics::wilson::wilson;

/// One finding per mode, stage and step that has targets.
pub fn retrieval(vectors: &Named) -> Vec<RetrievalFinding> {
    let targets = sets(vectors, Cloud::TeacherTarget);
    let mut found = Vec::new();
    for mode in [Cloud::FreeRunning, Cloud::TeacherForced] {
        for latents in sets(vectors, mode) {
            if let Some(targets) = targets.iter().find(|t| (t.stage, t.step) == (latents.stage, latents.step)) {
                found.push(one(mode, &latents, targets));
            }
        }
    }
    found
}

fn one(mode: Cloud, latents: &Set, targets: &Set) -> RetrievalFinding {
    let of_row: BTreeMap<i64, usize> = targets.rows.iter().enumerate().map(|(i, row)| (*row, i)).collect();
    let mut paired: Vec<(usize, usize)> = latents.rows.iter().enumerate().filter_map(|(i, row)| Some((i, *of_row.get(row)?))).collect();
    if paired.len() > MOST {
        let kept: std::collections::BTreeSet<i64> = latents.sample().rows.into_iter().collect();
        paired.retain(|(i, _)| latents.rows.get(*i).is_some_and(|row| kept.contains(row)));
    }
    let (ours, theirs): (Vec<usize>, Vec<usize>) = paired.into_iter().unzip();
    let (h, v) = (latents.select(&ours).matrix, targets.select(&theirs).matrix);
    let n = h.rows;
    let whole = h.columns == v.columns && n > 1;
    let plain = whole.then(|| Cosines::of(&h, &v)).flatten();
    let about_means = whole.then(|| Cosines::of(&centred(&h), &centred(&v))).flatten();
    let whitened = if whole { whitened(&centred(&h), &centred(&v)) } else { Err("fewer than two latents have a target".into()) };
    let hits = plain.as_ref().map_or(0, |c| c.ranks.iter().filter(|rank| **rank == 0).count());
    let bounds = plain.as_ref().and_then(|_| wilson(hits, n, 0.95));
    let among = |cosines: &Option<Cosines>, most: usize| cosines.as_ref().and_then(|c| share(c.ranks.iter().map(|rank| *rank < most)));
    RetrievalFinding {
        mode,
        stage: latents.stage,
        step: latents.step,
        pairs: n,
        cosine: plain.as_ref().map(|c| c.own),
        cosine_others: plain.as_ref().map(|c| c.others),
        centred: about_means.as_ref().map(|c| c.own),
        whitened: whitened.as_ref().ok().copied(),
        at_1: among(&plain, 1),
        at_1_low: bounds.map(|b| b.low),
        at_1_high: bounds.map(|b| b.high),
        at_5: among(&plain, 5),
        centred_at_1: among(&about_means, 1),
        centred_at_5: among(&about_means, 5),
        chance_1: (n > 0).then(|| 1.0 / n as f64),
        chance_5: (n > 0).then(|| (5.0 / n as f64).min(1.0)),
        reason: whitened.err(),
    }
}

/// Cosines of all latents with all targets.
struct Cosines {
    /// Mean with the own target.
    own: f64,
    /// Mean with others' targets.
    others: f64,
    /// Of each latent: targets nearer than its own. Others that are the same as its own are
    /// not nearer.
    ranks: Vec<usize>,
}

impl Cosines {
    /// `None` when a vector has no length.
    fn of(h: &Matrix, v: &Matrix) -> Option<Self> {
        let n = h.rows;
        if (0..n).any(|i| norm(h.row(i)) == 0.0 || norm(v.row(i)) == 0.0) {
            return None;
        }
        let all = normalised(h).times_transposed(&normalised(v));
        let own: Vec<f64> = (0..n).map(|i| all.row(i)[i]).collect();
        let total: f64 = all.values.iter().sum();
        let on_diagonal: f64 = own.iter().sum();
        // Rounding must not put a target before its twin.
        let nearer = |i: usize| all.row(i).iter().filter(|cosine| **cosine > own[i] + 1e-12).count();
        Some(Self {
            own: on_diagonal / n as f64,
            others: (total - on_diagonal) / (n * (n - 1)) as f64,
            ranks: (0..n).map(nearer).collect(),
        })
    }
}

/// Mean cosine in the targets' metric.
fn whitened(h: &Matrix, v: &Matrix) -> Result<f64, String> {
    let metric = Whitening::of(v)?;
    let cosines = (0..h.rows).filter_map(|i| metric.cosine(h.row(i), v.row(i)));
    mean(cosines).ok_or_else(|| "no latent and target have a length once their means are off".into())
}

/// Squared distance of two rows.
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    dot(a, a) - 2.0 * dot(a, b) + dot(b, b)
}
