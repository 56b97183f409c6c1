//! scikit-learn's `StandardScaler`: mean and population standard deviation per
//! column of the training rows; a constant column is scaled by 1.

use super::matrix::Matrix;

/// Column means and scales of the training rows.
#[derive(Debug, Clone)]
pub struct Standardizer {
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl Standardizer {
    /// Learns from the training rows.
    pub fn fit(train: &Matrix) -> Self {
        let n = train.rows as f64;
        let mut mean = vec![0.0; train.columns];
        for i in 0..train.rows {
            for (m, v) in mean.iter_mut().zip(train.row(i)) {
                *m += v;
            }
        }
        mean.iter_mut().for_each(|m| *m /= n);
        let mut variance = vec![0.0; train.columns];
        for i in 0..train.rows {
            for ((s, m), v) in variance.iter_mut().zip(&mean).zip(train.row(i)) {
                *s += (v - m) * (v - m);
            }
        }
        let scale = variance
            .iter()
            .zip(&mean)
            .map(|(s, m)| {
                let variance = s / n;
                // scikit-learn's test for a column that is constant up to rounding
                let rounding = n * f64::EPSILON * variance + (n * m * f64::EPSILON).powi(2);
                if variance <= rounding { 1.0 } else { variance.sqrt() }
            })
            .collect();
        Self { mean, scale }
    }

    /// Every row, centred and scaled.
    pub fn apply(&self, rows: &Matrix) -> Matrix {
        let mut out = rows.clone();
        for row in out.values.chunks_exact_mut(rows.columns.max(1)) {
            for ((v, m), s) in row.iter_mut().zip(&self.mean).zip(&self.scale) {
                *v = (*v - m) / s;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_column_becomes_zero_not_nan() {
        let x = Matrix { rows: 2, columns: 2, values: vec![0.1, 1.0, 0.1, 3.0] };
        assert_eq!(Standardizer::fit(&x).apply(&x).values, [0.0, -1.0, 0.0, 1.0]);
    }
}
