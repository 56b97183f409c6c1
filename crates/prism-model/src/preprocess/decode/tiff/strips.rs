//! The strips or tiles of a TIFF image: unpacked, their predictor undone, laid pixel by pixel.

use std::io::Read;

use flate2::read::ZlibDecoder;
use weezl::BitOrder;

use super::super::fault::Broken;
use super::super::jpeg;
use super::directory::{Directory, tag};
use super::{Layout, Mode};

/// Numbers of the compressions.
const NONE: u32 = 1;
const LZW: u32 = 5;
pub(super) const JPEG: u32 = 7;
const DEFLATE: u32 = 8;
const OLD_DEFLATE: u32 = 32_946;
const PACKED: u32 = 32_773;

/// Strips or tiles of an image, at most.
const MOST_PIECES: u64 = 1 << 20;

/// How the image is cut: columns and rows of a piece, and where the pieces lie.
struct Pieces {
    width: usize,
    height: usize,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    /// Whether they are tiles, all of one size.
    tiled: bool,
    /// Pieces beside each other.
    across: usize,
    /// Pieces of one plane.
    plane: usize,
}

fn pieces(directory: &Directory<'_>, layout: &Layout, planes: usize) -> Result<Pieces, Broken> {
    let (columns, rows) = (layout.width as usize, layout.height as usize);
    let number = |name| directory.number(name).and_then(|value| usize::try_from(value).ok());
    let offsets = directory.numbers(tag::STRIP_OFFSETS, MOST_PIECES)?;
    let tiled = offsets.is_empty();
    let (width, height, offsets, lengths) = match tiled {
        false => {
            let height = number(tag::ROWS_PER_STRIP).unwrap_or(rows).min(rows);
            (columns, height, offsets, directory.numbers(tag::STRIP_LENGTHS, MOST_PIECES)?)
        }
        true => {
            let side = |name| number(name).filter(|side| (1..=1 << 15).contains(side)).ok_or("its tiles have no size");
            let offsets = directory.numbers(tag::TILE_OFFSETS, MOST_PIECES)?;
            (side(tag::TILE_WIDTH)?, side(tag::TILE_HEIGHT)?, offsets, directory.numbers(tag::TILE_LENGTHS, MOST_PIECES)?)
        }
    };
    if height == 0 {
        return Err("its strips have no rows".into());
    }
    let across = columns.div_ceil(width);
    let plane = across * rows.div_ceil(height);
    // One tile may be larger than the image, but not by more than a tile's side.
    if width * height > columns.next_multiple_of(256) * rows.next_multiple_of(256) + (1 << 20) {
        return Err(Broken::TooLarge("its tiles are far larger than the image".into()));
    }
    if offsets.len() < plane * planes {
        return Err("it has fewer strips or tiles than its size needs".into());
    }
    Ok(Pieces { width, height, offsets, lengths, tiled, across, plane })
}

/// Samples pixel by pixel, rows packed to bytes; of [`Mode::Jpeg`] RGB bytes.
pub(super) fn raw(directory: &Directory<'_>, layout: &Layout) -> Result<Vec<u8>, Broken> {
    let (columns, rows) = (layout.width as usize, layout.height as usize);
    let planar = directory.number(tag::PLANES) == Some(2) && layout.samples > 1;
    let planes = if planar { layout.samples } else { 1 };
    let pieces = pieces(directory, layout, planes)?;
    let is_jpeg = layout.mode == Mode::Jpeg;
    if planar && (layout.bits < 8 || is_jpeg) {
        return Err("its samples lie in planes in a way that is not read".into());
    }
    // Bits of a pixel, in a plane where they lie in planes.
    let pixel_bits = if is_jpeg { 24 } else { layout.bits as usize * if planar { 1 } else { layout.samples } };
    let (row, piece_row) = ((columns * pixel_bits).div_ceil(8), (pieces.width * pixel_bits).div_ceil(8));
    let mut whole = vec![0; row * rows * planes];
    for (n, offset) in pieces.offsets.iter().take(pieces.plane * planes).enumerate() {
        let (plane, at) = (n / pieces.plane, n % pieces.plane);
        let (left, top) = (at % pieces.across * pieces.width, at / pieces.across * pieces.height);
        let height = if pieces.tiled { pieces.height } else { pieces.height.min(rows - top) };
        let wanted = piece_row * height;
        let piece = unpacked_piece(directory, layout, *offset, pieces.lengths.get(n).copied(), wanted, (pieces.width, height), planar)?;
        let left = left * pixel_bits / 8;
        let used = piece_row.min(row - left);
        for (y, line) in piece.chunks_exact(piece_row.max(1)).enumerate().take(rows - top) {
            let to = plane * row * rows + (top + y) * row + left;
            whole[to..to + used].copy_from_slice(&line[..used]);
        }
    }
    Ok(if planar { interleaved(&whole, planes, layout.bits as usize / 8) } else { whole })
}

/// Planes one after the other as samples side by side.
fn interleaved(planes: &[u8], count: usize, width: usize) -> Vec<u8> {
    let length = planes.len() / count;
    (0..length / width)
        .flat_map(|pixel| (0..count).flat_map(move |plane| &planes[plane * length + pixel * width..][..width]))
        .copied()
        .collect()
}

/// One strip or tile of `wanted` bytes.
fn unpacked_piece(
    directory: &Directory<'_>,
    layout: &Layout,
    offset: u64,
    length: Option<u64>,
    wanted: usize,
    (width, height): (usize, usize),
    planar: bool,
) -> Result<Vec<u8>, Broken> {
    let compression = directory.number(tag::COMPRESSION).map_or(NONE, |number| u32::try_from(number).unwrap_or(0));
    let reversed = directory.number(tag::FILL_ORDER) == Some(2);
    let rest = directory.file_length().saturating_sub(offset);
    // An uncompressed piece is as long as its rows, whatever is said.
    let length = if compression == NONE { wanted as u64 } else { length.unwrap_or(rest).min(rest) };
    let packed = directory.slice(offset, length)?;
    let turned: Vec<u8>;
    let packed = match reversed {
        true => {
            turned = packed.iter().map(|byte| byte.reverse_bits()).collect();
            turned.as_slice()
        }
        false => packed,
    };
    let mut piece = match compression {
        NONE => packed.to_vec(),
        PACKED => runs(packed, wanted)?,
        LZW => of_reader(wanted, |piece| {
            let mut decoder = weezl::decode::Configuration::with_tiff_size_switch(BitOrder::Msb, 8).build();
            let mut done = 0;
            let mut from = packed;
            while done < piece.len() {
                let result = decoder.decode_bytes(from, &mut piece[done..]);
                from = from.get(result.consumed_in..).unwrap_or_default();
                done += result.consumed_out;
                match result.status {
                    Ok(weezl::LzwStatus::Ok) if result.consumed_in > 0 || result.consumed_out > 0 => {}
                    Ok(_) => break,
                    Err(error) => return Err(error.to_string()),
                }
            }
            Ok(done)
        })?,
        DEFLATE | OLD_DEFLATE => of_reader(wanted, |piece| {
            let mut decoder = ZlibDecoder::new(packed);
            let mut done = 0;
            while done < piece.len() {
                match decoder.read(&mut piece[done..]) {
                    Ok(0) => break,
                    Ok(more) => done += more,
                    Err(error) => return Err(error.to_string()),
                }
            }
            Ok(done)
        })?,
        JPEG => return of_jpeg(directory, packed, wanted, (width, height)),
        other => return Err(format!("its compression {other} is not read").into()),
    };
    match directory.number(tag::PREDICTOR).unwrap_or(1) {
        _ if !matches!(compression, LZW | DEFLATE | OLD_DEFLATE) => {}
        1 => {}
        2 if layout.bits == 8 || layout.bits == 16 => summed(&mut piece, directory, layout, width, planar),
        other => return Err(format!("its predictor {other} is not read for {} bits", layout.bits).into()),
    }
    Ok(piece)
}

fn of_reader(wanted: usize, read: impl FnOnce(&mut [u8]) -> Result<usize, String>) -> Result<Vec<u8>, Broken> {
    let mut piece = vec![0; wanted];
    match read(&mut piece)? {
        done if done == wanted => Ok(piece),
        done => Err(format!("a strip or tile has {done} bytes of {wanted}").into()),
    }
}

/// Runs of bytes, as Apple's PackBits has them.
fn runs(packed: &[u8], wanted: usize) -> Result<Vec<u8>, Broken> {
    let mut piece = Vec::with_capacity(wanted);
    let mut rest = packed;
    while piece.len() < wanted {
        let Some((&head, after)) = rest.split_first() else { return Err("a strip or tile is cut short".into()) };
        match head as i8 {
            -128 => rest = after,
            count @ 0.. => {
                let length = count as usize + 1;
                let (bytes, after) = after.split_at_checked(length).ok_or("a strip or tile is cut short")?;
                piece.extend_from_slice(bytes);
                rest = after;
            }
            count => {
                let (byte, after) = after.split_first().ok_or("a strip or tile is cut short")?;
                piece.resize(piece.len() + 1 + usize::from(count.unsigned_abs()), *byte);
                rest = after;
            }
        }
    }
    piece.truncate(wanted);
    Ok(piece)
}

/// Differences between neighbours summed up, row by row.
fn summed(piece: &mut [u8], directory: &Directory<'_>, layout: &Layout, width: usize, planar: bool) {
    let samples = if planar { 1 } else { layout.samples };
    let bytes = layout.bits as usize / 8;
    for row in piece.chunks_exact_mut((width * samples * bytes).max(1)) {
        for at in samples * bytes..row.len() {
            match bytes {
                1 => row[at] = row[at].wrapping_add(row[at - samples]),
                _ if at % 2 == 0 => {
                    let before = directory.short([row[at - 2 * samples], row[at + 1 - 2 * samples]]);
                    let sum = directory.short([row[at], row[at + 1]]).wrapping_add(before);
                    let pair = if directory.is_big_endian() { sum.to_be_bytes() } else { sum.to_le_bytes() };
                    row[at..at + 2].copy_from_slice(&pair);
                }
                _ => {}
            }
        }
    }
}

/// A piece that is a JPEG image of its own but for tables that all pieces share.
fn of_jpeg(directory: &Directory<'_>, packed: &[u8], wanted: usize, (width, height): (usize, usize)) -> Result<Vec<u8>, Broken> {
    let tables = directory.data(tag::JPEG_TABLES)?;
    let tables = tables.strip_prefix(b"\xff\xd8").unwrap_or(tables);
    let tables = tables.strip_suffix(b"\xff\xd9").unwrap_or(tables);
    let body = packed.strip_prefix(b"\xff\xd8").ok_or("a strip or tile is no JPEG image")?;
    let file = [b"\xff\xd8", tables, body].concat();
    if jpeg::dimensions(&file)? != (width as u32, height as u32) {
        return Err("a strip or tile is of another size than the file says".into());
    }
    let pixels = jpeg::pixels_stored(&file, directory.number(tag::PHOTOMETRIC) == Some(u64::from(super::RGB)))?;
    if pixels.len() == wanted { Ok(pixels) } else { Err("a strip or tile has another number of pixels than the file says".into()) }
}
