//! Equivalence of a continuous outcome: two one-sided paired t tests (Schuirmann 1987).

use super::percentile::deviation;
use super::{Interval, student};

/// Result of the two tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tost {
    /// The larger of the two one-sided p: below alpha, the mean lies inside the margin.
    pub p: f64,
    /// The t interval at `1 - 2 alpha`; inside the margin exactly when `p` is below alpha.
    pub interval: Interval,
}

/// Tests whether the mean of paired differences lies within `margin` of 0 (same unit).
/// `None` below two differences, or as [`tost_of`] says.
pub fn tost(differences: &[f64], margin: f64, alpha: f64) -> Option<Tost> {
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    tost_of(mean, deviation(differences)? / n.sqrt(), n - 1.0, margin, alpha)
}

/// The same of a mean with this standard error and freedom. `None` when the error is 0: a
/// sample without spread estimates no error, and so shows nothing by this test.
pub fn tost_of(mean: f64, error: f64, freedom: f64, margin: f64, alpha: f64) -> Option<Tost> {
    if error.is_nan() || error <= 4.0 * f64::EPSILON * mean.abs() {
        return None;
    }
    let (above, below) = ((mean + margin) / error, (margin - mean) / error);
    let p = student::upper_tail(above, freedom)?.max(student::upper_tail(below, freedom)?);
    let half = student::critical(1.0 - 2.0 * alpha, freedom)? * error;
    Some(Tost { p, interval: Interval { low: mean - half, high: mean + half } })
}
