//! The paired bootstrap: items are drawn with replacement, and everything
//! measured on an item travels with it.

use prism_run::random::Stream;

use super::Interval;
use super::percentile::percentile_interval;

/// Percentile intervals of the means of several columns over the same items, drawn
/// jointly: replicate r of every column uses the same items.
///
/// `columns[c][i]` belongs to item i; all columns have the same length. `None`
/// when there are no items.
pub fn joint_means(columns: &[&[f64]], replicates: usize, level: f64, stream: &mut Stream) -> Option<Vec<Interval>> {
    let items = columns.iter().map(|c| c.len()).min()?;
    if items == 0 {
        return None;
    }
    let mut means = vec![Vec::with_capacity(replicates); columns.len()];
    let mut drawn = vec![0usize; items];
    for _ in 0..replicates {
        drawn.iter_mut().for_each(|d| *d = stream.below(items));
        for (column, means) in columns.iter().zip(&mut means) {
            means.push(drawn.iter().map(|&i| column[i]).sum::<f64>() / items as f64);
        }
    }
    means.into_iter().map(|m| percentile_interval(m, level)).collect()
}

/// The interval of the mean of paired differences.
pub fn paired_mean(differences: &[f64], replicates: usize, level: f64, stream: &mut Stream) -> Option<Interval> {
    joint_means(&[differences], replicates, level, stream)?.pop()
}
