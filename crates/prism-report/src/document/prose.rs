//! A paragraph: text, words with a meaning of their own, links, and numbers that are cells of a table.
//!
//! Markup is read from words of this crate alone ([`Prose::said`] takes what the compiler knows). Text from a file
//! goes in by [`Prose::text`] and is never read as anything but text.

use super::table::{CellName, Table};
use super::value::bounded;

/// A piece of a paragraph.
#[derive(Debug, Clone, PartialEq)]
pub enum Span {
    /// Text.
    Text(String),
    /// Text that is to be seen first.
    Strong(String),
    /// A symbol, or a word set apart.
    Emphasis(String),
    /// What is typed or lies in a file.
    Code(String),
    /// A word that the page explains: the word as it stands here, and the one it is explained under.
    Term(String, String),
    /// A word where the page explains it: links to the word lead here.
    Defined(String),
    /// A link: where to, and its text.
    Link(String, String),
    /// The number of a cell.
    Number(String, CellName),
}

impl Span {
    /// The text alone.
    pub fn as_text(&self) -> &str {
        match self {
            Span::Text(text) | Span::Strong(text) | Span::Emphasis(text) | Span::Code(text) | Span::Defined(text) => text,
            Span::Term(text, _) | Span::Link(_, text) | Span::Number(text, _) => text,
        }
    }
}

/// A paragraph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prose {
    spans: Vec<Span>,
}

/// Text from anywhere, as it is.
impl From<String> for Prose {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

impl From<&'static str> for Prose {
    fn from(words: &'static str) -> Self {
        Self::said(words)
    }
}

impl Prose {
    /// Words of ours: `` `code` ``, `*emphasis*`, `**strong**`, `[text](where)` and `{term}`.
    pub fn said(words: &'static str) -> Self {
        Self::default().and(words)
    }

    /// Text from anywhere, as it is.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::default().text(text)
    }

    /// With more words of ours.
    #[must_use]
    pub fn and(mut self, words: &'static str) -> Self {
        let mut rest = words;
        while let Some(at) = rest.find(['`', '*', '[', '{']) {
            let Some((span, after)) = marked(&rest[at..]) else {
                // A mark that opens nothing is a character.
                let end = at + 1;
                self = self.text(&rest[..end]);
                rest = &rest[end..];
                continue;
            };
            self = self.text(&rest[..at]);
            self.spans.push(span);
            rest = after;
        }
        self.text(rest)
    }

    /// With text from anywhere, as it is.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        let text = bounded(text);
        match self.spans.last_mut() {
            _ if text.is_empty() => {}
            Some(Span::Text(last)) => last.push_str(&text),
            _ => self.spans.push(Span::Text(text)),
        }
        self
    }

    /// With text of the audit, which speaks plain ASCII: `code` between backticks, a minus before a number.
    #[must_use]
    pub fn typeset(mut self, text: &str) -> Self {
        for (i, piece) in bounded(text).split('`').enumerate() {
            if i % 2 == 1 {
                self.spans.push(Span::Code(piece.into()));
            } else {
                self = self.text(with_minus(piece));
            }
        }
        self
    }

    /// With text that is to be seen first.
    #[must_use]
    pub fn strong(mut self, text: impl Into<String>) -> Self {
        self.spans.push(Span::Strong(bounded(text)));
        self
    }

    /// With what is typed or lies in a file.
    #[must_use]
    pub fn code(mut self, text: impl Into<String>) -> Self {
        self.spans.push(Span::Code(bounded(text)));
        self
    }

    /// With a word that the page explains under `of`.
    #[must_use]
    pub fn term(mut self, word: impl Into<String>, of: impl Into<String>) -> Self {
        self.spans.push(Span::Term(word.into(), of.into()));
        self
    }

    /// With a word where the page explains it.
    #[must_use]
    pub fn defined(mut self, word: impl Into<String>) -> Self {
        self.spans.push(Span::Defined(word.into()));
        self
    }

    /// With a link to a place of the document, e.g. `#words`, or of the explorer.
    #[must_use]
    pub fn link(mut self, to: impl Into<String>, text: impl Into<String>) -> Self {
        self.spans.push(Span::Link(to.into(), text.into()));
        self
    }

    /// With the number of a cell, as the table writes it, and a dash where the table has no such cell.
    #[must_use]
    pub fn number(mut self, table: &Table, column: &str, row: &str) -> Self {
        let name = CellName { table: table.name.into(), column: column.into(), row: row.into() };
        self.spans.push(Span::Number(table.written(column, row), name));
        self
    }

    /// With another paragraph's pieces.
    #[must_use]
    pub fn join(mut self, other: Prose) -> Self {
        for span in other.spans {
            match span {
                Span::Text(text) => self = self.text(text),
                other => self.spans.push(other),
            }
        }
        self
    }

    /// The pieces.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The text alone.
    pub fn as_text(&self) -> String {
        self.spans.iter().map(Span::as_text).collect()
    }
}

/// What the mark at the begin of a text opens, and what comes after it.
fn marked(text: &'static str) -> Option<(Span, &'static str)> {
    let between = |open: &str, close: &str| -> Option<(&'static str, &'static str)> {
        let (inner, after) = text.strip_prefix(open)?.split_once(close)?;
        (!inner.is_empty()).then_some((inner, after))
    };
    if let Some((inner, after)) = between("**", "**") {
        return Some((Span::Strong(inner.into()), after));
    }
    if let Some((inner, after)) = between("*", "*").filter(|(inner, _)| !inner.starts_with(' ')) {
        return Some((Span::Emphasis(inner.into()), after));
    }
    if let Some((inner, after)) = between("`", "`") {
        return Some((Span::Code(inner.into()), after));
    }
    if let Some((inner, after)) = between("{", "}") {
        let (word, of) = inner.split_once('|').unwrap_or((inner, inner));
        return Some((Span::Term(word.into(), of.into()), after));
    }
    let (inner, after) = between("[", "](")?;
    let (to, after) = after.split_once(')')?;
    Some((Span::Link(to.into(), inner.into()), after))
}

/// A true minus sign before a number.
fn with_minus(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let minus = c == '-' && !before.is_alphanumeric() && characters.peek().is_some_and(char::is_ascii_digit);
        out.push(if minus { '−' } else { c });
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, Column, Row};
    use super::*;

    #[test]
    fn marks_are_read_in_words_of_ours() {
        let prose = Prose::said("Each *p*, `zero` and **all**; see [there](#x), a {clean run|clean} 3 * 4 [ok].");
        assert_eq!(prose.as_text(), "Each p, zero and all; see there, a clean run 3 * 4 [ok].");
        let kinds = prose.spans().iter().filter(|span| !matches!(span, Span::Text(_)));
        assert_eq!(
            kinds.cloned().collect::<Vec<_>>(),
            [
                Span::Emphasis("p".into()),
                Span::Code("zero".into()),
                Span::Strong("all".into()),
                Span::Link("#x".into(), "there".into()),
                Span::Term("clean run".into(), "clean".into()),
            ]
        );
    }

    #[test]
    fn text_from_elsewhere_is_text() {
        let hostile = "*a* `b` [c](javascript:d) {e}";
        assert_eq!(Prose::plain(hostile).spans(), [Span::Text(hostile.into())]);
        assert_eq!(
            Prose::default().typeset("r is -0.5 in `p-lvr-2`, 3-4").spans(),
            [Span::Text("r is −0.5 in ".into()), Span::Code("p-lvr-2".into()), Span::Text(", 3-4".into())]
        );
    }

    #[test]
    fn a_number_is_a_cells() {
        let mut table = Table::new("made", vec![Column::run(), Column::points("delta", "change")]);
        table.push(Row::new("lvr/zero").cells([Cell::absent(""), Cell::number(-0.026)]));
        let prose = Prose::said("Changes by ").number(&table, "delta", "lvr/zero").and(" points; ").number(&table, "delta", "nowhere");
        assert_eq!(prose.as_text(), "Changes by −2.6 points; –");
    }
}
