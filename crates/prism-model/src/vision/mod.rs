//! The vision tower.

use crate::Result;
use crate::config::Config;
use crate::weights::Loader;

/// The vision tower of Qwen2.5-VL.
#[derive(Debug, Clone)]
pub struct VisionTower {}

impl VisionTower {
    /// Loads the tower under `model.visual`.
    ///
    /// # Errors
    /// As [`Loader::get`].
    pub fn load(_config: &Config, loader: &mut Loader) -> Result<Self> {
        loader.ignore_below("model.visual.");
        Ok(Self {})
    }
}
