//! Weights kept in bfloat16, half the memory of single precision, and widened where they
//! are used. Every bfloat16 is exactly a single, so activations and sums stay what they
//! are with wide weights: nothing is rounded that the checkpoint has not rounded.

use super::matmul::{self, Matrix};
use super::scratch;

/// Weight rows widened at a time for a product with many rows.
const PANEL: usize = 128;

super::simd::dispatched! {
    /// bfloat16 bits to singles.
    pub fn widen(wide: &mut [f32], narrow: &[u16]) {
        for (w, n) in wide.iter_mut().zip(narrow) {
            *w = f32::from_bits(u32::from(*n) << 16);
        }
    }
}

/// `y [rows, out] (+)= x [rows, in] * weight^T`, for many rows.
pub fn multiply(y: &mut [f32], add: bool, x: &[f32], weight: &[u16], rows: usize, input: usize, output: usize) {
    assert!(y.len() == rows * output && x.len() == rows * input && weight.len() == input * output);
    let mut panel = scratch::take(PANEL.min(output) * input);
    for (i, narrow) in weight.chunks(PANEL * input.max(1)).enumerate() {
        let width = narrow.len() / input;
        let wide = &mut panel[..narrow.len()];
        widen(wide, narrow);
        matmul::multiply(&mut y[i * PANEL..], output, add, 1.0, Matrix::new(x, rows, input), Matrix::new(wide, width, input).t());
    }
}
