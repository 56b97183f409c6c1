//! Image files to RGB bytes, as Pillow opens and converts them.
//!
//! Every value is Pillow's, for PNG here and for JPEG in the module beside. Pixels with
//! an alpha channel of their own (RGBA) are pasted on white, every other mode goes
//! through Pillow's RGB conversion (which drops a grey image's alpha and a palette's
//! transparency). The EXIF orientation is not applied, as Pillow leaves it.

use std::fmt::{self, Display};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits, codecs::png};
use prism_run::outcome::Cause;
use prism_run::shown::{shown, shown_path};

use super::jpeg;

/// Longest side accepted, in pixels.
pub const MOST_SIDE: u32 = 32_768;
/// Most pixels accepted: about what Pillow itself refuses as a decompression bomb.
pub const MOST_PIXELS: u64 = 178_956_970;
/// Largest image file accepted, in bytes.
pub const MOST_BYTES: u64 = 256 << 20;

/// Result of reading an image.
pub type Result<T> = std::result::Result<T, ImageFault>;

/// Why an image file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFault {
    /// The file, or the place of an image that lies inside one.
    pub path: PathBuf,
    /// The kind of fault: one of those that lie in an image.
    pub cause: Cause,
    /// What is wrong with it, beside the cause; of a broken file what its decoder said.
    pub said: String,
    /// What the user can do.
    pub remedy: &'static str,
}

impl ImageFault {
    /// A fault of the image at `path`.
    pub fn new(path: &Path, cause: Cause, said: impl Into<String>, remedy: &'static str) -> Self {
        Self { path: path.to_path_buf(), cause, said: said.into(), remedy }
    }

    /// Its sides are not such that it can be resized.
    pub fn of_shape(path: &Path, said: impl Into<String>) -> Self {
        Self::new(path, Cause::ImageShape, said, "crop or scale the image")
    }

    /// What is wrong with the file, e.g. `the image cannot be decoded: unexpected end of file`.
    pub fn what(&self) -> String {
        match self.cause {
            Cause::ImageAbsent | Cause::ImageUnreadable => format!("the image cannot be read: {}", self.said),
            Cause::ImageUndecodable => format!("the image cannot be decoded: {}", self.said),
            _ => self.said.clone(),
        }
    }

    /// The file and what is wrong with it, for where the cause is said beside it.
    pub fn in_short(&self) -> String {
        format!("{}: {}", self.path.display(), self.said)
    }
}

impl Display for ImageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", shown_path(&self.path), shown(&self.what()), self.remedy)
    }
}

impl std::error::Error for ImageFault {}

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
}

/// `(width, height)` of the image file at `path`, from its header.
///
/// # Errors
/// When the file cannot be read, is neither PNG nor JPEG, or is too large.
pub fn dimensions(path: &Path) -> Result<(usize, usize)> {
    let mut reader = BufReader::new(File::open(path).map_err(|e| unreadable(path, &e))?);
    let format = format(reader.fill_buf().map_err(|e| unreadable(path, &e))?);
    let (width, height) = match format.ok_or_else(|| not_an_image(path))? {
        ImageFormat::Png => png_dimensions(reader, path)?,
        _ => jpeg_dimensions(&whole(reader, path)?, path)?,
    };
    Ok((width as usize, height as usize))
}

/// `(width, height)` of the image in `bytes`, from its header; `path` names it in messages.
///
/// # Errors
/// As [`dimensions`].
pub fn dimensions_in(bytes: &[u8], path: &Path) -> Result<(usize, usize)> {
    let (width, height) = match format(bytes).ok_or_else(|| not_an_image(path))? {
        ImageFormat::Png => png_dimensions(Cursor::new(bytes), path)?,
        _ => jpeg_dimensions(bytes, path)?,
    };
    Ok((width as usize, height as usize))
}

fn png_dimensions(reader: impl BufRead + Seek, path: &Path) -> Result<(u32, u32)> {
    let (width, height) = png_decoder(reader).map_err(|e| png_fault(path, &e))?.dimensions();
    check_size(path, width, height)?;
    Ok((width, height))
}

fn jpeg_dimensions(bytes: &[u8], path: &Path) -> Result<(u32, u32)> {
    let (width, height) = jpeg::dimensions(bytes).map_err(|e| undecodable(path, &e))?;
    check_size(path, width, height)?;
    Ok((width, height))
}

/// The image file at `path`.
///
/// # Errors
/// When the file cannot be read or decoded, or is too large.
pub fn open(path: &Path) -> Result<RgbImage> {
    let file = File::open(path).map_err(|e| unreadable(path, &e))?;
    bytes_to_rgb(&whole(file, path)?, path)
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
    match format(bytes).ok_or_else(|| not_an_image(path))? {
        ImageFormat::Png => {
            let decoder = png_decoder(Cursor::new(bytes)).map_err(|e| png_fault(path, &e))?;
            rgb(decoder, png_colour_type(bytes), path)
        }
        _ => {
            let (width, height) = jpeg_dimensions(bytes, path)?;
            let pixels = jpeg::pixels(bytes).map_err(|e| undecodable(path, &e))?;
            checked(width, height, pixels, path)
        }
    }
}

fn png_decoder<R: BufRead + Seek>(reader: R) -> image::ImageResult<png::PngDecoder<R>> {
    png::PngDecoder::with_limits(reader, limits())
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_SIDE);
    limits.max_image_height = Some(MOST_SIDE);
    limits.max_alloc = Some(MOST_PIXELS * 8);
    limits
}

fn format(head: &[u8]) -> Option<ImageFormat> {
    image::guess_format(head).ok().filter(|f| matches!(f, ImageFormat::Png | ImageFormat::Jpeg))
}

/// The file's own colour type. The decoder also reports alpha for palettes and
/// for images with one transparent colour, where Pillow has none.
fn png_colour_type(bytes: &[u8]) -> Option<u8> {
    const COLOUR_TYPE_AT: usize = 25;
    bytes.get(COLOUR_TYPE_AT).copied()
}

/// PNG colour types that Pillow converts in a way of its own.
const PNG_GREY: u8 = 0;
const PNG_RGBA: u8 = 6;

fn check_size(path: &Path, width: u32, height: u32) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(ImageFault::new(path, Cause::ImageShape, "the image has no pixels", "replace the file"));
    }
    if width > MOST_SIDE || height > MOST_SIDE || u64::from(width) * u64::from(height) > MOST_PIXELS {
        let cause = format!("{width} x {height} pixels are more than are accepted ({MOST_SIDE} a side, {MOST_PIXELS} in all)");
        return Err(too_large(path, cause));
    }
    Ok(())
}

fn rgb(decoder: impl ImageDecoder, png_colour_type: Option<u8>, path: &Path) -> Result<RgbImage> {
    let (width, height) = decoder.dimensions();
    check_size(path, width, height)?;
    let image = DynamicImage::from_decoder(decoder).map_err(|e| png_fault(path, &e))?;
    let alpha_on_white = png_colour_type == Some(PNG_RGBA);
    let high = |value: u16| (value >> 8) as u8;
    // Pillow keeps 16-bit grey whole and saturates it on conversion; with alpha it reads the high bytes.
    let grey = |value: u16| if png_colour_type == Some(PNG_GREY) { value.min(255) as u8 } else { high(value) };
    let pixels: Vec<u8> = match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => image.pixels().flat_map(|p| opaque(p.0, alpha_on_white)).collect(),
        DynamicImage::ImageRgba16(image) => image.pixels().flat_map(|p| opaque(p.0.map(high), alpha_on_white)).collect(),
        DynamicImage::ImageRgb16(image) => image.into_raw().into_iter().map(high).collect(),
        DynamicImage::ImageLuma8(image) => image.into_raw().into_iter().flat_map(|v| [v; 3]).collect(),
        DynamicImage::ImageLumaA8(image) => image.pixels().flat_map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageLuma16(image) => image.into_raw().into_iter().flat_map(|v| [grey(v); 3]).collect(),
        DynamicImage::ImageLumaA16(image) => image.pixels().flat_map(|p| [grey(p.0[0]); 3]).collect(),
        other => other.to_rgb8().into_raw(),
    };
    checked(width, height, pixels, path)
}

fn checked(width: u32, height: u32, pixels: Vec<u8>, path: &Path) -> Result<RgbImage> {
    let fewer = "the decoder returned fewer pixels than the header says";
    RgbImage::new(width as usize, height as usize, pixels).ok_or_else(|| undecodable(path, &fewer))
}

/// The colour pasted on white by its alpha (Pillow's integer blend), or its alpha dropped.
fn opaque([r, g, b, a]: [u8; 4], on_white: bool) -> [u8; 3] {
    let blend = |channel: u8| {
        let sum = 255 * (255 - u32::from(a)) + u32::from(channel) * u32::from(a) + 128;
        (((sum >> 8) + sum) >> 8) as u8
    };
    if on_white { [r, g, b].map(blend) } else { [r, g, b] }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ImageFault {
    match error.kind() {
        ErrorKind::NotFound => ImageFault::new(path, Cause::ImageAbsent, error.to_string(), "put the file there, or correct its name"),
        _ => ImageFault::new(path, Cause::ImageUnreadable, error.to_string(), "give a file that this account may read"),
    }
}

fn not_an_image(path: &Path) -> ImageFault {
    ImageFault::new(path, Cause::ImageUndecodable, "it is neither a PNG nor a JPEG image", "convert it to PNG")
}

fn too_large(path: &Path, said: String) -> ImageFault {
    ImageFault::new(path, Cause::ImageTooLarge, said, "scale the image")
}

fn png_fault(path: &Path, error: &ImageError) -> ImageFault {
    match error {
        ImageError::Limits(_) => too_large(path, error.to_string()),
        _ => undecodable(path, error),
    }
}

fn undecodable(path: &Path, said: &dyn Display) -> ImageFault {
    ImageFault::new(path, Cause::ImageUndecodable, said.to_string(), "replace the file or convert it to PNG")
}
