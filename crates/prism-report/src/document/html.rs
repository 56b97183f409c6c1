//! The document as HTML: the page's and the explorer's.
//!
//! Every text goes through [`Safe`]. Tables are written by [`grid`].

mod grid;

use maud::{Markup, Render, html};

use super::behind::Links;
use super::figure::Figure;
use super::prose::{Prose, Span};
use super::table::Table;
use super::{Block, Section};
use crate::html::escape;
use crate::sections::swatch;

pub use self::grid::{LONGEST_OPEN, MOST_ROWS, table};

/// Text for an element or an attribute.
#[derive(Debug, Clone, Copy)]
pub struct Safe<'a>(pub &'a str);

impl Render for Safe<'_> {
    fn render_to(&self, buffer: &mut String) {
        buffer.push_str(&escape(self.0));
    }
}

/// What becomes of a chart.
#[derive(Debug, Clone, PartialEq)]
pub enum Drawing {
    /// It is drawn in the element of this id.
    At(String),
    /// The page has no room for its marks.
    LeftOut,
    /// There is nothing to draw.
    Nothing,
}

/// What a page keeps while sections are written onto it.
pub trait Page {
    /// What its addresses begin with.
    fn prefix(&self) -> &str;
    /// Where links lead.
    fn links(&self) -> &dyn Links;
    /// Whether the page's script narrows it to a run and an intervention.
    fn narrows(&self) -> bool;
    /// Number of the next table.
    fn table(&mut self, table: &Table) -> usize;
    /// Number of the next figure, and what becomes of its charts.
    fn figure(&mut self, figure: &Figure) -> (usize, Vec<Drawing>);
    /// How many of so many rows, each of so many cells, there is room for.
    fn rows(&mut self, wanted: usize, cells: usize) -> usize;
    /// Notes what was cut.
    fn cut(&mut self, what: String);
    /// The table as a file of the page, if there is room for it.
    fn file(&mut self, table: &Table) -> Option<String>;
    /// Keeps style rules for screens so narrow that a row is set in lines: each cell's heading before it.
    fn narrow(&mut self, rules: String);
}

/// A section.
pub fn section(section: &Section, page: &mut dyn Page) -> Markup {
    let body = blocks(&section.blocks, page);
    html! {
        section id=(Safe(&format!("{}{}", page.prefix(), section.anchor))) class=(section.anchor) {
            h2 { (section.heading) }
            (body)
        }
    }
}

/// Blocks in their order.
pub fn blocks(blocks: &[Block], page: &mut dyn Page) -> Markup {
    html! { @for one in blocks { (block(one, page)) } }
}

fn block(block: &Block, page: &mut dyn Page) -> Markup {
    match block {
        Block::Prose(text) => html! { p { (prose(text, page.prefix())) } },
        Block::Aside(tone, text) => html! { div class={ "callout " (tone.class()) } role="note" { (prose(text, page.prefix())) } },
        Block::List(entries) => html! { ul { @for entry in entries { li { (prose(entry, page.prefix())) } } } },
        Block::Terms(terms) => html! {
            dl { @for (term, meaning) in terms { dt { (prose(term, page.prefix())) } dd { (prose(meaning, page.prefix())) } } }
        },
        Block::Heading(text) => html! { h3 { (text) } },
        Block::Code(label, text) => html! { pre tabindex="0" aria-label=(label) { (Safe(text)) } },
        Block::Fold { summary, open, blocks: inner } => {
            let inner = blocks(inner, page);
            html! { details open[*open] { summary { (prose(summary, page.prefix())) } (inner) } }
        }
        Block::Figure(of) => {
            let (number, drawings) = page.figure(of);
            figure(of, number, &drawings, page.prefix())
        }
        Block::Table(of) => grid::numbered(of, page),
        Block::Own(markup) => markup.clone(),
    }
}

/// A paragraph's pieces. Links within the page get its prefix.
pub fn prose(text: &Prose, prefix: &str) -> Markup {
    html! { @for span in text.spans() { (piece(span, prefix)) } }
}

fn piece(span: &Span, prefix: &str) -> Markup {
    match span {
        Span::Text(text) => html! { (Safe(text)) },
        Span::Strong(text) => html! { b { (Safe(text)) } },
        Span::Emphasis(text) => html! { i { (Safe(text)) } },
        Span::Code(text) => html! { code { (Safe(text)) } },
        Span::Defined(word) => html! { dfn id=(Safe(&term_id(word))) { (Safe(word)) } },
        Span::Term(word, of) => html! { a.term href={ "#" (Safe(&term_id(of))) } { (Safe(word)) } },
        Span::Link(to, text) => html! { a href=(Safe(&address(to, prefix))) { (Safe(text)) } },
        Span::Number(text, cell) => html! {
            a.number href={ "#" (Safe(&row_id(prefix, &cell.table, &cell.row))) } title=(Safe(&cell.to_string())) { (Safe(text)) }
        },
    }
}

/// Where the page explains a word.
pub fn term_id(word: &str) -> String {
    let plain: String = word.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    format!("word-{}", plain.trim_matches('-'))
}

/// The id of a row.
pub fn row_id(prefix: &str, table: &str, row: &str) -> String {
    format!("{prefix}{table}:{row}")
}

/// An address of ours: of the page, of the explorer, or nothing that leads elsewhere.
fn address(to: &str, prefix: &str) -> String {
    match to.strip_prefix('#') {
        // What is explained, and what stands once on a page of several benchmarks, has no prefix.
        Some(anchor) if ["words", "provenance", "not-measured", "training"].contains(&anchor) || anchor.starts_with("word-") => to.into(),
        Some(anchor) => format!("#{prefix}{anchor}"),
        None if to.starts_with('/') && !to.starts_with("//") => to.into(),
        None => "#".into(),
    }
}

/// A figure under its number.
pub fn figure(figure: &Figure, number: usize, drawings: &[Drawing], prefix: &str) -> Markup {
    html! {
        figure.charts data-figure=(Safe(&format!("{prefix}{}", figure.name))) {
            @if !figure.variants.is_empty() {
                ul.legend {
                    @for style in &figure.variants { li data-variant=(Safe(&style.id)) { (swatch(style)) (Safe(&style.name)) } }
                }
            }
            div.row {
                @for (panel, drawing) in figure.panels.iter().zip(drawings) {
                    div.panel {
                        @if !panel.title.is_empty() { p.panel-title { (prose(&panel.title, prefix)) } }
                        @match drawing {
                            Drawing::At(id) => {
                                @let height = panel.spec.as_ref().and_then(|spec| spec["height"].as_u64()).unwrap_or(240);
                                div.chart id=(Safe(id)) role="img" aria-label=(Safe(&panel.alternative)) data-chart=(figure.name)
                                    data-rows=(panel.marks()) style={ "min-height:" (height) "px" } {}
                            }
                            Drawing::LeftOut => p.absent { "Left out, for the page’s size; the numbers are in the table." },
                            Drawing::Nothing => p.absent { "No numbers to draw." },
                        }
                    }
                }
            }
            figcaption { b { "Figure " (number) "." } " " (prose(&figure.caption, prefix)) }
        }
    }
}
