//! SwiGLU and rotary positions, with their gradients.

use super::simd::{dispatched, exp, madd};

dispatched! {
    /// `out = silu(gate) * up`.
    pub fn swiglu(out: &mut [f32], gate: &[f32], up: &[f32]) {
        for ((o, g), u) in out.iter_mut().zip(gate).zip(up) {
            *o = g / (1.0 + exp::<FMA>(-*g)) * u;
        }
    }
}

dispatched! {
    /// From `d` = gradient of the product: `d` becomes the gradient of `up`, `gate` gets its own
    /// gradient in `dgate`, and the product itself is written to `product`.
    pub fn swiglu_backward(d: &mut [f32], dgate: &mut [f32], product: &mut [f32], gate: &[f32], up: &[f32]) {
        for ((((d, dg), p), g), u) in d.iter_mut().zip(dgate).zip(product).zip(gate).zip(up) {
            let s = 1.0 / (1.0 + exp::<FMA>(-*g));
            let silu = g * s;
            *dg = *d * u * madd::<FMA>(silu, 1.0 - s, s);
            *p = silu * u;
            *d *= silu;
        }
    }
}

dispatched! {
    /// Turns every head of `x [tokens, heads * 2 * half]` by its token's angles; `direction` -1 turns back.
    pub fn rotate(x: &mut [f32], cos: &[f32], sin: &[f32], half: usize, heads: usize, direction: f32) {
        let width = heads * half * 2;
        for ((row, cos), sin) in x.chunks_exact_mut(width).zip(cos.chunks_exact(half)).zip(sin.chunks_exact(half)) {
            for head in row.chunks_exact_mut(half * 2) {
                let (low, high) = head.split_at_mut(half);
                for (((a, b), c), s) in low.iter_mut().zip(high).zip(cos).zip(sin) {
                    let s = s * direction;
                    let (x, y) = (*a, *b);
                    *a = madd::<FMA>(x, *c, -(y * s));
                    *b = madd::<FMA>(y, *c, x * s);
                }
            }
        }
    }
}

dispatched! {
    /// `a += b`.
    pub fn add(a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += b;
        }
    }
}

dispatched! {
    /// `a += row` for every row of `a`.
    pub fn add_to_rows(a: &mut [f32], row: &[f32]) {
        for a in a.chunks_exact_mut(row.len()) {
            for (a, b) in a.iter_mut().zip(row) {
                *a += b;
            }
        }
    }
}

dispatched! {
    /// `gate = silu(gate) * up`, in place.
    pub fn silu_times(gate: &mut [f32], up: &[f32]) {
        for (g, u) in gate.iter_mut().zip(up) {
            *g = *g / (1.0 + exp::<FMA>(-*g)) * u;
        }
    }
}
