//! The language model: embedding, decoder layers, final norm, output matrix.

mod decode;
mod fused_layer;
mod inputs;
mod layer;
mod pieces;
pub mod watch;

use std::sync::Arc;

use crate::cache::{BranchCache, KvPrefix};
use crate::config::{Config, TextConfig};
use crate::matrix::Matrix;
use crate::ops::{self, Attention, Rotary};
use crate::positions::PackLayout;
use crate::tensor::Tensor;
use crate::weights::{Init, Loader};
use crate::{Error, Result};

pub use inputs::{Additions, Inputs};
pub use layer::Layer;
pub use watch::{Unwatched, Watcher};

/// The language model.
#[derive(Debug, Clone)]
pub struct TextModel {
    config: TextConfig,
    /// `[vocab, hidden]`.
    pub embed_tokens: Matrix,
    /// Decoder layers.
    pub layers: Vec<Layer>,
    /// Scale of the final norm.
    pub norm: Tensor,
    /// `[vocab, hidden]`; the embedding matrix itself when tied.
    pub lm_head: Matrix,
}

impl TextModel {
    /// Loads the language model.
    ///
    /// # Errors
    /// As [`Loader::get`].
    pub fn load(config: &Config, loader: &mut Loader) -> Result<Self> {
        let text = &config.text;
        let spread = Init::Normal(text.initializer_range);
        let matrix = [text.vocab_size, text.hidden_size];
        let embed_tokens = loader.matrix("model.language_model.embed_tokens.weight", matrix, spread)?;
        let mut layers = Vec::with_capacity(text.num_hidden_layers);
        for i in 0..text.num_hidden_layers {
            layers.push(Layer::load(text, &mut loader.at(format!("model.language_model.layers.{i}")))?);
        }
        let norm = loader.get("model.language_model.norm.weight", &[text.hidden_size], Init::Ones)?;
        let lm_head = if config.tie_word_embeddings {
            loader.ignore("lm_head.weight");
            embed_tokens.clone()
        } else {
            loader.matrix("lm_head.weight", matrix, spread)?
        };
        Ok(Self { config: text.clone(), embed_tokens, layers, norm, lm_head })
    }

    /// Its sizes.
    pub fn config(&self) -> &TextConfig {
        &self.config
    }

    /// Rotary angles, sequence bounds and hidden keys of a pack.
    fn attention(&self, pack: &PackLayout) -> Attention {
        Attention {
            heads: self.config.num_attention_heads,
            kv_heads: self.config.num_key_value_heads,
            head_dim: self.config.head_dim,
            bounds: Arc::new(pack.bounds()),
            key_bounds: None,
            causal: true,
            hidden: (!pack.hidden.is_empty()).then(|| Arc::new(pack.hidden.clone())),
            rotary: Some(self.rotary(&pack.positions)),
        }
    }

    /// Rotary angles of tokens at those positions.
    fn rotary(&self, positions: &[[u32; 3]]) -> Rotary {
        let TextConfig { rope_theta, mrope_section, mrope_interleaved, .. } = self.config;
        Rotary::multimodal(positions, rope_theta, mrope_section, mrope_interleaved)
    }

    fn check(&self, inputs: &Inputs, pack: &PackLayout) -> Result<()> {
        inputs.check(self.layers.len())?;
        let (rows, width) = inputs.embeds.dims2()?;
        if width != self.config.hidden_size {
            return Err(Error::input("embeds", format!("are {width} wide"), format!("give hidden states of {}", self.config.hidden_size)));
        }
        pack.check(rows)
    }

    /// Hidden states of a pack after the final norm, `[tokens, hidden]`; differentiable.
    ///
    /// # Errors
    /// The pack does not fit the embeddings.
    pub fn forward(&self, inputs: impl Into<Inputs>, pack: &PackLayout) -> Result<Tensor> {
        let inputs = inputs.into();
        self.check(&inputs, pack)?;
        let spec = self.attention(pack);
        let mut x = inputs.embeds.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = inputs.add_after(i, layer.forward(&x, &spec, &self.config)?)?;
        }
        ops::rms_norm(&x, &self.norm, self.config.rms_norm_eps)
    }

    /// As [`TextModel::forward`], with the states before the first layer and after every
    /// layer; the last is taken after the final norm, as the reference returns them.
    ///
    /// # Errors
    /// As [`TextModel::forward`].
    pub fn forward_layers(&self, inputs: impl Into<Inputs>, pack: &PackLayout) -> Result<Vec<Tensor>> {
        let inputs = inputs.into();
        self.check(&inputs, pack)?;
        let spec = self.attention(pack);
        let mut states = vec![inputs.embeds.clone()];
        let mut x = inputs.embeds.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = inputs.add_after(i, layer.forward(&x, &spec, &self.config)?)?;
            let last = i + 1 == self.layers.len();
            states.push(if last { ops::rms_norm(&x, &self.norm, self.config.rms_norm_eps)? } else { x.clone() });
        }
        Ok(states)
    }

    /// Hidden states of one sequence after the final norm, and its keys and values.
    ///
    /// # Errors
    /// The pack is not one sequence, or does not fit the embeddings.
    pub fn prefill(&self, inputs: impl Into<Inputs>, pack: &PackLayout) -> Result<(Tensor, KvPrefix)> {
        self.prefill_seen(inputs, pack, &mut |_| Ok(()))
    }

    /// The same; `see` is shown the input of every layer, with what is added to it.
    ///
    /// # Errors
    /// The pack is not one sequence, or does not fit the embeddings.
    pub fn prefill_seen(
        &self,
        inputs: impl Into<Inputs>,
        pack: &PackLayout,
        see: &mut dyn FnMut(&Tensor) -> Result<()>,
    ) -> Result<(Tensor, KvPrefix)> {
        let inputs = inputs.into().detach();
        self.check(&inputs, pack)?;
        if pack.lengths.len() != 1 {
            return Err(Error::input("prefill", format!("got {} sequences", pack.lengths.len()), "give one sequence at a time"));
        }
        let spec = self.attention(pack);
        let mut x = inputs.embeds.clone();
        let mut kept = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            see(&x)?;
            x = inputs.add_after(i, layer.prefill(&x, &spec, &self.config, &mut kept)?)?;
        }
        let next = pack.positions.iter().flatten().max().map_or(0, |p| p + 1);
        let hidden = ops::rms_norm(&x, &self.norm, self.config.rms_norm_eps)?.detach();
        Ok((hidden, KvPrefix::new(kept, pack.tokens(), next)))
    }

    /// One token per row, `embeds [rows, hidden]`, to hidden states after the final norm.
    /// A row's result does not depend, to the bit, on the rows beside it.
    ///
    /// # Errors
    /// The number of rows is not the cache's.
    pub fn decode_step(&self, embeds: &Tensor, cache: &mut BranchCache) -> Result<Tensor> {
        self.check_step(embeds, cache)?;
        decode::step(self, embeds, cache, &mut Unwatched)
    }

    /// As [`TextModel::decode_step`], under the eyes of `watcher`.
    ///
    /// # Errors
    /// As [`TextModel::decode_step`].
    pub fn decode_step_watched(&self, embeds: &Tensor, cache: &mut BranchCache, watcher: &mut dyn Watcher) -> Result<Tensor> {
        self.check_step(embeds, cache)?;
        decode::step(self, embeds, cache, watcher)
    }

    fn check_step(&self, embeds: &Tensor, cache: &BranchCache) -> Result<()> {
        let (rows, width) = embeds.dims2()?;
        if rows != cache.rows() || width != self.config.hidden_size {
            let cause = format!("embeddings [{rows}, {width}] for {} rows of {}", cache.rows(), self.config.hidden_size);
            return Err(Error::input("decode_step", cause, "give one embedding per row of the cache"));
        }
        Ok(())
    }

    /// Logits of hidden states, `[n, vocab]`.
    ///
    /// # Errors
    /// The width is not the model's.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.lm_head.linear(hidden, None)
    }

    /// Logits of decoding rows, `[rows, vocab]`, invariant like [`TextModel::decode_step`].
    ///
    /// # Errors
    /// The width is not the model's.
    pub fn decode_logits(&self, hidden: &Tensor) -> Result<Tensor> {
        decode::logits(self, hidden)
    }
}

#[cfg(test)]
mod tests;
