//! Image files to RGB bytes, as Pillow opens and converts them.
//!
//! What a file is is told by its content ([`Kind`]); each kind has a module here. Every value is Pillow's. Pixels of mode
//! RGBA are pasted on white as qwen_vl_utils does, every other mode goes through Pillow's RGB conversion (which drops a grey
//! image's alpha and a palette's transparency). Of files with frames the first is read. The EXIF orientation is not applied
//! here, as Pillow leaves it; [`exif`](super::exif) does it where it is asked for.
//!
//! Sizes are read and checked before anything is put aside for pixels. Beside these, and a few bytes more for each, no
//! decoder takes more than 32 MiB.

mod bmp;
mod colour;
mod fault;
mod gif;
mod jpeg;
pub(super) mod png;
mod pnm;
mod tiff;
mod webp;

use std::io::{BufRead, BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub use fault::{Broken, ImageFault, Result};
use prism_run::picture;
pub use prism_run::picture::Kind;

use fault::{check_size, not_read, too_large, unreadable};

/// Longest side accepted, in pixels.
pub const MOST_SIDE: u32 = 32_768;
/// Most pixels accepted: about what Pillow itself refuses as a decompression bomb.
pub const MOST_PIXELS: u64 = 178_956_970;
/// Largest image file accepted, in bytes.
pub const MOST_BYTES: u64 = 256 << 20;

/// Bytes `[height, width, 3]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl RgbImage {
    /// An image of `width` x `height` from its bytes `[height, width, 3]`; `None` when they do not fit.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let fits = width > 0 && height > 0 && width.checked_mul(height)?.checked_mul(3)? == pixels.len();
        fits.then_some(Self { width, height, pixels })
    }

    pub(super) fn from_parts(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        debug_assert_eq!(width * height * 3, pixels.len());
        Self { width, height, pixels }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Bytes `[height, width, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    pub(super) fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

/// `(width, height)` of the image file at `path`, from its header.
///
/// # Errors
/// When the file cannot be read, is no image of a kind that is read, or is too large.
pub fn dimensions(path: &Path) -> Result<(usize, usize)> {
    let mut reader = BufReader::new(picture::open(path).map_err(|e| unreadable(path, &e))?);
    let kind = Kind::of(reader.fill_buf().map_err(|e| unreadable(path, &e))?);
    match kind {
        Kind::Png => sides(png::dimensions(reader), path),
        _ if kind.is_read() => dimensions_in(&whole(reader, path)?, path),
        _ => Err(not_read(path, kind)),
    }
}

/// `(width, height)` of the image in `bytes`, from its header; `path` names it in messages.
///
/// # Errors
/// As [`dimensions`].
pub fn dimensions_in(bytes: &[u8], path: &Path) -> Result<(usize, usize)> {
    let kind = Kind::of(bytes);
    let found = match kind {
        Kind::Png => png::dimensions(Cursor::new(bytes)),
        Kind::Jpeg => jpeg::dimensions(bytes).map_err(Broken::from),
        Kind::WebP => webp::dimensions(bytes),
        Kind::Gif => gif::dimensions(bytes),
        Kind::Bmp => bmp::dimensions(bytes),
        Kind::Tiff => tiff::dimensions(bytes),
        Kind::Pnm => pnm::dimensions(bytes),
        _ => return Err(not_read(path, kind)),
    };
    sides(found, path)
}

fn sides(found: std::result::Result<(u32, u32), Broken>, path: &Path) -> Result<(usize, usize)> {
    let checked = found.and_then(|(width, height)| check_size(width, height).map(|()| (width as usize, height as usize)));
    checked.map_err(|broken| broken.at(path))
}

/// The image file at `path`.
///
/// # Errors
/// When the file cannot be read or decoded, or is too large.
pub fn open(path: &Path) -> Result<RgbImage> {
    bytes_to_rgb(&read(path)?, path)
}

/// All bytes of the image file at `path`.
///
/// # Errors
/// When the file cannot be read or is larger than [`MOST_BYTES`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    whole(picture::open(path).map_err(|e| unreadable(path, &e))?, path)
}

/// As much of a file as tells its orientation: the beginning of a PNG, all of other kinds.
pub(super) fn beginning(path: &Path) -> Result<Vec<u8>> {
    const OF_PNG: u64 = 256 << 10;
    let mut reader = BufReader::new(picture::open(path).map_err(|e| unreadable(path, &e))?);
    match Kind::of(reader.fill_buf().map_err(|e| unreadable(path, &e))?) {
        Kind::Png => whole(reader.take(OF_PNG), path),
        _ => whole(reader, path),
    }
}

/// All bytes of a file of bounded size.
fn whole(file: impl Read, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|e| unreadable(path, &e))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(too_large(path, format!("the file is larger than {MOST_BYTES} bytes")));
    }
    Ok(bytes)
}

/// The image in `bytes`; `path` names it in messages.
///
/// # Errors
/// As [`open`].
pub fn bytes_to_rgb(bytes: &[u8], path: &Path) -> Result<RgbImage> {
    let kind = Kind::of(bytes);
    if !kind.is_read() {
        return Err(not_read(path, kind));
    }
    let decoded = match kind {
        Kind::Png => guarded(|| png::pixels(bytes)),
        Kind::WebP => guarded(|| webp::pixels(bytes)),
        Kind::Gif => guarded(|| gif::pixels(bytes)),
        Kind::Bmp => bmp::pixels(bytes),
        Kind::Tiff => guarded(|| tiff::pixels(bytes)),
        Kind::Pnm => pnm::pixels(bytes),
        _ => of_jpeg(bytes),
    };
    let (width, height, pixels) = decoded.map_err(|broken| broken.at(path))?;
    let image = RgbImage::new(width as usize, height as usize, pixels);
    image.ok_or_else(|| Broken::from("the decoder returned fewer pixels than the header says").at(path))
}

fn of_jpeg(bytes: &[u8]) -> std::result::Result<(u32, u32, Vec<u8>), Broken> {
    let (width, height) = jpeg::dimensions(bytes)?;
    check_size(width, height)?;
    Ok((width, height, jpeg::pixels(bytes)?))
}

/// Runs a decoder of others' making: one that gives up on a file in the middle ends that file and not the run.
fn guarded<T>(decode: impl FnOnce() -> std::result::Result<T, Broken>) -> std::result::Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err("its decoder gave up".into()))
}
