//! Row-major matrices in double precision and their products, one thread each.

use gemm::Parallelism;

/// A matrix, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// `rows * columns` values.
    pub values: Vec<f64>,
}

impl Matrix {
    /// A matrix of zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// The rows of these indices, in this order.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut values = Vec::with_capacity(indices.len() * self.columns);
        for &i in indices {
            values.extend_from_slice(self.row(i));
        }
        Self { rows: indices.len(), columns: self.columns, values }
    }

    /// `self * other^T`: `[rows, other.rows]`.
    ///
    /// # Panics
    /// When the widths differ.
    pub fn times_transposed(&self, other: &Matrix) -> Matrix {
        assert_eq!(self.columns, other.columns, "widths of a product");
        let mut out = Matrix::zeros(self.rows, other.rows);
        let left = Strided { values: &self.values, row: self.columns, column: 1 };
        let right = Strided { values: &other.values, row: 1, column: other.columns };
        product(self.rows, other.rows, self.columns, left, right, &mut out.values);
        out
    }
}

/// `left^T * right` of two row-major slices with `rows` rows each: `[m, n]`.
///
/// # Panics
/// When a slice is shorter than its shape.
pub fn transposed_times(left: &[f64], m: usize, right: &[f64], n: usize, rows: usize, out: &mut [f64]) {
    product(m, n, rows, Strided { values: left, row: 1, column: m }, Strided { values: right, row: n, column: 1 }, out);
}

/// `left * right^T` of row-major slices `[m, k]` and `[n, k]`: `[m, n]`.
///
/// # Panics
/// When a slice is shorter than its shape.
pub fn times_transposed(left: &[f64], m: usize, right: &[f64], n: usize, k: usize, out: &mut [f64]) {
    product(m, n, k, Strided { values: left, row: k, column: 1 }, Strided { values: right, row: 1, column: k }, out);
}

/// Inner product, in eight partial sums: the same order of additions everywhere.
pub fn dot(left: &[f64], right: &[f64]) -> f64 {
    let (heads, others) = (left.chunks_exact(8), right.chunks_exact(8));
    let rest: f64 = heads.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 8];
    for (a, b) in heads.zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Values and the distance between neighbours of a column and of a row.
struct Strided<'a> {
    values: &'a [f64],
    row: usize,
    column: usize,
}

/// `[m, k] * [k, n]` into the row-major `out`.
fn product(m: usize, n: usize, k: usize, left: Strided<'_>, right: Strided<'_>, out: &mut [f64]) {
    assert!(left.values.len() >= m * k && right.values.len() >= k * n && out.len() >= m * n, "shapes of a product");
    let step = |s: usize| s as isize;
    // SAFETY: the strides describe row-major or transposed row-major matrices of m x k,
    // k x n and m x n elements, whose slices were just checked to hold that many values;
    // `out` is borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            step(n),
            false,
            left.values.as_ptr(),
            step(left.column),
            step(left.row),
            right.values.as_ptr(),
            step(right.column),
            step(right.row),
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_products_are_what_they_say() {
        let a = Matrix { rows: 2, columns: 3, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        let b = Matrix { rows: 2, columns: 3, values: vec![1.0, 0.0, -1.0, 2.0, 1.0, 0.0] };
        assert_eq!(a.times_transposed(&b).values, [-2.0, 4.0, -2.0, 13.0]);
        let mut out = vec![f64::NAN; 9];
        transposed_times(&a.values, 3, &b.values, 3, 2, &mut out);
        assert_eq!(out, [9.0, 4.0, -1.0, 12.0, 5.0, -2.0, 15.0, 6.0, -3.0]);
    }
}
