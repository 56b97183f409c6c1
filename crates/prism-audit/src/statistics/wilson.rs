//! Wilson's interval for a share.

use super::{Interval, normal};

/// The interval of `correct` of `n` at `level`; `None` for n = 0.
pub fn wilson(correct: usize, n: usize, level: f64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (z, n) = (normal::critical(level), n as f64);
    let p = correct as f64 / n;
    let spread = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / spread;
    let half = z / spread * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) })
}
