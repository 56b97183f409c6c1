//! Tables longer than memory should hold: rows written, and read, a batch at a time.

use std::fs::File;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatchReader;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::contained::contained;
use crate::door::{self, Limit, held::Held, table::Allowance, table::Opened, table::Use};
use crate::table::{Row, Table, properties};
use crate::{Error, Result};

/// Rows of a batch.
const BATCH: usize = 1024;
/// Bytes of a batch: rows may hold long texts, or maps.
const BATCH_BYTES: usize = 8 << 20;
/// Rows of a row group, whose columns wait in memory, encoded, until it is whole.
const GROUP: usize = 32 * BATCH;
/// Bytes of a row group, before they are encoded.
const GROUP_BYTES: usize = 32 << 20;

/// What a reader of a damaged table is told to do.
const REMEDY: &str = "the file was written by another version or is damaged: run the stage that writes it again";

/// Writes rows one by one. The same rows give the same bytes; the file is not atomic, so it
/// belongs into a folder that appears when it is whole.
pub struct RowWriter<R> {
    path: PathBuf,
    writer: ArrowWriter<File>,
    held: Table,
    /// Bytes of the rows held, and of those in the row group before them.
    weight: (usize, usize),
    rows: PhantomData<R>,
}

impl<R: Row> RowWriter<R> {
    /// Opens the file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|e| Error::io("cannot write", path, e))?;
        let held = R::empty();
        let properties = properties(path)?.set_max_row_group_row_count(Some(GROUP)).build();
        let writer = ArrowWriter::try_new(file, held.schema(), Some(properties)).map_err(|e| unwritten(path, e))?;
        Ok(Self { path: path.to_path_buf(), writer, held, weight: (0, 0), rows: PhantomData })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// [`Error::Content`] when a batch cannot be written.
    pub fn push(&mut self, row: R) -> Result<()> {
        row.push(&mut self.held);
        self.weight.0 += self.held.weight_of::<R>(self.held.len().saturating_sub(1));
        if self.held.len() < BATCH && self.weight.0 < BATCH_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::replace(&mut self.held, R::empty()).batch(&self.path)?;
        let weight = std::mem::take(&mut self.weight.0);
        self.writer.write(&batch).map_err(|e| unwritten(&self.path, e))?;
        // Where the rows of a group were full, another has begun.
        self.weight.1 = if self.writer.in_progress_rows() < batch.num_rows() { 0 } else { self.weight.1 + weight };
        if self.weight.1 >= GROUP_BYTES {
            self.weight.1 = 0;
            self.writer.flush().map_err(|e| unwritten(&self.path, e))?;
        }
        Ok(())
    }

    /// Writes what is left, and the table's end.
    ///
    /// # Errors
    /// As [`RowWriter::push`].
    pub fn finish(mut self) -> Result<()> {
        if !self.held.is_empty() {
            self.flush()?;
        }
        let path = self.path;
        self.writer.close().map(drop).map_err(|e| unwritten(&path, e))
    }
}

fn unwritten(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::io("cannot write", path, std::io::Error::other(error.to_string()))
}

/// Reads a table's rows in their order: of its columns those that `R` names.
pub struct RowReader<R> {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    held: Table,
    /// Rows of the batch that is held, and the next of them.
    many: usize,
    next: usize,
    over: bool,
    allowance: Allowance,
    /// Bytes of the pages that are unpacked at once, and of the batch that is held.
    weight: (u64, u64),
    rows: PhantomData<R>,
}

impl<R: Row> RowReader<R> {
    /// Opens the file for rows that pass one after the other.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Content`] when it is absent, not parquet, or beyond the limits.
    pub fn open(path: &Path) -> Result<Self> {
        Self::opened(path, Use::Passing)
    }

    /// Opens the file for rows that are kept together, which may take `most`.
    ///
    /// # Errors
    /// As [`RowReader::open`].
    pub(crate) fn kept(path: &Path, most: Limit) -> Result<Self> {
        Self::opened(path, Use::Kept(most))
    }

    fn opened(path: &Path, to: Use) -> Result<Self> {
        contained(path, REMEDY, || {
            let named = R::empty();
            let Opened { builder, allowance, unpacked } = door::table::open(path, REMEDY, to, |name| named.column(name).is_some())?;
            let batches = builder.build().map_err(|e| damaged(path, e))?;
            let held = Table::of_schema(&batches.schema(), path)?;
            Ok(Self {
                path: path.to_path_buf(),
                batches,
                held,
                many: 0,
                next: 0,
                over: false,
                allowance,
                weight: (unpacked, 0),
                rows: PhantomData,
            })
        })
    }

    /// Bytes that it holds now, about: pages and a batch.
    pub fn weight(&self) -> u64 {
        self.weight.0.saturating_add(self.weight.1)
    }

    /// Counts the row that was given last as one that is kept.
    ///
    /// # Errors
    /// [`Error::Content`] when rows that are kept take more than they may.
    pub(crate) fn keep_last(&mut self) -> Result<()> {
        let bytes = self.held.weight_of::<R>(self.next.saturating_sub(1));
        self.allowance.keep(bytes as u64, &self.path)
    }

    /// What the rows that are kept hold of the memory that all tables may take.
    pub(crate) fn into_held(self) -> Held {
        self.allowance.into_held()
    }

    /// The next batch; whether there was one.
    fn fill(&mut self) -> Result<bool> {
        self.next = 0;
        self.many = 0;
        self.held.clear();
        let Self { path, batches, held, allowance, .. } = self;
        let read = contained(path, REMEDY, || {
            let Some(batch) = batches.next() else { return Ok(None) };
            let batch = batch.map_err(|e| damaged(path, e))?;
            let taken = allowance.check(&batch, path)?;
            held.append(&batch, path)?;
            Ok(Some((batch.num_rows(), taken)))
        })?;
        (self.many, self.weight.1) = read.unwrap_or_default();
        Ok(read.is_some())
    }

    fn row(&mut self) -> Result<Option<R>> {
        while self.next >= self.many {
            if !self.fill()? {
                return Ok(None);
            }
        }
        let row = R::get(&self.held, self.next).map_err(|cause| damaged(&self.path, cause))?;
        self.next += 1;
        Ok(Some(row))
    }
}

fn damaged(path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::content(path, cause.to_string(), REMEDY)
}

impl<R: Row> Iterator for RowReader<R> {
    type Item = Result<R>;

    /// After an error the iteration ends.
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let row = self.row().transpose();
        self.over = !matches!(row, Some(Ok(_)));
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{read_rows, write_rows};
    use crate::table_row;

    table_row! {
        /// A row.
        pub struct Sample {
            /// a
            pub row: usize,
            /// b
            pub text: Option<String>,
        }
    }

    fn rows(count: usize) -> Vec<Sample> {
        (0..count).map(|row| Sample { row, text: (row % 3 != 0).then(|| format!("row {row}")) }).collect()
    }

    #[test]
    fn rows_go_out_and_come_in_over_batches_and_groups() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0, 1, BATCH, GROUP + BATCH + 7] {
            let path = folder.path().join(format!("{count}.parquet"));
            let mut writer = RowWriter::create(&path).unwrap();
            rows(count).into_iter().for_each(|row| writer.push(row).unwrap());
            writer.finish().unwrap();
            assert!(read_rows::<Sample>(&path).unwrap() == rows(count));
            assert!(RowReader::open(&path).unwrap().collect::<Result<Vec<Sample>>>().unwrap() == rows(count));
        }
    }

    /// Rows of long texts are read back in batches and written in groups that are bounded by bytes.
    #[test]
    fn long_rows_pass_in_small_batches_and_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.parquet");
        // Texts that differ from row to row, so that no dictionary holds them.
        let text = |row: usize| format!("{row:06}").repeat(33_000);
        let many = 4 * GROUP_BYTES / 200_000;
        let mut writer = RowWriter::create(&path).unwrap();
        (0..many).for_each(|row| writer.push(Sample { row, text: Some(text(row)) }).unwrap());
        writer.finish().unwrap();
        let metadata = parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&File::open(&path).unwrap()).unwrap();
        assert!(metadata.num_row_groups() >= 3, "{}", metadata.num_row_groups());
        let mut reader = RowReader::<Sample>::open(&path).unwrap();
        let (mut read, mut heaviest) = (0, 0);
        while let Some(row) = reader.next() {
            let row = row.unwrap();
            assert!(row.row == read && row.text.as_deref() == Some(text(read).as_str()));
            read += 1;
            heaviest = heaviest.max(reader.weight());
        }
        assert!(read == many && heaviest < 48 << 20, "{read} rows, {heaviest} bytes");
    }

    #[test]
    fn columns_that_nobody_asked_for_are_not_read() {
        table_row! {
            /// Part of it.
            pub struct Part {
                /// a
                pub row: usize,
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        // One that could not be read: longer than a text may be.
        write_rows(&path, (0..3).map(|row| Sample { row, text: Some("x".repeat(Limit::Text.size() + 1)) })).unwrap();
        let read: Vec<usize> = RowReader::<Part>::open(&path).unwrap().map(|part| part.unwrap().row).collect();
        assert_eq!(read, [0, 1, 2]);
        assert!(RowReader::<Sample>::open(&path).unwrap().next().unwrap().is_err());
    }

    #[test]
    fn a_damaged_table_ends_the_iteration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        write_rows(&path, rows(5)).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[10..40].fill(0xff);
        std::fs::write(&path, &bytes).unwrap();
        let read: Vec<Result<Sample>> = RowReader::open(&path).map(Iterator::collect).unwrap_or_default();
        assert!(read.len() <= 1 && read.iter().all(Result::is_err));
    }
}
