//! An example's image, small enough to embed, or the reason there is none.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{ImageFormat, ImageReader, Limits};

use crate::html::base64;

/// Longest side of an embedded image, pixels.
const SIDE: u32 = 360;
/// Largest image file read, bytes.
const LARGEST_FILE: u64 = 64 << 20;
/// Memory one image may take while it is decoded, bytes.
const LARGEST_DECODE: u64 = 512 << 20;
/// A PNG above this many bytes is embedded as JPEG instead (photographs).
const LARGEST_PNG: usize = 96 << 10;

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

/// Reads the image at `path` as the records name it: absolute, relative to the
/// working directory, or relative to the run folder or one of its parents.
///
/// # Errors
/// The reason in words, for the placeholder.
pub fn read(path: &str, run: &Path) -> Result<Picture, String> {
    let Encoded { kind, bytes, width, height } = encode(path, run, SIDE, LARGEST_PNG)?;
    Ok(Picture { uri: format!("data:{kind};base64,{}", base64(&bytes)), width, height })
}

/// Width and height of that image, read from its head alone.
///
/// # Errors
/// The reason in words.
pub fn size(path: &str, run: &Path) -> Result<(u32, u32), String> {
    open(path, run)?.into_dimensions().map_err(|e| format!("{path} is not an image that can be read: {e}"))
}

/// That image decoded and written anew, no side longer than `side`; as JPEG where the
/// PNG would be larger than `largest_png` bytes.
///
/// # Errors
/// The reason in words.
pub fn encode(path: &str, run: &Path, side: u32, largest_png: usize) -> Result<Encoded, String> {
    let decoded = open(path, run)?.decode().map_err(|e| format!("{path} is not an image that can be read: {e}"))?;
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

fn open(path: &str, run: &Path) -> Result<ImageReader<BufReader<File>>, String> {
    if path.is_empty() {
        return Err("the records name no image".into());
    }
    let found = locate(Path::new(path), run).ok_or_else(|| format!("{path} was not found"))?;
    let size = std::fs::metadata(&found).map_err(|e| format!("{path}: {e}"))?.len();
    if size > LARGEST_FILE {
        return Err(format!("{path} is {} MB, more than the {} MB this page reads", size >> 20, LARGEST_FILE >> 20));
    }
    let mut reader = ImageReader::open(&found).and_then(ImageReader::with_guessed_format).map_err(|e| format!("{path}: {e}"))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST_DECODE);
    reader.limits(limits);
    Ok(reader)
}

fn locate(path: &Path, run: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_path_buf());
    }
    if path.is_absolute() {
        return None;
    }
    run.ancestors().map(|folder| folder.join(path)).find(|p| p.is_file())
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
        let picture = read(&path.to_string_lossy(), dir.path()).unwrap();
        assert_eq!((picture.width, picture.height), (360, 180));
        assert!(picture.uri.starts_with("data:image/png;base64,"));
        let run = dir.path().join("runs/a/audit");
        std::fs::create_dir_all(&run).unwrap();
        assert!(read("x.png", &run).is_ok(), "relative to a parent of the run folder");
        assert!(read("nowhere.png", &run).unwrap_err().contains("not found"));
        std::fs::write(dir.path().join("y.png"), b"no image").unwrap();
        assert!(read("y.png", &run).unwrap_err().contains("y.png"));
    }
}
