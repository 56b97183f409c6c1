//! The mean over items that come in clusters, with a standard error that lets the items
//! of a cluster agree (Liang and Zeger's sandwich with the small-sample factor
//! G / (G - 1) and Student's t at G - 1).

use super::bootstrap::Cluster;
use super::tost::{Tost, tost_of};
use super::{Interval, student};

/// A mean over clustered items.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterMean {
    /// Mean over items.
    pub mean: f64,
    /// Its cluster-robust standard error.
    pub error: f64,
    /// Clusters, G.
    pub clusters: usize,
}

/// The mean over the items of these clusters; `None` below two clusters. Of paired
/// differences of right answers it is the difference of two shares.
pub fn cluster_mean(clusters: &[Cluster]) -> Option<ClusterMean> {
    let groups = clusters.len() as f64;
    let (sum, items) = clusters.iter().fold((0.0, 0usize), |(s, n), (sum, items)| (s + sum, n + items));
    if clusters.len() < 2 || items == 0 {
        return None;
    }
    let mean = sum / items as f64;
    let squares: f64 = clusters.iter().map(|(sum, n)| (sum - *n as f64 * mean).powi(2)).sum();
    let variance = groups / (groups - 1.0) * squares / (items as f64).powi(2);
    Some(ClusterMean { mean, error: variance.sqrt(), clusters: clusters.len() })
}

impl ClusterMean {
    /// The interval at `level`.
    pub fn interval(self, level: f64) -> Option<Interval> {
        let half = student::critical(level, self.clusters as f64 - 1.0)? * self.error;
        Some(Interval { low: self.mean - half, high: self.mean + half })
    }

    /// Whether the mean lies within `margin` of 0, by two one-sided t tests. With clusters of
    /// one it is the paired test.
    pub fn tost(self, margin: f64, alpha: f64) -> Option<Tost> {
        tost_of(self.mean, self.error, self.clusters as f64 - 1.0, margin, alpha)
    }
}
