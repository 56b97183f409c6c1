//! Clopper and Pearson's exact bounds of a share (Biometrika 26, 1934).

use statrs::distribution::{Beta, ContinuousCDF};

/// The one-sided upper bound at `level` of the share behind `hits` of `n`; `None` for n = 0.
///
/// Both may be fractions: with clusters `n` is the number of independent examples they are
/// worth, and `hits` the share seen times `n`. Of all variables between 0 and 1 with one mean a
/// binary one spreads most, so the bound then errs on the wide side.
pub fn upper(hits: f64, n: f64, level: f64) -> Option<f64> {
    if !(n > 0.0 && (0.0..=n).contains(&hits)) {
        return None;
    }
    if hits + 1e-12 >= n {
        return Some(1.0);
    }
    if hits == 0.0 {
        return Some(1.0 - (1.0 - level).powf(1.0 / n));
    }
    let beta = Beta::new(hits + 1.0, n - hits).ok()?;
    // The library's inverse starts a search that may leave (0, 1) for small shares: bisection cannot.
    let (mut low, mut high) = (hits / n, 1.0);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if beta.cdf(middle) < level { low = middle } else { high = middle }
    }
    Some((low + high) / 2.0)
}

/// The one-sided lower bound, likewise.
pub fn lower(hits: f64, n: f64, level: f64) -> Option<f64> {
    upper(n - hits, n, level).map(|bound| 1.0 - bound)
}

/// Whether the upper bound of `hits` of `n` lies below `margin`: one probability, where the bound itself takes a search.
fn is_below(hits: usize, n: usize, margin: f64, level: f64) -> bool {
    hits < n && Beta::new(hits as f64 + 1.0, (n - hits) as f64).is_ok_and(|beta| beta.cdf(margin) > level)
}

/// The fewest examples of which `unchanged` can be expected: with `share` of the answers changing, the upper
/// bound at `1 - alpha` lies below `margin` with probability `power`.
pub fn needed_for_unchanged(share: f64, margin: f64, alpha: f64, power: f64) -> Option<usize> {
    if share >= margin {
        return None;
    }
    // For each count of changed answers the fewest examples at which the bound holds; the first
    // count whose examples change so few with the power asked for.
    let mut n = 1usize;
    for changed in 0..2_000usize {
        while !is_below(changed, n, margin, 1.0 - alpha) {
            n += 1 + n / 4096;
        }
        let n = n.max(changed);
        let (mut term, mut sum) = ((1.0 - share).powi(n as i32), 0.0);
        for k in 0..=changed {
            sum += term;
            term *= (n - k) as f64 / (k + 1) as f64 * share / (1.0 - share);
        }
        if sum >= power {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_closed() {
        assert_eq!((upper(5.0, 5.0, 0.95), upper(0.0, 0.0, 0.95)), (Some(1.0), None));
        assert_eq!((lower(0.0, 5.0, 0.95), upper(6.0, 5.0, 0.95)), (Some(0.0), None));
    }

    #[test]
    fn the_bound_and_the_question_whether_it_is_below_agree() {
        for (hits, n) in [(0, 58), (0, 59), (1, 92), (1, 93), (8, 280), (8, 290), (8, 300), (30, 800), (5, 5)] {
            let bound = upper(hits as f64, n as f64, 0.95).unwrap();
            assert_eq!(is_below(hits, n, 0.05, 0.95), bound < 0.05, "{hits} of {n}");
        }
    }

    #[test]
    fn sizes_that_can_show_unchanged() {
        assert_eq!(needed_for_unchanged(0.0, 0.05, 0.05, 0.8), Some(59));
        assert_eq!(needed_for_unchanged(0.01, 0.05, 0.05, 0.8), Some(124));
        assert_eq!(needed_for_unchanged(0.05, 0.05, 0.05, 0.8), None);
    }
}
