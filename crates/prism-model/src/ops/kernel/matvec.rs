//! Products of a few rows with a weight matrix `[out, in]`, for decoding. The matrix is
//! in single precision, or kept narrow (bfloat16) and widened a few rows at a time.
//!
//! Each (row, output) pair is one sum over the inputs in an order that depends on
//! neither the other rows nor the number of threads: a row's result is the same to
//! the bit whatever runs beside it.

use super::matmul::threads;
use super::narrow::widen;
use super::simd::{LANES, Level, level, madd, reduce};

/// Weights below which a second thread costs more than it brings.
const PARALLEL: usize = 1 << 17;

/// A weight matrix, row-major.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// In single precision.
    Wide(&'a [f32]),
    /// In bfloat16.
    Narrow(&'a [u16]),
}

impl Rows<'_> {
    fn len(&self) -> usize {
        match self {
            Rows::Wide(values) => values.len(),
            Rows::Narrow(values) => values.len(),
        }
    }
}

/// `y [rows, out] (+)= x [rows, in] * weight^T + bias`; `add` keeps what `y` holds.
pub fn linear(y: &mut [f32], add: bool, x: &[f32], weight: Rows<'_>, bias: Option<&[f32]>, rows: usize) {
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
    weight: Rows<'a>,
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
    let (mut o, n) = (from, call.input);
    let mut scratch = vec![0.0; if matches!(call.weight, Rows::Narrow(_)) { 4 * n } else { 0 }];
    while o < to {
        let width = if to - o >= 4 { 4 } else { 1 };
        let w = match call.weight {
            Rows::Wide(values) => &values[o * n..(o + width) * n],
            Rows::Narrow(values) => {
                widen(&mut scratch[..width * n], &values[o * n..(o + width) * n]);
                &scratch[..width * n]
            }
        };
        let mut r = 0;
        while r < call.rows {
            let left = call.rows - r;
            match (left >= 4, left >= 2, width) {
                (true, _, 4) => block::<4, 4>(call, w, r, o),
                (true, _, _) => block::<4, 1>(call, w, r, o),
                (_, true, 4) => block::<2, 4>(call, w, r, o),
                (_, true, _) => block::<2, 1>(call, w, r, o),
                (_, _, 4) => block::<1, 4>(call, w, r, o),
                _ => block::<1, 1>(call, w, r, o),
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

/// Rows `r..r+R` by outputs `o..o+O`, whose weights are the rows of `w`.
#[inline]
fn block<const R: usize, const O: usize>(call: &Call<'_>, w: &[f32], r: usize, o: usize) {
    let n = call.input;
    let x: [&[f32]; R] = std::array::from_fn(|i| &call.x[(r + i) * n..(r + i + 1) * n]);
    let w: [&[f32]; O] = std::array::from_fn(|i| &w[i * n..(i + 1) * n]);
    #[cfg(target_arch = "x86_64")]
    let sums = match (call.level, w.first_chunk::<4>()) {
        (Level::Avx512, Some(w)) => {
            // SAFETY: the processor was found to have these instructions; all slices are `n` long.
            let four = unsafe { sums_avx512(&x, w, n) };
            let mut sums = [[0.0; O]; R];
            sums.iter_mut().zip(&four).for_each(|(to, from)| to.copy_from_slice(&from[..O]));
            sums
        }
        // SAFETY: as above.
        (Level::Avx512 | Level::Avx2, _) => unsafe { sums_avx2(&x, &w) },
        (Level::Portable, _) => sums::<false, R, O>(&x, &w),
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

/// Four outputs of up to four rows. The accumulators are only ever indexed by constants,
/// so that they stay in registers.
///
/// # Safety
/// Every slice is `n` long.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop)]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
unsafe fn sums_avx512<const R: usize>(x: &[&[f32]; R], w: &[&[f32]; 4], n: usize) -> [[f32; 4]; R] {
    use std::arch::x86_64::{__mmask16, _mm_storeu_ps, _mm512_fmadd_ps, _mm512_maskz_loadu_ps, _mm512_setzero_ps};
    let mut lanes = [[_mm512_setzero_ps(); 4]; R];
    let mut k = 0;
    while k < n {
        let left = n - k;
        let mask: __mmask16 = if left >= LANES { u16::MAX } else { (1 << left) - 1 };
        let mut loaded = [_mm512_setzero_ps(); 4];
        for j in 0..4 {
            // SAFETY: the mask keeps the load inside the slice.
            loaded[j] = unsafe { _mm512_maskz_loadu_ps(mask, w[j].as_ptr().add(k)) };
        }
        for i in 0..R {
            // SAFETY: as above.
            let x = unsafe { _mm512_maskz_loadu_ps(mask, x[i].as_ptr().add(k)) };
            for j in 0..4 {
                lanes[i][j] = _mm512_fmadd_ps(x, loaded[j], lanes[i][j]);
            }
        }
        k += LANES;
    }
    let mut out = [[0.0; 4]; R];
    macro_rules! finish {
        ($($i:literal)*) => { $(
            if $i < R {
                // SAFETY: a row of `out` holds four floats.
                unsafe { _mm_storeu_ps(out[$i].as_mut_ptr(), reduce_avx512(lanes[$i])) };
            }
        )* };
    }
    finish!(0 1 2 3);
    out
}

/// The sums of four vectors, each in the order of [`reduce`].
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn reduce_avx512(lanes: [std::arch::x86_64::__m512; 4]) -> std::arch::x86_64::__m128 {
    use std::arch::x86_64::{
        __m128, __m512, _mm_add_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_unpackhi_ps, _mm_unpacklo_ps, _mm256_add_ps, _mm256_castps256_ps128,
        _mm256_extractf128_ps, _mm512_castps512_ps256, _mm512_extractf32x8_ps,
    };
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
    fn quarter(v: __m512) -> __m128 {
        let half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
        _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half))
    }
    let [a, b, c, d] = lanes;
    let (a, b, c, d) = (quarter(a), quarter(b), quarter(c), quarter(d));
    let (ab_low, cd_low, ab_high, cd_high) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d), _mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
    let (r0, r1) = (_mm_movelh_ps(ab_low, cd_low), _mm_movehl_ps(cd_low, ab_low));
    let (r2, r3) = (_mm_movelh_ps(ab_high, cd_high), _mm_movehl_ps(cd_high, ab_high));
    _mm_add_ps(_mm_add_ps(r0, r2), _mm_add_ps(r1, r3))
}
