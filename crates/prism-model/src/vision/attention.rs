//! The attention of a tower's block: queries, keys and values from one matrix, every patch of a frame
//! or window open to every other.

use std::sync::Arc;

use crate::Result;
use crate::config::VisionConfig;
use crate::linear::Linear;
use crate::ops::{self, Attention, Rotary};
use crate::tensor::Tensor;
use crate::weights::{Init, Scope};

/// `attn.qkv` and `attn.proj` of a block.
#[derive(Debug, Clone)]
pub struct VisionAttention {
    /// Queries, keys and values, one behind the other.
    pub qkv: Linear,
    /// What follows the attention.
    pub proj: Linear,
    heads: usize,
    head_dim: usize,
}

impl VisionAttention {
    /// Loads the attention of the block that `scope` is of.
    ///
    /// # Errors
    /// As [`Scope::matrix`].
    pub fn load(config: &VisionConfig, scope: &mut Scope<'_>) -> Result<Self> {
        let (hidden, spread) = (config.hidden_size, Init::Normal(config.initializer_range));
        Ok(Self {
            qkv: Linear::load(scope, "attn.qkv", [3 * hidden, hidden], true, spread)?,
            proj: Linear::load(scope, "attn.proj", [hidden, hidden], true, spread)?,
            heads: config.num_heads,
            head_dim: config.head_dim(),
        })
    }

    /// `x [patches, hidden]`, already normed, to as many rows; attention stays inside each pair of `bounds`.
    ///
    /// # Errors
    /// The bounds or the angles do not fit.
    pub fn forward(&self, x: &Tensor, bounds: &Arc<Vec<usize>>, rotary: &Rotary) -> Result<Tensor> {
        let hidden = self.heads * self.head_dim;
        let qkv = self.qkv.forward(x)?;
        let part = |i: usize| -> Result<Tensor> { Ok(qkv.narrow(1, i * hidden, hidden)?.contiguous()?) };
        let spec = Attention {
            hidden: None,
            heads: self.heads,
            kv_heads: self.heads,
            head_dim: self.head_dim,
            bounds: bounds.clone(),
            key_bounds: None,
            causal: false,
            rotary: Some(rotary.clone()),
        };
        self.proj.forward(&ops::attention(&part(0)?, &part(1)?, &part(2)?, &spec)?)
    }
}
