//! How a branch departs from the ordinary course, fed-back vectors apart: what stands in
//! the place of its latent blocks, what later forwards may not see, and what is written
//! down on the way.

use std::sync::Arc;

use prism_run::Stage;
use prism_run::random::Stream;

use super::block_begin_end::Place;
use super::choice::BlockTokens;
use super::exchange::Exchange;
use super::site::Hook;

/// What stands where the model opens a latent block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Block {
    /// The block.
    #[default]
    Ordinary,
    /// Nothing: the start token is read, and decoding goes on from its argmax.
    Removed,
    /// Start token and end token, no latent step between. Without an end token as [`Block::Removed`].
    Markers,
    /// These tokens, in the place of the first start token; no block opens.
    Replaced(Vec<u32>),
    /// What another run wrote, from the prompt on, forward by forward: its tokens whatever the
    /// argmax, its latent forwards where it had them. Behind it no block opens.
    Replayed(Arc<Vec<Written>>),
}

/// One forward that is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The token it appends.
    pub token: u32,
    /// The place of the forward behind it, where that one reads a vector instead of the token.
    pub next: Option<Place>,
}

/// Which latents' keys and values are hidden from what follows their block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Eviction {
    /// None.
    #[default]
    None,
    /// Those of this stage.
    Stage(Stage),
    /// All.
    All,
}

impl Eviction {
    /// Whether the latents of `stage` are hidden.
    pub fn holds(self, stage: Stage) -> bool {
        match self {
            Eviction::None => false,
            Eviction::Stage(only) => only == stage,
            Eviction::All => true,
        }
    }
}

/// A hook at the input of one decoder layer, asked at latent forwards only.
pub struct LayerHook<'a> {
    /// The layer, from 0.
    pub layer: usize,
    /// Asked at [`Side::Input`](super::Side::Input).
    pub hook: Box<dyn Hook + 'a>,
}

/// What is written down of a branch beside its states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notes {
    /// Attention weights of the latent forwards and of the one that produces the answer.
    pub attention: bool,
    /// The input of every layer at those forwards.
    pub layers: bool,
    /// The logits of the latent forwards.
    pub logits: bool,
    /// Keys and values of the latent forwards, as [`super::exchange`] keeps them.
    pub keys_values: bool,
}

/// The course of one branch; the ordinary one by default.
#[derive(Default)]
pub struct Course<'a> {
    /// What stands in the place of the block.
    pub block: Block,
    /// Latents hidden from what follows.
    pub evict: Eviction,
    /// Whether the prompt's image tokens are hidden from what follows the block.
    pub hide_image: bool,
    /// A hook inside the model.
    pub layer: Option<LayerHook<'a>>,
    /// Keys and values of latent positions that another run gives.
    pub exchange: Option<Exchange>,
    /// What penalties see in the place of the tokens that this branch appends at its latent forwards.
    pub said: Option<Arc<BlockTokens>>,
    /// Where its tokens are drawn from; greedy without.
    pub draws: Option<Stream>,
    /// What is written down.
    pub notes: Notes,
}
