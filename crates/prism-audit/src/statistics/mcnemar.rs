//! McNemar's exact test on discordant pairs.

use statrs::function::factorial::ln_binomial;

/// Two-sided exact p: twice the smaller binomial tail at one half, at most 1;
/// 1 when no pair is discordant.
pub fn mcnemar_exact(gained: usize, lost: usize) -> f64 {
    let (n, small) = ((gained + lost) as u64, gained.min(lost) as u64);
    let tail: f64 = (0..=small).map(|i| (ln_binomial(n, i) - n as f64 * std::f64::consts::LN_2).exp()).sum();
    (2.0 * tail).min(1.0)
}
