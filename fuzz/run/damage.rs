//! What the bytes do to a run folder: a few steps, each of which changes a file, a table or the
//! manifest in one of the ways in which a stranger could.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use prism_run::table::{Column, Table};
use serde_json::Value;

use super::honest;

/// Steps taken, at most.
const STEPS: usize = 8;
/// Rows of a table that is made longer, at most: an input is to take milliseconds.
const ROWS: usize = 4096;

/// Numbers and pieces, taken off the front; when nothing is left, zeros.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn long(&mut self) -> i64 {
        (0..8).fold(0, |number, _| (number << 8) | i64::from(self.byte()))
    }

    /// A number below `count`, or 0.
    fn below(&mut self, count: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number % count.max(1)
    }

    fn piece(&mut self) -> &'b [u8] {
        let length = self.below(4096).min(self.0.len());
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        piece
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(self.piece()).into_owned()
    }

    /// One of these.
    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> Option<&'a T> {
        let place = self.below(all.len());
        all.get(place).copied()
    }
}

/// Takes the steps that the bytes say. One that cannot be taken is left out.
pub fn apply(bytes: &[u8], run: &Path) {
    let mut bytes = Bytes(bytes);
    for _ in 0..STEPS {
        if bytes.0.is_empty() {
            break;
        }
        let _ = step(&mut bytes, run);
    }
}

fn step(bytes: &mut Bytes<'_>, run: &Path) -> Option<()> {
    let all: Vec<&str> = honest::files().keys().map(String::as_str).collect();
    let tables: Vec<&str> = all.iter().copied().filter(|name| name.ends_with(".parquet")).collect();
    let manifests = ["run.json", "shard-1-of-2/run.json", "shard-2-of-2/run.json"];
    let kind = bytes.byte() % 12;
    let path = run.join(match kind {
        0..=5 => bytes.of(&all)?,
        6 => bytes.of(&manifests)?,
        _ => bytes.of(&tables)?,
    });
    match kind {
        0 => fs::write(path, bytes.piece()).ok(),
        1 => cut(bytes, &path),
        2 => flip(bytes, &path),
        3 => fs::remove_file(path).ok(),
        4 => special(bytes, &path),
        5 => fs::copy(run.join(bytes.of(&all)?), path).ok().map(|_| ()),
        6 => manifest(bytes, &path),
        7 => edit(&path, |table| retype(bytes, table)),
        8 => edit(&path, |table| remove(bytes, table)),
        9 => edit(&path, |table| repeat(bytes, table)),
        10 => edit(&path, |table| put(bytes, table)),
        _ => edit(&path, |table| say(bytes, table)),
    }
}

fn cut(bytes: &mut Bytes<'_>, path: &Path) -> Option<()> {
    let mut content = fs::read(path).ok()?;
    content.truncate(bytes.below(content.len()));
    fs::write(path, content).ok()
}

fn flip(bytes: &mut Bytes<'_>, path: &Path) -> Option<()> {
    let mut content = fs::read(path).ok()?;
    for _ in 0..=bytes.byte() % 16 {
        let at = bytes.below(content.len());
        *content.get_mut(at)? ^= 1 << (bytes.byte() % 8);
    }
    fs::write(path, content).ok()
}

/// A folder, or a link to a device, to itself, or out of the run.
fn special(bytes: &mut Bytes<'_>, path: &Path) -> Option<()> {
    fs::remove_file(path).ok()?;
    match bytes.byte() % 5 {
        0 => fs::create_dir(path).ok(),
        1 => symlink("/dev/zero", path).ok(),
        2 => symlink(path.file_name()?, path).ok(),
        3 => symlink("../private/words", path).ok(),
        _ => symlink("../../private/words", path).ok(),
    }
}

fn manifest(bytes: &mut Bytes<'_>, path: &Path) -> Option<()> {
    let mut whole: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let mut place = whole.as_object_mut()?;
    let keys: Vec<String> = place.keys().cloned().collect();
    let mut key = keys.get(bytes.below(keys.len()))?.clone();
    while bytes.byte() % 2 == 1 && place.get(&key)?.is_object() {
        place = place.get_mut(&key)?.as_object_mut()?;
        let keys: Vec<String> = place.keys().cloned().collect();
        key = keys.get(bytes.below(keys.len()))?.clone();
    }
    let said = bytes.text();
    place.insert(key, serde_json::from_str(&said).unwrap_or(Value::String(said)));
    fs::write(path, whole.to_string()).ok()
}

fn edit(path: &Path, change: impl FnOnce(&mut Table) -> Option<()>) -> Option<()> {
    let mut table = Table::read(path).ok()?;
    change(&mut table)?;
    table.write(path).ok()
}

/// A column of another type.
fn retype(bytes: &mut Bytes<'_>, table: &mut Table) -> Option<()> {
    let rows = table.len();
    let place = bytes.below(table.columns.len());
    let (_, column) = table.columns.get_mut(place)?;
    *column = match bytes.byte() % 7 {
        0 => Column::Int((0..rows).map(|_| Some(bytes.long())).collect()),
        1 => Column::Real((0..rows).map(|_| Some(f64::from_bits(bytes.long() as u64))).collect()),
        2 => Column::Text((0..rows).map(|_| Some(bytes.text())).collect()),
        3 => Column::Bool((0..rows).map(|_| Some(bytes.byte().is_multiple_of(2))).collect()),
        4 => Column::Ints((0..rows).map(|_| Some(vec![bytes.long(); bytes.below(64)])).collect()),
        5 => Column::Reals((0..rows).map(|_| Some(vec![f64::from(bytes.byte()); bytes.below(64)])).collect()),
        _ => Column::Int(vec![None; rows]),
    };
    Some(())
}

fn remove(bytes: &mut Bytes<'_>, table: &mut Table) -> Option<()> {
    let place = bytes.below(table.columns.len());
    (place < table.columns.len()).then(|| drop(table.columns.remove(place)))
}

/// One row many times, the others once.
fn repeat(bytes: &mut Bytes<'_>, table: &mut Table) -> Option<()> {
    let rows = table.len();
    let (row, times) = (bytes.below(rows), bytes.below(ROWS));
    let order: Vec<usize> = (0..rows).chain(std::iter::repeat_n(row, times)).collect();
    for (_, column) in &mut table.columns {
        match column {
            Column::Int(v) => take(v, &order),
            Column::Real(v) => take(v, &order),
            Column::Text(v) => take(v, &order),
            Column::Bool(v) => take(v, &order),
            Column::Ints(v) => take(v, &order),
            Column::Reals(v) => take(v, &order),
            Column::Texts(v) => take(v, &order),
        }
    }
    Some(())
}

fn take<T: Clone>(values: &mut Vec<Option<T>>, order: &[usize]) {
    *values = order.iter().map(|row| values.get(*row).cloned().flatten()).collect();
}

/// Another value in one cell.
fn put(bytes: &mut Bytes<'_>, table: &mut Table) -> Option<()> {
    let (row, place) = (bytes.below(table.len()), bytes.below(table.columns.len()));
    let absent = bytes.byte().is_multiple_of(8);
    let (_, column) = table.columns.get_mut(place)?;
    match column {
        Column::Int(v) => *v.get_mut(row)? = (!absent).then(|| bytes.long()),
        Column::Real(v) => *v.get_mut(row)? = (!absent).then(|| f64::from_bits(bytes.long() as u64)),
        Column::Text(v) => *v.get_mut(row)? = (!absent).then(|| bytes.text()),
        Column::Bool(v) => *v.get_mut(row)? = (!absent).then(|| bytes.byte().is_multiple_of(2)),
        Column::Ints(v) => *v.get_mut(row)? = (!absent).then(|| vec![bytes.long(); bytes.below(ROWS)]),
        Column::Reals(v) => *v.get_mut(row)? = (!absent).then(|| vec![f64::from_bits(bytes.long() as u64); bytes.below(ROWS)]),
        Column::Texts(v) => *v.get_mut(row)? = (!absent).then(|| vec![bytes.text(); bytes.below(16)]),
    }
    Some(())
}

/// The same text in a whole column.
fn say(bytes: &mut Bytes<'_>, table: &mut Table) -> Option<()> {
    let place = bytes.below(table.columns.len());
    let said = bytes.text();
    match &mut table.columns.get_mut(place)?.1 {
        Column::Text(texts) => texts.iter_mut().for_each(|text| *text = Some(said.clone())),
        Column::Texts(lists) => lists.iter_mut().for_each(|list| *list = Some(vec![said.clone(); 2])),
        _ => return None,
    }
    Some(())
}
