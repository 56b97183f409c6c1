//! Something that can be trained: what the loop ([`crate::trainer`]) and the measurements during it
//! ([`crate::gradient_cosine`]) ask of it.

use std::path::Path;

use prism_model::tensor::Tensor;

use crate::Result;
use crate::objective::{Parts, Terms};
use crate::optimizer::Parameters;
use crate::order::Place;
use crate::state::Origin;
use crate::workers::Workers;

/// A source of packs and a loss.
pub trait Task: Sync {
    /// What one worker takes in one piece.
    type Pack: Send + Sync;

    /// The variant's id, or the name of a stage: a checkpoint belongs to one task.
    fn name(&self) -> &str;

    /// Digest of the data: a checkpoint belongs to one corpus.
    fn corpus(&self) -> &str;

    /// What it starts from, where a checkpoint belongs to one.
    fn origin(&self) -> Option<&Origin> {
        None
    }

    /// Samples of an epoch.
    fn samples(&self) -> usize;

    /// The trainable parameters in a fixed order.
    fn parameters(&self) -> Parameters;

    /// Goes to a place in the sequence of samples.
    fn seek(&mut self, place: Place);

    /// The packs of the next step, and the place behind them.
    ///
    /// # Errors
    /// A sample cannot be prepared.
    fn packs(&mut self, workers: &Workers) -> Result<(Vec<Self::Pack>, Place)>;

    /// The objective of a pack at a step (from 1): the scalar to differentiate, and its terms.
    ///
    /// # Errors
    /// The pack does not fit the model.
    fn loss(&self, step: usize, pack: &Self::Pack) -> Result<(Tensor, Terms)>;

    /// The terms of a pack as scalars, for [`crate::gradient_cosine`]: of the same pack and
    /// step as [`Task::loss`].
    ///
    /// # Errors
    /// As [`Task::loss`].
    fn parts(&self, step: usize, pack: &Self::Pack) -> Result<Parts> {
        Ok(Parts { ce: self.loss(step, pack)?.0, latent: None, diversity: None })
    }

    /// Writes the weights, and what is needed to open them, into a checkpoint folder.
    ///
    /// # Errors
    /// A file cannot be written.
    fn save(&self, folder: &Path) -> Result<()>;
}
