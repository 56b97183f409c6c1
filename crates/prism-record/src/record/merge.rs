//! Records of several folders, put together row by row: what is in memory does not grow
//! with the number of examples.

use std::path::{Path, PathBuf};

use prism_model::{Error, Result};
use prism_run::door::Limit;
use prism_run::records::{AlignmentRow, AttentionRow, ExampleRow, LatentRow, LensRow, MapRow, files};
use prism_run::stream::{RowReader, RowWriter};
use prism_run::table::Row;
use prism_run::vectors;

use super::rows::Answered;

/// Writes the records of `folders` into `into`, sorted by the example's row; gives the number
/// of examples. Those of each folder are sorted.
///
/// # Errors
/// When two hold the same example, one is damaged, or `into` cannot be written.
pub(super) fn merge<A: Answered>(folders: &[PathBuf], into: &Path) -> Result<usize> {
    let mut sources = Vec::new();
    let mut rows = Vec::new();
    for folder in folders {
        let of_folder = RowReader::<ExampleRow>::open(&folder.join(files::EXAMPLES))?.map(|example| Ok(example?.row));
        let of_folder = of_folder.collect::<prism_run::Result<Vec<usize>>>()?;
        sources.push(Source { folder, first: of_folder.first().copied().unwrap_or_default() });
        rows.extend(of_folder);
    }
    rows.sort_unstable();
    if let Some(twice) = rows.windows(2).find(|pair| pair.first() == pair.last()) {
        return Err(Error::input("shards", format!("hold row {} twice", twice[0]), "name every shard once"));
    }
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
    Ok(rows.len())
}

/// A folder, and its first example.
struct Source<'f> {
    folder: &'f Path,
    first: usize,
}

/// A folder's table under way.
struct Under<R> {
    rows: RowReader<R>,
    next: R,
    path: PathBuf,
    /// Rows of the example that `next` is of, so far.
    alike: usize,
}

fn table<R: Row>(sources: &[Source<'_>], into: &Path, name: &str, row: impl Fn(&R) -> usize) -> Result<()> {
    let mut writer = RowWriter::create(&into.join(name))?;
    let mut waiting = sources.iter().peekable();
    let mut under: Vec<Under<R>> = Vec::new();
    loop {
        let due = under.iter().map(|u| row(&u.next)).min();
        if let Some(source) = waiting.next_if(|source| due.is_none_or(|due| source.first <= due)) {
            let path = source.folder.join(name);
            let mut rows = RowReader::open(&path)?;
            if let Some(next) = rows.next().transpose()? {
                under.push(Under { rows, next, path, alike: 1 });
            }
            continue;
        }
        let Some(at) = due.and_then(|due| under.iter().position(|u| row(&u.next) == due)) else { break };
        let Under { rows, next, path, alike } = &mut under[at];
        match rows.next().transpose()? {
            Some(after) => {
                *alike = if row(&after) == row(next) { *alike + 1 } else { 1 };
                if *alike > Limit::ExampleRows.size() {
                    return Err(Limit::ExampleRows.exceeded(path).into());
                }
                writer.push(std::mem::replace(next, after))?;
            }
            None => writer.push(under.swap_remove(at).next)?,
        }
    }
    Ok(writer.finish()?)
}
