//! Percentiles with numpy's default rule (linear interpolation).

use super::Interval;

/// The `q` quantile (0..=1) of sorted values; `None` if there are none.
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let at = q.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let below = at.floor() as usize;
    let low = *sorted.get(below)?;
    let high = *sorted.get(below + 1).unwrap_or(&low);
    Some(low + (high - low) * (at - below as f64))
}

/// The central `level` interval of the replicates; `None` if there are none.
pub fn percentile_interval(mut replicates: Vec<f64>, level: f64) -> Option<Interval> {
    replicates.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some(Interval { low: quantile_of_sorted(&replicates, tail)?, high: quantile_of_sorted(&replicates, 1.0 - tail)? })
}

/// Sample standard deviation (n - 1); `None` below two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let freedom = values.len().checked_sub(1).filter(|f| *f > 0)? as f64;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Some((values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / freedom).sqrt())
}
