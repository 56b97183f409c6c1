//! Patches of images as rows: the first layer of a tower.

use crate::config::VisionConfig;
use crate::ops;
use crate::preprocess::PixelValues;
use crate::tensor::{Device, Tensor};
use crate::weights::{Init, Scope};
use crate::{Error, Result};

/// `patch_embed.proj` as a matrix `[hidden, channels * frames * side^2]`: a convolution whose stride is
/// its kernel is a matrix on each patch.
#[derive(Debug, Clone)]
pub struct Patches {
    /// `[hidden, length]`.
    pub weight: Tensor,
    /// `[hidden]`.
    pub bias: Option<Tensor>,
    /// Numbers of a patch.
    pub length: usize,
}

impl Patches {
    /// Loads the patch embedding of the tower that `scope` is of.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn load(config: &VisionConfig, scope: &mut Scope<'_>, bias: bool) -> Result<Self> {
        let (hidden, side) = (config.hidden_size, config.patch_size);
        let length = config.in_channels * config.temporal_patch_size * side.pow(2);
        let kernel = [hidden, config.in_channels, config.temporal_patch_size, side, side];
        let weight = scope.flat("patch_embed.proj.weight", &kernel, Init::Normal(config.initializer_range), (hidden, length))?;
        let bias = if bias { Some(scope.get("patch_embed.proj.bias", &[hidden], Init::Zeros)?) } else { None };
        Ok(Self { weight, bias, length })
    }

    /// The images' patches as one tensor `[patches, patch length]` of the weights' dtype, on their device.
    ///
    /// # Errors
    /// There is no image, or patches are of another length.
    pub fn of(&self, images: &[PixelValues]) -> Result<Tensor> {
        let total: usize = images.iter().map(|image| image.grid.patches()).sum();
        if images.is_empty() || images.iter().any(|image| image.values.len() != image.grid.patches() * self.length) {
            let cause = format!("{} images whose patches are not all {} numbers long", images.len(), self.length);
            return Err(Error::input("pixels", cause, "preprocess them with the checkpoint's own preprocessor_config.json"));
        }
        let values: Vec<f32> = images.iter().flat_map(|image| image.values.iter().copied()).collect();
        let patches = Tensor::from_vec(values, (total, self.length), &Device::Cpu)?;
        Ok(patches.to_dtype(self.weight.dtype())?.to_device(self.weight.device())?)
    }

    /// Their embeddings, `[patches, hidden]`.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn embed(&self, patches: &Tensor) -> Result<Tensor> {
        ops::linear(patches, &self.weight, self.bias.as_ref())
    }
}
