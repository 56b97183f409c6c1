//! How images become pixels: options that `audit`, `eval`, `trace` and `paths` share.

use clap::Args;
use prism_model::preprocess::{Exif, ImageProcessor, Resize};

/// Bounds, processor, orientation.
#[derive(Debug, Clone, Default, Args)]
pub struct ImageArguments {
    /// Fewest pixels of an image [default: the checkpoint's]
    #[arg(long)]
    pub min_pixels: Option<usize>,
    /// Most pixels of an image [default: the checkpoint's]
    #[arg(long)]
    pub max_pixels: Option<usize>,
    /// Image processor: slow (Pillow), fast (torchvision), as-saved (the one that transformers' AutoProcessor takes
    /// today) or named (the one the folder names, which AutoProcessor took up to 4.53) [default: named under a latent
    /// protocol, whose published runner is as old; else as-saved]
    #[arg(long, value_name = "slow|fast|as-saved|named")]
    pub image_processor: Option<ImageProcessor>,
    /// Whether an image is turned as its EXIF orientation says; transformers and Pillow leave it [default: leave]
    #[arg(long, value_name = "leave|apply")]
    pub exif: Option<Exif>,
    /// Who chooses an image's size: the processor, or before it qwen_vl_utils' fetch_image, which never lets a side
    /// fall below a token's [default: processor]
    #[arg(long, value_name = "processor|qwen-vl-utils")]
    pub resize: Option<Resize>,
}
