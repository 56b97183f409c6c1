//! Products of a few rows with a weight matrix `[out, in]`, for decoding.
//!
//! Each (row, output) pair is one sum over the inputs in an order that depends on
//! neither the other rows nor the number of threads: a row's result is the same to
//! the bit whatever runs beside it.

use super::matmul::threads;
use super::simd::{LANES, Level, level, madd, reduce};

/// Weights below which a second thread costs more than it brings.
const PARALLEL: usize = 1 << 17;

/// `y [rows, out] (+)= x [rows, in] * weight^T + bias`; `add` keeps what `y` holds.
pub fn linear(y: &mut [f32], add: bool, x: &[f32], weight: &[f32], bias: Option<&[f32]>, rows: usize) {
    let input = x.len() / rows.max(1);
    let output = y.len() / rows.max(1);
    assert!(x.len() == rows * input && y.len() == rows * output && weight.len() == input * output);
    assert!(bias.is_none_or(|b| b.len() == output));
    let call = Call { y: Output(y.as_mut_ptr()), add, x, weight, bias, rows, input, output, level: level() };
    let parts = if weight.len() >= PARALLEL { threads().min(output.div_ceil(64)) } else { 1 };
    split(&call, 0, output, parts);
}

#[derive(Clone, Copy)]
struct Output(*mut f32);

// SAFETY: threads write disjoint columns of the output (see `split`).
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

struct Call<'a> {
    y: Output,
    add: bool,
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    rows: usize,
    input: usize,
    output: usize,
    level: Level,
}

/// Halves the outputs `from..to` over `parts` threads.
fn split(call: &Call<'_>, from: usize, to: usize, parts: usize) {
    if parts > 1 {
        let middle = (from + (to - from) * (parts / 2) / parts) / 4 * 4;
        rayon::join(|| split(call, from, middle, parts / 2), || split(call, middle, to, parts - parts / 2));
        return;
    }
    let mut o = from;
    while o < to {
        let width = if to - o >= 4 { 4 } else { 1 };
        let mut r = 0;
        while r < call.rows {
            let left = call.rows - r;
            match (left >= 4, left >= 2, width) {
                (true, _, 4) => block::<4, 4>(call, r, o),
                (true, _, _) => block::<4, 1>(call, r, o),
                (_, true, 4) => block::<2, 4>(call, r, o),
                (_, true, _) => block::<2, 1>(call, r, o),
                (_, _, 4) => block::<1, 4>(call, r, o),
                _ => block::<1, 1>(call, r, o),
            }
            r += if left >= 4 {
                4
            } else if left >= 2 {
                2
            } else {
                1
            };
        }
        o += width;
    }
}

/// Rows `r..r+R` by outputs `o..o+O`.
#[inline]
fn block<const R: usize, const O: usize>(call: &Call<'_>, r: usize, o: usize) {
    let n = call.input;
    let x: [&[f32]; R] = std::array::from_fn(|i| &call.x[(r + i) * n..(r + i + 1) * n]);
    let w: [&[f32]; O] = std::array::from_fn(|i| &call.weight[(o + i) * n..(o + i + 1) * n]);
    #[cfg(target_arch = "x86_64")]
    let sums = match call.level {
        // SAFETY: the processor was found to have these instructions; all slices are `n` long.
        Level::Avx512 => unsafe { sums_avx512(&x, &w, n) },
        // SAFETY: as above.
        Level::Avx2 => unsafe { sums_avx2(&x, &w) },
        Level::Portable => sums::<false, R, O>(&x, &w),
    };
    #[cfg(not(target_arch = "x86_64"))]
    let sums = sums::<false, R, O>(&x, &w);
    for (i, row) in sums.iter().enumerate() {
        for (j, sum) in row.iter().enumerate() {
            let sum = sum + call.bias.map_or(0.0, |b| b[o + j]);
            // SAFETY: `linear` checked that `y` is [rows, output]; `r + i < rows`, `o + j < output`,
            // and no other thread has this column.
            unsafe {
                let y = call.y.0.add((r + i) * call.output + o + j);
                *y = if call.add { *y + sum } else { sum };
            }
        }
    }
}

#[inline(always)]
fn sums<const FMA: bool, const R: usize, const O: usize>(x: &[&[f32]; R], w: &[&[f32]; O]) -> [[f32; O]; R] {
    let mut out = [[0.0; O]; R];
    for (out, x) in out.iter_mut().zip(x) {
        for (out, w) in out.iter_mut().zip(w) {
            let mut lanes = [0.0f32; LANES];
            for (x, w) in x.chunks(LANES).zip(w.chunks(LANES)) {
                for ((l, x), w) in lanes.iter_mut().zip(x).zip(w) {
                    *l = madd::<FMA>(*x, *w, *l);
                }
            }
            *out = reduce(lanes);
        }
    }
    out
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn sums_avx2<const R: usize, const O: usize>(x: &[&[f32]; R], w: &[&[f32]; O]) -> [[f32; O]; R] {
    sums::<true, R, O>(x, w)
}

/// # Safety
/// Every slice is `n` long.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop)]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
unsafe fn sums_avx512<const R: usize, const O: usize>(x: &[&[f32]; R], w: &[&[f32]; O], n: usize) -> [[f32; O]; R] {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_maskz_loadu_ps, _mm512_setzero_ps, _mm512_storeu_ps};
    let mut lanes = [[_mm512_setzero_ps(); O]; R];
    let whole = n / LANES * LANES;
    let mut k = 0;
    while k < whole {
        let mut loaded = [_mm512_setzero_ps(); O];
        for j in 0..O {
            // SAFETY: as below.
            loaded[j] = unsafe { _mm512_loadu_ps(w[j].as_ptr().add(k)) };
        }
        for i in 0..R {
            // SAFETY: `k + 16 <= n`, the length of every slice.
            let x = unsafe { _mm512_loadu_ps(x[i].as_ptr().add(k)) };
            for j in 0..O {
                lanes[i][j] = _mm512_fmadd_ps(x, loaded[j], lanes[i][j]);
            }
        }
        k += LANES;
    }
    if whole < n {
        let mask = (1u16 << (n - whole)) - 1;
        for i in 0..R {
            // SAFETY: the mask keeps the load inside the slice.
            let x = unsafe { _mm512_maskz_loadu_ps(mask, x[i].as_ptr().add(whole)) };
            for j in 0..O {
                // SAFETY: as above.
                let w = unsafe { _mm512_maskz_loadu_ps(mask, w[j].as_ptr().add(whole)) };
                lanes[i][j] = _mm512_fmadd_ps(x, w, lanes[i][j]);
            }
        }
    }
    let mut out = [[0.0; O]; R];
    for i in 0..R {
        for j in 0..O {
            let mut values = [0.0f32; LANES];
            // SAFETY: `values` holds 16 floats.
            unsafe { _mm512_storeu_ps(values.as_mut_ptr(), lanes[i][j]) };
            out[i][j] = reduce(values);
        }
    }
    out
}
