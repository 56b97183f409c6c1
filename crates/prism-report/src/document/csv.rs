//! A table as CSV (RFC 4180), for programs: one row of names, then the numbers.
//!
//! The first column is `key`, which tells the row. Numbers are in the printed unit at fifteen significant digits. An
//! interval is two columns, `x.low` and `x.high`. An absent cell is empty; where a column has any, `x.absent` says why.
//!
//! A text is as it is, for programs read it, also one that a spreadsheet would take for a formula (`=1+1`). What a terminal
//! obeys or nobody sees is U+FFFD, as on the page: CSV has no escapes. The tables in `findings/` hold it.

use super::form::exact_text;
use super::table::Table;
use super::value::Value;
use crate::html::plain;

/// The table.
pub fn csv(table: &Table) -> String {
    let mut names = vec!["key".to_string()];
    let lacks = |place: usize| table.rows().iter().any(|row| row.cells[place].reason().is_some());
    for (place, column) in table.columns.iter().enumerate() {
        match column.form {
            super::Form::Interval { .. } => names.extend([format!("{}.low", column.name), format!("{}.high", column.name)]),
            _ => names.push(column.name.to_string()),
        }
        if lacks(place) {
            names.push(format!("{}.absent", column.name));
        }
    }
    let mut out = line(&names);
    for row in table.rows() {
        let mut cells = vec![row.key.clone()];
        for (place, (column, cell)) in table.columns.iter().zip(&row.cells).enumerate() {
            let numbers = column.form.numbers(&cell.value).into_iter().map(exact_text);
            let empty = if matches!(column.form, super::Form::Interval { .. }) { 2 } else { 1 };
            match &cell.value {
                Value::Number(_) | Value::Interval(..) => cells.extend(numbers),
                Value::Absent(_) => cells.extend(std::iter::repeat_n(String::new(), empty)),
                other => cells.push(text(&column.form.write(other))),
            }
            if lacks(place) {
                cells.push(cell.reason().map_or_else(String::new, text));
            }
        }
        out.push_str(&line(&cells));
    }
    out
}

fn text(text: &str) -> String {
    plain(text).replace('\r', "\u{fffd}")
}

fn line(cells: &[String]) -> String {
    let quoted = |cell: &String| {
        let bare = !cell.contains(['"', ',', '\n', '\r']) && cell.trim() == cell;
        if bare { cell.clone() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    };
    cells.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}
