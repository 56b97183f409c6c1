//! The sections of the page.
//!
//! A section is a part of the document ([`crate::document`]): its table first, whose cells are all its numbers; its
//! figure from the table's cells; its caption, which takes numbers from cells alone.

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
pub mod table1;
pub mod training;
pub mod trust;
pub mod visibility;
pub mod words;

use std::collections::BTreeMap;

use maud::{Markup, html};
use prism_run::Intervention;
use serde_json::Value;

use crate::charts::Run;
use crate::charts::theme::VariantStyle;
use crate::document::behind::{Links, Nowhere};
use crate::document::html::{Drawing, Page};
use crate::document::{self, Behind, Figure, Prose, Row, RunName, Section};
use crate::study::{Audit, Part, Study};

/// Marks a page may draw, so that its size stays bounded.
const MOST_MARKS: usize = 16_000;
/// Cells of the tables a page shows.
const MOST_CELLS: usize = 46_000;
/// Rows of a table that are shown all the same.
const LEAST_ROWS: usize = 24;
/// Bytes of the tables that a page carries as files.
const MOST_FILES: usize = 400_000;

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
    pub not_measured: Vec<(String, Prose)>,
    /// What was cut for length.
    pub cut: Vec<String>,
    /// Style rules for narrow screens.
    pub narrow: String,
    tables: usize,
    figures: usize,
    marks: usize,
    cells: usize,
    files: usize,
}

/// A figure or table as it stands on the page.
#[derive(Debug, Clone)]
pub enum Numbered {
    /// A figure of the document.
    Drawn(Box<Figure>),
    /// A table of the document.
    Typed(Box<document::Table>),
}

/// What a section gives the page: a part of the document, or nothing.
#[derive(Debug)]
pub enum Piece {
    /// A part of the document, to be numbered and written in its turn.
    Section(Box<Section>),
    /// Nothing.
    Nothing,
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

impl Builder {
    /// Notes that a section is not on the page, and why. What is returned is nothing, of the kind that the section gives.
    pub fn absent<T: Default>(&mut self, heading: &str, reason: &str) -> T {
        self.not_measured.push((heading.to_string(), Prose::plain(reason)));
        T::default()
    }

    /// What a section gave, as it stands on the page.
    pub fn place(&mut self, piece: impl Into<Piece>) -> String {
        match piece.into() {
            Piece::Nothing => String::new(),
            Piece::Section(section) => {
                self.contents.push((format!("{}{}", self.prefix, section.anchor), section.heading.to_string()));
                document::html::section(&section, self).into_string()
            }
        }
    }
}

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

    fn rows(&mut self, wanted: usize, cells: usize) -> usize {
        let room = MOST_CELLS.saturating_sub(self.cells) / cells.max(1);
        let rows = wanted.min(room.max(LEAST_ROWS));
        self.cells += rows * cells;
        rows
    }

    fn cut(&mut self, what: String) {
        self.cut.push(what);
    }

    fn file(&mut self, table: &document::Table) -> Option<String> {
        let text = document::csv::csv(table);
        let address = format!("data:text/csv;charset=utf-8;base64,{}", crate::html::base64(text.as_bytes()));
        let fits = self.files + address.len() <= MOST_FILES;
        self.files += if fits { address.len() } else { 0 };
        fits.then_some(address)
    }

    fn narrow(&mut self, rules: String) {
        self.narrow.push_str(&rules);
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
pub fn swatch(style: &VariantStyle) -> Markup {
    html! { svg class={ "swatch v" (style.class) } viewBox="-6 -6 12 12" aria-hidden="true" { path d=(style.path()) {} } }
}

/// A run as the charts name it.
pub fn run<'a>(study: &'a Study, part: &Part, audit: &Audit) -> Run<'a> {
    Run { style: study.style(audit), label: part.run_name(study, audit) }
}

/// The styles of a part's variants.
pub fn styles<'a>(study: &'a Study, part: &Part) -> Vec<&'a VariantStyle> {
    part.variants().into_iter().map(|v| &study.variants[v]).collect()
}

/// `n = 40`, or the range when runs differ.
pub fn n_equals(part: &Part) -> String {
    match part.examples() {
        None => "n not given".into(),
        Some((low, high)) if low == high => format!("n = {low}"),
        Some((low, high)) => format!("n = {low} to {high}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::html::{LONGEST_OPEN, MOST_ROWS};
    use crate::document::{Cell, Column, Table};

    #[test]
    fn a_long_table_is_folded_a_very_long_one_cut_and_the_cut_is_said() {
        let of = |name: &'static str, rows: usize| {
            let mut table = Table::new(name, vec![Column::count("n", "n")]);
            for row in 0..rows {
                table.push(Row::new(row.to_string()).cells([Cell::count(row)]));
            }
            Section::new(name, "x").with(table)
        };
        let mut builder = Builder::default();
        assert!(!builder.place(of("short", LONGEST_OPEN)).contains("<summary>48 rows"));
        assert!(builder.place(of("long", LONGEST_OPEN + 1)).contains("<summary>49 rows</summary>"));
        let cut = builder.place(of("longest", MOST_ROWS + 7));
        assert!(cut.matches("<tr").count() == MOST_ROWS + 1 && cut.contains("The last 7 rows are not shown;"));
        assert_eq!(builder.cut, ["7 of 487 rows of Table 3; all are in the runs\u{2019} `findings/`"]);
    }

    #[test]
    fn a_page_shows_a_bounded_number_of_cells_and_of_every_table_some_rows() {
        let mut builder = Builder::default();
        let cells = MOST_CELLS / MOST_ROWS - 5;
        assert_eq!(builder.rows(MOST_ROWS, cells), MOST_ROWS);
        let room = (MOST_CELLS - MOST_ROWS * cells) / 20;
        assert!(LEAST_ROWS < room && room < MOST_ROWS);
        assert_eq!(builder.rows(MOST_ROWS, 20), room);
        assert_eq!((builder.rows(MOST_ROWS, 20), builder.rows(3, 20)), (LEAST_ROWS, 3));
    }

    #[test]
    fn a_page_draws_a_bounded_number_of_marks() {
        let of = |name: &'static str, n: usize| {
            let spec = serde_json::json!({"description": "d", "height": 10, "data": {"values": vec![0; n]}});
            Section::new(name, "x").with(Figure::new(name, "").panel("", Some(spec)))
        };
        let mut builder = Builder::default();
        builder.place(of("a", MOST_MARKS));
        let html = builder.place(of("b", 1));
        assert!(html.contains("Left out, for the page") && builder.specs.len() == 1 && builder.cut.len() == 1);
    }
}
