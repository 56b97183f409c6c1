//! A table in the terminal: as many columns as the width has room for, by priority.
//!
//! What is folded away is named below the table. Sentences stand below it, too, each with its row; no word is broken.

use super::folding;
use super::form::Form;
use super::table::{Column, RowKind, Table};
use super::value::Value;

/// What stands for an absent number.
pub const ABSENT: &str = "n/a";
/// Between two columns.
const GAP: usize = 2;
/// A text of more characters stands below the table.
const LONGEST_TEXT: usize = 24;

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// To be written as it is: it has the width.
    Row(String),
    /// A sentence, to be broken between words.
    Sentence(String),
}

/// The lines; `width` absent for all columns.
pub fn lines(table: &Table, width: Option<usize>) -> Vec<Line> {
    let texts: Vec<Vec<String>> = table.rows().iter().map(|row| cells(table, row)).collect();
    let widths: Vec<usize> = (0..table.columns.len())
        .map(|i| texts.iter().map(|row| row[i].chars().count()).chain([heading(&table.columns[i]).chars().count()]).max().unwrap_or(0))
        .collect();
    let is_told = |i: usize| table.columns[i].form == Form::Text && widths[i] > LONGEST_TEXT;
    let columns: Vec<usize> = (0..table.columns.len()).filter(|i| !is_told(*i)).collect();
    let of: Vec<Column> = columns.iter().map(|i| table.columns[*i].clone()).collect();
    let (shown, folded) = folding::fit(&of, &columns.iter().map(|i| widths[*i]).collect::<Vec<_>>(), GAP, width.unwrap_or(usize::MAX / 4));
    let at = |places: &[usize]| -> Vec<usize> { places.iter().map(|i| columns[*i]).collect() };
    let (shown, folded) = (at(&shown), at(&folded));
    let line = |cell: &dyn Fn(usize) -> String| {
        let mut out = String::new();
        for (i, place) in shown.iter().enumerate() {
            let (text, wide) = (cell(*place), widths[*place]);
            let padding = " ".repeat(wide.saturating_sub(text.chars().count()));
            let gap = if i == 0 { "" } else { "  " };
            // An interval after its number is ranged left, close to it.
            let left = table.columns[*place].form.is_words() || matches!(table.columns[*place].form, Form::Interval { .. });
            out.push_str(&if left { format!("{gap}{text}{padding}") } else { format!("{gap}{padding}{text}") });
        }
        Line::Row(out.trim_end().to_string())
    };
    let mut out = vec![line(&|i| heading(&table.columns[i])), line(&|i| "-".repeat(widths[i]))];
    for row in &texts {
        out.push(line(&|i| row[i].clone()));
    }
    if !folded.is_empty() {
        let names: Vec<String> = folded.iter().map(|i| heading(&table.columns[*i])).collect();
        out.push(Line::Sentence(format!("not shown: {} (--wide)", names.join(", "))));
    }
    let told = (0..table.columns.len()).filter(|i| is_told(*i));
    for (place, column) in told.map(|i| (i, heading(&table.columns[i]))) {
        let said = table.rows().iter().zip(&texts).filter(|(row, _)| row.cells[place].reason().is_none());
        out.extend(said.map(|(row, texts)| Line::Sentence(format!("{}, {column}: {}", row.key, texts[place]))));
    }
    out
}

/// The cells of a row as a terminal has them: a plain minus, and a run named once.
fn cells(table: &Table, row: &super::Row) -> Vec<String> {
    let of = |(column, cell): (&Column, &super::Cell)| match &cell.value {
        Value::Absent(_) => ABSENT.to_string(),
        Value::Run(_) if row.kind == RowKind::Again => String::new(),
        value => prism_run::shown(&column.form.write(value)).replace('−', "-"),
    };
    table.columns.iter().zip(&row.cells).map(of).collect()
}

fn heading(column: &Column) -> String {
    let heading = column.heading.as_text();
    match (column.group, heading.is_empty()) {
        (_, true) => column.name.to_string(),
        (Some(group), _) if column.form.is_words() => format!("{group}: {heading}"),
        _ => heading,
    }
}
