//! Every table of a run's findings as it lies there, column by column.

use std::fmt::Write;
use std::path::Path;

use maud::{Markup, html};
use prism_audit::findings::files;
use prism_run::table::{Column, Table};

use crate::content::Cut;
use prism_report::document::html::Safe;
use prism_report::html::clipped;
use prism_report::number::{ABSENT, decimal};

/// Rows of a table shown.
const MOST_ROWS: usize = 120;
/// Columns of a table shown.
const MOST_COLUMNS: usize = 120;
/// Characters that the columns of a table may have in all and still stand side by side on a page of 1280 pixels.
const ROOM: usize = 150;
/// Characters around a cell, and the longest heading that stands in one.
const AROUND: usize = 3;
const LONGEST_HEADING: usize = 40;
/// Longest text of a cell.
const LONGEST: usize = 300;
/// Longest reason why a table cannot be read.
const LONGEST_REASON: usize = 600;
/// Longest list of the columns that are empty.
const LONGEST_NAMES: usize = 1000;

/// The tables that are there, folded, in the order of a report. Points to draw are no table to read.
pub fn html(run: &Path) -> Markup {
    let folder = prism_audit::findings::folder(run);
    // Of a link, too, it is said that it is none.
    let stands = |file: &&str| prism_run::door::stands(&folder.join(file));
    let there: Vec<&str> = files::ALL.into_iter().filter(|file| *file != files::PROJECTION).filter(stands).collect();
    html! {
        @if !there.is_empty() {
            section id="findings" { h2 { "All findings" } @for file in there { (finding(&folder, file)) } }
        }
    }
}

fn finding(folder: &Path, file: &str) -> Markup {
    let path = folder.join(file);
    let about = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    html! {
        details.finding {
            summary { (about) " " small { "findings/" (file) } }
            @match Table::read(&path) {
                Ok(table) => (drawn(&table, &about)),
                Err(e) => p.absent { (Cut(&e.to_string(), LONGEST_REASON)) },
            }
        }
    }
}

/// A table as it lies in its file. Where it has more columns than the page has room for, a row is set in lines, each cell with
/// its heading before it, so that nothing is scrolled sideways.
fn drawn(table: &Table, about: &str) -> Markup {
    let rows = table.len();
    let (columns, empty): (Vec<_>, Vec<_>) = table.columns.iter().partition(|(_, column)| (0..rows).any(|i| has(column, i)));
    let shown = &columns[..columns.len().min(MOST_COLUMNS)];
    let heads: Vec<String> = shown.iter().map(|(name, _)| clipped(&name.replace('_', " "), LONGEST_HEADING)).collect();
    let names: Vec<String> = empty.iter().take(MOST_COLUMNS).map(|(name, _)| clipped(name, LONGEST)).collect();
    html! {
        div.rows tabindex="0" role="region" aria-label=(about) {
            table.lines[width(shown, rows) > ROOM] {
                thead {
                    tr { @for ((_, column), head) in shown.iter().zip(&heads) { th scope="col" class=[class(column)] { (Safe(head)) } } }
                }
                tbody {
                    @for i in 0..rows.min(MOST_ROWS) {
                        tr {
                            @for ((_, column), head) in shown.iter().zip(&heads) {
                                td class=[class(column)] data-l=(Safe(head)) {
                                    (Cut(&cell(column, i).unwrap_or_else(|| ABSENT.into()), LONGEST))
                                }
                            }
                        }
                    }
                }
            }
        }
        @if rows > MOST_ROWS { p.rest { "The first " (MOST_ROWS) " of " (rows) " rows; " (rows - MOST_ROWS) " are left out." } }
        @if columns.len() > MOST_COLUMNS { p.rest { "The first " (MOST_COLUMNS) " of " (columns.len()) " columns." } }
        @if !empty.is_empty() {
            p.rest {
                "Columns without any value: " (Cut(&names.join(", ").replace('_', " "), LONGEST_NAMES))
                @if empty.len() > MOST_COLUMNS { ", and " (empty.len() - MOST_COLUMNS) " more" }
                "."
            }
        }
    }
}

/// Characters of a table's columns side by side.
fn width(columns: &[&(String, Column)], rows: usize) -> usize {
    let of = |(name, column): &(String, Column)| {
        let cells = (0..rows.min(MOST_ROWS)).filter_map(|i| cell(column, i)).map(|text| text.chars().count());
        cells.chain([name.chars().count().min(LONGEST_HEADING)]).max().unwrap_or_default() + AROUND
    };
    columns.iter().map(|column| of(column)).sum()
}

fn class(column: &Column) -> Option<&'static str> {
    matches!(column, Column::Text(_) | Column::Texts(_)).then_some("text")
}

/// Whether there is a value to show.
fn has(column: &Column, i: usize) -> bool {
    match column {
        Column::Int(v) => matches!(v.get(i), Some(Some(_))),
        Column::Real(v) => matches!(v.get(i), Some(Some(x)) if x.is_finite()),
        Column::Text(v) => matches!(v.get(i), Some(Some(_))),
        Column::Texts(v) => matches!(v.get(i), Some(Some(list)) if !list.is_empty()),
        Column::Bool(v) => matches!(v.get(i), Some(Some(_))),
        Column::Ints(v) => matches!(v.get(i), Some(Some(_))),
        Column::Reals(v) => matches!(v.get(i), Some(Some(_))),
    }
}

/// A value as text, which is cut where it is shown; `None` where it is absent or not finite.
fn cell(column: &Column, i: usize) -> Option<String> {
    match column {
        Column::Int(v) => v.get(i).copied().flatten().map(|n| n.to_string()),
        Column::Real(v) => v.get(i).copied().flatten().filter(|x| x.is_finite()).map(|x| {
            // Small numbers keep their figures.
            if x != 0.0 && x.abs() < 1e-3 { format!("{x:.2e}").replace('-', "−") } else { decimal(Some(x), 4) }
        }),
        Column::Texts(v) => v.get(i)?.as_ref().filter(|list| !list.is_empty()).map(|list| joined(list)),
        Column::Text(v) => v.get(i)?.clone(),
        Column::Bool(v) => v.get(i).copied().flatten().map(|yes| if yes { "yes".into() } else { "no".into() }),
        Column::Ints(v) => v.get(i)?.as_ref().map(|list| format!("{} numbers", list.len())),
        Column::Reals(v) => v.get(i)?.as_ref().map(|list| format!("{} numbers", list.len())),
    }
}

/// The beginning of a list of texts, which is cut where it is shown.
fn joined(list: &[String]) -> String {
    let mut out = String::new();
    for (i, text) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push_str(text);
        // A character has at most four bytes.
        if out.len() > 4 * (LONGEST + 1) && i + 1 < list.len() {
            let _ = write!(out, ", and {} more", list.len() - i - 1);
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_table_is_shown_in_part() {
        let rows = 3 * MOST_ROWS;
        let texts = |i: usize| Some(vec!["x".repeat(i % 7); 50_000 / (i + 1)]);
        let mut columns: Vec<(String, Column)> =
            (0..2 * MOST_COLUMNS).map(|i| (format!("number {i}"), Column::Int(vec![Some(1); rows]))).collect();
        columns.insert(0, ("texts".into(), Column::Texts((0..rows).map(texts).collect())));
        columns.insert(1, ("empty".repeat(1000), Column::Int(vec![None; rows])));
        columns.insert(2, ("text".into(), Column::Text((0..rows).map(|_| Some("<b>".repeat(10_000))).collect())));
        let drawn = drawn(&Table { columns }, "table").into_string();
        assert!(drawn.contains(&format!("The first {MOST_ROWS} of {rows} rows; {} are left out.", rows - MOST_ROWS)));
        assert!(drawn.contains(&format!("The first {MOST_COLUMNS} of {} columns.", 2 * MOST_COLUMNS + 2)));
        assert_eq!((drawn.matches("<tr>").count(), drawn.matches("<b>").count()), (MOST_ROWS + 1, 0));
        assert!(drawn.len() < 1 << 20, "{}", drawn.len());
    }
}
