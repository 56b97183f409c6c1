//! An example's prompt, run once: images, vision pass, prefill.

use prism_run::{Example, Position};

use super::trajectory::mean;
use crate::cache::KvPrefix;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::ops;
use crate::positions::PackLayout;
use crate::preprocess::{Grid, Preprocessor};
use crate::prompt::Prompter;
use crate::tensor::{self, Tensor};

/// What all branches of an example share.
#[derive(Debug, Clone)]
pub struct Prefix {
    /// The prompt, image tokens included.
    pub prompt_ids: Vec<u32>,
    /// The size of every image in patches.
    pub grids: Vec<Grid>,
    /// Features of all image tokens, `[visual tokens, hidden]`, images in order.
    pub features: Tensor,
    /// Keys and values of the prompt.
    pub cache: KvPrefix,
    /// State at the last prompt token, `[hidden]`.
    pub last_state: Vec<f32>,
    /// Mean state over the user turn's text tokens.
    pub question_mean: Option<Vec<f32>>,
    /// Mean state over the image tokens.
    pub visual_mean: Option<Vec<f32>>,
}

impl Prefix {
    /// The vector at one of the prefill's probe positions.
    pub fn probe(&self, position: Position) -> Option<Vec<f32>> {
        match position {
            Position::QuestionMean => self.question_mean.clone(),
            Position::VisualMean => self.visual_mean.clone(),
            _ => None,
        }
    }

    /// Image tokens.
    pub fn visual_tokens(&self) -> usize {
        self.features.dims().first().copied().unwrap_or(0)
    }
}

/// Makes prefixes.
#[derive(Clone, Copy)]
pub struct Prefiller<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its prompts.
    pub prompter: &'a Prompter,
    /// Its image preprocessing.
    pub preprocessor: &'a Preprocessor,
}

/// Input embeddings `[tokens, hidden]` of `ids`, with rows of `features` standing at
/// `image_tokens`.
pub(crate) fn embed(model: &Model, ids: &[u32], image_tokens: &[usize], features: &Tensor) -> Result<Tensor> {
    let embeds = model.embed(ids)?;
    if image_tokens.is_empty() {
        return Ok(embeds);
    }
    let rows: Vec<u32> = image_tokens.iter().map(|&i| i as u32).collect();
    ops::replace_rows(&embeds, &rows, features)
}

impl Prefiller<'_> {
    /// Reads the images, runs the vision tower and the prefill.
    ///
    /// # Errors
    /// When an image cannot be read or the prompt does not fit the model.
    pub fn prefix(&self, example: &Example) -> Result<Prefix> {
        let images = example.images.iter().map(|image| self.preprocessor.open(image)).collect::<prism_run::Result<Vec<_>>>()?;
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let width = self.model.config.text.hidden_size;
        let features = match images.len() {
            0 => Tensor::zeros((0, width), self.model.dtype, &self.model.device)?,
            _ => self.model.image_features(&images)?.detach(),
        };
        let prompt = self.prompter.example(example, &grids)?;
        let embeds = embed(self.model, &prompt.ids, &prompt.image_tokens, &features)?;
        let (states, cache) = self.model.prefill(&embeds, &PackLayout::single(prompt.positions.clone()))?;
        let states = tensor::values(&states)?;
        let state = |i: usize| states.get(i * width..(i + 1) * width);
        let last_state = prompt.len().checked_sub(1).and_then(state);
        let last_state = last_state.ok_or_else(|| Error::input("prompt", "is empty", "check the chat template"))?.to_vec();
        Ok(Prefix {
            question_mean: mean(prompt.question_tokens.iter().copied().filter_map(state)),
            visual_mean: mean(prompt.image_tokens.iter().copied().filter_map(state)),
            prompt_ids: prompt.ids,
            grids,
            features,
            cache,
            last_state,
        })
    }
}
