//! The model of a document: sections of prose, figures and tables, and the renderers that write them.
//!
//! A number is made once, as the [`Cell`] of a [`Table`]. Its [`Form`] is the column's: unit, precision and
//! alignment in one, so that two places cannot write it in two ways. Everything else takes it from there: prose
//! by [`Prose::number`] and [`Prose::spoken`], charts by [`Table::estimates`], and every renderer by [`Form::write`]. A number that is
//! absent has a reason ([`Value::Absent`]), and each has a name ([`CellName`]: table, column, row) by which it is
//! found in every form of the document.
//!
//! | module | gives |
//! |---|---|
//! | [`html`] | the page's and the explorer's markup |
//! | [`csv`] | numbers at full precision in the printed unit, with the reasons of those that are absent |
//! | [`markdown`], [`latex`] | as printed |
//! | [`terminal`] | lines of a width, columns folded by priority |
//! | [`json`] | value, text, reason and examples of every cell |

pub mod behind;
pub mod csv;
pub mod figure;
pub mod folding;
pub mod form;
pub mod html;
pub mod json;
pub mod latex;
pub mod markdown;
pub mod prose;
pub mod spoken;
pub mod table;
pub mod terminal;
pub mod value;

pub use behind::{Behind, Did};
pub use figure::{Figure, Panel};
pub use form::{Form, Unit};
pub use prose::{Prose, Span};
pub use spoken::Spoken;
pub use table::{CellName, Column, Estimate, Row, RowKind, Table};
pub use value::{Cell, RunName, Tone, Value};

/// A part of the document under a heading.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its place in the page's addresses.
    pub anchor: &'static str,
    /// What stands above it.
    pub heading: &'static str,
    /// In the order in which they are read.
    pub blocks: Vec<Block>,
}

impl Section {
    /// A section without content.
    pub fn new(anchor: &'static str, heading: &'static str) -> Self {
        Self { anchor, heading, blocks: Vec::new() }
    }

    /// With another block at its end.
    #[must_use]
    pub fn with(mut self, block: impl Into<Block>) -> Self {
        self.blocks.push(block.into());
        self
    }

    /// With another block, if there is one.
    #[must_use]
    pub fn maybe(self, block: Option<impl Into<Block>>) -> Self {
        match block {
            Some(block) => self.with(block),
            None => self,
        }
    }

    /// Its tables, folded ones too.
    pub fn tables(&self) -> Vec<&Table> {
        fn of(blocks: &[Block]) -> Vec<&Table> {
            blocks
                .iter()
                .flat_map(|block| match block {
                    Block::Table(table) => vec![table],
                    Block::Fold { blocks, .. } => of(blocks),
                    _ => Vec::new(),
                })
                .collect()
        }
        of(&self.blocks)
    }
}

/// What a section is made of.
#[derive(Debug, Clone)]
pub enum Block {
    /// A paragraph.
    Prose(Prose),
    /// A paragraph that must not be missed.
    Aside(Tone, Prose),
    /// Entries one below the other.
    List(Vec<Prose>),
    /// Words and what they mean.
    Terms(Vec<(Prose, Prose)>),
    /// A smaller heading.
    Heading(&'static str),
    /// Text as it is, with what it is called.
    Code(&'static str, String),
    /// What a reader unfolds.
    Fold {
        /// What is said of it while it is folded.
        summary: Prose,
        /// Whether it stands open.
        open: bool,
        /// What it holds.
        blocks: Vec<Block>,
    },
    /// A figure; the large ones are far larger than every other block.
    Figure(Box<Figure>),
    /// A table.
    Table(Table),
    /// Markup of a place that has no other form: the cards of the examples.
    Own(maud::Markup),
}

impl From<Prose> for Block {
    fn from(prose: Prose) -> Self {
        Block::Prose(prose)
    }
}

impl From<&'static str> for Block {
    fn from(words: &'static str) -> Self {
        Block::Prose(Prose::said(words))
    }
}

impl From<Figure> for Block {
    fn from(figure: Figure) -> Self {
        Block::Figure(Box::new(figure))
    }
}

impl From<Table> for Block {
    fn from(table: Table) -> Self {
        Block::Table(table)
    }
}
