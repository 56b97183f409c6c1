//! The first frame of a GIF file as RGB bytes, every value as Pillow gives it.
//!
//! What the frame leaves free has the transparent index where it names one, else index 0; transparency itself is lost on
//! Pillow's conversion to RGB.

use std::borrow::Cow;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::MOST_PIXELS;
use super::colour::Palette;
use super::fault::{Broken, check_size};

/// Where the palette of all frames begins, and the flag that says that there is one.
const PALETTE_AT: usize = 13;
const FLAGS_AT: usize = 10;
const HAS_PALETTE: u8 = 0x80;
/// Largest file that is copied for that.
const MOST_COPIED: usize = 32 << 20;

/// The file with a palette of greys where it has none for all frames, which its decoder wants and Pillow does not.
fn with_palette(bytes: &[u8]) -> Cow<'_, [u8]> {
    match (bytes.get(..FLAGS_AT), bytes.get(FLAGS_AT), bytes.get(FLAGS_AT + 1..PALETTE_AT), bytes.get(PALETTE_AT..)) {
        (Some(head), Some(flags), Some(screen), Some(rest)) if flags & HAS_PALETTE == 0 && bytes.len() <= MOST_COPIED => {
            let greys: Vec<u8> = (0..=255).flat_map(|grey| [grey; 3]).collect();
            Cow::Owned([head, &[flags | HAS_PALETTE | 7], screen, &greys, rest].concat())
        }
        _ => Cow::Borrowed(bytes),
    }
}

fn decoder(bytes: &[u8]) -> Result<gif::Decoder<&[u8]>, Broken> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.check_lzw_end_code(true);
    options.set_memory_limit(MemoryLimit::Bytes(std::num::NonZeroU64::new(MOST_PIXELS).unwrap_or(std::num::NonZeroU64::MIN)));
    options.read_info(bytes).map_err(|error| error.to_string().into())
}

/// Whether the blocks of the first frame's data are there as they say how long they are; the one that ends them may be missing.
fn is_whole(bytes: &[u8]) -> bool {
    let table = |flags: u8| if flags & HAS_PALETTE == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let blocks = |mut at: usize| loop {
        match bytes.get(at) {
            None => return Some(at),
            Some(0) => return Some(at + 1),
            Some(length) if at + usize::from(*length) < bytes.len() => at += 1 + usize::from(*length),
            Some(_) => return None,
        }
    };
    let mut at = PALETTE_AT + table(bytes.get(FLAGS_AT).copied().unwrap_or_default());
    loop {
        match bytes.get(at) {
            // An extension: two bytes, then blocks.
            Some(b'!') => match blocks(at + 2) {
                Some(after) => at = after,
                None => return false,
            },
            // A frame: its place, its flags, its palette, one byte, then blocks.
            Some(b',') => {
                let Some(flags) = bytes.get(at + 9) else { return false };
                return blocks(at + 11 + table(*flags)).is_some();
            }
            Some(b';') | None => return false,
            Some(_) => at += 1,
        }
    }
}

/// The first frame's place: columns and rows before it, its own, and those of the whole image, which it may widen.
struct Place {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    whole: (u32, u32),
    transparent: Option<u8>,
}

fn place(decoder: &mut gif::Decoder<&[u8]>) -> Result<Place, Broken> {
    let (width, height) = (decoder.width(), decoder.height());
    let frame = decoder.next_frame_info().map_err(|error| error.to_string())?.ok_or("it has no image")?;
    let whole = (
        u32::from(width).max(u32::from(frame.left) + u32::from(frame.width)),
        u32::from(height).max(u32::from(frame.top) + u32::from(frame.height)),
    );
    check_size(whole.0, whole.1)?;
    Ok(Place {
        left: usize::from(frame.left),
        top: usize::from(frame.top),
        width: usize::from(frame.width),
        height: usize::from(frame.height),
        whole,
        transparent: frame.transparent,
    })
}

/// Columns and rows, from the headers.
pub(super) fn dimensions(bytes: &[u8]) -> Result<(u32, u32), Broken> {
    Ok(place(&mut decoder(&with_palette(bytes))?)?.whole)
}

/// Columns, rows and bytes `[height, width, 3]`.
pub(super) fn pixels(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), Broken> {
    if !is_whole(bytes) {
        return Err("the file is truncated".into());
    }
    let bytes = with_palette(bytes);
    let mut decoder = decoder(&bytes)?;
    let place = place(&mut decoder)?;
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(|error| error.to_string())?;
    let palette = Palette::or_greys(decoder.palette().unwrap_or_default().as_chunks::<3>().0.iter().copied());
    let (width, height) = (place.whole.0 as usize, place.whole.1 as usize);
    let free = palette.colour(place.transparent.unwrap_or(0));
    let mut pixels = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        let row = y.checked_sub(place.top).filter(|row| *row < place.height);
        for x in 0..width {
            let column = x.checked_sub(place.left).filter(|column| *column < place.width);
            let index = row.zip(column).and_then(|(row, column)| indices.get(row * place.width + column));
            pixels.extend(index.map_or(free, |index| palette.colour(*index)));
        }
    }
    Ok((place.whole.0, place.whole.1, pixels))
}
