//! The sections of the page.
//!
//! A section is a part of the document ([`crate::document`]): its table first, whose cells are all its numbers; its
//! figure from the table's cells; its caption, which takes numbers from cells alone. [`table1`] and [`corruption`] are written so.
//! The others still give the page markup of their own; [`Builder::place`] takes both.

pub mod agreement;
pub mod alignment_steps;
pub mod attention;
pub mod budgets;
pub mod conclusions;
pub mod corruption;
pub mod donors;
pub mod dose;
pub mod examples;
pub mod filter;
pub mod first_screen;
pub mod gap;
pub mod geometry;
pub mod groups;
pub mod latent_steps;
pub mod lens;
pub mod limits;
pub mod not_measured;
pub mod outcomes;
pub mod probes;
pub mod projection;
pub mod provenance;
pub mod retrieval;
pub mod seeds;
pub mod shown;
pub mod steps;
pub mod table;
pub mod table1;
pub mod training;
pub mod trust;
pub mod visibility;
pub mod words;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use prism_run::Intervention;
use serde_json::Value;

use crate::charts::Run;
use crate::charts::theme::VariantStyle;
use crate::document::behind::{Links, Nowhere};
use crate::document::html::{Drawing, LONGEST_OPEN, MOST_ROWS, Page};
use crate::document::{self, Behind, Figure, Row, RunName, Section};
use crate::html::escape;
use crate::study::{Audit, Part, Study};

/// Marks a page may draw, so that its size stays bounded.
const MOST_MARKS: usize = 24_000;

/// What sections share while the page is written: numbering, the charts so far, and what
/// could not be shown.
#[derive(Debug, Default)]
pub struct Builder {
    /// Chart specifications by element id.
    pub specs: BTreeMap<String, Value>,
    /// Anchor and heading of every section so far.
    pub contents: Vec<(String, String)>,
    /// Put before anchors, to tell benchmarks apart.
    pub prefix: String,
    /// Every numbered figure and table, as `prism-figures` writes them.
    pub numbered: Vec<Numbered>,
    /// Heading and reason of every section that had nothing to show.
    pub not_measured: Vec<(String, String)>,
    /// What was cut for length.
    pub cut: Vec<String>,
    tables: usize,
    figures: usize,
    marks: usize,
    files: usize,
}

/// A figure or table as it stands on the page.
#[derive(Debug, Clone)]
pub enum Numbered {
    /// Title (may be empty) and specification of every panel drawn, the variants of the legend, the caption's HTML.
    Figure(Vec<(String, Value)>, Vec<VariantStyle>, String),
    /// The caption's HTML and the table's.
    Table(String, String),
    /// A figure of the document.
    Drawn(Box<Figure>),
    /// A table of the document.
    Typed(Box<document::Table>),
}

/// What a section gives the page: markup of its own, a part of the document, or nothing.
#[derive(Debug)]
pub enum Piece {
    /// Markup, with its tables and figures numbered already.
    Html(String),
    /// A part of the document, to be numbered and written in its turn.
    Section(Box<Section>),
    /// Nothing.
    Nothing,
}

impl From<String> for Piece {
    fn from(html: String) -> Self {
        Piece::Html(html)
    }
}

impl From<Section> for Piece {
    fn from(section: Section) -> Self {
        Piece::Section(Box::new(section))
    }
}

impl From<Option<Section>> for Piece {
    fn from(section: Option<Section>) -> Self {
        section.map_or(Piece::Nothing, Into::into)
    }
}

/// One chart of a figure: its specification, if there is anything to draw, and its title.
pub type Panel = (Option<Value>, String);

impl Builder {
    /// A section under its heading, listed in the contents.
    pub fn section(&mut self, anchor: &str, heading: &str, body: &str) -> String {
        let id = format!("{}{anchor}", self.prefix);
        let html = format!("<section id=\"{id}\" class=\"{anchor}\"><h2>{heading}</h2>{body}</section>");
        self.contents.push((id, heading.to_string()));
        html
    }

    /// Notes that a section is not on the page, and why. What is returned is nothing, of the kind that the section gives.
    pub fn absent<T: Default>(&mut self, heading: &str, reason: &str) -> T {
        self.not_measured.push((heading.to_string(), reason.to_string()));
        T::default()
    }

    /// What a section gave, as it stands on the page.
    pub fn place(&mut self, piece: impl Into<Piece>) -> String {
        match piece.into() {
            Piece::Html(html) => html,
            Piece::Nothing => String::new(),
            Piece::Section(section) => {
                self.contents.push((format!("{}{}", self.prefix, section.anchor), section.heading.to_string()));
                document::html::section(&section, self).into_string()
            }
        }
    }

    /// A numbered table with its caption above, scrolling sideways when narrow, folded when
    /// it is long, cut when it is very long. `name` tells tables apart for scripts and tests.
    pub fn table(&mut self, name: &str, caption: &str, table: &str) -> String {
        self.tables += 1;
        self.numbered.push(Numbered::Table(caption.to_string(), table.to_string()));
        let number = self.tables;
        let (table, rows, cut) = shortened(table);
        if cut > 0 {
            self.cut.push(format!("{cut} of {} rows of Table {number}; all are in the runs\u{2019} `findings/`", rows + cut));
        }
        let note = if cut > 0 {
            format!(" <span class=\"cut\">The last {cut} rows are not shown; <code>prism report --tables</code> writes all.</span>")
        } else {
            String::new()
        };
        let scroll = format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table {number}\">{table}</div>");
        let body = if rows > LONGEST_OPEN { format!("<details><summary>{rows} rows</summary>{scroll}</details>") } else { scroll };
        format!(
            "<figure class=\"table\" data-table=\"{}{name}\" data-number=\"{number}\" data-rows=\"{rows}\"><figcaption><b class=\"number\">Table {number}.</b> {caption}{note}</figcaption>{body}</figure>",
            self.prefix
        )
    }

    /// A numbered figure of one or more charts side by side, with the variants' legend.
    /// The charts' ids are `chart-NAME-1`, `chart-NAME-2`, ...
    pub fn figure(&mut self, name: &str, charts: Vec<Panel>, styles: &[&VariantStyle], caption: &str) -> String {
        self.figures += 1;
        let panels = charts.iter().filter_map(|(spec, title)| Some(((*title).to_string(), spec.clone()?))).collect();
        self.numbered.push(Numbered::Figure(panels, styles.iter().map(|&s| s.clone()).collect(), caption.to_string()));
        let number = self.figures;
        let mut out = format!("<figure class=\"charts\" data-figure=\"{}{name}\">{}<div class=\"row\">", self.prefix, legend(styles));
        for (place, (spec, title)) in charts.into_iter().enumerate() {
            out.push_str("<div class=\"panel\">");
            if !title.is_empty() {
                let _ = write!(out, "<p class=\"panel-title\">{}</p>", escape(&title));
            }
            let marks = spec.as_ref().map_or(0, marks_of);
            match spec {
                Some(spec) if self.marks + marks <= MOST_MARKS => {
                    self.marks += marks;
                    let id = format!("chart-{}{name}-{}", self.prefix, place + 1);
                    let label = spec.get("description").and_then(Value::as_str).unwrap_or("chart").to_string();
                    let height = spec.get("height").and_then(Value::as_u64).unwrap_or(240);
                    let _ = write!(
                        out,
                        "<div class=\"chart\" id=\"{id}\" role=\"img\" aria-label=\"{}\" data-chart=\"{name}\" data-rows=\"{marks}\" style=\"min-height:{height}px\"></div>",
                        escape(&label)
                    );
                    self.specs.insert(id, spec);
                }
                Some(_) => {
                    self.cut.push(format!("a chart of Figure {number}, for the page\u{2019}s size"));
                    out.push_str("<p class=\"absent\">Left out, for the page\u{2019}s size; the numbers are in the table.</p>");
                }
                None => out.push_str("<p class=\"absent\">No numbers to draw.</p>"),
            }
            out.push_str("</div>");
        }
        let _ = write!(out, "</div><figcaption><b>Figure {number}.</b> {caption}</figcaption></figure>");
        out
    }
}

/// Bytes of the tables that a page carries as files.
const MOST_FILES: usize = 600_000;

impl Page for Builder {
    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn links(&self) -> &dyn Links {
        &Nowhere
    }

    fn narrows(&self) -> bool {
        true
    }

    fn table(&mut self, table: &document::Table) -> usize {
        self.tables += 1;
        self.numbered.push(Numbered::Typed(Box::new(table.clone())));
        self.tables
    }

    fn figure(&mut self, figure: &Figure) -> (usize, Vec<Drawing>) {
        self.figures += 1;
        self.numbered.push(Numbered::Drawn(Box::new(figure.clone())));
        let mut drawings = Vec::new();
        for (place, panel) in figure.panels.iter().enumerate() {
            let marks = panel.marks();
            drawings.push(match &panel.spec {
                None => Drawing::Nothing,
                Some(_) if self.marks + marks > MOST_MARKS => {
                    self.cut.push(format!("a chart of Figure {}, for the page\u{2019}s size", self.figures));
                    Drawing::LeftOut
                }
                Some(spec) => {
                    self.marks += marks;
                    let id = format!("chart-{}{}-{}", self.prefix, figure.name, place + 1);
                    self.specs.insert(id.clone(), spec.clone());
                    Drawing::At(id)
                }
            });
        }
        (self.figures, drawings)
    }

    fn cut(&mut self, what: String) {
        self.cut.push(what);
    }

    fn file(&mut self, table: &document::Table) -> Option<String> {
        let text = document::csv::csv(table);
        let address = format!("data:text/csv;charset=utf-8;base64,{}", crate::html::base64(text.as_bytes()));
        self.files += address.len();
        (self.files <= MOST_FILES).then_some(address)
    }
}

/// The examples of a run under an intervention.
pub fn behind(study: &Study, audit: &Audit, intervention: Intervention) -> Behind {
    Behind::under(&study.style(audit).id, audit.seed, intervention)
}

/// The first cell of a run's row in a table of the document, and what its key begins with.
pub fn row(study: &Study, part: &Part, audit: &Audit) -> Row {
    let style = study.style(audit);
    let name = RunName { style: Some(style.clone()), label: part.run_name(study, audit), note: None };
    Row::of_run(name, &style.id, audit.seed.filter(|_| part.has_seeds()))
}

/// The table with at most [`MOST_ROWS`] rows in its body, how many it has, and how many were cut.
fn shortened(table: &str) -> (Cow<'_, str>, usize, usize) {
    let body = table.find("<tbody").unwrap_or(0);
    let rows: Vec<usize> = table[body..].match_indices("<tr").map(|(at, _)| body + at).collect();
    match rows.get(MOST_ROWS) {
        None => (Cow::Borrowed(table), rows.len(), 0),
        Some(&end) => (Cow::Owned(format!("{}</tbody></table>", &table[..end])), MOST_ROWS, rows.len() - MOST_ROWS),
    }
}

/// Marks a specification draws: the values of its main data.
fn marks_of(spec: &Value) -> usize {
    spec["data"]["values"].as_array().map_or(0, Vec::len)
}

/// The start of a run's row in a table, its header cell included. `first` is the run's first
/// row there; `intervention` the one the row is of. By these attributes
/// the page's script filters.
pub fn row_start(study: &Study, part: &Part, audit: &Audit, first: bool, intervention: Option<Intervention>) -> String {
    let of = intervention.map_or_else(String::new, |i| format!(" data-intervention=\"{i}\""));
    format!(
        "<tr class=\"{}\" data-variant=\"{}\" data-run=\"{}\"{of}>{}",
        if first { "first" } else { "again" },
        escape(&study.style(audit).id),
        escape(&part.run_name(study, audit)),
        run_header(study, part, audit)
    )
}

/// The audits that stand for their variants where all seeds would be too many: the first of each.
pub fn first_seeds(part: &Part) -> Vec<&Audit> {
    part.variants().into_iter().filter_map(|v| part.of(v).next()).collect()
}

/// Whether a step that `examples` of `most` reach is drawn: a mean of a few stragglers is noise
/// at the end of a line, and stands in the table.
pub fn is_drawn(examples: usize, most: usize) -> bool {
    examples > 1 && examples * 10 >= most
}

/// What to add to a caption where [`is_drawn`] decides.
pub const DRAWN: &str = " Steps that fewer than a tenth of the examples reach stand in the table only.";

/// Leads from a figure to what its words mean.
pub const EXPLAINED: &str = "[What each of these words means.](#words)";

/// What to add to a caption where only [`first_seeds`] are drawn.
pub fn first_seed_note(part: &Part) -> &'static str {
    if part.has_seeds() { " The first seed of each variant." } else { "" }
}

/// The variant's shape and colour, inline.
pub fn swatch(style: &VariantStyle) -> String {
    format!("<svg class=\"swatch v{}\" viewBox=\"-6 -6 12 12\" aria-hidden=\"true\"><path d=\"{}\"/></svg>", style.class, style.path())
}

/// The legend over a figure.
pub fn legend(styles: &[&VariantStyle]) -> String {
    let items: String =
        styles.iter().map(|s| format!("<li data-variant=\"{}\">{}{}</li>", escape(&s.id), swatch(s), escape(&s.name))).collect();
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
    format!("<div class=\"callout {kind}\" role=\"note\">{text}</div>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_table_is_folded_a_very_long_one_cut_and_the_cut_is_said() {
        let of =
            |rows: usize| format!("<table><thead><tr><th>x</th></tr></thead><tbody>{}</tbody></table>", "<tr><td>1</td></tr>".repeat(rows));
        let mut builder = Builder::default();
        assert!(!builder.table("short", "Short.", &of(LONGEST_OPEN)).contains("<details>"));
        assert!(builder.table("long", "Long.", &of(LONGEST_OPEN + 1)).contains("<summary>49 rows</summary>"));
        let cut = builder.table("longest", "Longest.", &of(MOST_ROWS + 7));
        assert!(
            cut.matches("<tr>").count() == MOST_ROWS + 1
                && cut.contains("The last 7 rows are not shown;")
                && cut.contains("</tbody></table>")
        );
        assert_eq!(builder.cut, ["7 of 487 rows of Table 3; all are in the runs\u{2019} `findings/`"]);
    }

    #[test]
    fn a_page_draws_a_bounded_number_of_marks() {
        let spec = |n: usize| Some(serde_json::json!({"description": "d", "height": 10, "data": {"values": vec![0; n]}}));
        let mut builder = Builder::default();
        builder.figure("a", vec![(spec(MOST_MARKS), String::new())], &[], "");
        let html = builder.figure("b", vec![(spec(1), String::new())], &[], "");
        assert!(html.contains("Left out, for the page") && builder.specs.len() == 1 && builder.cut.len() == 1);
    }
}
