//! Folds that keep clusters whole and every label's share as even as the clusters allow.
//!
//! Clusters are shuffled, then dealt, the largest first, each to the fold where it adds
//! least to the sum over labels of squared shares, `sum over labels and folds of
//! (n[label, fold] / n[label])^2`; of equal folds to the smallest, then the first. With
//! one example a cluster every label is spread evenly to within one example. After
//! scikit-learn's `StratifiedGroupKFold`, which minimises the spread of the same shares.

use std::collections::BTreeMap;

use prism_run::random::Stream;

/// The test fold of each row.
///
/// `labels` are class indices, `clusters` any numbers; both have one entry a row.
pub fn cluster_folds(labels: &[usize], clusters: &[usize], folds: usize, stream: &mut Stream) -> Vec<usize> {
    let classes = labels.iter().max().map_or(0, |m| m + 1);
    let mut totals = vec![0.0f64; classes];
    labels.iter().for_each(|&l| totals[l] += 1.0);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &cluster) in clusters.iter().enumerate() {
        members.entry(cluster).or_default().push(row);
    }
    let mut order: Vec<Vec<usize>> = members.into_values().collect();
    stream.shuffle(&mut order);
    order.sort_by_key(|rows| std::cmp::Reverse(rows.len()));

    let mut counts = vec![vec![0.0f64; classes]; folds];
    let mut sizes = vec![0usize; folds];
    let mut fold_of = vec![0; labels.len()];
    for rows in order {
        // (n + g)^2 - n^2 = 2 n g + g^2: the second term is the same in every fold
        let cost = |fold: usize| -> f64 { rows.iter().map(|&r| counts[fold][labels[r]] / totals[labels[r]].powi(2)).sum() };
        let costs: Vec<f64> = (0..folds).map(cost).collect();
        let better = |a: usize, b: usize| (costs[a], sizes[a]) < (costs[b], sizes[b]);
        let best = (0..folds).fold(0, |best, fold| if better(fold, best) { fold } else { best });
        for &row in &rows {
            counts[best][labels[row]] += 1.0;
            fold_of[row] = best;
        }
        sizes[best] += rows.len();
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream(seed: u64) -> Stream {
        Stream::new(seed, "test", &[])
    }

    /// Most and fewest examples of a label over the folds.
    fn spread(labels: &[usize], fold_of: &[usize], folds: usize, class: usize) -> (usize, usize) {
        let count = |fold| labels.iter().zip(fold_of).filter(|(l, f)| **l == class && **f == fold).count();
        ((0..folds).map(count).max().unwrap(), (0..folds).map(count).min().unwrap())
    }

    proptest! {
        #[test]
        fn clusters_stay_whole(
            rows in prop::collection::vec((0usize..4, 0usize..25), 30..150), folds in 2usize..7, seed in 0u64..1000
        ) {
            let (labels, clusters): (Vec<usize>, Vec<usize>) = rows.into_iter().unzip();
            let fold_of = cluster_folds(&labels, &clusters, folds, &mut stream(seed));
            for (i, j) in (0..labels.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
                prop_assert!(clusters[i] != clusters[j] || fold_of[i] == fold_of[j]);
            }
            prop_assert!(fold_of.iter().all(|f| *f < folds));
            prop_assert_eq!(fold_of.clone(), cluster_folds(&labels, &clusters, folds, &mut stream(seed)));
        }

        #[test]
        fn single_examples_are_dealt_evenly(labels in prop::collection::vec(0usize..4, 10..200), folds in 2usize..7, seed in 0u64..1000) {
            let clusters: Vec<usize> = (0..labels.len()).collect();
            let fold_of = cluster_folds(&labels, &clusters, folds, &mut stream(seed));
            for class in 0..4 {
                let (most, least) = spread(&labels, &fold_of, folds, class);
                prop_assert!(most - least <= 1);
            }
        }

        #[test]
        fn pairs_are_dealt_nearly_evenly(pairs in prop::collection::vec((0usize..4, 0usize..4), 40..100), folds in 2usize..6, seed in 0u64..1000) {
            let labels: Vec<usize> = pairs.iter().flat_map(|(a, b)| [*a, *b]).collect();
            let clusters: Vec<usize> = (0..labels.len()).map(|i| i / 2).collect();
            let fold_of = cluster_folds(&labels, &clusters, folds, &mut stream(seed));
            for class in 0..4 {
                let (most, least) = spread(&labels, &fold_of, folds, class);
                prop_assert!(most - least <= 4, "{} {}", most, least);
            }
        }
    }
}
