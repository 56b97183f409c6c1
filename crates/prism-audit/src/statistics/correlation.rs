//! Pearson's and Spearman's correlation, partial correlation, Fisher's interval, leave-one-out.

use super::{Interval, normal};

/// Pearson's r; `None` for fewer than two points or a constant side.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len().min(y.len());
    if n < 2 {
        return None;
    }
    let (x, y) = (&x[..n], &y[..n]);
    let mean = |v: &[f64]| v.iter().sum::<f64>() / n as f64;
    let (mx, my) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        xx += (a - mx) * (a - mx);
        yy += (b - my) * (b - my);
        xy += (a - mx) * (b - my);
    }
    // a spread that is only rounding is no spread
    let floor = |m: f64| n as f64 * (4.0 * f64::EPSILON * m).powi(2);
    if !(xx > floor(mx) && yy > floor(my)) {
        return None;
    }
    Some((xy / (xx * yy).sqrt()).clamp(-1.0, 1.0))
}

/// Ranks from 1; equal values share the mean of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        group.iter().for_each(|&i| ranks[i] = below as f64 + (group.len() + 1) as f64 / 2.0);
        below += group.len();
    }
    ranks
}

/// Spearman's correlation: Pearson's of the ranks.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len().min(y.len());
    pearson(&ranks(&x[..n]), &ranks(&y[..n]))
}

/// Correlation of x and y with z held fixed; `None` when one of the three
/// correlations is absent or z determines x or y.
pub fn partial(x: &[f64], y: &[f64], z: &[f64]) -> Option<f64> {
    let (xy, xz, yz) = (pearson(x, y)?, pearson(x, z)?, pearson(y, z)?);
    let free = (1.0 - xz * xz) * (1.0 - yz * yz);
    (free > 1e-12).then(|| ((xy - xz * yz) / free.sqrt()).clamp(-1.0, 1.0))
}

/// Fisher's interval of a correlation over `n` points with `given` columns held
/// fixed; `None` when n - given is below 4.
pub fn fisher_interval(r: f64, n: usize, given: usize, level: f64) -> Option<Interval> {
    let freedom = n.checked_sub(given + 3).filter(|f| *f > 0)?;
    let half = normal::critical(level) / (freedom as f64).sqrt();
    let z = r.atanh();
    Some(Interval { low: (z - half).tanh(), high: (z + half).tanh() })
}

/// Smallest and largest r with one point left out; `None` when any of them is absent.
pub fn leave_one_out(n: usize, r_of: impl Fn(&[usize]) -> Option<f64>) -> Option<Interval> {
    let mut range: Option<Interval> = None;
    for left_out in 0..n {
        let kept: Vec<usize> = (0..n).filter(|&i| i != left_out).collect();
        let r = r_of(&kept)?;
        let Interval { low, high } = range.unwrap_or(Interval { low: r, high: r });
        range = Some(Interval { low: low.min(r), high: high.max(r) });
    }
    range
}

/// The values at these indices.
pub fn pick(values: &[f64], indices: &[usize]) -> Vec<f64> {
    indices.iter().filter_map(|&i| values.get(i).copied()).collect()
}
