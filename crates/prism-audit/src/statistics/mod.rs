//! Statistics, one concept per file, each held against scipy, statsmodels or numpy
//! (`oracle/statistics_*.py` write the expected values), and simulated: coverage of
//! every interval and false positives of every test in `docs/reference/statistics.md`.
//!
//! Absent results are `None`: a correlation of a constant column has no value.

pub mod adjust;
pub mod bca;
pub mod binomial_bootstrap;
pub mod bootstrap;
pub mod clopper_pearson;
pub mod cluster_robust;
pub mod clusters;
pub mod correlation;
pub mod entropy;
pub mod equivalence;
pub mod mcnemar;
pub mod normal;
pub mod percentile;
pub mod permutation;
pub mod random_effects;
pub mod shared;
pub mod sign_flip;
pub mod student;
pub mod tost;
pub mod two_way;
pub mod wilson;

/// A lower and an upper bound.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Interval {
    /// Whether it has a width: one without says that nothing is uncertain, which no sample does.
    pub fn has_width(&self) -> bool {
        self.high > self.low
    }
}
