//! The row space of a matrix with fewer rows than columns.
//!
//! An L2-penalised linear model's weights lie in the span of its training rows,
//! and the penalty does not change under rotation: the same optimum lives in at
//! most `rows` dimensions. Used for the fits to a tight tolerance.

use super::matrix::Matrix;

/// An orthonormal basis `[rank, columns]` of the rows' span, by Gram-Schmidt with
/// a second pass. A row that adds less than 1e-10 of its own length is skipped.
pub fn row_space(x: &Matrix) -> Matrix {
    let mut basis = Matrix { rows: 0, columns: x.columns, values: Vec::new() };
    for i in 0..x.rows {
        let mut rest = x.row(i).to_vec();
        let length = norm(&rest);
        for _ in 0..2 {
            for direction in basis.values.chunks_exact(x.columns.max(1)) {
                let along: f64 = direction.iter().zip(&rest).map(|(d, r)| d * r).sum();
                rest.iter_mut().zip(direction).for_each(|(r, d)| *r -= along * d);
            }
        }
        let left = norm(&rest);
        if left > 1e-10 * length {
            basis.values.extend(rest.iter().map(|r| r / left));
            basis.rows += 1;
        }
    }
    basis
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_keep_every_inner_product() {
        let x = Matrix { rows: 3, columns: 5, values: (0..15).map(|i| ((i * i) as f64).sin()).collect() };
        let mut dependent = x.clone();
        dependent.values.extend(x.row(0).iter().zip(x.row(2)).map(|(a, b)| a - 2.0 * b).collect::<Vec<_>>());
        dependent.rows = 4;
        let basis = row_space(&dependent);
        assert_eq!(basis.rows, 3);
        let coordinates = dependent.times_transposed(&basis);
        let (before, after) = (dependent.times_transposed(&dependent), coordinates.times_transposed(&coordinates));
        assert!(before.values.iter().zip(&after.values).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
