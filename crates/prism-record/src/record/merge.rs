//! Records of several folders, put together row by row: what is in memory grows neither with the number of examples nor
//! with that of the folders.

use std::path::{Path, PathBuf};

use prism_model::{Error, Result};
use prism_run::door::{Limit, stands};
use prism_run::folder::{self, names};
use prism_run::records::{AlignmentRow, AttentionRow, ExampleRow, LatentRow, LensRow, MapRow, TimingRow, files};
use prism_run::stream::RowReader;
use prism_run::table::Row;
use prism_run::{table_row, vectors};

use super::join::{Input, join};
use super::rows::Answered;

table_row! {
    /// Which example a row is of.
    pub struct OfExample {
        /// Row of the example.
        pub row: usize,
    }
}

/// Writes the records of `folders` into `into`, sorted by the example's row; gives the number
/// of examples. Those of each folder are sorted.
///
/// # Errors
/// When two hold the same example, one is damaged, or `into` cannot be written.
pub(super) fn merge<A: Answered>(folders: &[PathBuf], into: &Path) -> Result<usize> {
    let mut sources = Vec::new();
    let mut rows = Vec::new();
    for folder in folders {
        let (path, begin) = (folder.join(files::EXAMPLES), rows.len());
        for example in RowReader::<OfExample>::open(&path)? {
            rows.push(example?.row);
            if rows.len() > Limit::Rows.size() {
                return Err(Limit::Rows.exceeded(&path).into());
            }
        }
        sources.push(Source { folder, first: rows.get(begin).copied().unwrap_or_default() });
    }
    rows.sort_unstable();
    if let Some(twice) = rows.windows(2).find(|pair| pair.first() == pair.last()) {
        return Err(Error::input("shards", format!("hold row {} twice", twice[0]), "name every shard once"));
    }
    let examples = rows.len();
    drop(rows);
    // A folder is opened when its first example is due: of many parts few are open at a time.
    sources.sort_by_key(|source| source.first);
    table(&sources, into, files::EXAMPLES, |r: &ExampleRow| r.row)?;
    table(&sources, into, files::ANSWERS, |r: &A| r.row())?;
    table(&sources, into, files::ALIGNMENT, |r: &AlignmentRow| r.row)?;
    table(&sources, into, files::STEPS, |r: &LatentRow| r.row)?;
    table(&sources, into, files::ATTENTION, |r: &AttentionRow| r.row)?;
    table(&sources, into, files::MAPS, |r: &MapRow| r.row)?;
    table(&sources, into, files::LENS, |r: &LensRow| r.row)?;
    let all: Vec<PathBuf> = folders.iter().map(|folder| folder.join(files::LATENTS)).collect();
    vectors::merge(&all, &into.join(files::LATENTS))?;
    Ok(examples)
}

/// Writes the times that lie in `folders` into `run`, by way of `into`, a folder of its file system; where there are none,
/// those of records before go.
///
/// # Errors
/// When one is damaged, or `run` cannot be written.
pub(super) fn timing(folders: &[PathBuf], into: &Path, run: &Path) -> Result<()> {
    let mut sources = Vec::new();
    for folder in folders {
        let path = folder.join(names::TIMING);
        if stands(&path) {
            let first = RowReader::<OfExample>::open(&path)?.next().transpose()?;
            sources.push(Source { folder, first: first.map_or(0, |of| of.row) });
        }
    }
    let to = run.join(names::TIMING);
    if sources.is_empty() {
        return Ok(folder::remove(&to)?);
    }
    sources.sort_by_key(|source| source.first);
    table(&sources, into, names::TIMING, |r: &TimingRow| r.row)?;
    Ok(folder::place(&into.join(names::TIMING), &to)?)
}

/// A folder, and its first example.
struct Source<'f> {
    folder: &'f Path,
    first: usize,
}

fn table<R: Row>(sources: &[Source<'_>], into: &Path, name: &str, row: impl Fn(&R) -> usize) -> Result<()> {
    let inputs: Vec<Input> = sources.iter().map(|source| Input::new(source.folder.join(name), source.first)).collect();
    join(&inputs, &into.join(name), &row)
}
