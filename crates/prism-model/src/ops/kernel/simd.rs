//! Plain loops compiled for several instruction sets, chosen at run time.

/// Defines a function whose body is compiled for AVX-512, AVX2 + FMA and the
/// portable baseline; inside, `FMA` tells [`madd`] whether a fused instruction exists.
macro_rules! dispatched {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body<const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($arg: $ty),*) $(-> $ret)? { body::<true>($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($arg: $ty),*) $(-> $ret)? { body::<true>($($arg),*) }
                match $crate::ops::kernel::simd::level() {
                    // SAFETY: the processor was found to have these instructions.
                    $crate::ops::kernel::simd::Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: the processor was found to have these instructions.
                    $crate::ops::kernel::simd::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::ops::kernel::simd::Level::Portable => {}
                }
            }
            body::<false>($($arg),*)
        }
    };
}
pub(crate) use dispatched;

/// Instruction sets the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// 512-bit vectors.
    Avx512,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// What every processor of the target has.
    Portable,
}

/// The best level this processor has.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn level() -> Level {
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw");
    let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    match (wide, fused) {
        (true, true) => Level::Avx512,
        (false, true) => Level::Avx2,
        _ => Level::Portable,
    }
}

/// Lanes of the accumulators: fixed, so that sums are the same at every level that has FMA.
pub const LANES: usize = 16;

/// `a * b + c`, fused where the processor can.
#[inline(always)]
pub fn madd<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Sums the lanes in a fixed order.
#[inline(always)]
pub fn reduce(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Sum of products in a fixed order.
#[inline(always)]
pub fn dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (x, y) in a_chunks.zip(b_chunks) {
        for l in 0..LANES {
            lanes[l] = madd::<FMA>(x[l], y[l], lanes[l]);
        }
    }
    for (l, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[l] = madd::<FMA>(*x, *y, lanes[l]);
    }
    reduce(lanes)
}

/// `e^x` to about one unit in the last place; 0 below -87.3, infinity is never returned, and of what is no number none is made.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    // What is no number stays none: it fails both comparisons.
    let bounded = if x < -87.3 { -87.3 } else { x };
    let bounded = if bounded > 88.3 { 88.3 } else { bounded };
    let shifted = madd::<FMA>(bounded, std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    let r = madd::<FMA>(n, -0.693_359_4, bounded);
    let r = madd::<FMA>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = madd::<FMA>(p, r, c);
    }
    let p = madd::<FMA>(p * r, r, r) + 1.0;
    let bits = (shifted.to_bits() << 23).wrapping_add(127 << 23);
    let y = p * f32::from_bits(bits);
    if x < -87.3 { 0.0 } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_everywhere() {
        for i in -8700..=8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            for y in [exp::<true>(x), exp::<false>(x)] {
                assert!((f64::from(y) / exact - 1.0).abs() < 3e-7, "{x}: {y} against {exact}");
            }
        }
        assert_eq!(exp::<true>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp::<true>(0.0), 1.0);
        assert!(exp::<true>(f32::NAN).is_nan() && exp::<false>(f32::NAN).is_nan());
    }
}
