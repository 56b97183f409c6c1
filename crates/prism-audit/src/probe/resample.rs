//! Bootstrap over clusters of examples: the fits stay, the examples they are judged by are
//! drawn anew, whole clusters at a time. What a probe found on this benchmark may be off
//! by this much for no other reason than which questions were asked.

use std::collections::BTreeMap;

use prism_run::random::Stream;

use crate::statistics::Interval;
use crate::statistics::percentile::percentile_interval;

const LEVEL: f64 = 0.95;

/// The 95 % interval of the mean of one number a row, rows drawn by cluster; `None` without rows.
pub fn resample_mean(clusters: &[usize], values: &[f64], replicates: usize, stream: &mut Stream) -> Option<Interval> {
    let members = members(clusters);
    if members.is_empty() {
        return None;
    }
    let sums: Vec<(f64, f64)> = members.iter().map(|rows| (rows.iter().map(|&r| values[r]).sum(), rows.len() as f64)).collect();
    let mut means = Vec::with_capacity(replicates);
    for _ in 0..replicates {
        let (mut total, mut n) = (0.0, 0.0);
        for _ in 0..sums.len() {
            let (sum, count) = sums[stream.below(sums.len())];
            (total, n) = (total + sum, n + count);
        }
        means.push(total / n);
    }
    percentile_interval(means, LEVEL)
}

fn members(clusters: &[usize]) -> Vec<Vec<usize>> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &cluster) in clusters.iter().enumerate() {
        members.entry(cluster).or_default().push(row);
    }
    members.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_clusters_are_drawn() {
        let right: Vec<f64> = (0..200).map(|i| f64::from(u8::from((i / 4) % 3 != 0))).collect();
        let width = |clusters: &[usize]| {
            let found = resample_mean(clusters, &right, 4000, &mut Stream::new(1, "test", &[])).unwrap();
            let mean = right.iter().sum::<f64>() / 200.0;
            assert!(found.low < mean && mean < found.high);
            found.high - found.low
        };
        let (alone, four) = (width(&(0..200).collect::<Vec<_>>()), width(&(0..200).map(|i| i / 4).collect::<Vec<_>>()));
        // p (1 - p) / 200 without clusters; four that are right or wrong together are one
        let expected = 2.0 * 1.96 * (0.66 * 0.34 / 200.0f64).sqrt();
        assert!((alone / expected - 1.0).abs() < 0.08, "{alone} {expected}");
        assert!((four / alone - 2.0).abs() < 0.2, "{four} {alone}");
        assert_eq!(resample_mean(&[], &[], 100, &mut Stream::new(1, "test", &[])), None);
    }
}
