//! Every table of a run's findings as it lies there, column by column.

use std::fmt::Write;
use std::path::Path;

use prism_audit::findings::files;
use prism_run::table::{Column, Table};

use crate::example::cut_html;
use crate::number::{ABSENT, decimal};

/// Rows of a table shown.
const MOST_ROWS: usize = 120;
/// Longest text of a cell.
const LONGEST: usize = 300;

/// The tables that are there, folded, in the order of a report. Points to draw are no table to read.
pub fn html(run: &Path) -> String {
    let folder = prism_audit::findings::folder(run);
    let mut out = String::new();
    for file in files::ALL.into_iter().filter(|file| *file != files::PROJECTION) {
        let path = folder.join(file);
        if !path.is_file() {
            continue;
        }
        let about = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let _ = write!(out, "<details class=\"finding\"><summary>{about} <small>findings/{file}</small></summary>");
        match Table::read(&path) {
            Ok(table) => out.push_str(&drawn(&table, &about)),
            Err(e) => {
                let _ = write!(out, "<p class=\"absent\">{}</p>", cut_html(&e.to_string(), LONGEST));
            }
        }
        out.push_str("</details>");
    }
    if out.is_empty() { out } else { format!("<section id=\"findings\"><h2>All findings</h2>{out}</section>") }
}

fn drawn(table: &Table, about: &str) -> String {
    let rows = table.len();
    let columns: Vec<&(String, Column)> = table.columns.iter().filter(|(_, c)| (0..rows).any(|i| cell(c, i).is_some())).collect();
    let empty: Vec<&str> = table.columns.iter().filter(|(n, _)| !columns.iter().any(|(m, _)| m == n)).map(|(n, _)| n.as_str()).collect();
    let mut out = format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{about}\"><table><thead><tr>");
    for (name, column) in &columns {
        let class = if matches!(column, Column::Text(_) | Column::Texts(_)) { " class=\"text\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", cut_html(&name.replace('_', " "), LONGEST));
    }
    out.push_str("</tr></thead><tbody>");
    for i in 0..rows.min(MOST_ROWS) {
        out.push_str("<tr>");
        for (_, column) in &columns {
            let class = if matches!(column, Column::Text(_) | Column::Texts(_)) { " class=\"text\"" } else { "" };
            let _ = write!(out, "<td{class}>{}</td>", cell(column, i).unwrap_or_else(|| ABSENT.into()));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    if rows > MOST_ROWS {
        let _ = write!(out, "<p class=\"rest\">The first {MOST_ROWS} of {rows} rows.</p>");
    }
    if !empty.is_empty() {
        let _ = write!(out, "<p class=\"rest\">Columns without any value: {}.</p>", cut_html(&empty.join(", ").replace('_', " "), 1000));
    }
    out
}

/// A value as HTML; `None` where it is absent or not finite.
fn cell(column: &Column, i: usize) -> Option<String> {
    match column {
        Column::Int(v) => v.get(i).copied().flatten().map(|n| n.to_string()),
        Column::Real(v) => v.get(i).copied().flatten().filter(|x| x.is_finite()).map(|x| {
            // Small numbers keep their figures.
            if x != 0.0 && x.abs() < 1e-3 { format!("{x:.2e}").replace('-', "−") } else { decimal(Some(x), 4) }
        }),
        Column::Texts(v) => v.get(i)?.as_ref().filter(|list| !list.is_empty()).map(|list| cut_html(&list.join(", "), LONGEST)),
        Column::Text(v) => v.get(i)?.as_ref().map(|text| cut_html(text, LONGEST)),
        Column::Bool(v) => v.get(i).copied().flatten().map(|yes| if yes { "yes".into() } else { "no".into() }),
        Column::Ints(v) => v.get(i)?.as_ref().map(|list| format!("{} numbers", list.len())),
        Column::Reals(v) => v.get(i)?.as_ref().map(|list| format!("{} numbers", list.len())),
    }
}
