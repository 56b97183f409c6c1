//! Matrix products through the `gemm` crate, with explicit strides, accumulation
//! and parallelism.

use std::cell::Cell;

use gemm::Parallelism;

thread_local! {
    static THREADS: Cell<usize> = const { Cell::new(1) };
}

/// Runs `f` with kernels on this thread using up to `threads` threads. The default
/// is one: parallelism is over examples and packs. Results do not depend on it.
pub fn with_threads<R>(threads: usize, f: impl FnOnce() -> R) -> R {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            THREADS.set(self.0);
        }
    }
    let _restore = Restore(THREADS.replace(threads.max(1)));
    f()
}

/// Threads that kernels called from this thread may use.
pub fn threads() -> usize {
    THREADS.get()
}

/// A matrix in a slice: element `(i, j)` at `i * row + j * column`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    /// Row-major, rows `stride` apart.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(rows == 0 || columns == 0 || (rows - 1) * stride + columns <= values.len());
        Self { values, rows, columns, row: stride, column: 1 }
    }

    /// Row-major, contiguous.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// Transposed, without a copy.
    pub fn t(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row: self.column, column: self.row, ..self }
    }
}

/// `out = scale * a * b`, or `out += ...` when `add`; `out` row-major with rows `stride` apart.
pub fn multiply(out: &mut [f32], stride: usize, add: bool, scale: f32, a: Matrix<'_>, b: Matrix<'_>) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows);
    if m == 0 || n == 0 {
        return;
    }
    assert!((m - 1) * stride + n <= out.len() && n <= stride);
    let parallelism = match threads() {
        1 => Parallelism::None,
        n => Parallelism::Rayon(n),
    };
    // SAFETY: the constructors and the assertions above bound every index of the three
    // matrices inside their slices, and `out` is exclusively borrowed.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.values.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// `out [n, out] = x [n, in] * weight^T + bias`.
pub fn linear(out: &mut [f32], x: &[f32], weight: &[f32], bias: Option<&[f32]>, rows: usize, input: usize, output: usize) {
    if let Some(bias) = bias {
        out.chunks_exact_mut(output).for_each(|row| row.copy_from_slice(bias));
    }
    multiply(out, output, bias.is_some(), 1.0, Matrix::new(x, rows, input), Matrix::new(weight, output, input).t());
}

/// `dx [n, in] (+)= dy [n, out] * weight`.
pub fn linear_input(dx: &mut [f32], add: bool, dy: &[f32], weight: &[f32], rows: usize, input: usize, output: usize) {
    multiply(dx, input, add, 1.0, Matrix::new(dy, rows, output), Matrix::new(weight, output, input));
}

/// `dw [out, in] (+)= dy^T * x`.
pub fn linear_weight(dw: &mut [f32], add: bool, dy: &[f32], x: &[f32], rows: usize, input: usize, output: usize) {
    multiply(dw, input, add, 1.0, Matrix::new(dy, rows, output).t(), Matrix::new(x, rows, input));
}

super::simd::dispatched! {
    /// `db (+)=` the column sums of `dy [n, out]`.
    pub fn linear_bias(db: &mut [f32], add: bool, dy: &[f32]) {
        if !add {
            db.fill(0.0);
        }
        for row in dy.chunks_exact(db.len().max(1)) {
            for (b, g) in db.iter_mut().zip(row) {
                *b += g;
            }
        }
    }
}
