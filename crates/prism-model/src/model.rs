//! The whole model: vision tower, language model, latent head.

use std::path::Path;
use std::sync::Arc;

use crate::cache::{BranchCache, KvPrefix};
use crate::checkpoint::Files;
use crate::checkpoint::fit::Fit;
use crate::config::Config;
use crate::head::LatentHead;
use crate::positions::PackLayout;
use crate::tensor::{DType, Device, Tensor, Trainable, Var};
use crate::text::{Inputs, TextModel, Watcher};
use crate::vision::Tower;
use crate::weights::{Init, Loader, Weight};
use crate::{Error, Result, checkpoint, clock};

/// Name of the end embedding, as the published code stores it: a vector of norm
/// `sqrt(hidden)` before training, so each of its values is about standard normal.
const LATENT_END: &str = "lvr_latent_end_emb";

/// A model of one of the families, with or without a latent block.
pub struct Model {
    /// The configuration.
    pub config: Config,
    /// The vision tower.
    pub visual: Box<dyn Tower>,
    /// The language model.
    pub text: TextModel,
    /// The latent head, when the model has one.
    pub head: Option<LatentHead>,
    /// The learned end embedding `[hidden]` (`lvr_latent_end_emb`), when the model has one:
    /// what the exit `latent` compares with. It is never trained here.
    pub latent_end: Option<Tensor>,
    /// Where the weights are.
    pub device: Device,
    /// Their dtype; where matrices are kept in bfloat16 ([`crate::matrix`]), everything else's.
    pub dtype: DType,
    /// Whether matrices are kept in bfloat16: such a model computes, and cannot be trained or saved.
    pub narrow: bool,
    /// What stopped nothing and should be known of its files, one line each ([`checkpoint::fit`]).
    pub notes: Vec<String>,
    weights: Vec<Weight>,
}

impl Model {
    /// Opens a checkpoint folder.
    ///
    /// # Errors
    /// A file is missing or damaged, the configuration is refused, or the weights do not
    /// fit it (every misfit is listed).
    pub fn open(dir: &Path, device: &Device, dtype: DType, training: Trainable) -> Result<Self> {
        let config = Config::open(dir)?;
        let files = Arc::new(Files::open(dir)?);
        // All that is wrong is told before a weight is read.
        let Fit { problems, notes, .. } = checkpoint::fit::compare(&config, &files)?;
        if !problems.is_empty() {
            return Err(Error::Checkpoint { path: dir.to_path_buf(), problems });
        }
        Ok(Self { notes, ..Self::load(config, Loader::over(files, device, dtype, training))? })
    }

    /// A fresh model in f32; the same configuration and seed give the same weights.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn random(config: Config, seed: u64, device: &Device, training: Trainable) -> Result<Self> {
        Self::load(config, Loader::random(seed, device, DType::F32, training))
    }

    fn load(config: Config, mut loader: Loader) -> Result<Self> {
        let model = Self::assemble(config, &mut loader)?;
        Ok(Self { weights: loader.finish()?, ..model })
    }

    /// Asks the loader for every weight and puts them together; the list of them stays with it.
    pub(crate) fn assemble(config: Config, loader: &mut Loader) -> Result<Self> {
        let (device, dtype, narrow) = (loader.device().clone(), loader.dtype(), loader.is_narrow());
        let visual = (config.family.tower)(&config, loader)?;
        let text = TextModel::load(&config, loader)?;
        let head = LatentHead::load(&config, loader)?;
        let declared = config.latent.latent_end_token;
        let latent_end = match declared || (loader.is_stored() && loader.has(LATENT_END)) {
            true => Some(loader.frozen(LATENT_END, &[config.text.hidden_size], Init::Normal(1.0))?),
            false => None,
        };
        Ok(Self { config, visual, text, head, latent_end, device, dtype, narrow, notes: Vec::new(), weights: Vec::new() })
    }

    /// Writes `model.safetensors`, `config.json` and `generation_config.json` into `dir`,
    /// as `transformers` reads them. `dir` must exist; write into a partial folder to
    /// have the whole appear at once.
    ///
    /// # Errors
    /// A file cannot be written, or the matrices are narrow.
    pub fn save(&self, dir: &Path) -> Result<()> {
        if self.narrow {
            return Err(Error::input("model", "was opened to be run only", "open it with --dtype f32 to save it"));
        }
        let weights: Vec<(String, Tensor)> = self.weights.iter().map(|w| (w.name.clone(), w.tensor.clone())).collect();
        checkpoint::write_weights(dir, &weights, self.config.family.names)?;
        checkpoint::write_config(dir, &self.config)
    }

    /// The trainable parameters by in-memory name, in a fixed order.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        self.weights.iter().filter_map(|w| Some((w.name.clone(), w.variable.clone()?))).collect()
    }

    /// Numbers in the language model's decoder layers and output matrix: what a forward reads.
    pub fn parameter_count(&self) -> usize {
        let text = &self.config.text;
        let width = text.hidden_size;
        let layer = 2 * width * (text.attention_width() + text.key_value_width()) + 3 * width * text.intermediate_size;
        text.num_hidden_layers * layer + text.vocab_size * width
    }

    /// Every weight, trainable or not, by in-memory name.
    pub fn weights(&self) -> &[Weight] {
        &self.weights
    }

    /// Embeddings of tokens, `[n, hidden]`.
    ///
    /// # Errors
    /// An id lies outside the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        self.text.embed_tokens.embed(ids)
    }

    /// See [`TextModel::forward`].
    ///
    /// # Errors
    /// As [`TextModel::forward`].
    pub fn forward(&self, inputs: impl Into<Inputs>, pack: &PackLayout) -> Result<Tensor> {
        self.text.forward(inputs, pack)
    }

    /// See [`TextModel::forward_feeding`]; what is fed back passes through the head, if there is one.
    ///
    /// # Errors
    /// As [`TextModel::forward_feeding`].
    pub fn forward_feeding(&self, inputs: impl Into<Inputs>, pack: &PackLayout, chains: &[Vec<u32>]) -> Result<Tensor> {
        self.text.forward_feeding(inputs, pack, chains, |states| self.feedback(states))
    }

    /// See [`TextModel::forward_layers`].
    ///
    /// # Errors
    /// As [`TextModel::forward_layers`].
    pub fn forward_layers(&self, inputs: impl Into<Inputs>, pack: &PackLayout) -> Result<Vec<Tensor>> {
        self.text.forward_layers(inputs, pack)
    }

    /// The output matrix `[vocab, hidden]`, for a loss over it.
    ///
    /// # Errors
    /// It is kept in bfloat16, for inference.
    pub fn output(&self) -> Result<&Tensor> {
        Ok(self.text.lm_head.tensor()?)
    }

    /// Logits of hidden states, `[n, vocab]`.
    ///
    /// # Errors
    /// As [`TextModel::logits`].
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.text.logits(hidden)
    }

    /// See [`TextModel::prefill`].
    ///
    /// # Errors
    /// As [`TextModel::prefill`].
    pub fn prefill(&self, inputs: impl Into<Inputs>, pack: &PackLayout) -> Result<(Tensor, KvPrefix)> {
        self.prefill_seen(inputs, pack, &mut |_| Ok(()))
    }

    /// See [`TextModel::prefill_seen`].
    ///
    /// # Errors
    /// As [`TextModel::prefill`].
    pub fn prefill_seen(
        &self,
        inputs: impl Into<Inputs>,
        pack: &PackLayout,
        see: &mut dyn FnMut(&Tensor) -> Result<()>,
    ) -> Result<(Tensor, KvPrefix)> {
        clock::measured(clock::Phase::Prefill, || self.text.prefill_seen(inputs, pack, see))
    }

    /// See [`TextModel::decode_step`].
    ///
    /// # Errors
    /// As [`TextModel::decode_step`].
    pub fn decode_step(&self, embeds: &Tensor, cache: &mut BranchCache) -> Result<Tensor> {
        self.text.decode_step(embeds, cache)
    }

    /// See [`TextModel::decode_step_watched`].
    ///
    /// # Errors
    /// As [`TextModel::decode_step`].
    pub fn decode_step_watched(&self, embeds: &Tensor, cache: &mut BranchCache, watcher: &mut dyn Watcher) -> Result<Tensor> {
        self.text.decode_step_watched(embeds, cache, watcher)
    }

    /// Logits of decoding rows, `[rows, vocab]`; like [`Model::decode_step`] a row's result
    /// does not depend on the rows beside it.
    ///
    /// # Errors
    /// As [`TextModel::logits`].
    pub fn decode_logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.text.decode_logits(hidden)
    }

    /// What is fed back for hidden states `h [rows, hidden]`: `h` itself, or the head's output.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn feedback(&self, h: &Tensor) -> Result<Tensor> {
        match &self.head {
            Some(head) => head.forward(h),
            None => Ok(h.clone()),
        }
    }

    /// As [`Model::feedback`] for decoding rows: like [`Model::decode_step`] a row's result does not
    /// depend on the rows beside it, for the head sees one at a time.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn decode_feedback(&self, h: &Tensor) -> Result<Tensor> {
        let Some(head) = &self.head else { return Ok(h.clone()) };
        let rows = (0..h.dim(0)?).map(|row| Ok(head.forward(&h.narrow(0, row, 1)?.detach())?.detach()));
        Ok(Tensor::cat(&rows.collect::<Result<Vec<_>>>()?, 0)?)
    }
}
