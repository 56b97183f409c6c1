//! The paired bootstrap: items, or clusters of them, are drawn with replacement, and
//! everything measured on an item travels with it.

use prism_run::random::Stream;

use super::Interval;
use super::bca::bca_interval;
use super::percentile::percentile_interval;

/// Items that are drawn together: the sum of their values and their number. Single
/// items are clusters of one.
pub type Cluster = (f64, usize);

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

/// The percentile interval of the mean of paired differences.
pub fn paired_mean(differences: &[f64], replicates: usize, level: f64, stream: &mut Stream) -> Option<Interval> {
    joint_means(&[differences], replicates, level, stream)?.pop()
}

/// The mean over items in each replicate of a draw of whole clusters; empty without clusters.
pub fn clustered_replicates(clusters: &[Cluster], replicates: usize, stream: &mut Stream) -> Vec<f64> {
    if clusters.is_empty() {
        return Vec::new();
    }
    let draw = |stream: &mut Stream| {
        let drawn = (0..clusters.len()).map(|_| clusters[stream.below(clusters.len())]);
        let (sum, items) = drawn.fold((0.0, 0usize), |(s, n), (sum, items)| (s + sum, n + items));
        sum / items.max(1) as f64
    };
    (0..replicates).map(|_| draw(stream)).collect()
}

/// The percentile interval of the mean over items, clusters drawn as a whole; `None`
/// below two clusters.
pub fn clustered_mean(clusters: &[Cluster], replicates: usize, level: f64, stream: &mut Stream) -> Option<Interval> {
    if clusters.len() < 2 {
        return None;
    }
    percentile_interval(clustered_replicates(clusters, replicates, stream), level)
}

/// The corrected interval ([`super::bca`]) of the mean over items, clusters drawn as a
/// whole and left out as a whole; `None` as [`bca_interval`] says.
pub fn clustered_mean_bca(clusters: &[Cluster], replicates: usize, level: f64, stream: &mut Stream) -> Option<Interval> {
    let (sum, items) = clusters.iter().fold((0.0, 0usize), |(s, n), (sum, items)| (s + sum, n + items));
    let left_out: Vec<f64> = clusters.iter().filter(|(_, n)| items > *n).map(|(part, n)| (sum - part) / (items - n) as f64).collect();
    bca_interval(clustered_replicates(clusters, replicates, stream), sum / items.max(1) as f64, &left_out, level)
}

/// Items and training seeds drawn independently of each other, both with replacement
/// (Owen's pigeonhole bootstrap, 2007): the mean over the drawn cells in each replicate.
///
/// `sums[seed][cluster]` is the sum of the values of the cluster's items in that seed's
/// run, `sizes[cluster]` their number. Empty without seeds or clusters.
pub fn item_and_seed_replicates(sums: &[Vec<f64>], sizes: &[usize], replicates: usize, stream: &mut Stream) -> Vec<f64> {
    if sums.is_empty() || sizes.is_empty() || sums.iter().any(|run| run.len() != sizes.len()) {
        return Vec::new();
    }
    let draw = |stream: &mut Stream| {
        let mut runs: Vec<usize> = (0..sums.len()).map(|_| stream.below(sums.len())).collect();
        runs.sort_unstable();
        let (mut sum, mut items) = (0.0, 0usize);
        for _ in 0..sizes.len() {
            let cluster = stream.below(sizes.len());
            sum += runs.iter().map(|&run| sums[run][cluster]).sum::<f64>();
            items += sizes[cluster];
        }
        sum / (items * sums.len()).max(1) as f64
    };
    (0..replicates).map(|_| draw(stream)).collect()
}
