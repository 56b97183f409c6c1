//! WebP files to RGB bytes, every value as Pillow gives it; of an animation the first frame.
//!
//! Pillow asks libwebp's animation decoder, which lays a frame on a canvas without colour or alpha. An image whose header
//! speaks of alpha is of mode RGBA then and pasted on white. The frame's own size stands in its data and may be another than
//! the header's, so it is read before anything is put aside for it.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::colour::on_white;
use super::fault::{Broken, check_size};

/// The parts of a file that matter.
#[derive(Debug, Default)]
struct Parts<'a> {
    /// Columns and rows of the whole.
    canvas: (u32, u32),
    /// Whether the header speaks of alpha.
    alpha: bool,
    /// Where the frame begins, and its size.
    left: u32,
    top: u32,
    size: (u32, u32),
    /// The chunks `ALPH` and `VP8 `, or `VP8L`.
    alph: Option<&'a [u8]>,
    lossy: Option<&'a [u8]>,
    lossless: Option<&'a [u8]>,
}

/// Chunks by name, as far as they are whole; the padding byte of the last may be missing.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (&[a, b, c, d, length @ ..], after) = rest.split_first_chunk::<8>()?;
        let length = u32::from_le_bytes(length) as usize;
        let data = after.get(..length)?;
        rest = after.get(length + (length & 1)..).unwrap_or_default();
        Some(([a, b, c, d], data))
    })
}

fn three_bytes(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(*data.get(at)?) | u32::from(*data.get(at + 1)?) << 8 | u32::from(*data.get(at + 2)?) << 16)
}

/// Size and alpha that a chunk `VP8 ` or `VP8L` speaks of.
fn of_data(name: [u8; 4], data: &[u8]) -> Option<((u32, u32), bool)> {
    if name == *b"VP8 " {
        let side = |at: usize| Some(u32::from(u16::from_le_bytes([*data.get(at)?, *data.get(at + 1)?]) & 0x3fff));
        return (data.get(3..6)? == b"\x9d\x01\x2a").then_some(((side(6)?, side(8)?), false));
    }
    let bits = u32::from_le_bytes(*data.get(1..5)?.first_chunk::<4>()?);
    (data.first() == Some(&0x2f)).then_some((((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1), bits >> 28 & 1 != 0))
}

const CUT: &str = "the file is truncated or has no image";

/// Reads the headers.
fn parts(bytes: &[u8]) -> Result<Parts<'_>, Broken> {
    let riff = bytes.get(4..8).and_then(|length| length.first_chunk::<4>()).map_or(0, |length| u32::from_le_bytes(*length) as usize);
    let body = bytes.get(12..).ok_or(CUT)?;
    let (first, data) = chunks(body).next().ok_or(CUT)?;
    if riff.saturating_add(8) > bytes.len() {
        return Err(CUT.into());
    }
    let mut parts = Parts::default();
    if first != *b"VP8X" {
        let (size, alpha) = of_data(first, data).ok_or("its first chunk is no image")?;
        check_size(size.0, size.1)?;
        (parts.canvas, parts.size, parts.alpha) = (size, size, alpha);
        keep(&mut parts, first, data);
        return Ok(parts);
    }
    let flags = *data.first().ok_or(CUT)?;
    parts.alpha = flags & 0x10 != 0;
    parts.canvas = (three_bytes(data, 4).ok_or(CUT)? + 1, three_bytes(data, 7).ok_or(CUT)? + 1);
    check_size(parts.canvas.0, parts.canvas.1)?;
    if flags & 0x02 == 0 {
        parts.size = parts.canvas;
        chunks(body).for_each(|(name, data)| keep(&mut parts, name, data));
    } else {
        let (_, frame) = chunks(body).find(|(name, _)| name == b"ANMF").ok_or(CUT)?;
        let field = |at| three_bytes(frame, at).ok_or(CUT);
        (parts.left, parts.top) = (2 * field(0)?, 2 * field(3)?);
        parts.size = (field(6)? + 1, field(9)? + 1);
        chunks(frame.get(16..).ok_or(CUT)?).for_each(|(name, data)| keep(&mut parts, name, data));
    }
    if parts.left + parts.size.0 > parts.canvas.0 || parts.top + parts.size.1 > parts.canvas.1 {
        return Err("its first frame does not lie inside the image".into());
    }
    let own = parts.lossy.map(|data| (*b"VP8 ", data)).or(parts.lossless.map(|data| (*b"VP8L", data))).ok_or(CUT)?;
    match of_data(own.0, own.1) {
        Some((size, _)) if size == parts.size => Ok(parts),
        _ => Err("its data are of another size than its header says".into()),
    }
}

fn keep<'a>(parts: &mut Parts<'a>, name: [u8; 4], data: &'a [u8]) {
    match &name {
        b"ALPH" if parts.lossy.is_none() && parts.lossless.is_none() => parts.alph = parts.alph.or(Some(data)),
        b"VP8 " if parts.lossless.is_none() => parts.lossy = parts.lossy.or(Some(data)),
        b"VP8L" if parts.lossy.is_none() => parts.lossless = parts.lossless.or(Some(data)),
        _ => {}
    }
}

impl Parts<'_> {
    /// The frame as a file of its own, without anything else.
    fn alone(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut write = |name: &[u8; 4], data: &[u8]| {
            body.extend_from_slice(name);
            body.extend_from_slice(&(data.len() as u32).to_le_bytes());
            body.extend_from_slice(data);
            body.extend((data.len() % 2 == 1).then_some(0));
        };
        let side = |side: u32| (side - 1).to_le_bytes();
        match (self.lossy, self.lossless, self.alph) {
            (Some(lossy), _, Some(alph)) => {
                let ([a, b, c, _], [d, e, f, _]) = (side(self.size.0), side(self.size.1));
                write(b"VP8X", &[0x10, 0, 0, 0, a, b, c, d, e, f]);
                write(b"ALPH", alph);
                write(b"VP8 ", lossy);
            }
            (Some(lossy), ..) => write(b"VP8 ", lossy),
            (None, lossless, _) => write(b"VP8L", lossless.unwrap_or_default()),
        }
        let mut file = b"RIFF".to_vec();
        file.extend_from_slice(&(body.len() as u32 + 4).to_le_bytes());
        file.extend_from_slice(b"WEBP");
        file.extend_from_slice(&body);
        file
    }

    /// Bytes of the frame's data.
    fn length(&self) -> usize {
        [self.alph, self.lossy, self.lossless].into_iter().flatten().map(<[u8]>::len).sum()
    }
}

/// Columns and rows, from the headers.
pub(super) fn dimensions(bytes: &[u8]) -> Result<(u32, u32), Broken> {
    Ok(parts(bytes)?.canvas)
}

/// Columns, rows and bytes `[height, width, 3]`.
pub(super) fn pixels(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), Broken> {
    let parts = parts(bytes)?;
    let (width, height) = (parts.size.0 as usize, parts.size.1 as usize);
    // No encoder needs as much as two bytes a sample.
    if parts.length() > 8 * width * height + (1 << 20) {
        return Err(Broken::TooLarge("its data are far longer than its pixels".into()));
    }
    let file = parts.alone();
    let mut decoder = WebPDecoder::new(Cursor::new(file.as_slice())).map_err(|error| error.to_string())?;
    let size = decoder.output_buffer_size().ok_or("its size cannot be computed")?;
    let with_alpha = size == 4 * width * height;
    if !with_alpha && size != 3 * width * height {
        return Err("the decoder returned another size than the header says".into());
    }
    let mut raw = vec![0; size];
    decoder.read_image(&mut raw).map_err(|error| error.to_string())?;
    let shown = |pixel: [u8; 4]| if parts.alpha { on_white(pixel) } else { [pixel[0], pixel[1], pixel[2]] };
    let frame: Vec<u8> = if with_alpha { raw.as_chunks::<4>().0.iter().flat_map(|pixel| shown(*pixel)).collect() } else { raw };
    if parts.size == parts.canvas {
        return Ok((parts.canvas.0, parts.canvas.1, frame));
    }
    let (whole_width, whole_height) = (parts.canvas.0 as usize, parts.canvas.1 as usize);
    let mut pixels: Vec<u8> = shown([0; 4]).repeat(whole_width * whole_height);
    for (row, line) in frame.chunks_exact(3 * width).enumerate() {
        let at = 3 * ((parts.top as usize + row) * whole_width + parts.left as usize);
        pixels[at..at + line.len()].copy_from_slice(line);
    }
    Ok((parts.canvas.0, parts.canvas.1, pixels))
}
