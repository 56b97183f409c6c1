//! The exact permutation test of a correlation.

use super::correlation::pearson;

/// Most points for which every permutation is visited (9! = 362,880).
pub const MOST_POINTS: usize = 9;

/// Two-sided exact p of Pearson's r: the share of all n! assignments of y to x with
/// |r| at least the observed one.
///
/// Ties count: the observed assignment itself, assignments that equal it because
/// values repeat, and any |r| within 1e-9 of the observed one are all "at least".
/// `None` beyond [`MOST_POINTS`], below three points, or when r is absent.
pub fn exact_p(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len().min(y.len());
    if !(3..=MOST_POINTS).contains(&n) {
        return None;
    }
    let observed = pearson(x, y)?.abs();
    let mut permuted = y[..n].to_vec();
    let (mut total, mut extreme) = (0u64, 0u64);
    let mut visit = |y: &[f64]| {
        total += 1;
        extreme += u64::from(pearson(&x[..n], y).is_some_and(|r| r.abs() >= observed - 1e-9));
    };
    // Heap's algorithm, without recursion
    visit(&permuted);
    let mut counters = vec![0; n];
    let mut i = 0;
    while i < n {
        if counters[i] < i {
            permuted.swap(if i % 2 == 0 { 0 } else { counters[i] }, i);
            visit(&permuted);
            counters[i] += 1;
            i = 0;
        } else {
            counters[i] = 0;
            i += 1;
        }
    }
    Some(extreme as f64 / total as f64)
}
