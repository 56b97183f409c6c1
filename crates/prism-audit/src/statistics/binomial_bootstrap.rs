//! The paper's bootstrap over variants: each variant's accuracy is redrawn from a
//! binomial with its own n, and r is computed again (method, section 8).
//!
//! Which reading reproduces the published intervals was tried on the published
//! table: redrawing the accuracy alone, with cosine, probe and delta columns as
//! printed, comes within 0.02 of all four; redrawing the probe too, or letting the
//! delta follow the redrawn accuracy, misses by tenths.

use prism_run::random::Stream;

use super::correlation::pearson;

/// Number of right answers among `n` at probability `p`: n draws, as simple as it is exact.
pub fn binomial(stream: &mut Stream, n: usize, p: f64) -> usize {
    (0..n).filter(|_| stream.uniform() < p).count()
}

/// r(x, redrawn y) of each replicate; `draw` gives one replicate of y. Replicates in
/// which y came out constant have no r and are left out.
pub fn resampled_correlations(x: &[f64], replicates: usize, mut draw: impl FnMut() -> Vec<f64>) -> Vec<f64> {
    (0..replicates).filter_map(|_| pearson(x, &draw())).collect()
}

/// One replicate of the accuracies: each redrawn from its own binomial.
pub fn redraw_accuracies(accuracies: &[f64], n: usize, stream: &mut Stream) -> Vec<f64> {
    accuracies.iter().map(|&p| binomial(stream, n, p) as f64 / n.max(1) as f64).collect()
}
