//! The first image of a TIFF file as RGB bytes, every value as Pillow gives it.
//!
//! Pillow names a mode for each combination of colours, bits and extra samples and refuses the rest; so does this module,
//! but for a few combinations nobody writes (docs/reference/data.md lists what is read). It turns the image by its
//! orientation, as Pillow does for this kind of file alone.

mod directory;
mod strips;

use super::super::RgbImage;
use super::super::exif::Orientation;
use super::colour::{Palette, cut, cut_float, high, inked, on_white, spread, unmultiplied, unpacked};
use super::fault::{Broken, check_size};
use directory::{Directory, tag};

/// What the samples of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Grey of 1, 2, 4 or 8 bits, and whether 0 is white; further samples say nothing.
    Grey { inverted: bool },
    /// Whole grey numbers of 16 bits, signed ones, and of 32 bits.
    Whole { signed: bool },
    /// Grey numbers.
    Float,
    /// Indices of 1, 2, 4 or 8 bits.
    Index,
    /// Red, green, blue, and further samples that say nothing.
    Rgb,
    /// The same with alpha behind them.
    Rgba { multiplied: bool },
    /// Ink.
    Cmyk,
    /// JPEG, whose decoder gives RGB.
    Jpeg,
}

/// An image's layout: what its directory says.
struct Layout {
    width: u32,
    height: u32,
    bits: u32,
    samples: usize,
    mode: Mode,
}

const WHITE_IS_0: u32 = 0;
const BLACK_IS_0: u32 = 1;
const RGB: u32 = 2;
const PALETTE: u32 = 3;
const INK: u32 = 5;
const YCBCR: u32 = 6;
const UNSIGNED: u32 = 1;
const SIGNED: u32 = 2;
const FLOATS: u32 = 3;

fn layout(directory: &Directory<'_>) -> Result<Layout, Broken> {
    let side = |name| directory.number(name).ok_or("it has no size").and_then(|side| u32::try_from(side).map_err(|_| "its size is none"));
    let (width, height) = (side(tag::WIDTH)?, side(tag::HEIGHT)?);
    check_size(width, height)?;
    let number = |name, absent: u32| directory.number(name).map_or(absent, |value| u32::try_from(value).unwrap_or(u32::MAX));
    let photometric = number(tag::PHOTOMETRIC, WHITE_IS_0);
    let jpeg = number(tag::COMPRESSION, 1) == strips::JPEG;
    let samples = number(tag::SAMPLES, if jpeg && matches!(photometric, RGB | YCBCR) { 3 } else { 1 });
    let all_bits = directory.numbers(tag::BITS, 16)?;
    let bits = all_bits.first().copied().unwrap_or(1);
    let extra = directory.numbers(tag::EXTRA, 16)?;
    let format = directory.numbers(tag::FORMAT, 16)?.first().copied().unwrap_or(u64::from(UNSIGNED));
    let mode = match (photometric, bits, samples, extra.as_slice(), format as u32) {
        _ if samples > 6 || all_bits.iter().any(|other| *other != bits) => None,
        (BLACK_IS_0 | YCBCR, 8, 1, [], _) if jpeg => Some(Mode::Jpeg),
        (RGB | YCBCR, 8, 3, [], _) if jpeg => Some(Mode::Jpeg),
        _ if jpeg => None,
        (WHITE_IS_0, 1 | 2 | 4 | 8, 1, [], UNSIGNED) => Some(Mode::Grey { inverted: true }),
        (BLACK_IS_0, 1 | 2 | 4 | 8, 1, [], UNSIGNED) => Some(Mode::Grey { inverted: false }),
        (BLACK_IS_0, 8, 1, [], SIGNED) => Some(Mode::Grey { inverted: false }),
        (BLACK_IS_0, 8, 2, [0 | 2], UNSIGNED) => Some(Mode::Grey { inverted: false }),
        (BLACK_IS_0, 16, 1, [], UNSIGNED) => Some(Mode::Whole { signed: false }),
        (WHITE_IS_0, 16, 1, [], UNSIGNED) if !directory.is_big_endian() => Some(Mode::Whole { signed: false }),
        (BLACK_IS_0, 32, 1, [], UNSIGNED) if !directory.is_big_endian() => Some(Mode::Whole { signed: true }),
        (BLACK_IS_0, 16 | 32, 1, [], SIGNED) => Some(Mode::Whole { signed: true }),
        (WHITE_IS_0 | BLACK_IS_0, 32, 1, [], FLOATS) => Some(Mode::Float),
        (RGB, 8, 3, [], UNSIGNED) | (RGB, 16, 3, [], UNSIGNED) => Some(Mode::Rgb),
        (RGB, 8 | 16, 4, [0], UNSIGNED) | (RGB, 8, 5, [0, 0], UNSIGNED) | (RGB, 8, 6, [0, 0, 0], UNSIGNED) => Some(Mode::Rgb),
        (RGB, 8 | 16, 4, [] | [2], UNSIGNED) | (RGB, 8, 4, [999], UNSIGNED) => Some(Mode::Rgba { multiplied: false }),
        (RGB, 8, 5, [2, 0], UNSIGNED) | (RGB, 8, 6, [2, 0, 0], UNSIGNED) => Some(Mode::Rgba { multiplied: false }),
        (RGB, 8 | 16, 4, [1], UNSIGNED) | (RGB, 8, 5, [1, 0], UNSIGNED) => Some(Mode::Rgba { multiplied: true }),
        (PALETTE, 1 | 2 | 4 | 8, 1, [], UNSIGNED) => Some(Mode::Index),
        (PALETTE, 8, 2, [0 | 2], UNSIGNED) => Some(Mode::Index),
        (INK, 8 | 16, 4, [], UNSIGNED) | (INK, 8, 5, [0], UNSIGNED) => Some(Mode::Cmyk),
        _ => None,
    };
    let mode = mode.ok_or_else(|| {
        format!(
            "this kind of TIFF is not read: photometric {photometric}, {samples} samples of {bits} bits, extra samples {extra:?}, \
             sample format {format}"
        )
    })?;
    Ok(Layout { width, height, bits: bits as u32, samples: samples as usize, mode })
}

fn orientation(directory: &Directory<'_>) -> Orientation {
    Orientation::new(directory.number(tag::ORIENTATION).and_then(|value| u32::try_from(value).ok()).unwrap_or(1))
}

/// Columns and rows of the image as Pillow shows it, from the directory.
pub(super) fn dimensions(bytes: &[u8]) -> Result<(u32, u32), Broken> {
    let directory = Directory::read(bytes)?;
    let Layout { width, height, .. } = layout(&directory)?;
    Ok(if orientation(&directory).swaps_sides() { (height, width) } else { (width, height) })
}

/// Columns, rows and bytes `[height, width, 3]`.
pub(super) fn pixels(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), Broken> {
    let directory = Directory::read(bytes)?;
    let layout = layout(&directory)?;
    let raw = strips::raw(&directory, &layout)?;
    let pixels = rgb(raw, &layout, &directory)?;
    let image = RgbImage::new(layout.width as usize, layout.height as usize, pixels).ok_or("it has fewer pixels than its size says")?;
    let image = orientation(&directory).apply(image);
    Ok((image.width() as u32, image.height() as u32, image.into_pixels()))
}

/// RGB of samples that lie pixel by pixel, rows packed.
fn rgb(raw: Vec<u8>, layout: &Layout, directory: &Directory<'_>) -> Result<Vec<u8>, Broken> {
    let (width, bits, samples) = (layout.width as usize, layout.bits, layout.samples);
    let short = |at: &[u8]| directory.short([at[0], at[1]]);
    let bytes_of = |of: usize| if bits == 16 { 2 * of } else { of };
    // A pixel's samples as bytes, the high ones of 16 bits.
    let byte = |pixel: &[u8], at: usize| if bits == 16 { high(short(&pixel[2 * at..])) } else { pixel[at] };
    let pixels = || raw.chunks_exact(bytes_of(samples));
    Ok(match layout.mode {
        Mode::Jpeg => raw,
        Mode::Rgb if samples == 3 && bits == 8 => raw,
        Mode::Rgb => pixels().flat_map(|pixel| [0, 1, 2].map(|at| byte(pixel, at))).collect(),
        Mode::Rgba { multiplied } => pixels()
            .flat_map(|pixel| {
                let pixel = [0, 1, 2, 3].map(|at| byte(pixel, at));
                on_white(if multiplied { unmultiplied(pixel) } else { pixel })
            })
            .collect(),
        Mode::Cmyk => pixels().flat_map(|pixel| inked([0, 1, 2, 3].map(|at| byte(pixel, at)))).collect(),
        Mode::Grey { inverted } if samples == 1 => unpacked(&raw, width, bits)
            .flat_map(|value| {
                let value = spread(value, bits);
                [if inverted { 255 - value } else { value }; 3]
            })
            .collect(),
        Mode::Grey { .. } => pixels().flat_map(|pixel| [pixel[0]; 3]).collect(),
        Mode::Whole { signed } if bits == 16 => raw
            .as_chunks::<2>()
            .0
            .iter()
            .flat_map(|pair| {
                let value = directory.short(*pair);
                [cut(if signed { i64::from(value as i16) } else { i64::from(value) }); 3]
            })
            .collect(),
        Mode::Whole { .. } => raw.as_chunks::<4>().0.iter().flat_map(|four| [cut(i64::from(directory.long(*four) as i32)); 3]).collect(),
        Mode::Float => raw.as_chunks::<4>().0.iter().flat_map(|four| [cut_float(f32::from_bits(directory.long(*four))); 3]).collect(),
        Mode::Index => {
            let colours = directory.numbers(tag::COLOURS, 3 << 8)?;
            let third = colours.len() / 3;
            let channel = |at: usize| (colours[at] / 256) as u8;
            let palette = Palette::new((0..third).map(|index| [channel(index), channel(third + index), channel(2 * third + index)]));
            match samples {
                1 => unpacked(&raw, width, bits).flat_map(|index| palette.colour(index)).collect(),
                _ => pixels().flat_map(|pixel| palette.colour(pixel[0])).collect(),
            }
        }
    })
}
