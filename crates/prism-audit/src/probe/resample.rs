//! Bootstrap over groups of examples: the fits stay, the examples they are judged by are
//! drawn anew, whole groups at a time. What a probe found on this benchmark may be off
//! by this much for no other reason than which questions were asked.

use std::collections::BTreeMap;

use prism_run::random::Stream;

use crate::statistics::Interval;
use crate::statistics::entropy::entropy;
use crate::statistics::percentile::percentile_interval;

const LEVEL: f64 = 0.95;

/// 95 % intervals of what was measured on the examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampled {
    /// Of the accuracy.
    pub accuracy: Interval,
    /// Of H(Y) - CE, nats; the labels' entropy is drawn too.
    pub information: Interval,
}

/// Resamples rows by group: `right` (shares of 1) and `loss` (-ln p) have one entry a row.
/// `None` without rows.
pub fn resample(
    groups: &[usize],
    labels: &[usize],
    right: &[f64],
    loss: &[f64],
    replicates: usize,
    stream: &mut Stream,
) -> Option<Resampled> {
    let members = members(groups);
    let classes = labels.iter().max()? + 1;
    let (mut accuracies, mut informations) = (Vec::with_capacity(replicates), Vec::with_capacity(replicates));
    let mut counts = vec![0usize; classes];
    for _ in 0..replicates {
        counts.fill(0);
        let (mut hits, mut nats) = (0.0, 0.0);
        for _ in 0..members.len() {
            for &row in &members[stream.below(members.len())] {
                counts[labels[row]] += 1;
                hits += right[row];
                nats += loss[row];
            }
        }
        let n = counts.iter().sum::<usize>() as f64;
        accuracies.push(hits / n);
        informations.push(entropy(&counts) - nats / n);
    }
    Some(Resampled { accuracy: percentile_interval(accuracies, LEVEL)?, information: percentile_interval(informations, LEVEL)? })
}

/// Resamples the mean of one number a row, by group; `None` without rows.
pub fn resample_mean(groups: &[usize], values: &[f64], replicates: usize, stream: &mut Stream) -> Option<Interval> {
    let members = members(groups);
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

fn members(groups: &[usize]) -> Vec<Vec<usize>> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(row);
    }
    members.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_groups_are_drawn_and_intervals_cover_what_was_seen() {
        let labels: Vec<usize> = (0..200).map(|i| i % 2).collect();
        let right: Vec<f64> = (0..200).map(|i| f64::from(u8::from((i / 4) % 3 != 0))).collect();
        let loss: Vec<f64> = right.iter().map(|r| 0.9 - 0.6 * r).collect();
        let width = |groups: &[usize]| {
            let found = resample(groups, &labels, &right, &loss, 2000, &mut Stream::new(1, "test", &[])).unwrap();
            let mean = right.iter().sum::<f64>() / 200.0;
            assert!(found.accuracy.low < mean && mean < found.accuracy.high);
            assert!(found.information.low < found.information.high);
            let same = resample_mean(groups, &right, 2000, &mut Stream::new(1, "test", &[])).unwrap();
            assert!((same.high - found.accuracy.high).abs() < 1e-12, "the same draws, the same accuracy");
            found.accuracy.high - found.accuracy.low
        };
        let (alone, four) = (width(&(0..200).collect::<Vec<_>>()), width(&(0..200).map(|i| i / 4).collect::<Vec<_>>()));
        // four examples that are right or wrong together are one: twice the standard error
        assert!((four / alone - 2.0).abs() < 0.2, "{four} {alone}");
        assert_eq!(resample(&[], &[], &[], &[], 100, &mut Stream::new(1, "test", &[])), None);
    }
}
