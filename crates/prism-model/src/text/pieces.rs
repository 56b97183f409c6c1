//! A pack whose latents are the model's own, in one pass: fed piece by piece, a piece
//! beginning at each latent, with the state that stands before it.
//!
//! The states of a piece are final once it has run, so the next piece only adds rows and
//! attends to the keys and values of those before: the cost of one forward pass, however
//! many latents a block has. Gradients flow back through the latents and through the
//! keys and values. Elsewhere than on the fused path the same is made of whole passes.

use std::ops::Range;
use std::sync::Arc;

use super::fused_layer::{self, Context, Link};
use super::{Inputs, TextModel};
use crate::ops::{self, Hidden};
use crate::positions::PackLayout;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Rows of the pack that run together, and what they attend to.
struct Piece {
    /// Rows of the pack, sequence by sequence.
    rows: Vec<u32>,
    /// Where each sequence's rows begin in the piece, and the end of the last.
    bounds: Vec<usize>,
    /// Rows here that begin with a latent, and the rows of the piece before that give it.
    latents: (Vec<u32>, Vec<u32>),
    /// Bounds of each sequence's keys.
    key_bounds: Vec<usize>,
    /// The keys' origin: piece and rows in it.
    sources: Vec<(usize, Range<usize>)>,
}

/// Cuts the sequences of a pack at their latents; `chains`: each sequence's latent rows in the pack.
fn cut(pack: &PackLayout, chains: &[Vec<u32>]) -> Result<Vec<Piece>> {
    let bounds = pack.bounds();
    let mut cuts: Vec<Vec<usize>> = Vec::with_capacity(chains.len());
    for (pair, chain) in bounds.windows(2).zip(chains) {
        cuts.push([pair[0]].into_iter().chain(chain.iter().map(|&row| row as usize)).chain([pair[1]]).collect());
    }
    let rising = |cuts: &Vec<usize>| cuts.windows(2).all(|pair| pair[0] < pair[1]);
    if chains.len() != pack.lengths.len() || !cuts.iter().all(rising) {
        let cause = format!("latent rows {chains:?} for sequences bounded by {bounds:?}");
        return Err(Error::input("latent rows", cause, "give each sequence's latents in order, none at its first token"));
    }
    let mut pieces: Vec<Piece> = Vec::new();
    for p in 0..cuts.iter().map(|c| c.len() - 1).max().unwrap_or(0) {
        let mut piece = Piece { rows: Vec::new(), bounds: vec![0], latents: Default::default(), key_bounds: vec![0], sources: Vec::new() };
        let mut keys = 0;
        for (s, cuts) in cuts.iter().enumerate() {
            if let Some([first, end]) = cuts.get(p..p + 2) {
                let start = piece.rows.len();
                piece.rows.extend((*first..*end).map(|row| row as u32));
                if let Some(before) = pieces.last() {
                    piece.latents.0.push(start as u32);
                    piece.latents.1.push(before.bounds[s + 1] as u32 - 1);
                }
                let earlier = pieces.iter().enumerate().map(|(e, earlier)| (e, earlier.bounds[s]..earlier.bounds[s + 1]));
                piece.sources.extend(earlier.chain([(p, start..piece.rows.len())]));
                keys += end - cuts[0];
            }
            piece.bounds.push(piece.rows.len());
            piece.key_bounds.push(keys);
        }
        pieces.push(piece);
    }
    Ok(pieces)
}

impl TextModel {
    /// As [`TextModel::forward`], each latent row (`chains`, per sequence, in the pack's rows)
    /// fed with `feedback` of the state of the row before it instead of its embedding. What is added
    /// to an image token behind a latent is added in its piece.
    ///
    /// # Errors
    /// The pack does not fit the embeddings, or the latent rows do not fit the pack.
    pub fn forward_feeding(
        &self,
        inputs: impl Into<Inputs>,
        pack: &PackLayout,
        chains: &[Vec<u32>],
        feedback: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let inputs = inputs.into();
        self.check(&inputs, pack)?;
        let pieces = cut(pack, chains)?;
        let fusible = self.layers.iter().all(|layer| fused_layer::applies(layer, &inputs.embeds));
        if !fusible || pieces.len() < 2 {
            return self.forward_feeding_whole(inputs, pack, chains, feedback);
        }
        let mut links: Vec<Vec<Arc<Link>>> = self.layers.iter().map(|_| Vec::new()).collect();
        let mut states: Vec<Tensor> = Vec::with_capacity(pieces.len());
        for piece in &pieces {
            let inputs = inputs.part(&piece.rows)?;
            let mut x = inputs.embeds.clone();
            if let Some(before) = states.last() {
                x = ops::replace_rows(&x, &piece.latents.0, &feedback(&rows(before, &piece.latents.1)?)?)?;
            }
            let spec = self.attention(&part(pack, piece));
            let (key_bounds, sources) = (Arc::new(piece.key_bounds.clone()), Arc::new(piece.sources.clone()));
            for (i, (layer, links)) in self.layers.iter().zip(&mut links).enumerate() {
                let context = Context { key_bounds: key_bounds.clone(), sources: sources.clone(), earlier: links.clone() };
                let link = Arc::new(Link::default());
                x = inputs.add_after(i, fused_layer::forward_piece(layer, &x, &spec, &self.config, context, link.clone())?)?;
                links.push(link);
            }
            states.push(ops::rms_norm(&x, &self.norm, self.config.rms_norm_eps)?);
        }
        let mut place = vec![0u32; pack.tokens()];
        let order = pieces.iter().flat_map(|piece| piece.rows.iter());
        order.zip(0u32..).for_each(|(&row, at)| place[row as usize] = at);
        rows(&Tensor::cat(&states, 0)?, &place)
    }

    /// The same from whole passes: pass t gives the state before latent t, which no later pass changes.
    pub(super) fn forward_feeding_whole(
        &self,
        mut inputs: Inputs,
        pack: &PackLayout,
        chains: &[Vec<u32>],
        feedback: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        for step in 0..chains.iter().map(Vec::len).max().unwrap_or(0) {
            let latents = chains.iter().filter_map(|chain| chain.get(step));
            let (at, before): (Vec<u32>, Vec<u32>) = latents.map(|&row| (row, row - 1)).unzip();
            let states = rows(&self.forward(&inputs, pack)?, &before)?;
            inputs.embeds = ops::replace_rows(&inputs.embeds, &at, &feedback(&states)?)?;
        }
        self.forward(inputs, pack)
    }
}

/// The layout of a piece; hidden keys stay counted from the start of their sequence.
fn part(pack: &PackLayout, piece: &Piece) -> PackLayout {
    let of = match pack.hidden.of.is_empty() {
        true => Vec::new(),
        false => piece.rows.iter().map(|&row| pack.hidden.of[row as usize]).collect(),
    };
    PackLayout {
        lengths: piece.bounds.windows(2).map(|pair| pair[1] - pair[0]).collect(),
        positions: piece.rows.iter().map(|&row| pack.positions[row as usize]).collect(),
        hidden: Hidden { sets: pack.hidden.sets.clone(), of },
    }
}

fn rows(x: &Tensor, indices: &[u32]) -> Result<Tensor> {
    Ok(x.index_select(&Tensor::new(indices, x.device())?, 0)?)
}
