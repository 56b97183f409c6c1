//! From an image file to what the vision tower reads (method, section 1).
//!
//! The pipeline, in order: [`decode`] the file to RGB, [`smart_resize`] chooses a
//! size of whole merged tokens, [`bicubic`] resizes, [`patches`] normalises and lays the
//! pixels out. Every value equals the one that transformers' Qwen2-VL image processor
//! computes, the slow (Pillow, numpy) or the fast one (torchvision): see [`Processor`].

mod before;
pub mod bicubic;
pub mod config;
pub mod decode;
mod jpeg;
pub mod patches;
pub mod smart_resize;

use std::path::Path;

use prism_run::protocol::Pixels;
use prism_run::{Error, Result};

pub use before::Before;
pub use config::{PixelConfig, Processor};
pub use decode::{ImageFault, RgbImage};

/// Size of one image in patches: `(t, h, w)`; a still image has `t = 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Grid {
    /// Temporal patches, 1 for a still image.
    pub t: usize,
    /// Rows of patches.
    pub h: usize,
    /// Columns of patches.
    pub w: usize,
}

impl Grid {
    /// Number of patches.
    pub fn patches(self) -> usize {
        self.t * self.h * self.w
    }

    /// Number of visual tokens after the merger joins `merge` x `merge` patches.
    pub fn tokens(self, merge: usize) -> usize {
        self.t * (self.h / merge) * (self.w / merge)
    }
}

/// The patches of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelValues {
    /// `[patches, channels * temporal_patch_size * patch_size^2]`, row-major; 1176
    /// numbers a patch for the published models. Patches of one merged token are adjacent.
    pub values: Vec<f32>,
    /// The image's size in patches.
    pub grid: Grid,
}

impl PixelValues {
    /// Numbers per patch.
    pub fn patch_len(&self) -> usize {
        self.values.len().checked_div(self.grid.patches()).unwrap_or(0)
    }
}

/// Turns image files into [`PixelValues`].
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessor {
    /// The numbers of `preprocessor_config.json`.
    pub config: PixelConfig,
    /// What is done to an image before.
    pub before: Before,
}

impl Preprocessor {
    /// Reads `preprocessor_config.json` of a checkpoint folder.
    ///
    /// # Errors
    /// When the file is missing or asks for a step other than those of the Qwen2-VL processor.
    pub fn from_dir(checkpoint: &Path) -> Result<Self> {
        Ok(Self { config: PixelConfig::read(&checkpoint.join("preprocessor_config.json"))?, before: Before::Nothing })
    }

    /// The same with other pixel limits; `None` keeps the checkpoint's.
    ///
    /// # Errors
    /// When the limits exclude each other.
    pub fn with_pixels(mut self, min_pixels: Option<usize>, max_pixels: Option<usize>) -> Result<Self> {
        self.config.min_pixels = min_pixels.unwrap_or(self.config.min_pixels);
        self.config.max_pixels = max_pixels.unwrap_or(self.config.max_pixels);
        self.config.check().map_err(|cause| Error::Value {
            what: "pixel limits",
            value: format!("{}..{}", self.config.min_pixels, self.config.max_pixels),
            cause,
            remedy: "give 0 < min_pixels <= max_pixels".into(),
        })?;
        Ok(self)
    }

    /// The same with the sizes of a method's runner; `asked`, fewest and most pixels, come before its own.
    /// Also gives what is to be said of them.
    ///
    /// # Errors
    /// When the limits exclude each other.
    pub fn for_method(mut self, own: &Pixels, asked: (Option<usize>, Option<usize>)) -> Result<(Self, Option<String>)> {
        let ((min, max), said) = before::limits(own, &self.config, asked);
        if let Some(factor) = own.factor {
            let checked = Self { config: self.config.clone(), before: Before::Nothing }.with_pixels(Some(min), Some(max))?;
            self.before = Before::Message { factor, min: checked.config.min_pixels, max: checked.config.max_pixels };
            return Ok((self, said));
        }
        self.before = own.side.map_or(Before::Nothing, Before::Square);
        Ok((self.with_pixels(Some(min), Some(max))?, said))
    }

    /// Pixels of the image file at `path`.
    ///
    /// # Errors
    /// When the file cannot be read or decoded, or its sides differ by more than a factor of 200.
    pub fn open(&self, path: &Path) -> crate::Result<PixelValues> {
        let image = decode::open(path)?;
        self.image(&image).map_err(|said| ImageFault::of_shape(path, said).into())
    }

    /// Pixels of a decoded image.
    ///
    /// # Errors
    /// Says why the image's shape is refused.
    pub fn image(&self, image: &RgbImage) -> std::result::Result<PixelValues, String> {
        let image = &*self.before.image(image)?;
        let (height, width) = self.size(image.height(), image.width())?;
        let rounding = match self.config.processor {
            Processor::Slow => bicubic::Rounding::Pillow,
            Processor::Fast => bicubic::Rounding::Torch,
        };
        let resized = bicubic::resize(image, width, height, rounding);
        Ok(patches::patches(&resized, &self.config))
    }

    /// An image of that grid, every pixel of value 128; `None` of an empty one.
    pub fn grey(&self, grid: Grid) -> Option<PixelValues> {
        let side = self.config.patch_size;
        let (height, width) = (grid.h * side, grid.w * side);
        let grey = RgbImage::new(width, height, vec![128; 3 * width * height])?;
        Some(patches::patches(&grey, &self.config))
    }

    /// The grid an image of that size gets, without reading it.
    ///
    /// # Errors
    /// As [`Preprocessor::image`].
    pub fn grid(&self, height: usize, width: usize) -> std::result::Result<Grid, String> {
        let (height, width) = self.before.size(height, width)?;
        let (height, width) = self.size(height, width)?;
        Ok(Grid { t: 1, h: height / self.config.patch_size, w: width / self.config.patch_size })
    }

    /// The grid of the image file at `path`; only its header is read.
    ///
    /// # Errors
    /// As [`Preprocessor::open`].
    pub fn grid_of(&self, path: &Path) -> crate::Result<Grid> {
        let (width, height) = decode::dimensions(path)?;
        self.grid(height, width).map_err(|said| ImageFault::of_shape(path, said).into())
    }

    fn size(&self, height: usize, width: usize) -> std::result::Result<(usize, usize), String> {
        let factor = self.config.patch_size * self.config.merge_size;
        let (height, width) = smart_resize::smart_resize(height, width, factor, self.config.min_pixels, self.config.max_pixels)?;
        // A side is at least one merged token, so that a long image may exceed the limit of pixels.
        let values = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(self.config.temporal_patch_size));
        if values.is_none_or(|values| values > config::MOST_VALUES) {
            return Err(format!("it would become {height} x {width} pixels, too many"));
        }
        Ok((height, width))
    }
}

/// Fewest items of one image that go to a thread: all of them where this thread is a worker
/// of a pool already, whose fellows read other images. Waiting for shared work, a worker
/// would begin another example in the middle of this one.
fn share(fewest: usize) -> usize {
    if rayon::current_thread_index().is_some() { usize::MAX } else { fewest }
}
