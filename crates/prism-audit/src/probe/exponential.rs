//! e^x and ln of the fits' inner loop: the same bits on every machine.
//!
//! The C library's `exp` chooses its way by the processor (with fused multiply-add or without), so that its last
//! place differs between machines; and it takes one value at a time.

/// Adding it rounds to a whole number, which then stands in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts: the first times a small whole number is exact.
const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
/// Below it e^x is taken for e^-708, about 3e-308: smaller than any sum of probabilities shows.
const LEAST: f64 = -708.0;
/// 1/2!, 1/3!, ..., 1/13!: the next term is below 5e-18 for |x| < ln 2 / 2.
const TERMS: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// e^x of a value that is at most 0, to about one unit in the last place; NaN stays NaN.
#[inline]
fn exp(x: f64) -> f64 {
    let x = if x < LEAST { LEAST } else { x };
    let rounded = x * std::f64::consts::LOG2_E + ROUND;
    let twos = rounded - ROUND;
    let rest = (x - twos * LN_2[0]) - twos * LN_2[1];
    // Estrin's order of the terms: short chains, which a processor follows side by side.
    let (two, pair) = (rest * rest, |i: usize| TERMS[i] + TERMS[i + 1] * rest);
    let (four, quad) = (two * two, |i: usize| pair(i) + pair(i + 2) * two);
    let series = quad(0) + four * (quad(4) + four * quad(8));
    // The whole number moves into the exponent, whose bias is 1023.
    let power = f64::from_bits((rounded.to_bits() << 52).wrapping_add(1023 << 52));
    (1.0 + (rest + two * series)) * power
}

/// e^x of every value, in a loop of which the compiler makes instructions for several at a time.
pub fn exp_in_place(values: &mut [f64]) {
    values.iter_mut().for_each(|value| *value = exp(*value));
}

/// The sum of the logarithms of factors from 1 to a few hundred: the logarithm of their product, taken now and then.
#[derive(Debug)]
pub struct LogProduct {
    product: f64,
    sum: f64,
}

impl Default for LogProduct {
    fn default() -> Self {
        Self { product: 1.0, sum: 0.0 }
    }
}

impl LogProduct {
    /// One factor more.
    #[inline]
    pub fn times(&mut self, factor: f64) {
        self.product *= factor;
        if self.product > 1e280 {
            self.sum += self.product.ln();
            self.product = 1.0;
        }
    }

    /// The sum of all factors' logarithms.
    pub fn ln(self) -> f64 {
        self.sum + self.product.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential() {
        for i in 0..200_000 {
            let x = -f64::from(i) * f64::from(i) * 1.7e-8;
            let (found, wanted) = (exp(x), x.exp());
            assert!((found / wanted - 1.0).abs() < 4e-16, "{x}: {found} {wanted}");
        }
        assert_eq!((exp(0.0), exp(-0.0)), (1.0, 1.0));
        assert!(exp(f64::NAN).is_nan() && exp(f64::NEG_INFINITY) < 1e-307 && exp(-1e300) > 0.0);
        let mut values: Vec<f64> = (0..7).map(|i| -0.3 * f64::from(i)).collect();
        let wanted: Vec<f64> = values.iter().map(|v| exp(*v)).collect();
        exp_in_place(&mut values);
        assert_eq!(values, wanted);
    }

    #[test]
    fn the_logarithm_of_a_product_is_the_sum_of_logarithms() {
        let mut all = LogProduct::default();
        let factors: Vec<f64> = (0..5000).map(|i| 1.0 + f64::from(i % 97) * 2.5).collect();
        factors.iter().for_each(|f| all.times(*f));
        let wanted: f64 = factors.iter().map(|f| f.ln()).sum();
        assert!((all.ln() / wanted - 1.0).abs() < 1e-13);
        let mut lost = LogProduct::default();
        lost.times(f64::NAN);
        assert!(lost.ln().is_nan());
    }
}
