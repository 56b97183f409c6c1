//! What a probe leaves: its row, and what another one needs to be set beside it.

use crate::findings::ProbeFinding;

/// A probe and what is needed to set it beside another.
#[derive(Debug, Clone)]
pub struct Probed {
    /// Its row in the table.
    pub finding: ProbeFinding,
    /// Row of each example.
    pub ids: Vec<i64>,
    /// Group of each.
    pub clusters: Vec<usize>,
    /// Share of repeats in which each was predicted right.
    pub right: Vec<f64>,
    /// The outer folds of each repeat.
    pub folds: Vec<Vec<usize>>,
}
