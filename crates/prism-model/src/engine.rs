//! The seam between what decodes and records, and what computes: numbers go in and come out as
//! vectors in host memory, everything else stays where the engine keeps it.
//!
//! [`Model`](crate::Model) is one engine (`engine/model.rs`); another computes the same somewhere
//! else. Who decodes knows no family and no tensor. All numbers are in f32, row-major.

mod model;

use std::any::Any;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use crate::config::Config;
use crate::positions::PackLayout;
use crate::preprocess::PixelValues;
use crate::text::Watcher;
use crate::{Error, Result};

/// What an engine made of images; it stays where the engine keeps it.
pub trait Features: Send + Sync + Debug {
    /// Image tokens.
    fn rows(&self) -> usize;

    /// Memory held.
    fn bytes(&self) -> usize;

    /// What stands at the image tokens, `[rows, hidden]`.
    ///
    /// # Errors
    /// The engine refuses.
    fn values(&self) -> Result<Vec<f32>>;

    /// The rows `rows`, in this order, with all that belongs to them.
    ///
    /// # Errors
    /// A row does not exist.
    fn select(&self, rows: &[u32]) -> Result<Arc<dyn Features>>;

    /// For the engine that made them.
    fn as_any(&self) -> &dyn Any;
}

/// Keys and values of a prompt that was run, shared by the rows that go on from it.
pub trait Prefilled: Send + Sync + Debug {
    /// Tokens of the prompt.
    fn tokens(&self) -> usize;

    /// Rotary position of the token that follows.
    fn next_position(&self) -> u32;

    /// Memory held.
    fn bytes(&self) -> usize;

    /// For the engine that made them.
    fn as_any(&self) -> &dyn Any;
}

/// One sequence to run: tokens, with features of images and latents standing at some of them.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    /// The tokens.
    pub ids: &'a [u32],
    /// Their positions, and the keys hidden from them; one sequence.
    pub layout: &'a PackLayout,
    /// Where the features stand, one row each.
    pub image_tokens: &'a [usize],
    /// Features of the images, in order.
    pub features: &'a dyn Features,
    /// Tokens in whose place the embedding of an image token stands, and which: what a teacher feeds.
    /// What is added to image tokens on the way up is not added there.
    pub latents: &'a [(usize, usize)],
}

/// Rows that decode side by side, each behind a prompt; what is done to one changes no other's numbers.
pub trait Rows {
    /// Keeps only the rows whose flag is true, in order; flags beyond the end keep.
    fn retain(&mut self, keep: &[bool]);

    /// Generated tokens that `row` still holds; `None` when there is no such row.
    fn held(&self, row: usize) -> Option<usize>;

    /// Hides tokens of the prompt from what `row` runs next, until told otherwise; an empty list shows all.
    ///
    /// # Errors
    /// There is no such row, or a range reaches beyond the prompt.
    fn hide(&mut self, row: usize, ranges: &Arc<Vec<Range<usize>>>) -> Result<()>;

    /// Removes the keys and values of generated tokens `steps` (counted among those held) from `row`;
    /// positions do not move.
    ///
    /// # Errors
    /// There is no such row, or the range reaches beyond what it holds.
    fn evict(&mut self, row: usize, steps: Range<usize>) -> Result<()>;

    /// One token per row, `embeds [rows, hidden]`, to the states after the final norm, under the eyes of
    /// `watcher`.
    ///
    /// # Errors
    /// The embeddings are not one per row, or the engine refuses.
    fn step(&mut self, embeds: &[f32], watcher: &mut dyn Watcher) -> Result<Vec<f32>>;
}

/// Sees the input of every layer of a prefill, `[tokens, hidden]`.
pub type See<'a> = &'a mut dyn FnMut(&[f32]) -> Result<()>;

/// A model that can be decoded. Of the vectors it is given a row's result does not depend on the rows beside it.
pub trait Engine: Send + Sync {
    /// The configuration.
    fn config(&self) -> &Config;

    /// Where it computes, as records say it: `cpu`, `cuda`.
    fn device(&self) -> &'static str;

    /// What its weights are kept in, as records say it.
    fn dtype(&self) -> &'static str;

    /// Embeddings of tokens, `[n, hidden]`.
    ///
    /// # Errors
    /// An id lies outside the vocabulary.
    fn embed(&self, ids: &[u32]) -> Result<Vec<f32>>;

    /// Features of images, in order; of none there are no rows.
    ///
    /// # Errors
    /// The pixels do not fit the vision tower.
    fn image_features(&self, images: &[PixelValues]) -> Result<Arc<dyn Features>>;

    /// States of a sequence after the final norm, `[tokens, hidden]`, and its keys and values.
    ///
    /// # Errors
    /// The parts of the passage do not fit together.
    fn prefill(&self, passage: Passage<'_>, see: Option<See<'_>>) -> Result<(Vec<f32>, Arc<dyn Prefilled>)>;

    /// States of a sequence after the final norm, `[tokens, hidden]`.
    ///
    /// # Errors
    /// The parts of the passage do not fit together.
    fn states(&self, passage: Passage<'_>) -> Result<Vec<f32>>;

    /// One decoding row behind each prompt; rows of one example share its prompt.
    ///
    /// # Errors
    /// A prompt was run by another engine.
    fn rows<'e>(&'e self, prompts: &[Arc<dyn Prefilled>]) -> Result<Box<dyn Rows + 'e>>;

    /// The final norm of states `[n, hidden]` that did not pass it.
    ///
    /// # Errors
    /// They are of another width.
    fn norm(&self, states: &[f32]) -> Result<Vec<f32>>;

    /// Logits of states `[n, hidden]` after the final norm, `[n, vocab]`.
    ///
    /// # Errors
    /// They are of another width.
    fn logits(&self, states: &[f32]) -> Result<Vec<f32>>;

    /// What is fed back for states `[n, hidden]`: the states themselves, or what the latent head makes of them.
    ///
    /// # Errors
    /// They are of another width.
    fn feedback(&self, states: &[f32]) -> Result<Vec<f32>>;

    /// The learned end embedding `[hidden]`, where the model has one: what the exit `latent` compares with.
    ///
    /// # Errors
    /// The engine refuses.
    fn latent_end(&self) -> Result<Option<Vec<f32>>>;
}

/// What `T` made, behind one of the traits above.
///
/// # Errors
/// Another engine made it.
pub fn own<'a, T: 'static>(what: &str, made: &'a dyn Any) -> Result<&'a T> {
    made.downcast_ref().ok_or_else(|| Error::input(what, "were made by another engine", "report this as a bug"))
}
