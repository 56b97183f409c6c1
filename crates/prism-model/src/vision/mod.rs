//! The vision tower of Qwen2.5-VL: patches to merged visual tokens.
//!
//! In order: patch embedding, blocks of attention and feed-forward ([`block`]) that
//! look at windows of the image except in a few that see it whole ([`layout`]), and
//! the merger that joins 2 x 2 patches into one token. Several images go through
//! one call laid end to end; none sees another. Weight names below `model.visual`.

pub mod block;
mod features;
pub mod layout;

use std::sync::Arc;

use crate::config::{Config, VisionConfig};
use crate::matrix::Matrix;
use crate::ops;
use crate::preprocess::{Grid, PixelValues};
use crate::tensor::{DType, Device, Tensor};
use crate::weights::{Init, Loader, Scope};
use crate::{Error, Model, Result, clock};

pub use features::ImageFeatures;

use block::VisionBlock;
use layout::Layout;

/// Added to the mean square in the tower's norms.
const EPS: f64 = 1e-6;

/// The vision tower.
#[derive(Debug, Clone)]
pub struct VisionTower {
    config: VisionConfig,
    /// `patch_embed.proj.weight` as a matrix `[hidden, channels * frames * side^2]`.
    patch_embed: Tensor,
    blocks: Vec<VisionBlock>,
    merger: Merger,
}

/// RMSNorm, then Linear, GELU, Linear over the joined patches of a token.
#[derive(Debug, Clone)]
struct Merger {
    ln_q: Tensor,
    mlp_0: (Matrix, Tensor),
    mlp_2: (Matrix, Tensor),
}

impl Merger {
    fn load(config: &VisionConfig, scope: &mut Scope<'_>) -> Result<Self> {
        let joined = config.hidden_size * config.spatial_merge_size.pow(2);
        let normal = Init::Normal(config.initializer_range);
        let ln_q = scope.get("ln_q.weight", &[config.hidden_size], Init::Ones)?;
        let mlp_0 = (scope.matrix("mlp.0.weight", [joined, joined], normal)?, scope.get("mlp.0.bias", &[joined], Init::Zeros)?);
        let out = config.out_hidden_size;
        let mlp_2 = (scope.matrix("mlp.2.weight", [out, joined], normal)?, scope.get("mlp.2.bias", &[out], Init::Zeros)?);
        Ok(Self { ln_q, mlp_0, mlp_2 })
    }

    /// x: `[patches, hidden]`, the patches of a token adjacent; `[tokens, out_hidden]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = &self.mlp_0;
        let (_, joined) = weight.dims()?;
        let x = ops::rms_norm(x, &self.ln_q, EPS)?.reshape(((), joined))?;
        let x = ops::gelu(&weight.linear(&x, Some(bias))?)?;
        let (weight, bias) = &self.mlp_2;
        weight.linear(&x, Some(bias))
    }
}

impl VisionTower {
    /// Loads the tower under `model.visual`.
    ///
    /// # Errors
    /// As [`Loader::get`].
    pub fn load(config: &Config, loader: &mut Loader) -> Result<Self> {
        let config = &config.vision;
        let mut scope = loader.at("model.visual");
        let (hidden, side) = (config.hidden_size, config.patch_size);
        let kernel = [hidden, config.in_channels, config.temporal_patch_size, side, side];
        // A convolution whose stride is its kernel is a matrix on each patch.
        let normal = Init::Normal(config.initializer_range);
        let patch_embed = scope.flat("patch_embed.proj.weight", &kernel, normal, (hidden, patch_len(config)))?;
        let blocks = (0..config.depth).map(|i| VisionBlock::load(config, &mut scope.at(&format!("blocks.{i}")))).collect::<Result<_>>()?;
        let merger = Merger::load(config, &mut scope.at("merger"))?;
        Ok(Self { config: config.clone(), patch_embed, blocks, merger })
    }

    /// Merged visual tokens of the images, `[tokens, out_hidden]`: image after image,
    /// each in row-major order of its merged grid.
    ///
    /// # Errors
    /// The pixels do not fit the tower, or the tensor library refuses.
    pub fn forward(&self, images: &[PixelValues]) -> Result<ImageFeatures> {
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let patches = self.patches(images)?;
        Ok(ImageFeatures::new(self.forward_patches(&patches, &grids)?, Vec::new()))
    }

    /// As [`VisionTower::forward`] from a tensor `[patches, patch_len]`, the images end to end.
    ///
    /// # Errors
    /// As [`VisionTower::forward`].
    pub fn forward_patches(&self, patches: &Tensor, grids: &[Grid]) -> Result<Tensor> {
        let layout = Layout::new(&self.config, grids)?;
        let index = |rows: &[u32]| Tensor::new(rows, patches.device());
        // Permuting before the embedding is the same and leaves less to differentiate.
        let patches = patches.index_select(&index(&layout.patch_order)?, 0)?;
        let mut x = ops::linear(&patches, &self.patch_embed, None)?;
        let windows = Arc::new(layout.window_bounds);
        let frames = Arc::new(layout.frame_bounds);
        for (i, block) in self.blocks.iter().enumerate() {
            let whole = self.config.fullatt_block_indexes.contains(&i);
            x = block.forward(&x, if whole { &frames } else { &windows }, &layout.rotary)?;
        }
        Ok(self.merger.forward(&x)?.index_select(&index(&layout.token_order)?, 0)?)
    }

    /// The images' patches as one tensor of the weights' dtype, on their device.
    fn patches(&self, images: &[PixelValues]) -> Result<Tensor> {
        let width = patch_len(&self.config);
        let total: usize = images.iter().map(|image| image.grid.patches()).sum();
        if images.is_empty() || images.iter().any(|image| image.values.len() != image.grid.patches() * width) {
            let cause = format!("{} images whose patches are not all {width} numbers long", images.len());
            return Err(Error::input("pixels", cause, "preprocess them with the checkpoint's own preprocessor_config.json"));
        }
        let values: Vec<f32> = images.iter().flat_map(|image| image.values.iter().copied()).collect();
        let patches = Tensor::from_vec(values, (total, width), &Device::Cpu)?;
        Ok(patches.to_dtype(self.dtype())?.to_device(self.patch_embed.device())?)
    }

    fn dtype(&self) -> DType {
        self.patch_embed.dtype()
    }
}

/// Numbers of a patch.
fn patch_len(config: &VisionConfig) -> usize {
    config.in_channels * config.temporal_patch_size * config.patch_size.pow(2)
}

impl Model {
    /// Merged visual tokens of images, `[tokens, hidden]`; see [`VisionTower::forward`].
    ///
    /// # Errors
    /// As [`VisionTower::forward`].
    pub fn image_features(&self, images: &[PixelValues]) -> Result<ImageFeatures> {
        clock::measured(clock::Phase::Vision, || self.visual.forward(images))
    }
}
