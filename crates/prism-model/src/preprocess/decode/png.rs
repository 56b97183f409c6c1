//! PNG files to RGB bytes, every value as Pillow gives it.
//!
//! Pillow reads what stands before the image's data strictly and the rest not: it checks the checksums of chunks up to the
//! first `IDAT`, never those of the data, and takes a file whose end is missing as long as all rows are there. Of a file with
//! frames it shows the default image. A file that is not written as it should be is therefore put together again from the
//! chunks that matter, and decoded then.

use std::io::{BufRead, Cursor, Read, Seek, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Reader, Transformations};

use super::colour::{Palette, cut, high, on_white, spread, unpacked};
use super::fault::{Broken, check_size};

const SIGNATURE: usize = 8;
/// Memory for what lies beside the pixels, bytes.
const BESIDE: usize = 32 << 20;

/// A chunk: its name and what it holds, as far as the file goes.
struct Chunk<'a> {
    name: [u8; 4],
    data: &'a [u8],
    /// Whether all of it is there, checksum included.
    whole: bool,
    sum: u32,
}

impl Chunk<'_> {
    fn checks(&self) -> bool {
        let mut crc = flate2::Crc::new();
        crc.update(&self.name);
        crc.update(self.data);
        self.whole && crc.sum() == self.sum
    }
}

/// The chunks of a file, up to the first that has no name.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&head, after) = rest.split_first_chunk::<8>()?;
        let [a, b, c, d, name @ ..] = head;
        if !name.iter().all(|letter| letter.is_ascii_alphanumeric() || *letter == b'_') {
            return None;
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let data = &after[..length.min(after.len())];
        let sum = after.get(length..).and_then(|after| after.first_chunk::<4>());
        rest = after.get(length..).and_then(|after| after.get(4..)).unwrap_or_default();
        Some(Chunk { name, data, whole: sum.is_some(), sum: sum.map_or(0, |sum| u32::from_be_bytes(*sum)) })
    })
}

/// What the first chunk of that name holds.
pub(crate) fn chunk(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    chunks(bytes).find(|chunk| chunk.name == name && chunk.whole).map(|chunk| chunk.data)
}

/// The file as it should be written, where it is not: `None` for one that is.
///
/// # Errors
/// Where a chunk before the image's data is damaged.
fn mended(bytes: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
    let (mut data, mut ended, mut frames, mut broken) = (0, false, false, false);
    for chunk in chunks(bytes) {
        let is_data = chunk.name == *b"IDAT";
        if data == 0 && !is_data && !chunk.checks() {
            return Err(format!("the checksum of its chunk {} is wrong", chunk.name.escape_ascii()).into());
        }
        data += usize::from(is_data);
        frames |= chunk.name == *b"acTL";
        broken |= !chunk.checks();
        if chunk.name == *b"IEND" {
            ended = true;
            break;
        }
    }
    if ended && !frames && !broken {
        return Ok(None);
    }
    // What is put together again is held twice: no encoder needs as much as this.
    let (width, height) = dimensions(Cursor::new(bytes))?;
    let length: usize = chunks(bytes).filter(|chunk| chunk.name == *b"IDAT").map(|chunk| chunk.data.len()).sum();
    if length as u64 > 9 * u64::from(width) * u64::from(height) + (1 << 20) {
        return Err(Broken::TooLarge("its data are far longer than its pixels".into()));
    }
    let mut mended = bytes[..SIGNATURE].to_vec();
    let mut begun = false;
    for chunk in chunks(bytes) {
        match &chunk.name {
            b"IHDR" | b"PLTE" if !begun => write(&mut mended, chunk.name, chunk.data),
            b"IDAT" => {
                begun = true;
                write(&mut mended, chunk.name, chunk.data);
            }
            _ if begun => break,
            _ => {}
        }
    }
    write(&mut mended, *b"IEND", &[]);
    Ok(Some(mended))
}

fn options() -> DecodeOptions {
    let mut options = DecodeOptions::default();
    options.set_ignore_checksums(true);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    options
}

fn reader<R: BufRead + Seek>(source: R) -> Result<Reader<R>, Broken> {
    let mut decoder = Decoder::new_with_options(source, options());
    decoder.set_limits(png::Limits { bytes: BESIDE });
    decoder.set_transformations(Transformations::IDENTITY);
    let (width, height) = decoder.read_header_info().map_err(|error| said(&error))?.size();
    check_size(width, height)?;
    decoder.read_info().map_err(|error| said(&error))
}

fn said(error: &DecodingError) -> Broken {
    match error {
        DecodingError::LimitsExceeded => Broken::TooLarge(error.to_string()),
        _ => Broken::Undecodable(error.to_string()),
    }
}

/// Columns and rows, from the header.
pub(super) fn dimensions(source: impl BufRead + Seek) -> Result<(u32, u32), Broken> {
    Ok(reader(source)?.info().size())
}

/// Columns, rows and bytes `[height, width, 3]`.
pub(super) fn pixels(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), Broken> {
    let Some(mended) = mended(bytes)? else { return decoded(bytes) };
    decoded(&mended).or_else(|fault| decoded(&again(&mended).ok_or(fault)?))
}

/// A mended file whose data end before they say so, packed again: `None` where rows are missing.
fn again(mended: &[u8]) -> Option<Vec<u8>> {
    let (width, height) = dimensions(Cursor::new(mended)).ok()?;
    let [.., depth, colour, _, _, interlaced] = *chunk(mended, *b"IHDR")?.first_chunk::<13>()?;
    let samples = [1, 0, 3, 1, 2, 0, 4].get(usize::from(colour)).copied()?;
    let row = |columns: u32| (columns as usize * samples * usize::from(depth)).div_ceil(8) + 1;
    let part = |(from, step): (u32, u32), side: u32| side.saturating_sub(from).div_ceil(step);
    let passes = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)];
    let of_pass = |(x, across, y, down): (u32, u32, u32, u32)| {
        let columns = part((x, across), width);
        if columns == 0 { 0 } else { part((y, down), height) as usize * row(columns) }
    };
    let wanted = if interlaced == 0 { height as usize * row(width) } else { passes.into_iter().map(of_pass).sum() };
    let packed: Vec<u8> = chunks(mended).filter(|chunk| chunk.name == *b"IDAT").flat_map(|chunk| chunk.data.iter().copied()).collect();
    let mut rows = Vec::with_capacity(wanted);
    // What the error at their end says is of no interest: all rows are there or not.
    let _ = ZlibDecoder::new(packed.as_slice()).take(wanted as u64).read_to_end(&mut rows);
    if rows.len() < wanted {
        return None;
    }
    let mut stored = ZlibEncoder::new(Vec::new(), Compression::none());
    stored.write_all(&rows).ok()?;
    let stored = stored.finish().ok()?;
    let mut file = mended[..SIGNATURE].to_vec();
    chunks(mended).filter(|chunk| matches!(&chunk.name, b"IHDR" | b"PLTE")).for_each(|chunk| write(&mut file, chunk.name, chunk.data));
    write(&mut file, *b"IDAT", &stored);
    write(&mut file, *b"IEND", &[]);
    Some(file)
}

/// Adds a chunk to a file; checksums are not looked at again.
fn write(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    file.extend_from_slice(&(data.len() as u32).to_be_bytes());
    file.extend_from_slice(&name);
    file.extend_from_slice(data);
    file.extend_from_slice(&[0; 4]);
}

fn decoded(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), Broken> {
    let mut reader = reader(Cursor::new(bytes))?;
    let size = reader.output_buffer_size().ok_or_else(|| Broken::TooLarge("its rows are too long".into()))?;
    let mut raw = vec![0; size];
    let (width, height) = reader.info().size();
    if reader.info().interlaced {
        reader.next_frame(&mut raw).map_err(|error| said(&error))?;
    } else {
        // Row by row: what the data hold behind the last is not asked for.
        for row in raw.chunks_exact_mut((size / height as usize).max(1)) {
            reader.read_row(row).map_err(|error| said(&error))?.ok_or("it has fewer rows than its header says")?;
        }
    }
    Ok((width, height, rgb(reader.info(), raw)?))
}

fn rgb(info: &png::Info<'_>, raw: Vec<u8>) -> Result<Vec<u8>, Broken> {
    let width = info.width as usize;
    let bits = info.bit_depth as u32;
    let pairs = || raw.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair));
    Ok(match (info.color_type, info.bit_depth) {
        (ColorType::Rgb, BitDepth::Eight) => raw,
        (ColorType::Rgb, _) => pairs().map(high).collect(),
        // Pillow keeps 16 bits of grey whole and cuts them on conversion.
        (ColorType::Grayscale, BitDepth::Sixteen) => pairs().flat_map(|value| [cut(i64::from(value)); 3]).collect(),
        (ColorType::Grayscale, _) => unpacked(&raw, width, bits).flat_map(|value| [spread(value, bits); 3]).collect(),
        (ColorType::Indexed, _) => {
            let named = info.palette.as_deref().ok_or("it has no palette")?;
            let palette = Palette::new(named.as_chunks::<3>().0.iter().copied());
            unpacked(&raw, width, bits).flat_map(|index| palette.colour(index)).collect()
        }
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => raw.as_chunks::<2>().0.iter().flat_map(|[grey, _]| [*grey; 3]).collect(),
        // Of 16 bits Pillow makes RGBA, which is pasted on white.
        (ColorType::GrayscaleAlpha, _) => {
            raw.as_chunks::<4>().0.iter().flat_map(|[grey, _, alpha, _]| on_white([*grey, *grey, *grey, *alpha])).collect()
        }
        (ColorType::Rgba, BitDepth::Eight) => raw.as_chunks::<4>().0.iter().flat_map(|pixel| on_white(*pixel)).collect(),
        (ColorType::Rgba, _) => raw.as_chunks::<8>().0.iter().flat_map(|[r, _, g, _, b, _, a, _]| on_white([*r, *g, *b, *a])).collect(),
    })
}
