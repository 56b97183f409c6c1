//! Products in the metric of a cloud's covariance: `a' C^-1 b`, in which every direction in
//! which the cloud differs counts alike.

use prism_run::shrinkage::ledoit_wolf;

use crate::probe::eigen::symmetric_eigen;
use crate::probe::matrix::{Matrix, dot};

/// The inverse of a cloud's covariance, shrunk after Ledoit and Wolf (2004).
#[derive(Debug, Clone)]
pub struct Whitening {
    /// `[directions, width]`, unit rows: where the cloud differs.
    directions: Matrix,
    /// Of each direction: how much less it counts than one in which the cloud does not differ.
    discounts: Vec<f64>,
    /// Variance that shrinkage gives every direction.
    floor: f64,
}

impl Whitening {
    /// Of centred rows `[n, width]`.
    ///
    /// # Errors
    /// When there are too few, all are the same, or nothing has to be shrunk (then the
    /// covariance has no inverse that holds outside the cloud).
    pub fn of(centred: &Matrix) -> Result<Self, String> {
        let (n, width) = (centred.rows, centred.columns);
        if n < 3 {
            return Err("fewer than three vectors have no covariance to whiten with".into());
        }
        let rows: Vec<Vec<f64>> = (0..n).map(|i| centred.row(i).to_vec()).collect();
        let shrinkage = ledoit_wolf(&rows, width);
        let variance = centred.values.iter().map(|v| v * v).sum::<f64>() / n as f64 / width.max(1) as f64;
        let floor = shrinkage * variance;
        if floor <= 0.0 {
            return Err("the covariance cannot be shrunk: all vectors are the same".into());
        }
        let eigen = symmetric_eigen(&centred.times_transposed(centred))?;
        let largest = eigen.values.first().copied().unwrap_or_default();
        let mut directions = Matrix { rows: 0, columns: width, values: Vec::new() };
        let mut discounts = Vec::new();
        for (i, value) in eigen.values.iter().enumerate().filter(|(_, v)| **v > largest * n as f64 * f64::EPSILON) {
            let mut direction = vec![0.0; width];
            for (weight, k) in eigen.vectors.row(i).iter().zip(0..n) {
                direction.iter_mut().zip(centred.row(k)).for_each(|(d, v)| *d += weight * v);
            }
            direction.iter_mut().for_each(|d| *d /= value.sqrt());
            directions.values.extend(direction);
            directions.rows += 1;
            let along = (1.0 - shrinkage) * value / n as f64;
            discounts.push(along / (along + floor));
        }
        Ok(Self { directions, discounts, floor })
    }

    /// A vector's coordinates along the directions, to be used again.
    pub fn coordinates(&self, vector: &[f64]) -> Vec<f64> {
        (0..self.directions.rows).map(|i| dot(self.directions.row(i), vector)).collect()
    }

    /// `a' C^-1 b`, given both vectors and their coordinates.
    pub fn product(&self, a: (&[f64], &[f64]), b: (&[f64], &[f64])) -> f64 {
        let along: f64 = a.1.iter().zip(b.1).zip(&self.discounts).map(|((a, b), discount)| discount * a * b).sum();
        (dot(a.0, b.0) - along) / self.floor
    }

    /// The cosine in that metric; `None` for a vector without length.
    pub fn cosine(&self, a: &[f64], b: &[f64]) -> Option<f64> {
        let (ca, cb) = (self.coordinates(a), self.coordinates(b));
        let (a, b) = ((a, ca.as_slice()), (b, cb.as_slice()));
        let lengths = self.product(a, a) * self.product(b, b);
        (lengths > 0.0).then(|| self.product(a, b) / lengths.sqrt())
    }
}
