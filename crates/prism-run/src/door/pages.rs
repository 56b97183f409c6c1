//! What the pages of a table ask for, known before any of them is unpacked.
//!
//! Runs of equal values take a few bytes however long they are, so a file's length says nothing
//! about the memory its rows take. Its page headers and dictionaries do.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Type;
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::serialized_reader::SerializedPageReader;

use super::limits::Limit;
use super::thrift::{PageHeader, page_header};
use crate::{Error, Result};

/// Bytes of a page's header that are looked at first, and at most.
const HEADER: [usize; 2] = [2 << 10, 128 << 10];
/// Kinds of pages and the encoding that repeats the beginning of the text before.
const INDEX: u64 = 1;
const DICTIONARY: u64 = 2;
const DELTA_BYTE_ARRAY: u64 = 7;

/// A table's file, whose pages are looked at.
pub struct Pages<'f> {
    /// Its path, for messages.
    pub path: &'f Path,
    /// Opened for reading.
    pub file: &'f Arc<File>,
    /// What its footer says.
    pub metadata: &'f ParquetMetaData,
    /// Bytes that the lists of a row group may take in memory.
    pub allowance: u64,
    /// The limit that this comes from.
    pub limit: Limit,
    /// What to do about a damaged file.
    pub remedy: &'static str,
}

/// What a table's columns take in memory while it is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of a row, at most, lists apart.
    pub width: u64,
    /// Bytes of a row's lists, in the mean of the row group where that is most.
    pub lists: u64,
    /// Bytes of the pages that are unpacked at once: of every column one, and its dictionary.
    pub unpacked: u64,
}

/// What was found in the pages of one column chunk.
#[derive(Default)]
struct Found {
    /// Values, absent ones included.
    values: u64,
    /// Bytes of its widest value in memory: exact for those of a dictionary, else the widest page's mean.
    width: u64,
    dictionary: bool,
    /// Bytes of its longest page of values, and of its dictionary, unpacked.
    unpacked: (u64, u64),
    /// Where its pages of values begin, and their bytes with their headers.
    pages: Vec<(u64, u64)>,
}

impl Pages<'_> {
    /// What these leaf columns take in memory.
    ///
    /// # Errors
    /// When a page asks for more than the limits allow, or the pages are not what the file says of them.
    pub fn needs(&self, leaves: &[usize]) -> Result<Needs> {
        let length = self.file.metadata().map_err(|e| Error::io("cannot read", self.path, e))?.len();
        let (mut needs, mut named) = (Needs::default(), 0u64);
        for (place, group) in self.metadata.row_groups().iter().enumerate() {
            let rows = u64::try_from(group.num_rows()).map_err(|_| self.damaged("a row group has fewer rows than none"))?;
            let index = self.metadata.page_index_for_row_group(place);
            let (mut width, mut lists, mut unpacked) = (0u64, 0u64, 0u64);
            for &leaf in leaves {
                let chunk = group.columns().get(leaf).ok_or_else(|| self.damaged("a row group lacks columns"))?;
                // Bytes that several columns name would be unpacked again and again.
                named = named.saturating_add(chunk.byte_range().1);
                if named > length {
                    return Err(self.damaged("its columns name more bytes than it has"));
                }
                let found = self.look(chunk, length)?;
                if let Some(locations) = index.page_locations(leaf) {
                    self.check_index(locations, &found.pages, rows)?;
                }
                unpacked = unpacked.saturating_add(found.unpacked.0).saturating_add(found.unpacked.1);
                if chunk.column_descr().max_rep_level() > 0 {
                    // A text in a list takes more than its letters, and a number stands in a batch and in its row.
                    let each = if chunk.column_type() == Type::BYTE_ARRAY { found.width.saturating_add(80) } else { 16 };
                    lists = lists.saturating_add(found.values.saturating_mul(each));
                } else if found.values == rows {
                    width = width.saturating_add(found.width.max(8));
                } else {
                    return Err(self.damaged("a column has not as many values as the table has rows"));
                }
            }
            // A batch may hold all lists of a row group, however few rows it has.
            if lists > self.allowance {
                return Err(self.limit.exceeded(self.path));
            }
            if unpacked > Limit::Unpacked.value() {
                return Err(Limit::Unpacked.exceeded(self.path));
            }
            needs.width = needs.width.max(width);
            needs.lists = needs.lists.max(lists.div_ceil(rows.max(1)));
            needs.unpacked = needs.unpacked.max(unpacked);
        }
        Ok(needs)
    }

    /// Holds the index of a column's pages against the pages.
    fn check_index(&self, index: &[PageLocation], pages: &[(u64, u64)], rows: u64) -> Result<()> {
        let number = |n: i64| u64::try_from(n).ok();
        let same = index.len() == pages.len()
            && index.iter().zip(pages).all(|(entry, page)| {
                number(entry.offset) == Some(page.0) && u64::try_from(entry.compressed_page_size).ok() == Some(page.1)
            });
        let begins = index.first().is_none_or(|entry| entry.first_row_index == 0);
        let rises = index.windows(2).all(|two| two[0].first_row_index <= two[1].first_row_index);
        let ends = index.last().is_none_or(|entry| number(entry.first_row_index).is_some_and(|row| row <= rows));
        if same && begins && rises && ends { Ok(()) } else { Err(self.damaged("the index of its pages does not fit them")) }
    }

    /// Looks at every page of a column chunk.
    fn look(&self, chunk: &ColumnChunkMetaData, length: u64) -> Result<Found> {
        let (mut at, size) = chunk.byte_range();
        let end = at.checked_add(size).filter(|end| *end <= length).ok_or_else(|| self.damaged("a column lies beyond its end"))?;
        let text = chunk.column_type() == Type::BYTE_ARRAY;
        let mut found = Found::default();
        while at < end {
            let header = self.header(at, end)?;
            if header.unpacked > Limit::Page.value() {
                return Err(Limit::Page.exceeded(self.path));
            }
            if text && header.kind != DICTIONARY && header.encoding == DELTA_BYTE_ARRAY {
                return Err(self.damaged("its texts have the encoding DELTA_BYTE_ARRAY, which no table of a run has"));
            }
            match header.kind {
                INDEX => {}
                DICTIONARY if header.values > header.unpacked => {
                    return Err(self.damaged("a dictionary names more values than it has bytes"));
                }
                DICTIONARY => {
                    found.dictionary = true;
                    found.unpacked.1 = found.unpacked.1.max(header.unpacked);
                }
                _ => {
                    found.unpacked.0 = found.unpacked.0.max(header.unpacked);
                    found.values = found.values.saturating_add(header.values);
                    // Where there is a dictionary most pages name its entries; those that do not hold what they are long.
                    found.width = found.width.max(header.unpacked.div_ceil(header.values.max(1)));
                }
            }
            let whole = header.length.checked_add(header.packed).ok_or_else(|| self.damaged("a page goes beyond its column"))?;
            if !matches!(header.kind, INDEX | DICTIONARY) {
                found.pages.push((at, whole));
            }
            let next = at.checked_add(whole);
            at = next.filter(|next| *next <= end).ok_or_else(|| self.damaged("a page goes beyond its column"))?;
        }
        if !text {
            found.width = 8;
        } else if found.dictionary {
            found.width = found.width.max(self.widest_entry(chunk)?);
        }
        Ok(found)
    }

    fn header(&self, at: u64, end: u64) -> Result<PageHeader> {
        for most in HEADER {
            let mut bytes = Vec::with_capacity(most);
            let mut file: &File = self.file;
            let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.take((most as u64).min(end - at)).read_to_end(&mut bytes));
            read.map_err(|e| Error::io("cannot read", self.path, e))?;
            if let Some(header) = page_header(&bytes) {
                return Ok(header);
            }
        }
        Err(self.damaged("a page has no header that can be read"))
    }

    /// Bytes of the widest text of a column's dictionary, which stands before its other pages.
    fn widest_entry(&self, chunk: &ColumnChunkMetaData) -> Result<u64> {
        let told = |e: parquet::errors::ParquetError| self.damaged(&e.to_string());
        let mut pages = SerializedPageReader::new(Arc::clone(self.file), chunk, 0, None).map_err(told)?;
        let Some(Page::DictionaryPage { buf, .. }) = pages.get_next_page().map_err(told)? else {
            return Err(self.damaged("a dictionary does not stand before its pages"));
        };
        let mut widest = 0;
        let mut rest: &[u8] = &buf;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length);
            rest = after.get(length as usize..).ok_or_else(|| self.damaged("a dictionary is cut off"))?;
            widest = widest.max(u64::from(length));
        }
        Ok(widest)
    }

    fn damaged(&self, cause: &str) -> Error {
        Error::content(self.path, cause, self.remedy)
    }
}
