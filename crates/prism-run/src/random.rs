//! Random numbers keyed by what they are for, never by when they are drawn.
//!
//! A stream is named by its purpose and parts, e.g. (seed, example, stage, step,
//! intervention); the same name gives the same numbers whatever the batch size,
//! thread count or shard. SHA-256 of the name seeds SplitMix64; normals by
//! Box-Muller in f64.

use sha2::{Digest, Sha256};

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
    spare: Option<f64>,
}

impl Stream {
    /// The stream named by `seed`, a purpose and its parts.
    pub fn new(seed: u64, purpose: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        for part in std::iter::once(&purpose).chain(parts) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut word = [0u8; 8];
        word.copy_from_slice(&digest[..8]);
        Self { state: u64::from_le_bytes(word), spare: None }
    }

    /// 64 uniform bits (SplitMix64).
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0..n` without bias; `n` must be positive.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        let zone = u64::MAX - (u64::MAX % n + 1) % n;
        loop {
            let b = self.bits();
            if b <= zone {
                return (b % n) as usize;
            }
        }
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        if let Some(z) = self.spare.take() {
            return z;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.uniform();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// `n` standard normals in single precision.
    pub fn normals(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.normal() as f32).collect()
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_stream() {
        let draw = |seed, part: &str| Stream::new(seed, "noise", &[part]).bits();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(Stream::new(1, "ab", &["c"]).bits(), Stream::new(1, "a", &["bc"]).bits());
    }

    #[test]
    fn normals_have_unit_variance() {
        let z = Stream::new(7, "test", &[]).normals(100_000);
        let mean = z.iter().map(|&v| f64::from(v)).sum::<f64>() / 1e5;
        let variance = z.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
