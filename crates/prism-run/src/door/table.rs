//! Tables through the door: opened when their pages are known to be bounded, read in batches that
//! fit, their cells checked.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ListArray, OffsetSizeTrait, RecordBatch, StringArray};
use arrow::buffer::OffsetBuffer;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;

use super::limits::{Limit, PER_BYTE};
use super::pages::Pages;
use super::share::Share;
use super::thrift;
use crate::{Error, Result};

/// Rows of a batch, at most.
const BATCH: u64 = 1024;
/// How deep columns may be nested: a list of values is three deep.
const DEEPEST: usize = 8;
/// What becomes of a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// They are kept together, and may take so much.
    Kept(Limit),
    /// They pass one after the other.
    Passing,
}

impl Use {
    /// Bytes that a batch is to take in memory.
    const fn batch(self) -> u64 {
        match self {
            Self::Kept(_) => 16 << 20,
            // Of many tables that are read side by side each holds one.
            Self::Passing => 4 << 20,
        }
    }
}

/// A table that may be read.
pub struct Opened {
    /// Set up for the columns wanted, in batches that fit in memory.
    pub builder: ParquetRecordBatchReaderBuilder<File>,
    /// What its rows may take in memory: all of them, or those of a batch where they pass.
    pub allowance: Allowance,
    /// Bytes of its pages that lie in memory unpacked, at most.
    pub unpacked: u64,
}

/// Opens a table of a run for the columns that are wanted.
///
/// # Errors
/// As [`super::open`], and [`Error::Content`] when it is not parquet, is damaged, or asks for more
/// than the limits allow.
pub fn open(path: &Path, remedy: &'static str, to: Use, wanted: impl Fn(&str) -> bool) -> Result<Opened> {
    let bad = |cause: String| Error::content(path, cause, remedy);
    let file = super::open(path)?;
    let read = |e| Error::io("cannot read", path, e);
    let length = file.metadata().map_err(read)?.len();
    let shared = Arc::new(file.try_clone().map_err(read)?);
    check_footer(&shared, length, path, remedy)?;
    // The schema is the file's own; a second one that a writer may have put beside it is not read.
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional).with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(|e| bad(e.to_string()))?;
    let metadata = Arc::clone(builder.metadata());
    let schema = builder.parquet_schema();
    if schema.num_columns() as u64 > Limit::Columns.value() {
        return Err(Limit::Columns.exceeded(path));
    }
    let rows = metadata.row_groups().iter().try_fold(0u64, |sum, group| sum.checked_add(u64::try_from(group.num_rows()).ok()?));
    if rows.ok_or_else(|| bad("says it has fewer rows than none".into()))? > Limit::Rows.value() {
        return Err(Limit::Rows.exceeded(path));
    }
    let fields = builder.schema().fields();
    let roots: Vec<usize> = (0..fields.len()).filter(|i| wanted(fields[*i].name())).collect();
    let leaves: Vec<usize> = (0..schema.num_columns()).filter(|leaf| roots.contains(&schema.get_column_root_idx(*leaf))).collect();
    // Bytes of the columns that are read, and none that merely stand in the file.
    let columns = metadata.row_groups().iter().flat_map(|group| leaves.iter().filter_map(|leaf| group.columns().get(*leaf)));
    let packed = columns.fold(0u64, |sum, chunk| sum.saturating_add(chunk.byte_range().1)).min(length);
    let limit = if let Use::Kept(limit) = to { limit } else { Limit::Table };
    let justified = packed.saturating_mul(PER_BYTE);
    let most = limit.value().saturating_add(justified);
    let pages = Pages { path, file: &shared, metadata: &metadata, allowance: most, limit, remedy };
    let needs = pages.needs(&leaves)?;
    let batch = (to.batch() / needs.width.saturating_add(needs.lists).max(1)).clamp(1, BATCH);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let allowance = match to {
        Use::Kept(_) => Allowance { limit, most, justified, taken: 0, held: Share::default() },
        // A batch is made for far less: where its rows are far above the mean it may take this.
        Use::Passing => Allowance { limit, most: limit.value() / 4, justified, taken: 0, held: Share::default() },
    };
    Ok(Opened { builder: builder.with_projection(mask).with_batch_size(batch as usize), allowance, unpacked: needs.unpacked })
}

/// Refuses a table whose footer asks for more than the limits allow, before it is read.
fn check_footer(mut file: &File, length: u64, path: &Path, remedy: &str) -> Result<()> {
    let bad = |cause: &str| Error::content(path, cause, remedy);
    let unread = |e| Error::io("cannot read", path, e);
    let mut tail = [0; 8];
    let begin = length.checked_sub(12).ok_or_else(|| bad("is too short for a table"))? + 4;
    file.seek(SeekFrom::Start(begin)).and_then(|_| file.read_exact(&mut tail)).map_err(unread)?;
    let [a, b, c, d, ref magic @ ..] = tail;
    if magic != b"PAR1" {
        return Err(bad("is not a parquet table"));
    }
    let size = u64::from(u32::from_le_bytes([a, b, c, d]));
    let from = begin.checked_sub(size).ok_or_else(|| bad("its footer is cut off"))?;
    if size > Limit::TableFooter.value() {
        return Err(Limit::TableFooter.exceeded(path));
    }
    let mut bytes = vec![0; size as usize];
    file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(&mut bytes)).map_err(unread)?;
    let shape = thrift::shape(&bytes).ok_or_else(|| bad("its footer is damaged"))?;
    if shape.elements > 4 * Limit::Columns.value() || shape.depth > DEEPEST {
        return Err(bad("its columns are nested deeper, or are more, than any run's table has them"));
    }
    if shape.groups > Limit::RowGroups.value() {
        return Err(Limit::RowGroups.exceeded(path));
    }
    Ok(())
}

/// Bytes that a text takes besides its letters.
const TEXT: usize = 40;

/// What a table may take in memory, and what it takes.
#[derive(Debug)]
pub struct Allowance {
    limit: Limit,
    most: u64,
    /// What its length in the file stands for: only what is beyond counts among all tables.
    justified: u64,
    taken: u64,
    held: Share,
}

impl Allowance {
    /// What the columns of a batch take, which must be no more than all rows may.
    ///
    /// # Errors
    /// [`Error::Content`] when it is.
    pub fn check(&self, batch: &RecordBatch, path: &Path) -> Result<u64> {
        // A text of its own takes more than its letters.
        let texts = |array: &dyn Array| array.as_any().downcast_ref::<StringArray>().map_or(0, Array::len);
        let in_lists = |array: &dyn Array| array.as_any().downcast_ref::<ListArray>().map_or(0, |list| texts(list.values()));
        let texts: usize = batch.columns().iter().map(|array| texts(array) + in_lists(array)).sum();
        let needed = batch.get_array_memory_size().saturating_add(texts.saturating_mul(TEXT)) as u64;
        if needed > self.most { Err(self.limit.exceeded(path)) } else { Ok(needed) }
    }

    /// Takes what a row needs that is kept.
    ///
    /// # Errors
    /// [`Error::Content`] when nothing is left, or all tables that are held would take more than they may.
    pub fn keep(&mut self, bytes: u64, path: &Path) -> Result<()> {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken > self.most {
            return Err(self.limit.exceeded(path));
        }
        self.held.grow_to(self.taken.saturating_sub(self.justified), path)
    }

    /// Takes what the rows of a batch need that are kept as columns, and then made into rows of `width` bytes.
    ///
    /// # Errors
    /// As [`Allowance::keep`].
    pub fn take(&mut self, batch: &RecordBatch, width: usize, path: &Path) -> Result<()> {
        let rows = batch.num_rows().saturating_mul(width) as u64;
        self.keep(self.check(batch, path)?.saturating_mul(2).saturating_add(rows), path)
    }

    /// What it holds of the memory that all tables may take, for as long as the rows are kept.
    pub fn into_held(self) -> Share {
        self.held
    }
}

/// Refuses texts and lists that are longer than a cell's may be.
///
/// # Errors
/// [`Error::Content`] naming the limit.
pub fn check_cells(batch: &RecordBatch, path: &Path) -> Result<()> {
    for array in batch.columns() {
        let array = array.as_any();
        if let Some(texts) = array.downcast_ref::<StringArray>() {
            within(texts.offsets(), Limit::Text, path)?;
        } else if let Some(lists) = array.downcast_ref::<ListArray>() {
            within(lists.offsets(), Limit::List, path)?;
            if let Some(texts) = lists.values().as_any().downcast_ref::<StringArray>() {
                within(texts.offsets(), Limit::Text, path)?;
            }
        }
    }
    Ok(())
}

fn within<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, limit: Limit, path: &Path) -> Result<()> {
    let longest = offsets.windows(2).map(|pair| pair[1].as_usize().saturating_sub(pair[0].as_usize())).max();
    if longest.is_some_and(|longest| longest as u64 > limit.value()) {
        return Err(limit.exceeded(path));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selected::read_example;
    use crate::table::{Table, read_rows, write_rows};
    use crate::table_row;

    table_row! {
        /// A row.
        pub struct Sample {
            /// Row of the example.
            pub row: usize,
            /// A text.
            pub text: String,
            /// Some.
            pub list: Option<Vec<i64>>,
        }
    }

    fn refused(path: &Path, limit: Limit) {
        for told in [read_rows::<Sample>(path).map(drop), read_example::<Sample>(path, 1).map(drop), Table::read(path).map(drop)] {
            let told = told.unwrap_err().to_string();
            assert!(told.contains(&limit.cause()) && told.contains("t.parquet") && told.contains("--limits"), "{told}");
        }
    }

    #[test]
    fn many_equal_rows_in_few_bytes_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let mut writer = crate::stream::RowWriter::create(&path).unwrap();
        for _ in 0..6_000_000 {
            writer.push(Sample { row: 1, text: "the same".into(), list: None }).unwrap();
        }
        writer.finish().unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 400 << 10);
        for told in [read_rows::<Sample>(&path).map(drop), Table::read(&path).map(drop)] {
            assert!(told.unwrap_err().to_string().contains(&Limit::Table.cause()));
        }
        assert!(read_example::<Sample>(&path, 1).unwrap_err().to_string().contains(&Limit::ExampleRows.cause()));
        assert!(read_example::<Sample>(&path, 2).unwrap().is_empty());
    }

    #[test]
    fn long_texts_are_refused_however_they_are_packed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let long = "x".repeat(Limit::Text.size() + 1);
        write_rows(&path, (0..200).map(|_| Sample { row: 1, text: long.clone(), list: None })).unwrap();
        refused(&path, Limit::Text);
        let fits = "x".repeat(Limit::Text.size());
        write_rows(&path, (0..3).map(|_| Sample { row: 1, text: fits.clone(), list: None })).unwrap();
        assert_eq!(read_rows::<Sample>(&path).unwrap().len(), 3);
    }

    #[test]
    fn a_page_that_unpacks_to_much_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        write_rows(&path, [Sample { row: 1, text: "x".repeat(Limit::Page.size() + 9), list: None }]).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 64 << 10);
        refused(&path, Limit::Page);
    }

    #[test]
    fn a_long_list_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        write_rows(&path, [Sample { row: 1, text: String::new(), list: Some(vec![7; Limit::List.size() + 1]) }]).unwrap();
        refused(&path, Limit::List);
        write_rows(&path, (0..40).map(|_| Sample { row: 1, text: String::new(), list: Some(vec![7; Limit::List.size()]) })).unwrap();
        refused(&path, Limit::Table);
    }
}
