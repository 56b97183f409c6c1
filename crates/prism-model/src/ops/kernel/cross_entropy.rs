//! Softmax and cross-entropy over the vocabulary, a few rows of logits at a time.

use super::matmul::{Matrix, multiply};
use super::scratch;
use super::simd::{LANES, dispatched, exp, reduce};

/// Rows of logits alive at once.
const ROWS: usize = 128;

dispatched! {
    /// Largest value and sum of `exp(x - largest)` of a row.
    fn row_sum(row: &[f32]) -> (f32, f32) {
        let mut tops = [f32::NEG_INFINITY; LANES];
        let chunks = row.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for l in 0..LANES {
                tops[l] = if chunk[l] > tops[l] { chunk[l] } else { tops[l] };
            }
        }
        let top = rest.iter().chain(&tops).fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let mut sums = [0.0f32; LANES];
        for chunk in row.chunks(LANES) {
            for (s, x) in sums.iter_mut().zip(chunk) {
                *s += exp::<FMA>(*x - top);
            }
        }
        (top, reduce(sums))
    }
}

dispatched! {
    /// A row of logits becomes `scale * softmax`.
    fn row_softmax(row: &mut [f32], lse: f32, scale: f32) {
        for x in row {
            *x = exp::<FMA>(*x - lse) * scale;
        }
    }
}

/// The rows of `hidden [n, width]` that have a label, gathered.
fn gather(into: &mut [f32], hidden: &[f32], rows: &[(usize, usize)], width: usize) {
    for (to, (row, _)) in into.chunks_exact_mut(width).zip(rows) {
        to.copy_from_slice(&hidden[row * width..(row + 1) * width]);
    }
}

/// Sum of the negative log-likelihoods, in double precision, and the log-sum of each labelled row.
/// `rows`: (row, label), both checked by the caller.
pub fn forward(hidden: &[f32], weight: &[f32], rows: &[(usize, usize)], width: usize) -> (f64, Vec<f32>) {
    let vocab = weight.len() / width.max(1);
    let mut x = scratch::take(ROWS * width);
    let mut logits = scratch::take(ROWS.min(rows.len()) * vocab);
    let (mut total, mut lses) = (0.0f64, Vec::with_capacity(rows.len()));
    for chunk in rows.chunks(ROWS) {
        let n = chunk.len();
        gather(&mut x, hidden, chunk, width);
        multiply(&mut logits[..n * vocab], vocab, false, 1.0, Matrix::new(&x, n, width), Matrix::new(weight, vocab, width).t());
        for (row, (_, label)) in logits.chunks_exact(vocab).zip(chunk) {
            let (top, sum) = row_sum(row);
            let lse = top + sum.ln();
            total += f64::from(lse) - f64::from(row[*label]);
            lses.push(lse);
        }
    }
    (total, lses)
}

/// Gradients of `scale *` [`forward`]: `dhidden [n, width]` (other rows 0) and, if asked for,
/// `dw [vocab, width]`, added to when the flag says so.
#[expect(clippy::too_many_arguments, reason = "one slice per tensor of the operation")]
pub fn backward(
    dhidden: &mut [f32],
    mut dw: Option<(&mut [f32], bool)>,
    scale: f32,
    lses: &[f32],
    hidden: &[f32],
    weight: &[f32],
    rows: &[(usize, usize)],
    width: usize,
) {
    let vocab = weight.len() / width.max(1);
    let mut x = scratch::take(ROWS * width);
    let mut dx = scratch::take(ROWS * width);
    let mut logits = scratch::take(ROWS.min(rows.len()) * vocab);
    dhidden.fill(0.0);
    for (chunk, lses) in rows.chunks(ROWS).zip(lses.chunks(ROWS)) {
        let n = chunk.len();
        let logits = &mut logits[..n * vocab];
        gather(&mut x, hidden, chunk, width);
        multiply(logits, vocab, false, 1.0, Matrix::new(&x, n, width), Matrix::new(weight, vocab, width).t());
        for ((row, (_, label)), lse) in logits.chunks_exact_mut(vocab).zip(chunk).zip(lses) {
            row_softmax(row, *lse, scale);
            row[*label] -= scale;
        }
        multiply(&mut dx[..n * width], width, false, 1.0, Matrix::new(logits, n, vocab), Matrix::new(weight, vocab, width));
        for (from, (row, _)) in dx.chunks_exact(width).zip(chunk) {
            dhidden[row * width..(row + 1) * width].copy_from_slice(from);
        }
        if let Some((dw, add)) = &mut dw {
            multiply(dw, width, *add, 1.0, Matrix::new(logits, n, vocab).t(), Matrix::new(&x, n, width));
            *add = true;
        }
    }
    if let Some((dw, false)) = dw {
        dw.fill(0.0);
    }
}
