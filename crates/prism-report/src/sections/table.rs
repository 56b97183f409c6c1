//! A table with one line or several for each run, written row by row.

use std::fmt::Write;

use prism_run::Intervention;

use super::row_start;
use crate::html::escape;
use crate::study::{Audit, Part, Study};

/// A column of words, ranged left.
pub const TEXT: &str = "text";
/// A column of numbers.
pub const NUMBER: &str = "";

/// The table so far.
#[derive(Debug)]
pub struct Table {
    html: String,
    classes: Vec<&'static str>,
    last: Option<(usize, Option<i64>)>,
    rows: usize,
}

impl Table {
    /// A table of these columns, [`TEXT`] or [`NUMBER`], after the run's own. A heading is
    /// HTML of this crate, never from a file.
    pub fn new(columns: &[(&'static str, &str)]) -> Self {
        let mut html = String::from("<table><thead><tr><th scope=\"col\">variant</th>");
        for (class, heading) in columns {
            let _ = write!(html, "<th scope=\"col\"{}>{heading}</th>", class_of(class));
        }
        html.push_str("</tr></thead><tbody>");
        Self { html, classes: columns.iter().map(|c| c.0).collect(), last: None, rows: 0 }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// A row of escaped cells. Where there are fewer than columns, `reason` fills the rest.
    pub fn row(
        &mut self,
        study: &Study,
        part: &Part,
        audit: &Audit,
        intervention: Option<Intervention>,
        cells: &[String],
        reason: Option<&str>,
    ) {
        let whose = (audit.variant, audit.seed);
        self.html.push_str(&row_start(study, part, audit, self.last != Some(whose), intervention));
        self.last = Some(whose);
        self.rows += 1;
        for (cell, class) in cells.iter().zip(&self.classes) {
            let _ = write!(self.html, "<td{}>{cell}</td>", class_of(class));
        }
        let open = self.classes.len().saturating_sub(cells.len());
        if open > 0 {
            let _ = write!(self.html, "<td class=\"text\" colspan=\"{open}\">{}</td>", escape(reason.unwrap_or("no number")));
        }
        self.html.push_str("</tr>");
    }

    /// The table's HTML.
    pub fn finish(mut self) -> String {
        self.html.push_str("</tbody></table>");
        self.html
    }
}

fn class_of(class: &str) -> String {
    if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") }
}
