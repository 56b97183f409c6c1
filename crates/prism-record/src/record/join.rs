//! Sorted tables put together into one: side by side where they take little memory so, else in halves first.

use std::path::{Path, PathBuf};

use prism_model::Result;
use prism_run::door::Limit;
use prism_run::folder;
use prism_run::stream::{RowReader, RowWriter};
use prism_run::table::Row;

/// Bytes that tables read side by side may hold. Some twenty of honest records hold less.
const MOST: u64 = 192 << 20;

/// A table to be put together with others; its rows are sorted.
pub(super) struct Input {
    path: PathBuf,
    /// The example of its first row.
    first: usize,
    /// Whether it has been put together from others.
    is_half: bool,
}

impl Input {
    /// A table of which the first row is of that example.
    pub fn new(path: PathBuf, first: usize) -> Self {
        Self { path, first, is_half: false }
    }
}

/// Writes the rows of all `inputs`, in the order of their examples, to `to`; beside it lie halves meanwhile.
///
/// # Errors
/// When one is damaged, an example has more rows than the limits allow, or `to` cannot be written.
pub(super) fn join<R: Row>(inputs: &[Input], to: &Path, row: &impl Fn(&R) -> usize) -> Result<()> {
    join_within(inputs, to, row, MOST)
}

fn join_within<R: Row>(inputs: &[Input], to: &Path, row: &impl Fn(&R) -> usize, most: u64) -> Result<()> {
    // Two are read side by side whatever they hold: the door bounds each.
    let most = if inputs.len() > 2 { most } else { u64::MAX };
    if write(inputs, to, row, most)? {
        return Ok(());
    }
    let (early, late) = inputs.split_at(inputs.len() / 2);
    let mut halves = Vec::new();
    for half in [early, late] {
        let path = folder::beside(to);
        join_within(half, &path, row, most)?;
        halves.push(Input { path, first: half.first().map_or(0, |input| input.first), is_half: true });
    }
    write(&halves, to, row, u64::MAX)?;
    halves.iter().try_for_each(|half| Ok(folder::remove(&half.path)?))
}

/// A table under way.
struct Under<R> {
    rows: RowReader<R>,
    next: R,
    path: PathBuf,
    /// Rows of the example that `next` is of, so far; not counted in a half.
    alike: Option<usize>,
}

/// Whether all was written, and no more than `most` bytes held for it.
fn write<R: Row>(inputs: &[Input], to: &Path, row: &impl Fn(&R) -> usize, most: u64) -> Result<bool> {
    let mut writer = RowWriter::create(to)?;
    let mut waiting = inputs.iter().peekable();
    let mut under: Vec<Under<R>> = Vec::new();
    loop {
        if under.iter().map(|u| u.rows.weight()).fold(0, u64::saturating_add) > most {
            return Ok(false);
        }
        let due = under.iter().map(|u| row(&u.next)).min();
        if let Some(input) = waiting.next_if(|input| due.is_none_or(|due| input.first <= due)) {
            let mut rows = RowReader::open(&input.path)?;
            if let Some(next) = rows.next().transpose()? {
                under.push(Under { rows, next, path: input.path.clone(), alike: (!input.is_half).then_some(1) });
            }
            continue;
        }
        let Some(at) = due.and_then(|due| under.iter().position(|u| row(&u.next) == due)) else { break };
        let Under { rows, next, path, alike } = &mut under[at];
        match rows.next().transpose()? {
            Some(after) => {
                *alike = alike.map(|alike| if row(&after) == row(next) { alike + 1 } else { 1 });
                if alike.is_some_and(|alike| alike > Limit::ExampleRows.size()) {
                    return Err(Limit::ExampleRows.exceeded(path).into());
                }
                writer.push(std::mem::replace(next, after))?;
            }
            None => writer.push(under.swap_remove(at).next)?,
        }
    }
    writer.finish()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use prism_run::table::{read_rows, write_rows};
    use prism_run::table_row;

    use super::*;

    table_row! {
        /// A row.
        pub struct Sample {
            /// Row of the example.
            pub row: usize,
            /// Which table it was in, and which of its rows.
            pub of: String,
        }
    }

    /// Seven tables, of which some share no examples and some take turns; an example may have several rows.
    fn tables(folder: &Path) -> Vec<Input> {
        let table = |number: usize| {
            let rows = (0..40).map(move |i| Sample { row: (number % 3) * 1000 + (i / 2) * 7 + number, of: format!("{number}: {i}") });
            let path = folder.join(format!("{number}.parquet"));
            write_rows(&path, rows).unwrap();
            Input::new(path, (number % 3) * 1000 + number)
        };
        let mut all: Vec<Input> = (0..7).map(table).collect();
        all.sort_by_key(|input| input.first);
        all
    }

    #[test]
    fn halves_come_to_the_same_bytes_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let inputs = tables(dir.path());
        let (at_once, in_halves) = (dir.path().join("at-once"), dir.path().join("in-halves"));
        join(&inputs, &at_once, &|r: &Sample| r.row).unwrap();
        join_within(&inputs, &in_halves, &|r: &Sample| r.row, 0).unwrap();
        assert!(std::fs::read(&at_once).unwrap() == std::fs::read(&in_halves).unwrap());
        let rows: Vec<Sample> = read_rows(&at_once).unwrap();
        assert!(rows.len() == 280 && rows.is_sorted_by_key(|r| r.row));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 9, "seven tables, and two of them all");
    }

    #[test]
    fn an_example_of_too_many_rows_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let many = Limit::ExampleRows.size() + 1;
        write_rows(&path, (0..many).map(|i| Sample { row: 1, of: i.to_string() })).unwrap();
        let told = join(&[Input::new(path, 1)], &dir.path().join("to"), &|r: &Sample| r.row).unwrap_err().to_string();
        assert!(told.contains("t.parquet") && told.contains(&Limit::ExampleRows.cause()), "{told}");
    }
}
