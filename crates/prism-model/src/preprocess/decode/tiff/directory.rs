//! The first directory of a TIFF or BigTIFF file: numbers by tag.

use super::super::fault::Broken;

/// Numbers of the tags that are read.
pub(super) mod tag {
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_LENGTHS: u16 = 279;
    pub const PLANES: u16 = 284;
    pub const PREDICTOR: u16 = 317;
    pub const COLOURS: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_LENGTHS: u16 = 325;
    pub const EXTRA: u16 = 338;
    pub const FORMAT: u16 = 339;
    pub const JPEG_TABLES: u16 = 347;
}

const CUT: &str = "the file is truncated";
/// Entries of a directory, at most.
const MOST_ENTRIES: u64 = 4096;

/// One entry: how its values are stored, and where.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// Where its values begin.
    at: u64,
}

/// A file's first directory.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    entries: Vec<Entry>,
}

impl<'a> Directory<'a> {
    /// Reads the directory.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut directory = Self { bytes, big_endian: bytes.starts_with(b"MM"), entries: Vec::new() };
        let large = directory.integer(2, 2)? == 43;
        let (width, header) = if large { (8, 8) } else { (4, 2) };
        let start = directory.integer(if large { 8 } else { 4 }, width)?;
        let count = directory.integer(start, header)?;
        if count > MOST_ENTRIES {
            return Err(format!("its directory has {count} entries").into());
        }
        let size = 4 + 2 * width as u64;
        directory.slice(start.saturating_add(header as u64), count * size)?;
        for n in 0..count {
            let at = start.saturating_add(header as u64 + n * size);
            let (tag, kind, count) = (directory.integer(at, 2)?, directory.integer(at + 2, 2)?, directory.integer(at + 4, width)?);
            let inline = at + 4 + width as u64;
            let entry = Entry { tag: tag as u16, kind: kind as u16, count, at: inline };
            let fits = count.checked_mul(width_of(entry.kind) as u64).is_some_and(|length| length <= width as u64);
            let at = if fits { inline } else { directory.integer(inline, width)? };
            directory.entries.push(Entry { at, ..entry });
        }
        Ok(directory)
    }

    /// Whether the high byte comes first.
    pub(super) fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// A number of 16 bits of the image.
    pub(super) fn short(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    /// A number of 32 bits of the image.
    pub(super) fn long(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// The bytes from `at` on.
    pub(super) fn slice(&self, at: u64, length: u64) -> Result<&'a [u8], Broken> {
        let at = usize::try_from(at).map_err(|_| CUT)?;
        let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length)).ok_or(CUT)?;
        self.bytes.get(at..end).ok_or_else(|| CUT.into())
    }

    /// Bytes of the file.
    pub(super) fn file_length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn integer(&self, at: u64, width: usize) -> Result<u64, Broken> {
        let bytes = self.slice(at, width as u64)?;
        let digit = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Ok(if self.big_endian { bytes.iter().fold(0, digit) } else { bytes.iter().rev().fold(0, digit) })
    }

    fn entry(&self, name: u16) -> Option<&Entry> {
        // The last one of a name counts, as in Pillow's dictionary.
        self.entries.iter().rfind(|entry| entry.tag == name)
    }

    /// The first value of a tag, where it is there and a whole number.
    pub(super) fn number(&self, name: u16) -> Option<u64> {
        self.numbers(name, 1 << 16).ok()?.first().copied()
    }

    /// All values of a tag; none where it is absent.
    ///
    /// # Errors
    /// When there are more than `most`, or they lie outside the file.
    pub(super) fn numbers(&self, name: u16, most: u64) -> Result<Vec<u64>, Broken> {
        let Some(entry) = self.entry(name) else { return Ok(Vec::new()) };
        let width = width_of(entry.kind);
        // All of them lie in the file, so that the list is no longer than it.
        let length = entry.count.checked_mul(width as u64).filter(|length| *length <= self.file_length()).ok_or(CUT)?;
        if entry.count > most {
            return Err(format!("its tag {name} has {} values", entry.count).into());
        }
        self.slice(entry.at, length)?;
        (0..entry.count).map(|n| self.integer(entry.at + n * width as u64, width)).collect()
    }

    /// The bytes of a tag; none where it is absent.
    pub(super) fn data(&self, name: u16) -> Result<&'a [u8], Broken> {
        let Some(entry) = self.entry(name) else { return Ok(&[]) };
        let length = entry.count.checked_mul(width_of(entry.kind) as u64).ok_or(CUT)?;
        self.slice(entry.at, length)
    }
}

/// Bytes of a value of that kind; kinds that are no whole numbers are read by their bytes.
fn width_of(kind: u16) -> usize {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}
