//! A tower as data, for an engine that computes it elsewhere: what it is made of, and where the patches of some images go.

use super::{Merger, Norm, Patches, Perceptron, VisionAttention, order};
use crate::Result;
use crate::config::VisionConfig;
use crate::linear::Linear;
use crate::ops::{self, Rotary};
use crate::preprocess::Grid;
use crate::tensor::Tensor;

/// What stands between the two layers of a perceptron.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// GELU by the error function.
    Gelu,
    /// GELU by the hyperbolic tangent.
    GeluTanh,
    /// `x sigmoid(1.702 x)`.
    QuickGelu,
}

impl Activation {
    /// Of every number of `x`; differentiable.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn of(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Gelu => ops::gelu(x),
            Self::GeluTanh => ops::gelu_tanh(x),
            Self::QuickGelu => ops::quick_gelu(x),
        }
    }
}

/// The parts of a tower, in the order in which they are run.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The first layer.
    pub patches: &'a Patches,
    /// The blocks.
    pub blocks: Vec<BlockParts<'a>>,
    /// Block, and what makes the next level of features of its output.
    pub levels: Vec<(usize, &'a Merger)>,
    /// What makes the tokens.
    pub merger: &'a Merger,
}

/// The parts of a block: attention and a feed-forward, each behind a norm and with a residual.
#[derive(Debug)]
pub struct BlockParts<'a> {
    /// Before the attention.
    pub norm1: &'a Norm,
    /// The attention.
    pub attention: &'a VisionAttention,
    /// Before the feed-forward.
    pub norm2: &'a Norm,
    /// The feed-forward.
    pub feed_forward: FeedForward<'a>,
    /// Whether it sees a frame whole, and not a window of it.
    pub is_whole: bool,
}

/// A block's feed-forward.
#[derive(Debug)]
pub enum FeedForward<'a> {
    /// Linear, activation, Linear.
    Perceptron(&'a Perceptron),
    /// `down(silu(gate) * up)`.
    Gated {
        /// Gate projection.
        gate: &'a Linear,
        /// Up projection.
        up: &'a Linear,
        /// Down projection.
        down: &'a Linear,
    },
}

/// Where the patches of some images go inside a tower.
#[derive(Debug, Clone)]
pub struct Arrangement {
    /// Row of the input that comes at each place; `None`: as they come.
    pub patch_order: Option<Vec<u32>>,
    /// Place of each merged token; `None`: as they come.
    pub token_order: Option<Vec<u32>>,
    /// Bounds of the windows, in patches; those of the frames where there are none.
    pub windows: Vec<usize>,
    /// Bounds of the frames, in patches.
    pub frames: Vec<usize>,
    /// Angles of every place.
    pub rotary: Rotary,
    /// What is added to the embeddings of the patches, `[patches, hidden]`.
    pub positions: Option<Tensor>,
}

impl Arrangement {
    /// Patches as they come, in merge order, every frame seen whole.
    ///
    /// # Errors
    /// A grid is empty or not a whole number of merged tokens.
    pub fn in_merge_order(config: &VisionConfig, grids: &[Grid]) -> Result<Self> {
        order::check(config, grids)?;
        let frames = order::frames(grids);
        let rotary = order::rotary(config, order::coordinates(config.spatial_merge_size, grids).into_iter());
        Ok(Self { patch_order: None, token_order: None, windows: frames.clone(), frames, rotary, positions: None })
    }
}
