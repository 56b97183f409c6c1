//! An example's image, small enough to embed, or the reason there is none.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{ImageFormat, ImageReader, Limits};

use prism_run::door::Limit;

use super::Sources;
use crate::html::base64;

/// Longest side of an embedded image, pixels.
const SIDE: u32 = 360;
/// Memory one image may take while it is decoded, bytes.
const LARGEST_DECODE: u64 = 512 << 20;
/// Of this what lies beside its pixels: profiles and texts, which may be packed as well as anything.
const BESIDE: u64 = 32 << 20;
/// And each pixel: four channels of two bytes, and as much again where rows are put together.
const PER_PIXEL: u64 = 12;
/// A PNG above this many bytes is embedded as JPEG instead (photographs).
const LARGEST_PNG: usize = 96 << 10;

/// Longest side of an image that is unpacked, pixels.
const LONGEST: u32 = 1 << 17;
/// Pixels of an image that may be unpacked beside others.
const SMALL: u64 = 4 << 20;
/// Held while a larger one is.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// An image ready for the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// `data:image/...;base64,...`.
    pub uri: String,
    /// Width of the embedded image, pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
}

/// An image as a file that any browser shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// `image/png` or `image/jpeg`.
    pub kind: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
    /// Width, pixels.
    pub width: u32,
    /// Height, pixels.
    pub height: u32,
}

/// Reads the image that the records of `run` call `path`, if it lies where pictures may be taken from.
///
/// # Errors
/// The reason in words, for the placeholder.
pub fn read(path: &str, run: &Path, sources: &Sources) -> Result<Picture, String> {
    let Encoded { kind, bytes, width, height } = encode(path, run, sources, SIDE, LARGEST_PNG)?;
    Ok(Picture { uri: format!("data:{kind};base64,{}", base64(&bytes)), width, height })
}

/// Width and height of that image, read from its head alone.
///
/// # Errors
/// The reason in words.
pub fn size(path: &str, run: &Path, sources: &Sources) -> Result<(u32, u32), String> {
    let size = open(path, run, sources, BESIDE)?.into_dimensions().map_err(|e| format!("{path} is not an image that can be read: {e}"))?;
    if size.0.max(size.1) > LONGEST {
        return Err(format!("{path} is longer or wider than {LONGEST} pixels"));
    }
    let pixels = u64::from(size.0) * u64::from(size.1);
    if pixels > Limit::ImagePixels.value() { Err(format!("{path} {}", Limit::ImagePixels.cause())) } else { Ok(size) }
}

/// That image decoded and written anew, no side longer than `side`; as JPEG where the
/// PNG would be larger than `largest_png` bytes.
///
/// # Errors
/// The reason in words.
pub fn encode(path: &str, run: &Path, sources: &Sources, side: u32, largest_png: usize) -> Result<Encoded, String> {
    let (width, height) = size(path, run, sources)?;
    // Large images one after the other: each takes some hundred megabytes while it is unpacked.
    let alone = u64::from(width) * u64::from(height) > SMALL;
    let _alone = alone.then(|| ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    let memory = BESIDE + PER_PIXEL * u64::from(width) * u64::from(height);
    let decoded = open(path, run, sources, memory.min(LARGEST_DECODE))?
        .decode()
        .map_err(|e| format!("{path} is not an image that can be read: {e}"))?;
    let small = if decoded.width().max(decoded.height()) > side { decoded.resize(side, side, FilterType::Triangle) } else { decoded };
    // PNG and JPEG both hold 8-bit RGB; transparency is laid on white.
    let rgb = flatten(&small);
    let (width, height) = rgb.dimensions();
    let mut png = Cursor::new(Vec::new());
    rgb.write_to(&mut png, ImageFormat::Png).map_err(|e| format!("{path}: {e}"))?;
    if png.get_ref().len() <= largest_png {
        return Ok(Encoded { kind: "image/png", bytes: png.into_inner(), width, height });
    }
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 86).encode_image(&rgb).map_err(|e| format!("{path}: {e}"))?;
    Ok(Encoded { kind: "image/jpeg", bytes: jpeg, width, height })
}

/// The file, to be read with so much memory.
fn open(path: &str, run: &Path, sources: &Sources, memory: u64) -> Result<ImageReader<BufReader<File>>, String> {
    if path.is_empty() {
        return Err("the records name no image".into());
    }
    let unread = |e: &dyn std::fmt::Display| format!("{path} cannot be read: {e}");
    let file = sources.open(path, run)?;
    if file.metadata().map_err(|e| unread(&e))?.len() > Limit::ImageFile.value() {
        return Err(format!("{path} {}", Limit::ImageFile.cause()));
    }
    let mut reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(|e| unread(&e))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(memory);
    reader.limits(limits);
    Ok(reader)
}

fn flatten(image: &image::DynamicImage) -> image::RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let rgba = image.to_rgba8();
    image::RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba.get_pixel(x, y).0;
        let over = |c: u8| ((u32::from(c) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255) as u8;
        image::Rgb([over(r), over(g), over(b)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_image_is_made_small_and_an_absent_one_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.png");
        image::RgbImage::from_pixel(900, 450, image::Rgb([10, 200, 30])).save(&path).unwrap();
        let read = |path: &str| read(path, dir.path(), &Sources::default());
        let picture = read(&path.to_string_lossy()).unwrap();
        assert_eq!((picture.width, picture.height), (360, 180));
        assert!(picture.uri.starts_with("data:image/png;base64,"));
        assert!(read("nowhere.png").unwrap_err().contains("neither in the run nor below"));
        std::fs::write(dir.path().join("y.png"), b"no image").unwrap();
        assert!(read("y.png").unwrap_err().contains("y.png"));
    }

    #[test]
    fn an_image_of_too_many_pixels_is_not_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        image::GrayImage::new(9000, 8000).save(dir.path().join("x.png")).unwrap();
        assert!(read("x.png", dir.path(), &Sources::default()).unwrap_err().contains("pixels of an image"));
    }
}
