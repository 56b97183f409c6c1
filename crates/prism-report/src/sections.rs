//! The sections of the page. Each writes HTML from findings; the tables stand
//! without scripts, the charts are specifications handed to the page's script.

pub mod agreement;
pub mod corruption;
pub mod examples;
pub mod first_screen;
pub mod outcomes;
pub mod probes;
pub mod provenance;
pub mod table1;
pub mod training;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::charts::Run;
use crate::charts::theme::VariantStyle;
use crate::html::escape;
use crate::study::{Audit, Part, Study};

/// Rows a table may have and still stand open.
const LONGEST_OPEN: usize = 48;

/// What sections share while the page is written: numbering and the charts so far.
#[derive(Debug, Default)]
pub struct Builder {
    /// Chart specifications by element id.
    pub specs: BTreeMap<String, Value>,
    /// Anchor and heading of every section so far.
    pub contents: Vec<(String, String)>,
    /// Put before anchors, to tell benchmarks apart.
    pub prefix: String,
    /// Every numbered figure and table, as [`crate::export`] writes them.
    pub numbered: Vec<Numbered>,
    tables: usize,
    figures: usize,
}

/// A figure or table as it stands on the page.
#[derive(Debug, Clone)]
pub enum Numbered {
    /// Title (may be empty) and specification of every panel drawn, the variants of the legend, the caption's HTML.
    Figure(Vec<(String, Value)>, Vec<VariantStyle>, String),
    /// The caption's HTML and the table's.
    Table(String, String),
}

impl Builder {
    /// A section under its heading, listed in the contents.
    pub fn section(&mut self, anchor: &str, heading: &str, body: &str) -> String {
        let id = format!("{}{anchor}", self.prefix);
        let html = format!("<section id=\"{id}\" class=\"{anchor}\"><h2>{heading}</h2>{body}</section>");
        self.contents.push((id, heading.to_string()));
        html
    }

    /// A numbered table with its caption above, scrolling sideways when narrow,
    /// folded when it is long.
    pub fn table(&mut self, caption: &str, table: &str) -> String {
        self.tables += 1;
        self.numbered.push(Numbered::Table(caption.to_string(), table.to_string()));
        let number = self.tables;
        let scroll = format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table {number}\">{table}</div>");
        let rows = table.matches("<tr").count();
        let body = if rows > LONGEST_OPEN { format!("<details><summary>{rows} rows</summary>{scroll}</details>") } else { scroll };
        format!("<figure class=\"table\"><figcaption><b>Table {number}.</b> {caption}</figcaption>{body}</figure>")
    }

    /// A numbered figure of one or more charts side by side, with the variants' legend.
    pub fn figure(&mut self, charts: Vec<(Option<Value>, &str)>, styles: &[&VariantStyle], caption: &str) -> String {
        self.figures += 1;
        let panels = charts.iter().filter_map(|(spec, title)| Some(((*title).to_string(), spec.clone()?))).collect();
        self.numbered.push(Numbered::Figure(panels, styles.iter().map(|&s| s.clone()).collect(), caption.to_string()));
        let number = self.figures;
        let mut out = format!("<figure class=\"charts\">{}<div class=\"row\">", legend(styles));
        for (place, (spec, title)) in charts.into_iter().enumerate() {
            out.push_str("<div class=\"panel\">");
            if !title.is_empty() {
                let _ = write!(out, "<p class=\"panel-title\">{}</p>", escape(title));
            }
            match spec {
                Some(spec) => {
                    let id = format!("chart-{number}-{}", place + 1);
                    let label = spec.get("description").and_then(Value::as_str).unwrap_or("chart").to_string();
                    let _ = write!(out, "<div class=\"chart\" id=\"{id}\" role=\"img\" aria-label=\"{}\"></div>", escape(&label));
                    self.specs.insert(id, spec);
                }
                None => out.push_str("<p class=\"absent\">No numbers to draw.</p>"),
            }
            out.push_str("</div>");
        }
        let _ = write!(out, "</div><figcaption><b>Figure {number}.</b> {caption}</figcaption></figure>");
        out
    }
}

/// The variant's shape and colour, inline.
pub fn swatch(style: &VariantStyle) -> String {
    format!("<svg class=\"swatch v{}\" viewBox=\"-6 -6 12 12\" aria-hidden=\"true\"><path d=\"{}\"/></svg>", style.class, style.path())
}

/// The legend over a figure.
pub fn legend(styles: &[&VariantStyle]) -> String {
    let items: String = styles.iter().map(|s| format!("<li>{}{}</li>", swatch(s), escape(&s.name))).collect();
    format!("<ul class=\"legend\">{items}</ul>")
}

/// A run as the charts name it.
pub fn run<'a>(study: &'a Study, part: &Part, audit: &Audit) -> Run<'a> {
    Run { style: study.style(audit), label: part.run_name(study, audit) }
}

/// The styles of a part's variants.
pub fn styles<'a>(study: &'a Study, part: &Part) -> Vec<&'a VariantStyle> {
    part.variants().into_iter().map(|v| &study.variants[v]).collect()
}

/// The row header of a run.
pub fn run_header(study: &Study, part: &Part, audit: &Audit) -> String {
    format!("<th scope=\"row\">{}{}</th>", swatch(study.style(audit)), escape(&part.run_name(study, audit)))
}

/// `n = 40`, or the range when runs differ.
pub fn n_equals(part: &Part) -> String {
    match part.examples() {
        None => "n not given".into(),
        Some((low, high)) if low == high => format!("n = {low}"),
        Some((low, high)) => format!("n = {low} to {high}"),
    }
}

/// An aside for what must not be missed.
pub fn callout(kind: &str, text: &str) -> String {
    format!("<aside class=\"callout {kind}\">{text}</aside>")
}
