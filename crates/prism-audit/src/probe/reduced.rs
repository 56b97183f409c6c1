//! The same probe in fewer dimensions.
//!
//! The weights of an L2-penalised linear model are a combination of its training
//! rows, and the penalty does not change under rotation. So after z-scoring on the
//! training part (which has to happen in the original columns, fold by fold) the
//! rows may be written in the eigenvectors of the smaller of `Z Z^T` (rows by rows)
//! and `Z^T Z`: at most min(rows, columns) numbers a row, every inner product, and
//! with it every optimum, unchanged. A fit on a part of the training rows, as the
//! inner folds make, lies in the same span: one decomposition serves every inner
//! fold, every C, every labelling. In these coordinates `Z^T Z` is diagonal, which
//! also tells a solver how steep each direction is.

use super::eigen::symmetric_eigen;
use super::matrix::{Matrix, transposed_times};

/// Eigenvalues below this share of the largest are rounding.
const NEGLIGIBLE: f64 = 1e-12;

/// Rows of the training part and of the rows left out, in the training rows' span.
#[derive(Debug, Clone)]
pub struct Reduced {
    /// `[training rows, rank]`.
    pub train: Matrix,
    /// `[rows left out, rank]`.
    pub test: Matrix,
    /// Mean square of each column of `train`, descending.
    pub spread: Vec<f64>,
}

/// Writes z-scored rows in the span of `train`.
///
/// # Errors
/// When a value is not finite.
///
/// # Panics
/// When the widths differ.
pub fn reduce(train: &Matrix, test: &Matrix) -> Result<Reduced, String> {
    let by_rows = train.rows < train.columns;
    let gram = if by_rows {
        train.times_transposed(train)
    } else {
        let mut out = Matrix::zeros(train.columns, train.columns);
        transposed_times(&train.values, train.columns, &train.values, train.columns, train.rows, &mut out.values);
        out
    };
    let eigen = symmetric_eigen(&gram)?;
    let largest = eigen.values.first().copied().unwrap_or(0.0);
    let kept: Vec<usize> = (0..eigen.values.len()).filter(|&i| eigen.values[i] > NEGLIGIBLE * largest).collect();
    let values: Vec<f64> = kept.iter().map(|&i| eigen.values[i]).collect();
    let basis = eigen.vectors.select(&kept);
    let spread = values.iter().map(|v| v / train.rows as f64).collect();
    if !by_rows {
        return Ok(Reduced { train: train.times_transposed(&basis), test: test.times_transposed(&basis), spread });
    }
    // Z = U S W^T with basis = U^T and values = S^2: training rows are U S, others z W = (z Z^T) U S^-1
    let mut of_train = Matrix::zeros(train.rows, values.len());
    for (k, value) in values.iter().enumerate() {
        for (i, u) in basis.row(k).iter().enumerate() {
            of_train.values[i * values.len() + k] = u * value.sqrt();
        }
    }
    let mut of_test = test.times_transposed(train).times_transposed(&basis);
    for row in of_test.values.chunks_exact_mut(values.len().max(1)) {
        row.iter_mut().zip(&values).for_each(|(x, value)| *x /= value.sqrt());
    }
    Ok(Reduced { train: of_train, test: of_test, spread })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_keep_every_inner_product_with_a_training_row() {
        for (rows, columns) in [(4, 9), (9, 4), (5, 5)] {
            let made =
                |rows, shift| Matrix { rows, columns, values: (0..rows * columns).map(|i| ((i * i + shift) as f64).sin()).collect() };
            let (mut train, test) = (made(rows, 0), made(3, 7));
            // a dependent row
            let last: Vec<f64> = train.row(0).iter().zip(train.row(2)).map(|(a, b)| a - 2.0 * b).collect();
            train.values[(rows - 1) * columns..].copy_from_slice(&last);
            let reduced = reduce(&train, &test).unwrap();
            let near = |a: Matrix, b: Matrix| a.values.iter().zip(&b.values).all(|(a, b)| (a - b).abs() < 1e-10);
            assert!(near(train.times_transposed(&train), reduced.train.times_transposed(&reduced.train)));
            assert!(near(test.times_transposed(&train), reduced.test.times_transposed(&reduced.train)));
            assert_eq!(reduced.spread.len(), (rows - 1).min(columns));
            let square: f64 = (0..rows).map(|i| reduced.train.row(i)[0].powi(2)).sum();
            assert!((square / rows as f64 - reduced.spread[0]).abs() < 1e-12);
        }
    }
}
