//! The model's own latents, in training: every latent position filled with the state
//! before it, as decoding does, and the gradient flowing through all of them.
//!
//! Latent t depends on the latents before it and on nothing behind it, so for the longest
//! block of K positions K passes over the pack fill them all: pass t (from 0) gives the
//! state at the position before latent t, which no later pass changes. The pass over the
//! filled pack, which the losses read, is the caller's.

use prism_model::tensor::Tensor;
use prism_model::{Model, ops};

use super::rows;
use crate::Result;
use crate::pack::Pack;

/// `embeds [tokens, hidden]` of a pack with its latent positions filled.
///
/// # Errors
/// The tensor library refuses.
pub fn feed(model: &Model, pack: &Pack, mut embeds: Tensor) -> Result<Tensor> {
    let depth = pack.chains.iter().map(Vec::len).max().unwrap_or(0);
    for step in 0..depth {
        let (at, before): (Vec<u32>, Vec<u32>) = pack.chains.iter().filter_map(|chain| chain.get(step)).map(|&row| (row, row - 1)).unzip();
        let states = rows(&model.forward(&embeds, &pack.layout)?, &before)?;
        embeds = ops::replace_rows(&embeds, &at, &model.feedback(&states)?)?;
    }
    Ok(embeds)
}
