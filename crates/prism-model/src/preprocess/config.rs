//! `preprocessor_config.json`, or its place in `processor_config.json` (formats, checkpoints).

use std::path::{Path, PathBuf};

use prism_run::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::processor::{Processor, Saved};

/// The image processor's file, up to transformers 4.
pub const FILE: &str = "preprocessor_config.json";
/// The whole processor's file, in which transformers 5 keeps the image processor's keys under [`NESTED`].
pub const PROCESSOR_FILE: &str = "processor_config.json";
/// The key there.
pub const NESTED: &str = "image_processor";

/// What the Qwen2-VL image processor is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PixelConfig {
    /// Least pixels of a resized image.
    pub min_pixels: usize,
    /// Most pixels of a resized image.
    pub max_pixels: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Side of a merged token, in patches.
    pub merge_size: usize,
    /// Frames of a patch; a still image is repeated.
    pub temporal_patch_size: usize,
    /// Factor from bytes to 0..=1.
    pub rescale_factor: f64,
    /// Mean per channel.
    pub image_mean: [f64; 3],
    /// Standard deviation per channel.
    pub image_std: [f64; 3],
    /// The arithmetic. As read, that of the class the folder names.
    pub processor: Processor,
    /// What the folder names.
    pub saved: Saved,
}

impl Default for PixelConfig {
    /// Qwen2.5-VL's published numbers.
    fn default() -> Self {
        Self {
            min_pixels: 56 * 56,
            max_pixels: 28 * 28 * 1280,
            patch_size: 14,
            merge_size: 2,
            temporal_patch_size: 2,
            rescale_factor: 1.0 / 255.0,
            image_mean: [0.48145466, 0.4578275, 0.40821073],
            image_std: [0.26862954, 0.26130258, 0.27577711],
            processor: Processor::Slow,
            saved: Saved::default(),
        }
    }
}

/// The file's own field names; everything may be absent.
#[derive(Deserialize)]
struct File {
    min_pixels: Option<usize>,
    max_pixels: Option<usize>,
    size: Option<Size>,
    patch_size: Option<usize>,
    merge_size: Option<usize>,
    temporal_patch_size: Option<usize>,
    rescale_factor: Option<f64>,
    image_mean: Option<[f64; 3]>,
    image_std: Option<[f64; 3]>,
    #[serde(default = "on")]
    do_resize: Option<bool>,
    #[serde(default = "on")]
    do_rescale: Option<bool>,
    #[serde(default = "on")]
    do_normalize: Option<bool>,
    #[serde(default = "on")]
    do_convert_rgb: Option<bool>,
    resample: Option<u32>,
    image_processor_type: Option<String>,
}

/// A step that is not mentioned is done; one that is `null` is not, as `false`.
fn on() -> Option<bool> {
    Some(true)
}

#[derive(Deserialize)]
struct Size {
    shortest_edge: Option<usize>,
    longest_edge: Option<usize>,
}

/// Pillow's number of the bicubic filter.
const BICUBIC: u32 = 3;

/// What a user can do about a file that cannot be used.
const COMPARE: &str = "compare it with a released checkpoint's";

impl PixelConfig {
    /// Reads the settings of a checkpoint folder; an absent key has Qwen2.5-VL's value.
    ///
    /// They are those under `image_processor` in `processor_config.json` where these are, else
    /// `preprocessor_config.json`, as transformers 5 looks for them.
    ///
    /// # Errors
    /// When there is no such file, or it is malformed or asks for another pipeline.
    pub fn of_folder(folder: &Path) -> Result<Self> {
        match nested(folder)? {
            Some((path, value)) => Self::from_value(value, true, &path),
            None => Self::read(&folder.join(FILE)),
        }
    }

    /// The file of a folder that holds the settings, and whether they are a part of it.
    ///
    /// # Errors
    /// When `processor_config.json` is there and cannot be read.
    pub fn place(folder: &Path) -> Result<(PathBuf, bool)> {
        Ok(nested(folder)?.map_or_else(|| (folder.join(FILE), false), |(path, _)| (path, true)))
    }

    /// Reads `preprocessor_config.json` at `path`.
    ///
    /// # Errors
    /// As [`PixelConfig::of_folder`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = prism_run::door::read_linked(path, prism_run::door::Limit::Settings)?;
        Self::from_value(parsed(&text, path)?, false, path)
    }

    fn from_value(value: Value, nested: bool, path: &Path) -> Result<Self> {
        let file: File =
            serde_path_to_error::deserialize(value).map_err(|e| Error::content(path, format!("`{}`: {}", e.path(), e.inner()), COMPARE))?;
        let switches = [file.do_resize, file.do_rescale, file.do_normalize, file.do_convert_rgb];
        if switches.iter().any(|switch| *switch != Some(true)) || file.resample.is_some_and(|r| r != BICUBIC) {
            return Err(Error::content(
                path,
                "it switches a step off or resizes otherwise than bicubic",
                "only the published Qwen2-VL pipeline is implemented: remove the do_* and resample keys",
            ));
        }
        let saved = Saved { class: file.image_processor_type, nested };
        if !saved.is_known() {
            return Err(Error::content(
                path,
                format!("`image_processor_type` is {}, no image processor of Qwen2-VL", saved.class.unwrap_or_default()),
                "give the file of a Qwen-VL checkpoint",
            ));
        }
        let base = Self::default();
        let size = file.size.as_ref();
        if size.is_some_and(|size| size.shortest_edge.is_none() || size.longest_edge.is_none()) {
            let cause = "`size` lacks `shortest_edge` or `longest_edge`, without which transformers refuses it";
            return Err(Error::content(path, cause, "give both in pixels, or `min_pixels` and `max_pixels` without `size`"));
        }
        let config = Self {
            min_pixels: file.min_pixels.or(size.and_then(|s| s.shortest_edge)).unwrap_or(base.min_pixels),
            max_pixels: file.max_pixels.or(size.and_then(|s| s.longest_edge)).unwrap_or(base.max_pixels),
            patch_size: file.patch_size.unwrap_or(base.patch_size),
            merge_size: file.merge_size.unwrap_or(base.merge_size),
            temporal_patch_size: file.temporal_patch_size.unwrap_or(base.temporal_patch_size),
            rescale_factor: file.rescale_factor.unwrap_or(base.rescale_factor),
            image_mean: file.image_mean.unwrap_or(base.image_mean),
            image_std: file.image_std.unwrap_or(base.image_std),
            processor: saved.named(),
            saved,
        };
        config.check().map_err(|cause| Error::content(path, cause, COMPARE))?;
        Ok(config)
    }

    /// Says what makes the numbers unusable.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        if self.min_pixels == 0 || self.min_pixels > self.max_pixels || self.max_pixels > MOST_PIXELS {
            return Err(format!("min_pixels {} and max_pixels {} are no usable limits", self.min_pixels, self.max_pixels));
        }
        let bounds = [("patch_size", self.patch_size, 128), ("merge_size", self.merge_size, 16)];
        for (key, value, most) in bounds.into_iter().chain([("temporal_patch_size", self.temporal_patch_size, 16)]) {
            if !(1..=most).contains(&value) {
                return Err(format!("{key} {value} is outside 1..={most}"));
            }
        }
        if self.max_pixels * self.temporal_patch_size > MOST_VALUES {
            return Err(format!("max_pixels {} in {} frames are too many numbers", self.max_pixels, self.temporal_patch_size));
        }
        let finite = |numbers: &[f64; 3]| numbers.iter().all(|v| v.is_finite());
        if !finite(&self.image_mean) || !finite(&self.image_std) || self.image_std.contains(&0.0) || !self.rescale_factor.is_finite() {
            return Err("image_mean, image_std or rescale_factor is no usable number".into());
        }
        Ok(())
    }
}

/// The keys of the image processor in `processor_config.json`, where that file has them.
fn nested(folder: &Path) -> Result<Option<(PathBuf, Value)>> {
    let path = folder.join(PROCESSOR_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = prism_run::door::read_linked(&path, prism_run::door::Limit::Settings)?;
    let Value::Object(mut file) = parsed(&text, &path)? else {
        return Err(Error::content(&path, "is not a JSON object", COMPARE));
    };
    Ok(file.remove(NESTED).filter(Value::is_object).map(|value| (path, value)))
}

fn parsed(text: &[u8], path: &Path) -> Result<Value> {
    serde_json::from_slice(text).map_err(|e| Error::content(path, e.to_string(), COMPARE))
}

/// No resized image is larger; far above any published limit.
pub(super) const MOST_PIXELS: usize = 1 << 26;
/// Pixels times frames of one image at most.
pub(super) const MOST_VALUES: usize = 2 * MOST_PIXELS;

#[cfg(test)]
mod tests {
    use super::*;

    /// Each refused by `Qwen2VLImageProcessor` of transformers 4.54.1, or run there without the step.
    #[test]
    fn what_transformers_refuses_or_switches_off_is_refused() {
        let read = |text: &str| PixelConfig::from_value(serde_json::from_str(text).unwrap(), false, Path::new(FILE));
        for text in [
            r#"{"size": {"height": 56, "width": 56}}"#,
            r#"{"size": {"shortest_edge": 784}}"#,
            r#"{"size": {"min_pixels": 784, "max_pixels": 6272}}"#,
            r#"{"do_rescale": null}"#,
            r#"{"do_normalize": null}"#,
            r#"{"do_resize": null}"#,
            r#"{"do_resize": false}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let config = read(r#"{"size": {"shortest_edge": 784, "longest_edge": 6272}, "min_pixels": null, "crop_size": null}"#).unwrap();
        assert_eq!((config.min_pixels, config.max_pixels), (784, 6272));
    }

    #[test]
    fn sizes_that_no_machine_holds_are_refused() {
        let base = PixelConfig::default();
        assert!(base.check().is_ok());
        let hostile = [
            PixelConfig { temporal_patch_size: 1024, max_pixels: 1 << 28, ..base.clone() },
            PixelConfig { temporal_patch_size: 16, max_pixels: 1 << 26, ..base.clone() },
            PixelConfig { patch_size: 1024, ..base.clone() },
            PixelConfig { merge_size: 1024, ..base },
        ];
        assert!(hostile.iter().all(|config| config.check().is_err()));
    }
}
