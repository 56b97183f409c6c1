//! BMP files to RGB bytes, every value as Pillow gives it.

use super::colour::{Palette, on_white, unpacked};
use super::fault::{Broken, check_size};

const CUT: &str = "the file is truncated";

/// How a pixel of more than 8 bits is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// An index, or a grey.
    Index,
    /// Five bits a channel.
    Bits555,
    /// Five, six and five bits.
    Bits565,
    /// Bytes, at these places: red, green, blue, alpha.
    Bytes([usize; 3], Option<usize>),
}

/// How rows are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Raw,
    Runs { of_nibbles: bool },
}

struct Header {
    width: u32,
    height: u32,
    upwards: bool,
    bits: u32,
    layout: Layout,
    packing: Packing,
    /// Where the palette stands, bytes an entry, entries.
    palette: (usize, usize, usize),
    /// Where the pixels stand.
    start: usize,
}

fn short(bytes: &[u8], at: usize) -> Result<u32, Broken> {
    let pair = bytes.get(at..at.saturating_add(2)).and_then(|pair| pair.first_chunk::<2>()).ok_or(CUT)?;
    Ok(u32::from(u16::from_le_bytes(*pair)))
}

fn long(bytes: &[u8], at: usize) -> Result<u32, Broken> {
    let four = bytes.get(at..at.saturating_add(4)).and_then(|four| four.first_chunk::<4>()).ok_or(CUT)?;
    Ok(u32::from_le_bytes(*four))
}

/// The layouts of 24 and 32 bits that Pillow knows, by their masks: red, green, blue, alpha.
fn of_masks(bits: u32, masks: [u32; 4]) -> Option<Layout> {
    let bytes = |red, green, blue, alpha| Some(Layout::Bytes([red, green, blue], alpha));
    let [r, g, b, _] = masks;
    match bits {
        16 if [r, g, b] == [0xf800, 0x7e0, 0x1f] => Some(Layout::Bits565),
        16 if [r, g, b] == [0x7c00, 0x3e0, 0x1f] => Some(Layout::Bits555),
        24 if [r, g, b] == [0xff_0000, 0xff00, 0xff] => bytes(2, 1, 0, None),
        32 => match masks {
            [0xff_0000, 0xff00, 0xff, 0] => bytes(2, 1, 0, None),
            [0xff00_0000, 0xff_0000, 0xff00, 0] => bytes(3, 2, 1, None),
            [0xff00_0000, 0xff00, 0xff, 0] => bytes(3, 1, 0, None),
            [0xff00_0000, 0xff_0000, 0xff00, 0xff] => bytes(3, 2, 1, Some(0)),
            [0xff, 0xff00, 0xff_0000, 0xff00_0000] => bytes(0, 1, 2, Some(3)),
            [0xff_0000, 0xff00, 0xff, 0xff00_0000] | [0, 0, 0, 0] => bytes(2, 1, 0, Some(3)),
            [0xff00_0000, 0xff00, 0xff, 0xff_0000] => bytes(3, 1, 0, Some(2)),
            _ => None,
        },
        _ => None,
    }
}

fn header(bytes: &[u8]) -> Result<Header, Broken> {
    let (mut start, length) = (long(bytes, 10)? as usize, long(bytes, 14)? as usize);
    let mut end = 14 + length;
    let (width, height, upwards, bits, compression, mut colours, padding) = match length {
        12 => (short(bytes, 18)?, short(bytes, 20)?, true, short(bytes, 24)?, 0, 0, 3),
        40 | 52 | 56 | 64 | 108 | 124 => {
            let height = long(bytes, 22)?;
            // A negative height means rows from above.
            let down = height >> 24 == 0xff;
            let height = if down { height.wrapping_neg() } else { height };
            (long(bytes, 18)?, height, !down, short(bytes, 28)?, long(bytes, 30)?, long(bytes, 46)?, 4)
        }
        other => return Err(format!("its header has {other} bytes, which no version of BMP has").into()),
    };
    check_size(width, height)?;
    let layout = match (bits, compression) {
        (1 | 4 | 8, 0..=2) => Layout::Index,
        (16, 0) => Layout::Bits555,
        (24 | 32, 0) => Layout::Bytes([2, 1, 0], None),
        (16 | 24 | 32, 3) => {
            let at = 54;
            let alpha = if length >= 56 { long(bytes, at + 12)? } else { 0 };
            let masks = [long(bytes, at)?, long(bytes, at + 4)?, long(bytes, at + 8)?, alpha];
            if length < 52 {
                end += 12;
            }
            of_masks(bits, masks).ok_or("its channels lie in a way that is not known")?
        }
        (1 | 4 | 8 | 16 | 24 | 32, _) => return Err(format!("its compression {compression} is not known for {bits} bits a pixel").into()),
        _ => return Err(format!("it has {bits} bits a pixel; 1, 4, 8, 16, 24 and 32 are known").into()),
    };
    let packing = match compression {
        1 | 2 => Packing::Runs { of_nibbles: compression == 2 },
        _ => Packing::Raw,
    };
    if colours == 0 {
        colours = if bits <= 8 { 1 << bits } else { 0 };
    }
    if layout == Layout::Index && colours > 65_536 {
        return Err(format!("its palette has {colours} colours").into());
    }
    let entries = if layout == Layout::Index { colours as usize } else { 0 };
    // Some files place the pixels where the palette stands; these lie behind it.
    if start == 14 + length && bits <= 8 {
        start += padding * entries;
    }
    if start == 0 {
        start = end + padding * entries;
    }
    Ok(Header { width, height, upwards, bits, layout, packing, palette: (end, padding, entries), start })
}

/// Columns and rows, from the header.
pub(super) fn dimensions(bytes: &[u8]) -> Result<(u32, u32), Broken> {
    let header = header(bytes)?;
    Ok((header.width, header.height))
}

/// Columns, rows and bytes `[height, width, 3]`.
pub(super) fn pixels(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), Broken> {
    let header = header(bytes)?;
    let (width, height) = (header.width as usize, header.height as usize);
    let data = bytes.get(header.start..).ok_or(CUT)?;
    let mut pixels = Vec::new();
    let row_of = |y: usize| if header.upwards { height - 1 - y } else { y };
    match header.packing {
        Packing::Runs { of_nibbles } => {
            let (palette, indices) = (palette(bytes, &header)?, runs(data, width, height, of_nibbles, header.start)?);
            for y in 0..height {
                let row = &indices[row_of(y) * width..][..width];
                pixels.extend(row.iter().flat_map(|index| palette.colour(*index)));
            }
        }
        Packing::Raw => {
            let stride = (width * header.bits as usize).div_ceil(32) * 4;
            let palette = palette(bytes, &header)?;
            if data.len() < stride * (height - 1) {
                return Err(CUT.into());
            }
            for y in 0..height {
                let at = row_of(y) * stride;
                // The padding of the last row may be missing.
                let used = (width * header.bits as usize).div_ceil(8);
                let row = data.get(at..at + used).ok_or(CUT)?;
                extend(&mut pixels, row, width, &header, &palette);
            }
        }
    }
    Ok((header.width, header.height, pixels))
}

fn extend(pixels: &mut Vec<u8>, row: &[u8], width: usize, header: &Header, palette: &Palette) {
    let five = |value: u16, at: u32| (u32::from(value >> at & 31) * 255 / 31) as u8;
    let six = |value: u16| (u32::from(value >> 5 & 63) * 255 / 63) as u8;
    let shorts = || row.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
    match header.layout {
        Layout::Index => pixels.extend(unpacked(row, width, header.bits).flat_map(|index| palette.colour(index))),
        Layout::Bits555 => pixels.extend(shorts().flat_map(|value| [five(value, 10), five(value, 5), five(value, 0)])),
        Layout::Bits565 => pixels.extend(shorts().flat_map(|value| [five(value, 11), six(value), five(value, 0)])),
        Layout::Bytes([r, g, b], alpha) => {
            for pixel in row.chunks_exact(header.bits as usize / 8) {
                match alpha {
                    Some(a) => pixels.extend(on_white([pixel[r], pixel[g], pixel[b], pixel[a]])),
                    None => pixels.extend([pixel[r], pixel[g], pixel[b]]),
                }
            }
        }
    }
}

fn palette(bytes: &[u8], header: &Header) -> Result<Palette, Broken> {
    let (at, padding, entries) = header.palette;
    let named = bytes.get(at..).ok_or(CUT)?.chunks_exact(padding).take(entries.min(256)).map(|entry| [entry[2], entry[1], entry[0]]);
    // Black and white of one bit are mode 1 to Pillow, with the same values.
    Ok(Palette::or_greys(named))
}

/// Runs of indices, row by row as they are stored.
fn runs(data: &[u8], width: usize, height: usize, of_nibbles: bool, start: usize) -> Result<Vec<u8>, Broken> {
    let whole = width * height;
    let mut indices: Vec<u8> = Vec::with_capacity(whole);
    let (mut at, mut x) = (0, 0);
    while indices.len() < whole {
        let (Some(&count), Some(&byte)) = (data.get(at), data.get(at + 1)) else { break };
        at += 2;
        let left = whole - indices.len();
        match (count, byte) {
            (0, 0) => {
                let over = indices.len() % width;
                if over > 0 {
                    indices.resize(indices.len() + width - over, 0);
                }
                x = 0;
            }
            (0, 1) => break,
            (0, 2) => {
                let (Some(&right), Some(&up)) = (data.get(at), data.get(at + 1)) else { break };
                at += 2;
                indices.resize(indices.len() + left.min(usize::from(right) + usize::from(up) * width), 0);
                x = indices.len() % width;
            }
            (0, absolute) => {
                let wanted = left.min(usize::from(absolute));
                let length = if of_nibbles { wanted.div_ceil(2) } else { wanted };
                let there = data.get(at..(at + length).min(data.len())).unwrap_or_default();
                match of_nibbles {
                    true => indices.extend(there.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(wanted)),
                    false => indices.extend_from_slice(there),
                }
                if there.len() < length || indices.len() == whole {
                    break;
                }
                at += length;
                x += usize::from(absolute);
                // Such runs end on an even place of the file.
                at += (start + at) % 2;
            }
            (count, byte) => {
                let count = usize::from(count).min(width.saturating_sub(x));
                match of_nibbles {
                    true => indices.extend((0..count).map(|n| if n % 2 == 0 { byte >> 4 } else { byte & 15 })),
                    false => indices.resize(indices.len() + count, byte),
                }
                x += count;
            }
        }
    }
    // Pillow takes no file whose runs end before its pixels do.
    if indices.len() < whole {
        return Err(CUT.into());
    }
    indices.truncate(whole);
    Ok(indices)
}
