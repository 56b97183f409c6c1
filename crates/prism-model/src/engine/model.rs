//! [`Model`] as an engine: vectors become tensors of its dtype on its device, and come back.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use super::{Engine, Features, Passage, Prefilled, Rows, See, own};
use crate::cache::{BranchCache, KvPrefix};
use crate::config::Config;
use crate::preprocess::PixelValues;
use crate::tensor::{self, Tensor};
use crate::text::{Inputs, Watcher};
use crate::vision::ImageFeatures;
use crate::{Model, Result, ops};

impl Features for ImageFeatures {
    fn rows(&self) -> usize {
        ImageFeatures::rows(self)
    }

    fn bytes(&self) -> usize {
        ImageFeatures::bytes(self)
    }

    fn values(&self) -> Result<Vec<f32>> {
        tensor::values(self.tokens())
    }

    fn select(&self, rows: &[u32]) -> Result<Arc<dyn Features>> {
        Ok(Arc::new(ImageFeatures::select(self, rows)?))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Prefilled for KvPrefix {
    fn tokens(&self) -> usize {
        KvPrefix::tokens(self)
    }

    fn next_position(&self) -> u32 {
        KvPrefix::next_position(self)
    }

    fn bytes(&self) -> usize {
        KvPrefix::bytes(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Decoding rows of a model.
struct Decoding<'e> {
    model: &'e Model,
    cache: BranchCache,
}

impl Rows for Decoding<'_> {
    fn retain(&mut self, keep: &[bool]) {
        self.cache.retain(keep);
    }

    fn held(&self, row: usize) -> Option<usize> {
        self.cache.held(row)
    }

    fn hide(&mut self, row: usize, ranges: &Arc<Vec<Range<usize>>>) -> Result<()> {
        self.cache.hide(row, ranges)
    }

    fn evict(&mut self, row: usize, steps: Range<usize>) -> Result<()> {
        self.cache.evict(row, steps)
    }

    fn step(&mut self, embeds: &[f32], watcher: &mut dyn Watcher) -> Result<Vec<f32>> {
        tensor::values(&self.model.decode_step_watched(&self.model.rows_of(embeds)?, &mut self.cache, watcher)?)
    }
}

impl Model {
    /// Vectors `[n, hidden]` as a tensor.
    fn rows_of(&self, values: &[f32]) -> Result<Tensor> {
        let width = self.config.text.hidden_size;
        Ok(Tensor::from_slice(values, (values.len() / width, width), &self.device)?.to_dtype(self.dtype)?)
    }

    /// What the language model reads of a passage.
    fn inputs(&self, passage: Passage<'_>) -> Result<Inputs> {
        let features: &ImageFeatures = own("features", passage.features.as_any())?;
        let rows: Vec<u32> = passage.image_tokens.iter().map(|&at| at as u32).collect();
        let mut inputs = features.stand_in(&self.embed(passage.ids)?, &rows)?;
        if !passage.latents.is_empty() {
            let (at, from): (Vec<u32>, Vec<u32>) = passage.latents.iter().map(|&(at, from)| (at as u32, from as u32)).unzip();
            inputs.embeds = ops::replace_rows(&inputs.embeds, &at, ImageFeatures::select(features, &from)?.tokens())?;
        }
        Ok(inputs)
    }
}

impl Engine for Model {
    fn config(&self) -> &Config {
        &self.config
    }

    fn device(&self) -> &'static str {
        if self.device.is_cpu() { "cpu" } else { "cuda" }
    }

    fn dtype(&self) -> &'static str {
        if self.narrow { "bf16" } else { self.dtype.as_str() }
    }

    fn embed(&self, ids: &[u32]) -> Result<Vec<f32>> {
        tensor::values(&Model::embed(self, ids)?)
    }

    fn image_features(&self, images: &[PixelValues]) -> Result<Arc<dyn Features>> {
        let features = match images.is_empty() {
            true => ImageFeatures::none(self.config.text.hidden_size, self.dtype, &self.device)?,
            false => Model::image_features(self, images)?.detach(),
        };
        Ok(Arc::new(features))
    }

    fn prefill(&self, passage: Passage<'_>, see: Option<See<'_>>) -> Result<(Vec<f32>, Arc<dyn Prefilled>)> {
        let inputs = self.inputs(passage)?;
        let (states, cache) = match see {
            Some(see) => self.prefill_seen(inputs, passage.layout, &mut |x| see(&tensor::values(x)?))?,
            None => Model::prefill(self, inputs, passage.layout)?,
        };
        Ok((tensor::values(&states)?, Arc::new(cache)))
    }

    fn states(&self, passage: Passage<'_>) -> Result<Vec<f32>> {
        tensor::values(&self.forward(self.inputs(passage)?, passage.layout)?.detach())
    }

    fn rows<'e>(&'e self, prompts: &[Arc<dyn Prefilled>]) -> Result<Box<dyn Rows + 'e>> {
        let prefix = |made: &Arc<dyn Prefilled>| own::<KvPrefix>("keys and values", made.as_any()).cloned();
        let cache = BranchCache::new(prompts.iter().map(prefix).collect::<Result<Vec<_>>>()?);
        Ok(Box::new(Decoding { model: self, cache }))
    }

    fn norm(&self, states: &[f32]) -> Result<Vec<f32>> {
        tensor::values(&ops::rms_norm(&self.rows_of(states)?, &self.text.norm, self.config.text.rms_norm_eps)?)
    }

    fn logits(&self, states: &[f32]) -> Result<Vec<f32>> {
        tensor::values(&self.decode_logits(&self.rows_of(states)?)?)
    }

    fn feedback(&self, states: &[f32]) -> Result<Vec<f32>> {
        tensor::values(&self.decode_feedback(&self.rows_of(states)?)?)
    }

    fn latent_end(&self) -> Result<Option<Vec<f32>>> {
        self.latent_end.as_ref().map(tensor::values).transpose()
    }
}
