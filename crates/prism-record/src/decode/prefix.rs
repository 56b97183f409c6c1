//! An example's prompt, run once: images, vision pass, prefill.

use std::ops::Range;
use std::sync::Arc;

use prism_model::engine::{Features, Passage, Prefilled};
use prism_model::preprocess::{Grid, PixelValues, Preprocessor};
use prism_model::prompt::{Prompt, Prompter};
use prism_model::sight::{self, Kind};
use prism_model::text::Watcher;
use prism_model::{Engine, Error, PackLayout, Result};
use prism_run::random::Stream;
use prism_run::{Example, Position};

use super::trajectory::mean;

/// What all branches of an example share.
#[derive(Debug, Clone)]
pub struct Prefix {
    /// The prompt that was run, image tokens included.
    pub prompt_ids: Vec<u32>,
    /// Tokens of the prompt behind it, where latents stand.
    pub standing: Vec<u32>,
    /// Attention of the last prompt token to those of the prompt, mean over layers and heads; empty
    /// where no protocol asks for it.
    pub last_attention: Arc<Vec<f32>>,
    /// The size of every image in patches.
    pub grids: Vec<Grid>,
    /// Features of all image tokens, images in order.
    pub features: Arc<dyn Features>,
    /// Keys and values of the prompt.
    pub cache: Arc<dyn Prefilled>,
    /// Where the image tokens stand in the prompt, as runs.
    pub image_ranges: Arc<Vec<Range<usize>>>,
    /// State at the last prompt token, `[hidden]`.
    pub last_state: Vec<f32>,
    /// Mean state over the user turn's text tokens.
    pub question_mean: Option<Vec<f32>>,
    /// Mean state over the image tokens.
    pub visual_mean: Option<Vec<f32>>,
    /// The two means at the input of every layer, where asked for.
    pub layers: Vec<[Option<Vec<f32>>; 2]>,
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

    /// The same at the input of a layer, where the layers were noted.
    pub fn probe_at(&self, position: Position, layer: usize) -> Option<Vec<f32>> {
        let [question, visual] = self.layers.get(layer)?;
        match position {
            Position::QuestionMean => question.clone(),
            Position::VisualMean => visual.clone(),
            _ => None,
        }
    }

    /// The whole prompt: what was run, and the tokens that stand for latents behind it.
    pub fn whole_prompt(&self) -> Vec<u32> {
        [self.prompt_ids.as_slice(), self.standing.as_slice()].concat()
    }

    /// Image tokens.
    pub fn visual_tokens(&self) -> usize {
        self.features.rows()
    }
}

/// Makes prefixes.
#[derive(Clone, Copy)]
pub struct Prefiller<'a> {
    /// The model.
    pub model: &'a dyn Engine,
    /// Its prompts.
    pub prompter: &'a Prompter,
    /// Its image preprocessing.
    pub preprocessor: &'a Preprocessor,
    /// Whether the means are kept at the input of every layer.
    pub layers: bool,
}

/// Increasing indices as runs of neighbours.
fn runs(indices: &[usize]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for &index in indices {
        match runs.last_mut() {
            Some(run) if run.end == index => run.end += 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

impl Prefiller<'_> {
    /// Reads the images, runs the vision tower and the prefill.
    ///
    /// # Errors
    /// When an image cannot be read or the prompt does not fit the model.
    pub fn prefix(&self, example: &Example) -> Result<Prefix> {
        let images = self.images(example)?;
        let features = self.model.image_features(&images)?;
        self.prefill(example, &images, features)
    }

    /// The same with every pixel of one middle grey.
    ///
    /// # Errors
    /// As [`Prefiller::prefix`].
    pub fn grey(&self, example: &Example) -> Result<Prefix> {
        let empty = || Error::input("image", "has no pixels", "replace it by one that has");
        let grey = |image: &PixelValues| self.preprocessor.grey(image.grid).ok_or_else(empty);
        let images = self.images(example)?.iter().map(grey).collect::<Result<Vec<_>>>()?;
        let features = self.model.image_features(&images)?;
        self.prefill(example, &images, features)
    }

    /// The same with the visual tokens of each image in an order drawn from its stream.
    ///
    /// # Errors
    /// As [`Prefiller::prefix`].
    pub fn shuffled(&self, example: &Example, stream: impl Fn(usize) -> Stream) -> Result<Prefix> {
        let images = self.images(example)?;
        let features = self.model.image_features(&images)?;
        let mut order: Vec<u32> = Vec::new();
        for (i, image) in images.iter().enumerate() {
            let from = order.len() as u32;
            let tokens = image.grid.tokens(self.model.config().vision.spatial_merge_size) as u32;
            let mut own: Vec<u32> = (from..from + tokens).collect();
            stream(i).shuffle(&mut own);
            order.extend(own);
        }
        let features = match order.is_empty() {
            true => features,
            false => features.select(&order)?,
        };
        self.prefill(example, &images, features)
    }

    fn images(&self, example: &Example) -> Result<Vec<PixelValues>> {
        example.images.iter().map(|image| self.preprocessor.open(image)).collect()
    }

    fn prefill(&self, example: &Example, images: &[PixelValues], features: Arc<dyn Features>) -> Result<Prefix> {
        let width = self.model.config().text.hidden_size;
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let prompt = self.prompter.example(example, &grids).map_err(|e| Error::Prompt(Box::new(e)))?;
        let mut kinds = vec![Kind::Other; prompt.len()];
        prompt.image_tokens.iter().for_each(|at| kinds[*at] = Kind::Image);
        let hidden = sight::hidden(self.model.config().latent_sight(), &kinds);
        let layout = PackLayout::single(prompt.positions.clone()).with_hidden(hidden);
        let means = |x: &[f32]| {
            let state = |i: usize| x.get(i * width..(i + 1) * width);
            [&prompt.question_tokens, &prompt.image_tokens].map(|tokens| mean(tokens.iter().copied().filter_map(state)))
        };
        let mut layers = Vec::new();
        let mut see = |x: &[f32]| -> Result<()> {
            layers.push(means(x));
            Ok(())
        };
        let (ids, image_tokens) = (&prompt.ids, &prompt.image_tokens);
        let passage = Passage { ids, layout: &layout, image_tokens, features: &*features, latents: &[] };
        let (states, cache) = self.model.prefill(passage, if self.layers { Some(&mut see) } else { None })?;
        let [question_mean, visual_mean] = means(&states);
        let state = |i: usize| states.get(i * width..(i + 1) * width);
        let last_state = prompt.len().checked_sub(1).and_then(state);
        let last_state = last_state.ok_or_else(|| Error::input("prompt", "is empty", "check the chat template"))?.to_vec();
        let last_attention = if self.prompter.looks() { self.last_attention(&prompt, &*features)? } else { Vec::new() };
        Ok(Prefix {
            standing: prompt.standing,
            last_attention: Arc::new(last_attention),
            question_mean,
            visual_mean,
            layers,
            image_ranges: Arc::new(runs(&prompt.image_tokens)),
            prompt_ids: prompt.ids,
            grids,
            features,
            cache,
            last_state,
        })
    }

    /// Attention of the prompt's last token: it is run alone behind the others, for a prefill shows no weights.
    fn last_attention(&self, prompt: &Prompt, features: &dyn Features) -> Result<Vec<f32>> {
        let Some((last, ids)) = prompt.ids.split_last() else { return Ok(Vec::new()) };
        let layout = PackLayout::single(prompt.positions.get(..ids.len()).unwrap_or_default().to_vec());
        let passage = Passage { ids, layout: &layout, image_tokens: &prompt.image_tokens, features, latents: &[] };
        let (_, cache) = self.model.prefill(passage, None)?;
        let mut looking = Looking::default();
        self.model.rows(&[cache])?.step(&self.model.embed(&[*last])?, &mut looking)?;
        let scale = 1.0 / looking.heads.max(1) as f32;
        Ok(looking.sums.into_iter().map(|sum| sum * scale).collect())
    }
}

/// Adds up the attention weights of a step.
#[derive(Default)]
struct Looking {
    sums: Vec<f32>,
    heads: usize,
}

impl Watcher for Looking {
    fn wants_layers(&self) -> bool {
        false
    }

    fn layer(&mut self, _: usize, _: usize, _: &mut [f32]) {}

    fn wants_keys_values(&self, _: usize) -> bool {
        false
    }

    fn keys_values(&mut self, _: usize, _: usize, _: &mut [f32], _: &mut [f32]) {}

    fn wants_attention(&self, _: usize) -> bool {
        true
    }

    fn attention(&mut self, _: usize, _: usize, weights: &[f32]) {
        self.sums.resize(weights.len(), 0.0);
        self.sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
        self.heads += 1;
    }
}
