//! What the vision towers of the families share. A tower turns the patches of images into merged
//! visual tokens; which parts it is made of is its family's ([`crate::families`]).
//!
//! In order: the patches become rows ([`Patches`]), blocks of attention inside a frame or a window
//! ([`VisionAttention`]) and a feed-forward follow, and a merger ([`Merger`]) joins 2 x 2 patches into
//! one token. Several images go through one call laid end to end; none sees another. Patches lie in
//! merge order: those of a token are adjacent. Weight names are below `model.visual`.

mod attention;
mod block;
mod features;
mod merger;
pub mod norm;
pub mod order;
pub mod parts;
mod patches;

pub use attention::VisionAttention;
pub use block::Block;
pub use features::ImageFeatures;
pub use merger::{Merger, Perceptron};
pub use norm::Norm;
pub use parts::{Activation, Arrangement, Parts};
pub use patches::Patches;

use crate::preprocess::{Grid, PixelValues};
use crate::{Model, Result, clock};

/// A vision tower.
pub trait Tower: Send + Sync + std::fmt::Debug {
    /// Features of the images: image after image, each in row-major order of its merged grid.
    ///
    /// # Errors
    /// The pixels do not fit the tower, or the tensor library refuses.
    fn forward(&self, images: &[PixelValues]) -> Result<ImageFeatures>;

    /// What it is made of, for an engine that computes it elsewhere.
    fn parts(&self) -> Parts<'_>;

    /// Where the patches of images of these grids go.
    ///
    /// # Errors
    /// A grid is empty or not a whole number of merged tokens.
    fn arrange(&self, grids: &[Grid]) -> Result<Arrangement>;
}

impl Model {
    /// Features of images; see [`Tower::forward`].
    ///
    /// # Errors
    /// As [`Tower::forward`].
    pub fn image_features(&self, images: &[PixelValues]) -> Result<ImageFeatures> {
        clock::measured(clock::Phase::Vision, || self.visual.forward(images))
    }
}
