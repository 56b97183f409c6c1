//! The orientation that a camera wrote beside an image, and what turning by it does.
//!
//! Pillow leaves an image as it is stored, and so do transformers and qwen_vl_utils: a photograph
//! taken upright may reach the model on its side. Only in TIFF files does Pillow turn it by itself
//! (`TiffImageFile.load_end`), and so does the module that reads them.

use std::path::Path;

use prism_run::{Error, Result};
use serde::{Deserialize, Serialize};

use super::RgbImage;
use super::decode::{self, Kind, png};

/// Whether an image is turned as its EXIF orientation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exif {
    /// Left as it is stored, as Pillow leaves it.
    #[default]
    Leave,
    /// Turned, as Pillow's `ImageOps.exif_transpose` does.
    Apply,
}

impl std::str::FromStr for Exif {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "leave" => Ok(Self::Leave),
            "apply" => Ok(Self::Apply),
            _ => Err(Error::Value { what: "exif", value: text.into(), cause: "is not known".into(), remedy: "use leave or apply".into() }),
        }
    }
}

/// How an image lies in its file: one of the eight values of EXIF's tag 0x0112.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation(u8);

impl Orientation {
    /// As it is to be seen.
    pub const UPRIGHT: Self = Self(1);

    /// The one of that number; anything outside 1 to 8 says nothing.
    pub fn new(number: u32) -> Self {
        if (1..=8).contains(&number) { Self(number as u8) } else { Self::UPRIGHT }
    }

    /// What an image file says, or a default one where it says nothing.
    ///
    /// TIFF files are left out: these are turned when they are read.
    pub fn of(bytes: &[u8]) -> Self {
        let block = match Kind::of(bytes) {
            Kind::Jpeg => jpeg(bytes),
            Kind::Png => png::chunk(bytes, *b"eXIf"),
            Kind::WebP => webp(bytes),
            _ => None,
        };
        block.and_then(orientation).map_or(Self::UPRIGHT, Self::new)
    }

    /// What the image file at `path` says; of a PNG, what its first 256 KiB say, where cameras and libraries write it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(path: &Path) -> decode::Result<Self> {
        Ok(Self::of(&decode::beginning(path)?))
    }

    /// Whether rows become columns.
    pub fn swaps_sides(self) -> bool {
        self.0 >= 5
    }

    /// Whether nothing is to be done.
    pub fn is_upright(self) -> bool {
        self == Self::UPRIGHT
    }

    /// What it says, for people, e.g. `6: to be turned by 90 degrees`.
    pub fn in_words(self) -> &'static str {
        match self.0 {
            2 => "2: to be mirrored",
            3 => "3: to be turned by 180 degrees",
            4 => "4: to be mirrored upside down",
            5 => "5: to be mirrored and turned by 270 degrees",
            6 => "6: to be turned by 90 degrees",
            7 => "7: to be mirrored and turned by 90 degrees",
            8 => "8: to be turned by 270 degrees",
            _ => "1: upright",
        }
    }

    /// The image as it is to be seen.
    pub fn apply(self, image: RgbImage) -> RgbImage {
        if self.is_upright() {
            return image;
        }
        let (width, height) = (image.width(), image.height());
        let (out_width, out_height) = if self.swaps_sides() { (height, width) } else { (width, height) };
        let mut pixels = Vec::with_capacity(image.pixels().len());
        for y in 0..out_height {
            for x in 0..out_width {
                let (from_x, from_y) = match self.0 {
                    2 => (width - 1 - x, y),
                    3 => (width - 1 - x, height - 1 - y),
                    4 => (x, height - 1 - y),
                    5 => (y, x),
                    6 => (y, height - 1 - x),
                    7 => (width - 1 - y, height - 1 - x),
                    8 => (width - 1 - y, x),
                    _ => (x, y),
                };
                let at = 3 * (from_y * width + from_x);
                pixels.extend_from_slice(&image.pixels()[at..at + 3]);
            }
        }
        RgbImage::from_parts(out_width, out_height, pixels)
    }
}

/// The first EXIF block of a JPEG file, which stands before the image's data.
fn jpeg(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(2..)?;
    loop {
        let (&[mark, kind, high, low], _) = rest.split_first_chunk::<4>()?;
        // The image's data begin, or this is no marker.
        if mark != 0xff || kind == 0xda || kind == 0xd9 {
            return None;
        }
        if kind == 0xff {
            rest = &rest[1..];
            continue;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = rest.get(4..2 + length)?;
        if kind == 0xe1
            && let Some(block) = segment.strip_prefix(b"Exif\0\0")
        {
            return Some(block);
        }
        rest = rest.get(2 + length..)?;
    }
}

/// The chunk `EXIF` of a WebP file.
fn webp(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(12..)?;
    loop {
        let (head, _) = rest.split_first_chunk::<8>()?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if &head[..4] == b"EXIF" {
            let block = rest.get(8..8usize.checked_add(length)?)?;
            return Some(block.strip_prefix(b"Exif\0\0").unwrap_or(block));
        }
        rest = rest.get(8usize.checked_add(length)?.checked_add(length & 1)?..)?;
    }
}

/// Tag 0x0112 of a block's first directory.
fn orientation(block: &[u8]) -> Option<u32> {
    let big = match block.get(..2)? {
        b"II" => false,
        b"MM" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let pair = [*block.get(at)?, *block.get(at + 1)?];
        Some(if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    };
    let long = |at: usize| {
        let four = [*block.get(at)?, *block.get(at + 1)?, *block.get(at + 2)?, *block.get(at + 3)?];
        Some(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    };
    let start = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(start)?);
    (0..entries).map(|n| start.saturating_add(2 + 12 * n)).find(|at| short(*at) == Some(0x0112)).and_then(|at| match short(at + 2)? {
        3 => short(at + 8).map(u32::from),
        4 => long(at + 8),
        1 => block.get(at + 8).map(|byte| u32::from(*byte)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_without_end_says_nothing() {
        assert_eq!(orientation(b"II*\0\xff\xff\xff\xff"), None);
        assert_eq!(orientation(b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"), Some(6));
        assert_eq!(orientation(b"II"), None);
        assert_eq!(jpeg(&[0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 1]), None);
        assert_eq!(webp(b"RIFF\0\0\0\0WEBPEXIF\xff\xff\xff\xff"), None);
    }
}
