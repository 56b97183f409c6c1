//! How much memory a model needs for an example, from its sizes alone.
//!
//! An estimate of what is alive at once: the weights, the prefix that the example's
//! branches share, and the working set of the widest layer. It counts one example;
//! every worker of an audit holds a few.
//!
//! It is of the CPU, where activations are in f32 whatever the weights' dtype, and the
//! fused kernels keep no matrix of attention scores. Weights stored in bfloat16 and run in
//! it stay in the mapped file ([`crate::matrix`]): the system may take their pages back.

use crate::Config;
use crate::preprocess::Grid;
use crate::tensor::DType;

/// Bytes needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// All weights.
    pub weights: u64,
    /// Keys, values and image features of one prompt.
    pub prefix: u64,
    /// The widest layer's activations, of the vision tower or of the language model.
    pub working: u64,
}

impl Needs {
    /// All of it.
    pub fn total(self) -> u64 {
        self.weights.saturating_add(self.prefix).saturating_add(self.working)
    }
}

/// Needs of one prompt of `text_tokens` and one image of `grid` patches, for a model of
/// `parameters` numbers in `dtype`.
pub fn needs(config: &Config, parameters: usize, dtype: DType, grid: Grid, text_tokens: usize) -> Needs {
    let wide = |n: usize| n as u128;
    let of = |numbers: u128, dtype: DType| u64::try_from(numbers.saturating_mul(wide(dtype.size_in_bytes()))).unwrap_or(u64::MAX);
    let bytes = |numbers: u128| of(numbers, DType::F32);
    let (text, vision) = (&config.text, &config.vision);
    let visual = grid.tokens(vision.spatial_merge_size);
    let tokens = wide(visual.saturating_add(text_tokens));
    let kv = wide(text.num_key_value_heads) * wide(text.head_dim);
    let queries = wide(text.num_attention_heads) * wide(text.head_dim);
    let prefix = tokens * 2 * wide(text.num_hidden_layers) * kv + wide(visual) * wide(text.hidden_size);

    // Alive together: the residual and its norm with queries, keys, values and the attended
    // rows, or with the feed-forward's gate, up and product (towers of two linear layers keep one row less).
    let layer = |hidden: usize, inner: usize, attention: u128| (2 * wide(hidden)) + attention.max(3 * wide(inner));
    let patch = wide(vision.in_channels) * wide(vision.temporal_patch_size) * wide(vision.patch_size).pow(2);
    let tower = layer(vision.hidden_size, vision.intermediate_size, 7 * wide(vision.hidden_size)).max(2 * patch);
    let decoder = layer(text.hidden_size, text.intermediate_size, 2 * queries + 2 * kv);
    let seen = wide(grid.patches());
    let (tower, decoder) = (bytes(seen * (tower + patch)), bytes(tokens * decoder));
    Needs { weights: of(wide(parameters), dtype), prefix: bytes(prefix), working: tower.max(decoder) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_follow_the_sizes() {
        let config = Config::tiny();
        let grid = |side| Grid { t: 1, h: side, w: side };
        let small = needs(&config, 1000, DType::F32, grid(8), 50);
        assert_eq!(small.weights, 4000);
        // 16 merged tokens and 50 of text: keys and values of 2 layers of 2 heads of 8, and features of 32.
        assert_eq!(small.prefix, 4 * (66 * 2 * 2 * 16 + 16 * 32));
        let half = needs(&config, 1000, DType::BF16, grid(8), 50);
        assert_eq!((2 * half.weights, half.prefix, half.working), (small.weights, small.prefix, small.working));
        let large = needs(&config, 1000, DType::F32, grid(16), 50);
        assert!(large.working > 3 * small.working && large.prefix > small.prefix);
        assert_eq!(needs(&config, usize::MAX, DType::F32, grid(1 << 20), usize::MAX).total(), u64::MAX);
    }
}
