//! The sign-flip permutation test of paired differences.
//!
//! If an intervention changes nothing, each item's difference is as likely to have the
//! other sign; so all 2^n ways to sign the differences are equally likely, and the test
//! asks how many give a mean as far from 0. It assumes symmetry, no distribution. Items
//! of one cluster flip together.

use prism_run::random::Stream;

/// Most differences other than 0 for which every way to sign them is visited.
pub const EXACT: usize = 20;

/// Result of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignFlip {
    /// Two-sided p.
    pub p: f64,
    /// Whether every way was visited; otherwise `p` is (hits + 1) / (draws + 1).
    pub exact: bool,
}

/// Two-sided p of the sum (or mean) of `differences`, one a cluster; exact for at most
/// [`EXACT`] that are not 0, else over `draws` random ways. `None` without differences,
/// or when one is not finite.
///
/// Sums within 1e-9 of the observed one (relative to the sum of sizes) count as equal to it.
pub fn sign_flip(differences: &[f64], draws: usize, stream: &mut Stream) -> Option<SignFlip> {
    if differences.is_empty() || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let moved: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let size: f64 = moved.iter().map(|d| d.abs()).sum();
    let threshold = moved.iter().sum::<f64>().abs() - 1e-9 * size;
    if moved.len() <= EXACT {
        return Some(SignFlip { p: share_of_all(&moved, threshold), exact: true });
    }
    let mut hits = 0usize;
    for _ in 0..draws {
        let mut sum = 0.0;
        for part in moved.chunks(64) {
            let bits = stream.bits();
            for (i, d) in part.iter().enumerate() {
                sum += if bits >> i & 1 == 0 { *d } else { -d };
            }
        }
        hits += usize::from(sum.abs() >= threshold);
    }
    Some(SignFlip { p: (hits + 1) as f64 / (draws + 1) as f64, exact: false })
}

/// Share of the ways to sign these whose |sum| reaches the threshold, in Gray's order:
/// each way differs from the one before in one sign. The first sign stays, by symmetry.
fn share_of_all(values: &[f64], threshold: f64) -> f64 {
    let Some((first, rest)) = values.split_first() else { return 1.0 };
    let mut signs = vec![1.0; rest.len()];
    let mut sum = first + rest.iter().sum::<f64>();
    let total = 1u64 << rest.len();
    let mut hits = u64::from(sum.abs() >= threshold);
    for way in 1..total {
        let flip = way.trailing_zeros() as usize;
        signs[flip] = -signs[flip];
        sum += 2.0 * signs[flip] * rest[flip];
        hits += u64::from(sum.abs() >= threshold);
    }
    hits as f64 / total as f64
}

/// Exact two-sided p for whole-numbered differences, one a cluster, by adding up the
/// distribution of the sum. With differences of -1, 0 and 1 it is McNemar's exact test;
/// with clusters it is that test with clusters flipped as a whole.
pub fn exact_of_counts(differences: &[i64]) -> f64 {
    let sizes: Vec<usize> = differences.iter().map(|d| d.unsigned_abs() as usize).filter(|d| *d > 0).collect();
    let observed = differences.iter().sum::<i64>().unsigned_abs() as usize;
    let total: usize = sizes.iter().sum();
    // at[s]: probability that the clusters so far, each added or left out by a fair
    // coin, sum to s; the signed sum is then 2 s - total.
    let mut at = vec![0.0; total + 1];
    at[0] = 1.0;
    let mut reached = 0;
    for size in sizes {
        reached += size;
        for sum in (0..=reached).rev() {
            let added = if sum >= size { at[sum - size] } else { 0.0 };
            at[sum] = 0.5 * (at[sum] + added);
        }
    }
    let extreme = at.iter().enumerate().filter(|(sum, _)| (2 * sum).abs_diff(total) >= observed);
    extreme.map(|(_, p)| p).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::mcnemar::mcnemar_exact;

    #[test]
    fn single_items_make_it_mcnemars_test() {
        for (gained, lost) in [(0, 0), (1, 8), (3, 3), (12, 40), (0, 6)] {
            let mut signs = vec![1; gained];
            signs.extend(vec![-1; lost]);
            signs.extend(vec![0; 30]);
            let (flip, mcnemar) = (exact_of_counts(&signs), mcnemar_exact(gained, lost));
            assert!((flip - mcnemar).abs() < 1e-12, "{gained} {lost}: {flip} {mcnemar}");
        }
    }

    #[test]
    fn pairs_that_move_together_count_once() {
        assert_eq!(exact_of_counts(&[-2; 6]), exact_of_counts(&[-1; 6]));
        assert!(exact_of_counts(&[-2; 6]) > exact_of_counts(&[-1; 12]));
    }

    #[test]
    fn random_ways_never_give_a_p_of_zero() {
        let mut stream = Stream::new(1, "test", &[]);
        let found = sign_flip(&[1.0; 40], 999, &mut stream).unwrap();
        assert_eq!((found.p, found.exact), (0.001, false));
        assert_eq!(sign_flip(&[], 10, &mut stream), None);
        assert_eq!(sign_flip(&[0.0, 0.0], 10, &mut stream).unwrap().p, 1.0);
    }
}
