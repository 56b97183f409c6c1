//! How much memory a model needs for an example, from its sizes alone.
//!
//! An estimate of what is alive at once: the weights, the prefix that the example's
//! branches share, and the working set of the widest layer. It counts one example;
//! every worker of an audit holds a few. The memory map of the weights' files is not in
//! it: the system takes it back when it needs it.
//!
//! In f32 on the CPU the fused kernels keep no matrix of attention scores. Everywhere else
//! the composed operations do, and for a large image it outweighs all the rest.

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
    let bytes = |numbers: u128| u64::try_from(numbers.saturating_mul(wide(dtype.size_in_bytes()))).unwrap_or(u64::MAX);
    let (text, vision) = (&config.text, &config.vision);
    let visual = grid.tokens(vision.spatial_merge_size);
    let tokens = wide(visual.saturating_add(text_tokens));
    let kv = wide(text.num_key_value_heads) * wide(text.head_dim());
    let prefix = tokens * 2 * wide(text.num_hidden_layers) * kv + wide(visual) * wide(text.hidden_size);

    // Alive together: the residual and its norm with queries, keys, values and the attended
    // rows, or with the feed-forward's gate, up and product.
    let layer = |hidden: usize, inner: usize, qkv: u128| (2 * wide(hidden)) + (qkv + wide(hidden)).max(3 * wide(inner));
    let patch = wide(vision.in_channels) * wide(vision.temporal_patch_size) * wide(vision.patch_size).pow(2);
    let tower = layer(vision.hidden_size, vision.intermediate_size, 6 * wide(vision.hidden_size)).max(2 * patch);
    let decoder = layer(text.hidden_size, text.intermediate_size, wide(text.hidden_size) + 2 * kv);
    let seen = wide(grid.patches());
    let tower = bytes(seen * (tower + patch)).saturating_add(scores(dtype, vision.num_heads, seen));
    let decoder = bytes(tokens * decoder).saturating_add(scores(dtype, text.num_attention_heads, tokens));
    Needs { weights: bytes(wide(parameters)), prefix: bytes(prefix), working: tower.max(decoder) }
}

/// Bytes of the composed attention over `rows` tokens that see each other: scores, their
/// exponentials and the weights in f32, and the weights once more in `dtype`.
fn scores(dtype: DType, heads: usize, rows: u128) -> u64 {
    if dtype == DType::F32 {
        return 0;
    }
    let each = 3 * DType::F32.size_in_bytes() + dtype.size_in_bytes();
    u64::try_from(rows.saturating_mul(rows).saturating_mul(heads as u128 * each as u128)).unwrap_or(u64::MAX)
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
        assert_eq!((2 * half.weights, 2 * half.prefix), (small.weights, small.prefix));
        // 66 tokens under 4 heads: three matrices of f32 and one of bf16.
        assert!(half.working >= 66 * 66 * 4 * 14);
        let large = needs(&config, 1000, DType::F32, grid(16), 50);
        assert!(large.working > 3 * small.working && large.prefix > small.prefix);
        assert_eq!(needs(&config, usize::MAX, DType::F32, grid(1 << 20), usize::MAX).total(), u64::MAX);
    }
}
