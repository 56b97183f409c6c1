//! Tables longer than memory should hold: rows written, and read, a batch at a time.

use std::fs::File;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::contained::contained;
use crate::door::{self, Limit, table::Allowance, table::Opened};
use crate::table::{Row, Table, properties};
use crate::{Error, Result};

/// Rows of a batch.
const BATCH: usize = 1024;
/// Rows of a row group, whose columns wait in memory, encoded, until it is whole.
const GROUP: usize = 32 * BATCH;

/// What a reader of a damaged table is told to do.
const REMEDY: &str = "the file was written by another version or is damaged: run the stage that writes it again";

/// Writes rows one by one. The same rows give the same bytes; the file is not atomic, so it
/// belongs into a folder that appears when it is whole.
pub struct RowWriter<R> {
    path: PathBuf,
    writer: ArrowWriter<File>,
    held: Table,
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
        Ok(Self { path: path.to_path_buf(), writer, held, rows: PhantomData })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// [`Error::Content`] when a batch cannot be written.
    pub fn push(&mut self, row: R) -> Result<()> {
        row.push(&mut self.held);
        if self.held.len() < BATCH { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::replace(&mut self.held, R::empty()).batch(&self.path)?;
        self.writer.write(&batch).map_err(|e| unwritten(&self.path, e))
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

/// Reads a table's rows in their order.
pub struct RowReader<R> {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    held: Table,
    next: usize,
    over: bool,
    /// What all rows together may take; absent where they pass one after the other.
    allowance: Option<Allowance>,
    rows: PhantomData<R>,
}

impl<R: Row> RowReader<R> {
    /// Opens the file for rows that pass one after the other.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Content`] when it is absent, not parquet, or beyond the limits.
    pub fn open(path: &Path) -> Result<Self> {
        Self::opened(path, Limit::Table, false)
    }

    /// Opens the file for rows that are kept together, which may take `most`.
    ///
    /// # Errors
    /// As [`RowReader::open`].
    pub(crate) fn whole(path: &Path, most: Limit) -> Result<Self> {
        Self::opened(path, most, true)
    }

    fn opened(path: &Path, most: Limit, kept: bool) -> Result<Self> {
        contained(path, REMEDY, || {
            let Opened { builder, allowance } = door::table::open(path, REMEDY, most, |_| true)?;
            let held = Table::of_schema(builder.schema(), path)?;
            let batches = builder.build().map_err(|e| damaged(path, e))?;
            let allowance = kept.then_some(allowance);
            Ok(Self { path: path.to_path_buf(), batches, held, next: 0, over: false, allowance, rows: PhantomData })
        })
    }

    /// The next batch; whether there was one.
    fn fill(&mut self) -> Result<bool> {
        let (path, batches, held, allowance) = (&self.path, &mut self.batches, &mut self.held, &mut self.allowance);
        self.next = 0;
        contained(path, REMEDY, || {
            held.clear();
            let Some(batch) = batches.next() else { return Ok(false) };
            let batch = batch.map_err(|e| damaged(path, e))?;
            if let Some(allowance) = allowance {
                allowance.take(&batch, size_of::<R>(), path)?;
            }
            held.append(&batch, path)?;
            Ok(true)
        })
    }

    fn row(&mut self) -> Result<Option<R>> {
        while self.next >= self.held.len() {
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
