//! Packs: up to a few samples laid end to end within a budget of tokens; a long
//! sample travels alone (method, section 3).

use crate::config::TrainConfig;

/// The limits of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Samples at most.
    pub samples: usize,
    /// Tokens at most, unless one sample alone is longer.
    pub tokens: usize,
    /// A sample of at least this many tokens travels alone.
    pub alone: usize,
}

impl From<&TrainConfig> for Limits {
    fn from(config: &TrainConfig) -> Self {
        Self { samples: config.samples_per_pack, tokens: config.tokens_per_pack, alone: config.tokens_alone }
    }
}

/// A pack being filled.
#[derive(Debug, Clone, Default)]
pub struct Filling {
    samples: usize,
    tokens: usize,
    closed: bool,
}

impl Filling {
    /// Takes a sample of that many tokens, if it fits.
    pub fn take(&mut self, limits: Limits, tokens: usize) -> bool {
        if self.samples == 0 {
            self.closed = tokens >= limits.alone;
        } else if self.closed || tokens >= limits.alone || self.samples >= limits.samples || self.tokens + tokens > limits.tokens {
            return false;
        }
        self.samples += 1;
        self.tokens += tokens;
        true
    }
}

/// Sizes of the packs that samples of these lengths, in this order, form.
pub fn pack_sizes(limits: Limits, lengths: &[usize]) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut filling = Filling::default();
    for &length in lengths {
        if !filling.take(limits, length) {
            sizes.push(filling.samples);
            filling = Filling::default();
            filling.take(limits, length);
        }
    }
    if filling.samples > 0 {
        sizes.push(filling.samples);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_keep_their_limits() {
        let limits = Limits { samples: 4, tokens: 100, alone: 60 };
        assert_eq!(pack_sizes(limits, &[10, 10, 10, 10, 10]), [4, 1]);
        assert_eq!(pack_sizes(limits, &[50, 50, 1, 60, 1, 200, 2]), [2, 1, 1, 1, 1, 1]);
        assert_eq!(pack_sizes(limits, &[]), [0usize; 0]);
    }
}
