//! Quantiles of the standard normal.

use statrs::distribution::{ContinuousCDF, Normal};

/// z with P(Z <= z) = `p`; infinite at 0 and 1.
pub fn quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p.clamp(0.0, 1.0))
}

/// The two-sided critical value of a `level` interval, e.g. 1.96 for 0.95.
pub fn critical(level: f64) -> f64 {
    quantile(0.5 + level / 2.0)
}
