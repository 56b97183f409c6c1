//! A table as Markdown, as it is printed.

use super::table::{FILES, Table};
use crate::html::plain;

/// The table under its caption.
pub fn markdown(table: &Table) -> String {
    let columns: Vec<usize> = (0..table.columns.len()).filter(|i| table.columns[*i].priority < FILES).collect();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = format!("{}\n\n", escape(&table.caption.as_text()));
    out.push_str(&line(columns.iter().map(|i| escape(&heading(table, *i))).collect()));
    out.push_str(&line(columns.iter().map(|i| if table.columns[*i].form.is_words() { ":--".into() } else { "--:".into() }).collect()));
    for row in table.rows() {
        out.push_str(&line(columns.iter().map(|i| escape(&table.columns[*i].form.write(&row.cells[*i].value))).collect()));
    }
    out
}

/// A column's heading with its group.
pub fn heading(table: &Table, place: usize) -> String {
    let column = &table.columns[place];
    let heading = column.heading.as_text();
    column.group.map_or(heading.clone(), |group| format!("{group}: {heading}"))
}

/// Text as Markdown sets it on one line, whatever is in it.
pub fn escape(text: &str) -> String {
    let text = plain(text).replace(['\n', '\r', '\t'], " ");
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*").replace('`', "\\`")
}
