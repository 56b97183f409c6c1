//! Rows of a table that are kept together, with their share of the memory that all tables may take.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use serde::{Serialize, Serializer};

use crate::Result;
use crate::door::{Limit, share::Share};
use crate::stream::RowReader;
use crate::table::Row;

/// All rows of a table. While they are there they count among the tables that a process holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept<R> {
    rows: Vec<R>,
    held: Share,
}

impl<R> Kept<R> {
    /// These rows, with what they hold.
    pub(crate) fn new(rows: Vec<R>, held: Share) -> Self {
        Self { rows, held }
    }

    /// The rows, and what they hold; to be kept as long as they.
    pub fn apart(self) -> (Vec<R>, Share) {
        (self.rows, self.held)
    }
}

impl<R> Default for Kept<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), held: Share::default() }
    }
}

impl<R> Deref for Kept<R> {
    type Target = [R];

    fn deref(&self) -> &[R] {
        &self.rows
    }
}

impl<R> DerefMut for Kept<R> {
    fn deref_mut(&mut self) -> &mut [R] {
        &mut self.rows
    }
}

impl<'a, R> IntoIterator for &'a Kept<R> {
    type Item = &'a R;
    type IntoIter = std::slice::Iter<'a, R>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

impl<R: Serialize> Serialize for Kept<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.rows.serialize(serializer)
    }
}

/// Reads a table back into rows that are kept.
///
/// # Errors
/// As [`crate::table::read_rows`].
pub fn keep_rows<R: Row>(path: &Path) -> Result<Kept<R>> {
    keep_where(path, |_| true)
}

/// As [`keep_rows`], only those that are wanted; the others never gather in memory.
///
/// # Errors
/// As [`keep_rows`].
pub fn keep_where<R: Row>(path: &Path, wanted: impl Fn(&R) -> bool) -> Result<Kept<R>> {
    gather(path, Limit::Table, usize::MAX, wanted)
}

/// Reads a table of findings back into rows that are kept: few, and small.
///
/// # Errors
/// As [`crate::table::read_findings`].
pub fn keep_findings<R: Row>(path: &Path) -> Result<Kept<R>> {
    gather(path, Limit::FindingTable, Limit::FindingRows.size(), |_| true)
}

fn gather<R: Row>(path: &Path, limit: Limit, most: usize, wanted: impl Fn(&R) -> bool) -> Result<Kept<R>> {
    let mut reader = RowReader::<R>::kept(path, limit)?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next().transpose()? {
        if wanted(&row) {
            if rows.len() >= most {
                return Err(Limit::FindingRows.exceeded(path));
            }
            reader.keep_last()?;
            rows.push(row);
        }
    }
    Ok(Kept { rows, held: reader.into_held() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::write_rows;
    use crate::table_row;

    table_row! {
        /// A row.
        pub struct Sample {
            /// Row of the example.
            pub row: usize,
            /// A text.
            pub text: String,
        }
    }

    #[test]
    fn tables_just_inside_their_limit_are_not_held_without_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        // Three eighths of what one table may take, in a few bytes.
        let text = "x".repeat(Limit::Text.size());
        let many = Limit::Table.size() * 3 / 8 / text.len();
        write_rows(&path, (0..many).map(|row| Sample { row, text: text.clone() })).unwrap();
        let held: Vec<Result<Kept<Sample>>> = (0..3).map(|_| keep_rows(&path)).collect();
        assert!(held[0].as_ref().is_ok_and(|rows| rows.len() == many) && held[1].is_ok());
        let told = held[2].as_ref().unwrap_err().to_string();
        assert!(told.contains("t.parquet") && told.contains(&Limit::Held.cause()) && told.contains("--limits"), "{told}");
        drop(held);
        assert!(keep_rows::<Sample>(&path).is_ok(), "what was dropped is given back");
        assert!((0..8).all(|_| keep_where(&path, |row: &Sample| row.row == 1).is_ok_and(|rows| rows.len() == 1)));
    }
}
