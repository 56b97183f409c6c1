//! Student's t: tails and critical values.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// P(T >= t) at `freedom` degrees of freedom; `None` unless they are positive and finite.
pub fn upper_tail(t: f64, freedom: f64) -> Option<f64> {
    if t.is_infinite() {
        return Some(if t > 0.0 { 0.0 } else { 1.0 });
    }
    StudentsT::new(0.0, 1.0, freedom).ok().filter(|_| freedom.is_finite()).map(|d| d.sf(t))
}

/// The two-sided critical value of a `level` interval, e.g. 2.776 for 0.95 at 4.
///
/// By halving on the tail, which is exact to the last digits where the library's own
/// quantile is not.
pub fn critical(level: f64, freedom: f64) -> Option<f64> {
    let tail = (1.0 - level) / 2.0;
    let (mut low, mut high) = (0.0, 1.0);
    while upper_tail(high, freedom)? > tail && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if upper_tail(middle, freedom)? > tail { low = middle } else { high = middle }
    }
    Some(high)
}
