//! Statistics, one concept per file, each held against scipy, statsmodels or numpy
//! (`oracle/statistics_scipy.py` writes the expected values).
//!
//! Absent results are `None`: a correlation of a constant column has no value.

pub mod adjust;
pub mod binomial_bootstrap;
pub mod bootstrap;
pub mod clusters;
pub mod correlation;
pub mod entropy;
pub mod equivalence;
pub mod mcnemar;
pub mod normal;
pub mod percentile;
pub mod permutation;
pub mod wilson;

/// A lower and an upper bound.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}
