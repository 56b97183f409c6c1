//! A mean over training seeds and items, both of them samples: the variance components
//! of the seed x item table (Cornfield and Tukey 1956).
//!
//! The variance of the mean is (seeds + items - rest) / (seeds x items) in mean squares.
//! Student's t at Satterthwaite's degrees of freedom makes up for a handful of seeds,
//! which a bootstrap over them cannot.

use super::{Interval, student};

/// The mean of a seed x item table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoWay {
    /// Mean over all cells.
    pub mean: f64,
    /// Mean square between seeds.
    pub seeds: f64,
    /// Mean square between items.
    pub items: f64,
    /// Mean square of what is left.
    pub rest: f64,
    /// Standard error of the mean over seeds and items not seen.
    pub error: f64,
    /// Satterthwaite's degrees of freedom.
    pub freedom: f64,
    /// Standard deviation between seeds that the items do not explain; 0 when they do.
    pub between_seeds: f64,
}

/// Analyzes `values[seed][item]`, every seed on the same items. `None` below two seeds
/// or two items, or when the rows differ in length.
pub fn two_way(values: &[Vec<f64>]) -> Option<TwoWay> {
    let (rows, columns) = (values.len(), values.first()?.len());
    if rows < 2 || columns < 2 || values.iter().any(|row| row.len() != columns) {
        return None;
    }
    let (r, c) = (rows as f64, columns as f64);
    let of_row: Vec<f64> = values.iter().map(|row| row.iter().sum::<f64>() / c).collect();
    let of_column: Vec<f64> = (0..columns).map(|j| values.iter().map(|row| row[j]).sum::<f64>() / r).collect();
    let mean = of_row.iter().sum::<f64>() / r;
    let seeds = c * of_row.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (r - 1.0);
    let items = r * of_column.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (c - 1.0);
    let left = values.iter().zip(&of_row).flat_map(|(row, at)| row.iter().zip(&of_column).map(move |(v, of)| v - at - of + mean));
    let rest = left.map(|v| v * v).sum::<f64>() / ((r - 1.0) * (c - 1.0));
    // Each of the two mean squares is expected not to be below the rest.
    let total = (seeds + items - rest).max(seeds).max(items);
    let spread = seeds.powi(2) / (r - 1.0) + items.powi(2) / (c - 1.0) + rest.powi(2) / ((r - 1.0) * (c - 1.0));
    Some(TwoWay {
        mean,
        seeds,
        items,
        rest,
        error: (total / (r * c)).sqrt(),
        freedom: if spread > 0.0 { (total.powi(2) / spread).max(1.0) } else { r - 1.0 },
        between_seeds: ((seeds - rest).max(0.0) / c).sqrt(),
    })
}

impl TwoWay {
    /// The interval at `level` for seeds and items not seen.
    pub fn interval(self, level: f64) -> Option<Interval> {
        let half = student::critical(level, self.freedom)? * self.error;
        Some(Interval { low: self.mean - half, high: self.mean + half })
    }
}
