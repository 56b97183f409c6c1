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
pub mod exif;
pub mod patches;
pub mod processor;
pub mod smart_resize;

use std::path::Path;

use prism_run::protocol::Pixels;
use prism_run::{Error, Result};

pub use before::Before;
pub use config::PixelConfig;
pub use decode::{ImageFault, RgbImage};
pub use exif::{Exif, Orientation};
pub use processor::{ImageProcessor, Processor};
pub use smart_resize::{Fetch, Resize};

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
    /// Whether an image file is turned as its EXIF orientation says.
    pub exif: Exif,
    /// What is done to an image before the processor.
    pub before: Before,
}

impl Preprocessor {
    /// The processor of these settings, on images as they are stored.
    pub fn new(config: PixelConfig) -> Self {
        Self { config, exif: Exif::Leave, before: Before::Nothing }
    }

    /// Reads the settings of a checkpoint folder ([`PixelConfig::of_folder`]). What is computed is the processor that the
    /// folder names; [`Preprocessor::processed_by`] chooses otherwise.
    ///
    /// # Errors
    /// When the file is missing or asks for a step other than those of the Qwen2-VL processor.
    pub fn from_dir(checkpoint: &Path) -> Result<Self> {
        Ok(Self::new(PixelConfig::of_folder(checkpoint)?))
    }

    /// The same by the processor that is asked for.
    pub fn processed_by(mut self, choice: ImageProcessor) -> Self {
        self.config.processor = choice.of(&self.config.saved);
        self
    }

    /// The same on images that are turned as their EXIF orientation says, or left.
    pub fn oriented_by(mut self, exif: Exif) -> Self {
        self.exif = exif;
        self
    }

    /// The same with other pixel limits, for whoever chooses the size: `None` keeps the checkpoint's, or qwen_vl_utils' own.
    ///
    /// # Errors
    /// When the limits exclude each other.
    pub fn sized_by(self, resize: Resize, min_pixels: Option<usize>, max_pixels: Option<usize>) -> Result<Self> {
        if resize == Resize::Processor {
            return self.with_pixels(min_pixels, max_pixels);
        }
        let own = Fetch::default();
        let fetch = Fetch { min_pixels: min_pixels.unwrap_or(own.min_pixels), max_pixels: max_pixels.unwrap_or(own.max_pixels), ..own };
        // The same limits are checked as a processor's.
        let limits = PixelConfig { min_pixels: fetch.min_pixels, max_pixels: fetch.max_pixels, ..PixelConfig::default() };
        Self::new(limits).with_pixels(None, None)?;
        Ok(Self { before: Before::Fetch(fetch), ..self })
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
            let PixelConfig { min_pixels, max_pixels, .. } = Self::new(self.config.clone()).with_pixels(Some(min), Some(max))?.config;
            self.before = Before::Fetch(Fetch { factor, min_pixels, max_pixels });
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
        let image = match self.exif {
            Exif::Leave => decode::open(path)?,
            Exif::Apply => {
                let bytes = decode::read(path)?;
                Orientation::of(&bytes).apply(decode::bytes_to_rgb(&bytes, path)?)
            }
        };
        self.image(&image).map_err(|said| ImageFault::of_shape(path, said).into())
    }

    /// Pixels of a decoded image.
    ///
    /// # Errors
    /// Says why the image's shape is refused.
    pub fn image(&self, image: &RgbImage) -> std::result::Result<PixelValues, String> {
        let prepared = match self.prepared(image.height(), image.width())? {
            Some((height, width)) => &bicubic::resize(image, width, height, bicubic::Rounding::Pillow),
            None => image,
        };
        let (height, width) = self.processed(prepared.height(), prepared.width())?;
        let rounding = match self.config.processor {
            Processor::Slow => bicubic::Rounding::Pillow,
            Processor::Fast => bicubic::Rounding::Torch,
        };
        let resized = bicubic::resize(prepared, width, height, rounding);
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
        let (height, width) = self.size(height, width)?;
        Ok(Grid { t: 1, h: height / self.config.patch_size, w: width / self.config.patch_size })
    }

    /// The grid of the image file at `path`; only its header is read.
    ///
    /// # Errors
    /// As [`Preprocessor::open`].
    pub fn grid_of(&self, path: &Path) -> crate::Result<Grid> {
        let (width, height) = match self.exif {
            Exif::Leave => decode::dimensions(path)?,
            Exif::Apply => {
                let bytes = decode::read(path)?;
                let (width, height) = decode::dimensions_in(&bytes, path)?;
                if Orientation::of(&bytes).swaps_sides() { (height, width) } else { (width, height) }
            }
        };
        self.grid(height, width).map_err(|said| ImageFault::of_shape(path, said).into())
    }

    /// The size in which the patches are cut.
    fn size(&self, height: usize, width: usize) -> std::result::Result<(usize, usize), String> {
        let (height, width) = self.prepared(height, width)?.unwrap_or((height, width));
        self.processed(height, width)
    }

    /// The size that is handed to the processor, where something is done to the image before.
    fn prepared(&self, height: usize, width: usize) -> std::result::Result<Option<(usize, usize)>, String> {
        let Some((height, width)) = self.before.size(height, width)? else { return Ok(None) };
        allowed(height, width, 1)?;
        Ok(Some((height, width)))
    }

    /// The size that the processor makes of it.
    fn processed(&self, height: usize, width: usize) -> std::result::Result<(usize, usize), String> {
        let factor = self.config.patch_size * self.config.merge_size;
        let (height, width) = smart_resize::smart_resize(height, width, factor, self.config.min_pixels, self.config.max_pixels)?;
        allowed(height, width, self.config.temporal_patch_size)?;
        Ok((height, width))
    }
}

/// Refuses a size in which an image would be too large: a side is at least one merged token, so that a long image may
/// exceed the limit of pixels.
fn allowed(height: usize, width: usize, frames: usize) -> std::result::Result<(), String> {
    let values = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(frames));
    match values.is_none_or(|values| values > config::MOST_VALUES) {
        true => Err(format!("it would become {height} x {width} pixels, too many")),
        false => Ok(()),
    }
}

/// Fewest items of one image that go to a thread: all of them where this thread is a worker
/// of a pool already, whose fellows read other images. Waiting for shared work, a worker
/// would begin another example in the middle of this one.
fn share(fewest: usize) -> usize {
    if rayon::current_thread_index().is_some() { usize::MAX } else { fewest }
}
