//! The Qwen-VL models: preprocessing, checkpoints and the forward pass. The only crate that knows the
//! tensor library; the decode loop and the recorder are in the crate above it, `prism-record`.
//!
//! What the model families differ in is data ([`families`]). An image becomes patches and then merged
//! tokens ([`vision`]) that stand where the prompt has `<|image_pad|>`; the language model ([`text`]) runs over packs of
//! sequences laid end to end ([`positions`]), or over one prompt whose keys and
//! values ([`cache`]) all branches of an example share. [`Model`] holds it together.

pub mod cache;
pub mod checkpoint;
pub mod clock;
pub mod config;
pub mod engine;
pub mod error;
pub mod families;
pub mod generation;
pub mod gradient_buffers;
pub mod head;
pub mod linear;
pub mod matrix;
pub mod memory;
pub mod model;
pub mod ops;
pub mod positions;
pub mod preprocess;
pub mod prompt;
pub mod regions;
pub mod sight;
pub mod tensor;
pub mod text;
pub mod tokenizer;
pub mod vision;
pub mod weights;

pub use cache::{BranchCache, KvPrefix};
pub use config::Config;
pub use engine::Engine;
pub use error::{Error, Result};
pub use gradient_buffers::Gradients;
pub use head::LatentHead;
pub use linear::Linear;
pub use matrix::Matrix;
pub use model::Model;
pub use positions::PackLayout;
pub use text::{Additions, Inputs};
pub use vision::{ImageFeatures, Tower};
