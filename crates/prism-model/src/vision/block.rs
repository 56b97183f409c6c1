//! A block of LayerNorm, attention, LayerNorm and a perceptron, each half with a residual: the block of
//! the towers that see every frame whole.

use std::sync::Arc;

use super::parts::{BlockParts, FeedForward};
use super::{Activation, Norm, Perceptron, VisionAttention};
use crate::Result;
use crate::config::VisionConfig;
use crate::ops::Rotary;
use crate::tensor::Tensor;
use crate::weights::{Init, Scope};

/// The weights of one block.
#[derive(Debug, Clone)]
pub struct Block {
    norm1: Norm,
    norm2: Norm,
    attention: VisionAttention,
    mlp: Perceptron,
}

impl Block {
    /// Loads the block that `scope` is of; `names` are its two linear layers, `activation` stands between them.
    ///
    /// # Errors
    /// As [`Scope::matrix`].
    pub fn load(config: &VisionConfig, scope: &mut Scope<'_>, names: [&str; 2], activation: Activation) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let norm1 = Norm::layer(scope, "norm1", hidden)?;
        let norm2 = Norm::layer(scope, "norm2", hidden)?;
        let attention = VisionAttention::load(config, scope)?;
        let mlp = Perceptron::load(scope, names, [hidden, inner, hidden], activation, Init::Normal(config.initializer_range))?;
        Ok(Self { norm1, norm2, attention, mlp })
    }

    /// What it is made of; it sees frames whole.
    pub fn parts(&self) -> BlockParts<'_> {
        let feed_forward = FeedForward::Perceptron(&self.mlp);
        BlockParts { norm1: &self.norm1, attention: &self.attention, norm2: &self.norm2, feed_forward, is_whole: true }
    }

    /// `x [patches, hidden]`; attention stays inside each pair of `bounds`.
    ///
    /// # Errors
    /// The bounds or the angles do not fit.
    pub fn forward(&self, x: &Tensor, bounds: &Arc<Vec<usize>>, rotary: &Rotary) -> Result<Tensor> {
        let x = (x + self.attention.forward(&self.norm1.forward(x)?, bounds, rotary)?)?;
        Ok((&x + self.mlp.forward(&self.norm2.forward(&x)?)?)?)
    }
}
