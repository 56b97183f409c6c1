//! Minimum description length of the labels given the vectors: the online code of Voita
//! and Titov (2020), "Information-theoretic probing with minimum description length".
//!
//! The labels are sent in blocks that double. The first is sent uniformly; each later one
//! by a probe of all labels sent before it. A probe needs a C, and none may look ahead:
//! one probe for every C of the grid sends, and they are mixed with equal shares, which
//! costs at most ln(grid) nats more than the best of them. A probe of t labels is itself
//! mixed with the uniform code, (t p + 1) / (t + K), so that a label not yet seen has a price.

use std::collections::BTreeMap;

use prism_run::random::Stream;

use super::batch::{Problem, fit_all};
use super::matrix::Matrix;
use super::reduced::reduce;
use super::standardize::Standardizer;

/// Distance of the loss to its minimum.
const TOLERANCE: f64 = 1e-16;
/// Fewest labels of the first block.
const FIRST: usize = 8;

/// Rows in the order they are sent, clusters shuffled and kept together, and the blocks' ends.
///
/// Ends are `n`, `n / 2`, `n / 4`, ... down to the larger of [`FIRST`] and two labels a
/// class, each moved up to the end of its cluster.
pub fn transmission(clusters: &[usize], classes: usize, stream: &mut Stream) -> (Vec<usize>, Vec<usize>) {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &cluster) in clusters.iter().enumerate() {
        members.entry(cluster).or_default().push(row);
    }
    let mut shuffled: Vec<Vec<usize>> = members.into_values().collect();
    stream.shuffle(&mut shuffled);
    let order: Vec<usize> = shuffled.into_iter().flatten().collect();
    let mut ends = Vec::new();
    let mut end = order.len();
    while end >= FIRST.max(2 * classes) {
        let mut moved = end;
        while moved < order.len() && clusters[order[moved]] == clusters[order[moved - 1]] {
            moved += 1;
        }
        ends.push(moved);
        end /= 2;
    }
    ends.reverse();
    ends.dedup();
    (order, ends)
}

/// Nats to send the labels `0..classes` in row order, in blocks with these ends.
///
/// # Errors
/// When a value is not finite.
pub fn code_length(x: &Matrix, labels: &[usize], classes: usize, ends: &[usize], grid: &[f64]) -> Result<f64, String> {
    let Some(first) = ends.first() else { return Ok(uniform(labels.len(), classes)) };
    let mut lengths = vec![uniform(*first, classes); grid.len()];
    for block in ends.windows(2) {
        let &[sent, end] = block else { continue };
        let (past, next): (Vec<usize>, Vec<usize>) = ((0..sent).collect(), (sent..end).collect());
        let problems: Vec<Problem> = grid.iter().map(|c| Problem::new(past.clone(), labels, *c)).collect();
        let price = |p: f64| -(((sent as f64) * p + 1.0) / (sent + classes) as f64).ln();
        let Some(problem) = problems.first().filter(|p| p.present.len() > 1) else {
            // one label so far: the probe is sure of it
            for row in next {
                let p = f64::from(u8::from(Some(&labels[row]) == labels.first()));
                lengths.iter_mut().for_each(|l| *l += price(p));
            }
            continue;
        };
        let seen = x.select(&past);
        let scaler = Standardizer::fit(&seen);
        let reduced = reduce(&scaler.apply(&seen), &scaler.apply(&x.select(&next)))?;
        let fits = fit_all(&reduced.train, &reduced.spread, &problems, TOLERANCE)?;
        for (fit, length) in fits.iter().zip(&mut lengths) {
            let log_p = fit.log_probabilities(&reduced.test);
            for (i, row) in next.iter().enumerate() {
                let p = problem.present.binary_search(&labels[*row]).map_or(0.0, |class| log_p.row(i)[class].exp());
                *length += price(p);
            }
        }
    }
    let least = lengths.iter().copied().fold(f64::INFINITY, f64::min);
    let shares: f64 = lengths.iter().map(|l| (least - l).exp()).sum();
    Ok(least + (grid.len() as f64).ln() - shares.ln())
}

/// Nats of the uniform code.
pub fn uniform(labels: usize, classes: usize) -> f64 {
    labels as f64 * (classes as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_sent_whole_and_blocks_double() {
        let clusters: Vec<usize> = (0..100).map(|i| i / 3).collect();
        let (order, ends) = transmission(&clusters, 4, &mut Stream::new(3, "test", &[]));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(ends.last(), Some(&100));
        assert!(ends.len() == 4 && ends[0] >= 12 && ends[0] <= 14, "{ends:?}");
        for end in &ends[..ends.len() - 1] {
            assert_ne!(clusters[order[*end]], clusters[order[end - 1]]);
        }
    }

    #[test]
    fn telling_vectors_shorten_the_code_and_noise_does_not() {
        let mut stream = Stream::new(5, "test", &[]);
        let labels: Vec<usize> = (0..120).map(|i| (i * 7 + i / 9) % 3).collect();
        let mut x = Matrix { rows: 120, columns: 10, values: (0..1200).map(|_| stream.normal()).collect() };
        let (grid, ends) = ([1e-4, 1e-2, 1.0], [15, 30, 60, 120]);
        let noise = code_length(&x, &labels, 3, &ends, &grid).unwrap();
        let flat = uniform(120, 3);
        assert!(noise > 0.97 * flat && noise < 1.05 * flat, "{noise} of {flat}");
        for (i, label) in labels.iter().enumerate() {
            x.values[i * 10 + label] += 4.0;
        }
        let told = code_length(&x, &labels, 3, &ends, &grid).unwrap();
        assert!(told < 0.35 * flat, "{told} of {flat}");
        assert_eq!(code_length(&x, &labels, 3, &[], &grid).unwrap(), flat);
    }
}
