//! The bias-corrected and accelerated bootstrap interval (Efron 1987), as scipy computes it.
//!
//! It corrects the percentile interval for bias (how far the replicates' median lies
//! from the estimate) and for a standard error that changes with the value, read from
//! the jackknife.

use statrs::distribution::{ContinuousCDF, Normal};

use super::percentile::quantile_of_sorted;
use super::{Interval, normal};

/// The corrected interval of an estimate from its bootstrap `replicates` and its
/// `jackknife` values (one unit, item or cluster, left out at a time).
///
/// `None` when the replicates all lie on one side of the estimate or do not vary, or
/// there are fewer than two jackknife values: there is then nothing to correct with.
pub fn bca_interval(mut replicates: Vec<f64>, estimate: f64, jackknife: &[f64], level: f64) -> Option<Interval> {
    let bias = bias(&replicates, estimate)?;
    let acceleration = acceleration(jackknife)?;
    replicates.sort_unstable_by(f64::total_cmp);
    let bound = |z: f64| {
        let shifted = bias + z;
        let share = Normal::standard().cdf(bias + shifted / (1.0 - acceleration * shifted));
        quantile_of_sorted(&replicates, share)
    };
    let z = normal::critical(level);
    Some(Interval { low: bound(-z)?, high: bound(z)? })
}

/// The normal quantile of the share of replicates below the estimate, ties half.
pub fn bias(replicates: &[f64], estimate: f64) -> Option<f64> {
    let below = replicates.iter().filter(|r| **r < estimate).count();
    let not_above = replicates.iter().filter(|r| **r <= estimate).count();
    let share = (below + not_above) as f64 / (2 * replicates.len()) as f64;
    (share > 0.0 && share < 1.0).then(|| normal::quantile(share))
}

/// The jackknife's skewness over six; 0 when its values are equal.
pub fn acceleration(jackknife: &[f64]) -> Option<f64> {
    if jackknife.len() < 2 {
        return None;
    }
    let mean = jackknife.iter().sum::<f64>() / jackknife.len() as f64;
    let (squares, cubes) = jackknife.iter().map(|j| mean - j).fold((0.0, 0.0), |(s, c), u| (s + u * u, c + u * u * u));
    Some(if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 })
}
