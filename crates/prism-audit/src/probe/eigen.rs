//! Eigenvalues and eigenvectors of a symmetric matrix: Householder reflections to a
//! tridiagonal form, then QL with implicit shifts (Golub and Van Loan, sections 8.3.1
//! and 8.3.3). Vectors lie in rows, so that every inner loop runs over neighbours.

use super::matrix::{Matrix, dot};

/// Sweeps allowed for one eigenvalue; two are usual.
const SWEEPS: usize = 60;

/// `matrix = sum over i of values[i] * vectors[i]^T vectors[i]`.
#[derive(Debug, Clone)]
pub struct Eigen {
    /// Descending.
    pub values: Vec<f64>,
    /// `[n, n]`, one unit vector a row.
    pub vectors: Matrix,
}

/// Decomposes a symmetric matrix.
///
/// # Errors
/// When a value is not finite.
///
/// # Panics
/// When the matrix is not square.
pub fn symmetric_eigen(matrix: &Matrix) -> Result<Eigen, String> {
    assert_eq!(matrix.rows, matrix.columns, "a symmetric matrix is square");
    if !matrix.values.iter().all(|v| v.is_finite()) {
        return Err("a value is not a finite number".into());
    }
    let (mut diagonal, mut beside, mut vectors) = tridiagonal(matrix);
    diagonalise(&mut diagonal, &mut beside, &mut vectors)?;
    let mut order: Vec<usize> = (0..diagonal.len()).collect();
    order.sort_by(|&a, &b| diagonal[b].total_cmp(&diagonal[a]));
    Ok(Eigen { values: order.iter().map(|&i| diagonal[i]).collect(), vectors: vectors.select(&order) })
}

/// `matrix = Q T Q^T`: T's diagonal, what stands beside it, and Q^T.
fn tridiagonal(matrix: &Matrix) -> (Vec<f64>, Vec<f64>, Matrix) {
    let n = matrix.rows;
    let mut a = matrix.values.clone();
    // Rows that repeat leave remainders which shrink from step to step, down to where squares vanish.
    let negligible = f64::EPSILON * a.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let (mut diagonal, mut beside) = (vec![0.0; n], vec![0.0; n]);
    // reflection k is I - v v^T with v in row k, zero up to column k
    let mut reflections = Matrix::zeros(n, n);
    for k in 0..n {
        diagonal[k] = a[k * n + k];
        let from = k + 1;
        if from >= n {
            break;
        }
        let v = &mut reflections.values[k * n + from..(k + 1) * n];
        v.copy_from_slice(&a[k * n + from..(k + 1) * n]);
        let length = dot(v, v).sqrt();
        if length <= negligible {
            v.fill(0.0);
            continue;
        }
        let lead = if v[0] > 0.0 { -length } else { length };
        beside[k] = lead;
        v[0] -= lead;
        let scale = (2.0 / dot(v, v)).sqrt();
        v.iter_mut().for_each(|x| *x *= scale);
        let v = &reflections.values[k * n + from..(k + 1) * n];
        // A <- (I - v v^T) A (I - v v^T) = A - v q^T - q v^T
        let mut q: Vec<f64> = (from..n).map(|i| dot(&a[i * n + from..(i + 1) * n], v)).collect();
        let half = 0.5 * dot(&q, v);
        q.iter_mut().zip(v).for_each(|(q, v)| *q -= half * v);
        for (i, (vi, qi)) in v.iter().zip(&q).enumerate() {
            let row = &mut a[(from + i) * n + from..(from + i + 1) * n];
            for ((x, v), q) in row.iter_mut().zip(v).zip(&q) {
                *x -= vi * q + qi * v;
            }
        }
    }
    let mut transposed = Matrix::zeros(n, n);
    for i in 0..n {
        transposed.values[i * n + i] = 1.0;
    }
    // Q^T <- Q^T (I - v v^T), from the last reflection: rows up to k are still unit vectors
    for k in (0..n.saturating_sub(1)).rev() {
        let v = &reflections.values[k * n + k + 1..(k + 1) * n];
        for i in k + 1..n {
            let row = &mut transposed.values[i * n + k + 1..(i + 1) * n];
            let along = dot(row, v);
            row.iter_mut().zip(v).for_each(|(x, v)| *x -= along * v);
        }
    }
    (diagonal, beside, transposed)
}

/// QL with implicit shifts; the rotations are applied to the rows of `vectors`.
fn diagonalise(diagonal: &mut [f64], beside: &mut [f64], vectors: &mut Matrix) -> Result<(), String> {
    let n = diagonal.len();
    let size = diagonal.iter().chain(beside.iter()).fold(0.0f64, |m, v| m.max(v.abs()));
    for low in 0..n {
        let mut sweeps = 0;
        loop {
            // What the reflections have already rounded away: below it QL would chase noise.
            let negligible = |i: &usize| beside[*i].abs() <= f64::EPSILON * size;
            let high = (low..n - 1).find(negligible).unwrap_or(n - 1);
            if high == low {
                break;
            }
            sweeps += 1;
            if sweeps > SWEEPS {
                return Err("the eigenvalues of the rows' products were not found".into());
            }
            let g = (diagonal[low + 1] - diagonal[low]) / (2.0 * beside[low]);
            let mut g = diagonal[high] - diagonal[low] + beside[low] / (g + g.hypot(1.0).copysign(g));
            let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
            let mut split = false;
            for i in (low..high).rev() {
                let (f, b) = (sine * beside[i], cosine * beside[i]);
                let r = f.hypot(g);
                beside[i + 1] = r;
                if r == 0.0 {
                    diagonal[i + 1] -= shift;
                    beside[high] = 0.0;
                    split = true;
                    break;
                }
                (sine, cosine) = (f / r, g / r);
                g = diagonal[i + 1] - shift;
                let r = (diagonal[i] - g) * sine + 2.0 * cosine * b;
                shift = sine * r;
                diagonal[i + 1] = g + shift;
                g = cosine * r - b;
                let (first, second) = vectors.values[i * n..(i + 2) * n].split_at_mut(n);
                for (x, y) in first.iter_mut().zip(second) {
                    let f = *y;
                    *y = sine * *x + cosine * f;
                    *x = cosine * *x - sine * f;
                }
            }
            if !split {
                diagonal[low] -= shift;
                beside[low] = g;
                beside[high] = 0.0;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rebuilt(eigen: &Eigen) -> Matrix {
        let n = eigen.values.len();
        let mut out = Matrix::zeros(n, n);
        for (k, value) in eigen.values.iter().enumerate() {
            let v = eigen.vectors.row(k);
            for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                out.values[i * n + j] += value * v[i] * v[j];
            }
        }
        out
    }

    #[test]
    fn the_parts_make_the_matrix_and_are_orthonormal() {
        for (n, rank) in [(1, 1), (2, 2), (7, 3), (40, 40), (60, 12)] {
            let half = Matrix { rows: n, columns: rank, values: (0..n * rank).map(|i| ((i * i + 3) as f64).sin()).collect() };
            let matrix = half.times_transposed(&half);
            let eigen = symmetric_eigen(&matrix).unwrap();
            let near = |a: &Matrix, b: &Matrix| a.values.iter().zip(&b.values).all(|(a, b)| (a - b).abs() < 1e-12 * n as f64);
            assert!(near(&rebuilt(&eigen), &matrix), "{n} {rank}");
            let unit = Eigen { values: vec![1.0; n], vectors: eigen.vectors.clone() };
            let identity = Matrix { rows: n, columns: n, values: (0..n * n).map(|i| f64::from(u8::from(i % (n + 1) == 0))).collect() };
            assert!(near(&rebuilt(&unit), &identity), "{n} {rank}");
            assert!(eigen.values.windows(2).all(|w| w[0] >= w[1]) && eigen.values.iter().skip(rank).all(|v| v.abs() < 1e-11));
        }
        assert!(symmetric_eigen(&Matrix { rows: 1, columns: 1, values: vec![f64::NAN] }).is_err());
        assert_eq!(symmetric_eigen(&Matrix::zeros(3, 3)).unwrap().values, [0.0; 3]);
    }

    /// Mean embeddings of a few wordings of one question: most eigenvalues are rounding, and QL must not
    /// chase them.
    #[test]
    fn rows_that_repeat_are_decomposed() {
        let mut state = 1u64;
        let mut noise = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        for (distinct, columns) in [(12, 128), (40, 128), (90, 96), (200, 128), (320, 128)] {
            let kinds: Vec<Vec<f64>> = (0..distinct).map(|_| (0..columns).map(|_| noise()).collect()).collect();
            let n = 320;
            let values: Vec<f64> = (0..n).flat_map(|i| kinds[(i * i + 3 * i) % distinct].iter().map(|v| f64::from(*v as f32))).collect();
            let half = Matrix { rows: n, columns, values };
            let matrix = half.times_transposed(&half);
            let eigen = symmetric_eigen(&matrix).unwrap_or_else(|cause| panic!("{distinct} of {n}: {cause}"));
            assert!(rebuilt(&eigen).values.iter().zip(&matrix.values).all(|(a, b)| (a - b).abs() < 1e-10), "{distinct}");
        }
    }
}
