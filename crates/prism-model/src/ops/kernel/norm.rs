//! RMSNorm and its gradient, row by row.

use super::simd::{dispatched, dot, madd};

dispatched! {
    /// `y = x / rms(x) * weight` for every row.
    pub fn rms_norm(y: &mut [f32], x: &[f32], weight: &[f32], eps: f32) {
        let width = weight.len();
        for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let scale = 1.0 / (dot::<FMA>(x, x) / width as f32 + eps).sqrt();
            for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
                *y = x * scale * w;
            }
        }
    }
}

dispatched! {
    /// As [`rms_norm`], in place.
    pub fn rms_norm_in_place(x: &mut [f32], weight: &[f32], eps: f32) {
        let width = weight.len();
        for x in x.chunks_exact_mut(width) {
            let scale = 1.0 / (dot::<FMA>(x, x) / width as f32 + eps).sqrt();
            for (x, w) in x.iter_mut().zip(weight) {
                *x = *x * scale * w;
            }
        }
    }
}

dispatched! {
    /// Gradient of [`rms_norm`]: `dx = base + d loss / dx` for every row (`base` empty means 0),
    /// and `dw += d loss / dw`.
    pub fn rms_norm_backward(dx: &mut [f32], base: &[f32], dw: &mut [f32], dy: &[f32], x: &[f32], weight: &[f32], eps: f32) {
        let width = weight.len();
        for (r, ((dx, x), dy)) in dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(dy.chunks_exact(width)).enumerate() {
            let scale = 1.0 / (dot::<FMA>(x, x) / width as f32 + eps).sqrt();
            for ((d, g), w) in dx.iter_mut().zip(dy).zip(weight) {
                *d = g * w;
            }
            for ((s, g), x) in dw.iter_mut().zip(dy).zip(x) {
                *s = madd::<FMA>(*g * scale, *x, *s);
            }
            let along = -dot::<FMA>(dx, x) * scale * scale * scale / width as f32;
            if base.is_empty() {
                for (d, x) in dx.iter_mut().zip(x) {
                    *d = madd::<FMA>(*d, scale, along * x);
                }
            } else {
                for ((d, x), b) in dx.iter_mut().zip(x).zip(&base[r * width..(r + 1) * width]) {
                    *d = madd::<FMA>(*d, scale, madd::<FMA>(along, *x, *b));
                }
            }
        }
    }
}
