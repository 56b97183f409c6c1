//! Entropy of a table of counts.

/// Entropy of the empirical distribution, nats; 0 for no counts.
pub fn entropy(counts: &[usize]) -> f64 {
    let total: usize = counts.iter().sum();
    counts
        .iter()
        .filter(|&&c| c > 0)
        .map(|&c| {
            let p = c as f64 / total as f64;
            -p * p.ln()
        })
        .sum()
}

/// Least mutual information, nats, between the gold letter and the number of options
/// in a benchmark of four- and two-option questions, whatever the unknown letters of
/// the two-option part.
///
/// `shared`: counts of the letters both kinds have (A, B); `later`: counts of the
/// letters only four options have (C, D); `two`: questions with two options. `None`
/// when the counts cannot be split so.
pub fn least_information_of_options(shared: [usize; 2], later: [usize; 2], two: usize) -> Option<f64> {
    let total = shared[0] + shared[1] + later[0] + later[1];
    let four = total.checked_sub(two).filter(|four| *four > 0)?;
    let prior = entropy(&[shared[0], shared[1], later[0], later[1]]);
    (0..=two.min(shared[0]))
        .filter_map(|a| {
            let b = two - a;
            let rest = [shared[0] - a, shared[1].checked_sub(b)?, later[0], later[1]];
            let given = (two as f64 * entropy(&[a, b]) + four as f64 * entropy(&rest)) / total as f64;
            Some(prior - given)
        })
        .min_by(f64::total_cmp)
}
