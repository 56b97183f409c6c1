//! Images of the corpus: the features of a frozen vision tower, computed once per
//! image and kept in memory up to a limit.
//!
//! Beyond the limit nothing is thrown out; what does not fit is computed again
//! whenever it is needed. Features are the same either way.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use prism_model::preprocess::Preprocessor;
use prism_model::{ImageFeatures, Model};

use crate::Result;

/// Bounded memory for image features.
#[derive(Debug)]
pub struct FeatureCache {
    limit: usize,
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: usize,
    features: HashMap<PathBuf, ImageFeatures>,
}

impl FeatureCache {
    /// A cache of at most `mebibytes`.
    pub fn new(mebibytes: usize) -> Self {
        Self { limit: mebibytes.saturating_mul(1 << 20), kept: RwLock::default() }
    }

    /// The features of the image at `path`, without a graph.
    ///
    /// # Errors
    /// The image cannot be read, or does not fit the tower.
    pub fn features(&self, model: &Model, preprocessor: &Preprocessor, path: &Path) -> Result<ImageFeatures> {
        if let Some(features) = self.kept.read().unwrap_or_else(PoisonError::into_inner).features.get(path) {
            return Ok(features.clone());
        }
        let features = model.image_features(&[preprocessor.open(path)?])?.detach();
        let bytes = features.bytes();
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes <= self.limit && !kept.features.contains_key(path) {
            kept.bytes += bytes;
            kept.features.insert(path.to_path_buf(), features.clone());
        }
        Ok(features)
    }
}
