//! MMVP: `Questions.csv` (`Index,Question,Options,Correct Answer`) and numbered images.
//!
//! Rows 1 and 2 are a pair, 3 and 4 the next: a pair counts only when both are right,
//! so a row without its partner is a fault. The header's first name is also seen as
//! `lndex`. The prompt is the harness's: `(a)` and `(b)` of the published text become
//! `A.` and `B.`, whatever stands between them is kept as it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use prism_run::Example;

use super::checks::{At, Ids, check_label, folder_of, gold_letter, shortened};
use super::{Each, Source};
use crate::{Error, Place, Result, prompt};

/// The file of questions.
pub(crate) const QUESTIONS: &str = "Questions.csv";

/// Columns in the order of [`Row`], with the spellings they occur in.
const COLUMNS: [&[&str]; 4] = [&["Index", "lndex"], &["Question"], &["Options"], &["Correct Answer"]];

const REMEDY: &str = "save it as UTF-8, comma-separated, with the columns Index,Question,Options,Correct Answer";

/// Reads the file, a row at a time.
///
/// # Errors
/// When it cannot be read, lacks a column, an image folder or any row; rows that break a
/// promise of the readers, and rows without a partner, go to `each`.
pub(super) fn visit(source: &Source<'_>, each: Each<'_>) -> Result<()> {
    let path = &source.files[0];
    let file = File::open(path).map_err(|e| Error::io("cannot read", path, e))?;
    // Rows of another length are told by us, so that the reading can go on.
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
    let whole = At { path, place: Place::File };
    let broken = |e: csv::Error| match e.into_kind() {
        csv::ErrorKind::Io(e) => Error::io("cannot read", path, e),
        other => whole.error(format!("the table cannot be read: {other:?}"), REMEDY),
    };
    let header: Vec<String> =
        reader.byte_headers().map_err(broken)?.iter().map(|name| String::from_utf8_lossy(name).trim().to_string()).collect();
    let columns = columns(&header, &whole)?;
    let images = image_folder(source, &whole)?;
    let (mut ids, mut seen) = (Ids::default(), BTreeMap::new());
    let (mut record, mut row) = (ByteRecord::new(), 0);
    // Behind `\r\n` a record's place is told as the line before.
    let behind = u64::from(first_line(path)?.ends_with(b"\r\n"));
    while reader.read_byte_record(&mut record).map_err(broken)? {
        let line = record.position().and_then(|p| usize::try_from(p.line() + behind).ok()).unwrap_or(row + 2);
        let at = At { path, place: Place::Line(line) };
        let made = cells(&record, &columns, header.len(), &at).and_then(|cells| {
            let index = index(cells[0], &at)?;
            seen.insert(index, line);
            let id = index.to_string();
            ids.add(&id, &at)?;
            let image = images.join(format!("{index}.jpg"));
            source.images.file(&image, &at)?;
            example(row, index, image, cells, source, &at)
        });
        if each(made).is_break() {
            return Ok(());
        }
        row += 1;
    }
    if row == 0 {
        return Err(whole.error("the benchmark is empty", "give a file with at least one question"));
    }
    for (index, line) in &seen {
        let partner = partner(*index);
        if !seen.contains_key(&partner) {
            let at = At { path, place: Place::Again(*line) };
            let cause = format!("question {index} has no partner: question {partner} is missing");
            let remedy = "give pairs whole (1 and 2, 3 and 4, ...): the score counts a pair only when both are right";
            if each(Err(at.error(cause, remedy))) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn first_line(path: &Path) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let read = File::open(path).and_then(|file| BufReader::new(file).read_until(b'\n', &mut line));
    read.map(|_| line).map_err(|e| Error::io("cannot read", path, e))
}

/// Where each of [`COLUMNS`] stands.
fn columns(header: &[String], at: &At<'_>) -> Result<[usize; 4]> {
    let mut found = [0; 4];
    for (place, spellings) in found.iter_mut().zip(COLUMNS) {
        *place = header
            .iter()
            .position(|name| spellings.contains(&name.as_str()))
            .ok_or_else(|| at.error(format!("there is no column `{}` (found: {})", spellings[0], shortened(&header.join(", "))), REMEDY))?;
    }
    Ok(found)
}

fn image_folder(source: &Source<'_>, at: &At<'_>) -> Result<PathBuf> {
    let names = &source.description.images;
    names.iter().map(|name| folder_of(at.path).join(name)).find(|folder| folder.is_dir()).ok_or_else(|| {
        let cause = format!("there is no folder `{}` beside it", names.join("` or `"));
        at.error(cause, "put the images there as 1.jpg, 2.jpg, ...")
    })
}

fn cells<'r>(record: &'r ByteRecord, columns: &[usize; 4], width: usize, at: &At<'_>) -> Result<[&'r str; 4]> {
    if record.len() != width {
        let cause = format!("it has {} columns, the header {width}", record.len());
        return Err(at.error(cause, "put a text that holds a comma into double quotes, and close every quote"));
    }
    let mut cells = [""; 4];
    for (cell, column) in cells.iter_mut().zip(columns) {
        *cell = record
            .get(*column)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or_else(|| at.error("it is not UTF-8 text", REMEDY))?;
    }
    Ok(cells)
}

fn index(cell: &str, at: &At<'_>) -> Result<usize> {
    match cell.trim().parse() {
        Ok(index) if index > 0 => Ok(index),
        _ => Err(
            at.error(format!("the index `{}` is not a number from 1", shortened(cell)), "number the questions as their images: 1, 2, ...")
        ),
    }
}

/// The other question of a pair.
fn partner(index: usize) -> usize {
    if index % 2 == 1 { index + 1 } else { index - 1 }
}

fn example(row: usize, index: usize, image: PathBuf, cells: [&str; 4], source: &Source<'_>, at: &At<'_>) -> Result<Example> {
    let [_, question, line, answer] = cells;
    if question.trim().is_empty() {
        return Err(at.error("the question is empty", "give its text"));
    }
    let Some(options) = options(line) else {
        let cause = format!("the options `{}` cannot be told apart", shortened(line));
        return Err(at.error(cause, "write them as `(a) Open (b) Closed`"));
    };
    let label = gold_letter(answer, at)?;
    check_label(&label, &options, at)?;
    let (question, line) = (lettered(question, options.len()), lettered(line, options.len()));
    Ok(Example {
        id: index.to_string(),
        row,
        question_id: index.to_string(),
        images: vec![image],
        prompt: source.description.prompt.fill(&question, &line),
        options,
        label,
        boxes: Vec::new(),
        category: None,
        pair: Some(index.div_ceil(2).to_string()),
        counterfactual: None,
    })
}

/// `(a)`, `(b)`, ...
fn mark(index: usize) -> String {
    format!("({})", prompt::letter(index).unwrap_or('?').to_ascii_lowercase())
}

/// The options of `(a) Open (b) Closed`; none unless there are two or more, each with a text.
fn options(line: &str) -> Option<Vec<String>> {
    let mut rest = line.trim().strip_prefix(&mark(0))?;
    let mut options = Vec::new();
    while let Some((option, after)) = rest.split_once(&mark(options.len() + 1)) {
        options.push(option.trim().to_string());
        rest = after;
    }
    options.push(rest.trim().to_string());
    (options.len() > 1 && options.iter().all(|option| !option.is_empty())).then_some(options)
}

/// The text with `(a)` as `A.`, `(b)` as `B.`, and so on.
fn lettered(text: &str, options: usize) -> String {
    (0..options).fold(text.to_string(), |text, index| text.replace(&mark(index), &format!("{}.", prompt::letter(index).unwrap_or('?'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_told_apart() {
        assert_eq!(options("(a) Open (b) Closed").unwrap(), ["Open", "Closed"]);
        assert_eq!(options(" (a)Yes(b) No (at all) ").unwrap(), ["Yes", "No (at all)"]);
        assert_eq!(options("(a) 1 (b) 2 (c) 3").unwrap().len(), 3);
        for bad in ["Open or closed", "(a) Open", "(a) (b) Closed", "(b) x (a) y", ""] {
            assert_eq!(options(bad), None, "{bad}");
        }
        assert_eq!(lettered("(a) Open (b) Closed", 2), "A. Open B. Closed");
        assert_eq!((partner(1), partner(2), partner(7)), (2, 1, 8));
    }
}
