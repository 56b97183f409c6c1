//! A run in the terminal: the table, a plot, the verdicts with their rules.
//!
//! Everything is laid out in Unicode and put into ASCII at the end where the
//! terminal is no UTF-8 one, character by character, so that both look alike.

pub mod profile;
pub mod sparkline;
pub mod study;
pub mod training;

use prism_run::shown;

use crate::document::terminal::Line;
use crate::document::{self, Table};
use crate::number::ABSENT;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether it reads UTF-8.
    pub unicode: bool,
    /// Whether headings may be set bold (a terminal, and `NO_COLOR` not set).
    pub color: bool,
}

/// Lines of text, some of them headings.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    lines: Vec<(bool, String)>,
}

impl Screen {
    /// A heading, with an empty line before it.
    pub fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.lines.push((false, String::new()));
        }
        self.lines.push((true, text.into()));
    }

    /// A line as it is.
    pub fn line(&mut self, text: impl Into<String>) {
        self.lines.push((false, text.into()));
    }

    /// Text broken between words at the terminal's width, further lines indented.
    pub fn wrapped(&mut self, text: &str, look: Look) {
        let width = look.width.max(20);
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.trim().is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                self.line(std::mem::take(&mut line));
                line.push_str("   ");
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(line);
    }

    /// A table, its columns in as many blocks as the width asks for, each beginning with the first column.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>], look: Look) {
        // Before widths are taken and lines are told apart: a line feed in a name makes no line.
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| shown(cell).into_owned()).collect()).collect();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([header[column].chars().count()]).max().unwrap_or_default()
        };
        let mut from = 1;
        while from < header.len() {
            let mut used = width(0) + 2 + width(from);
            let mut to = from + 1;
            while to < header.len() && used + 2 + width(to) <= look.width {
                used += 2 + width(to);
                to += 1;
            }
            let columns: Vec<usize> = std::iter::once(0).chain(from..to).collect();
            let names: Vec<&str> = columns.iter().map(|c| header[*c]).collect();
            let cell = |row: &Vec<String>, column: usize| match row.get(column).map(String::as_str) {
                None | Some(ABSENT) => prism_audit::text::ABSENT.to_string(),
                Some(text) => text.replace('−', "-"),
            };
            let cells: Vec<Vec<String>> = rows.iter().map(|row| columns.iter().map(|c| cell(row, *c)).collect()).collect();
            if from > 1 {
                self.line("");
            }
            for line in prism_audit::text::table(&names, &cells).lines() {
                self.line(line);
            }
            from = to;
        }
    }

    /// A table of the document: the columns that fit, by priority, or all of them where it is `wide`.
    pub fn typed(&mut self, table: &Table, look: Look, wide: bool) {
        for line in document::terminal::lines(table, (!wide).then_some(look.width)) {
            match line {
                Line::Row(row) => self.line(row),
                Line::Sentence(sentence) => self.wrapped(&sentence, look),
            }
        }
    }

    /// The text, ending with a line feed.
    pub fn text(&self, look: Look) -> String {
        let mut out = String::new();
        for (heading, line) in &self.lines {
            // Names come from files: no control sequence of theirs reaches the terminal.
            let shown = shown(line);
            let shown = if look.unicode { shown } else { ascii(&shown).into() };
            if *heading && look.color {
                out.push_str(&format!("\u{1b}[1m{shown}\u{1b}[0m\n"));
            } else {
                out.push_str(shown.trim_end());
                out.push('\n');
            }
        }
        out
    }
}

/// Every character by one that any terminal has.
pub fn ascii(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_ascii() => c,
            '−' | '–' | '─' => '-',
            '│' | '├' | '┤' => '|',
            '●' => 'o',
            '·' => '.',
            '’' => '\'',
            'σ' => 's',
            '×' => 'x',
            c => sparkline::LEVELS.iter().position(|l| *l == c).map_or('?', |level| sparkline::ASCII[level]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Look = Look { width: 24, unicode: true, color: false };

    #[test]
    fn a_wide_table_is_broken_between_columns_and_stays_within_the_width() {
        let mut screen = Screen::default();
        let row = |name: &str| vec![name.to_string(), "1.0".into(), "2.0".into(), "3.0".into()];
        screen.table(&["variant", "accuracy", "probe (a)", "gap"], &[row("LVR"), row("P-LVR-3")], NARROW);
        let text = screen.text(NARROW);
        assert!(text.lines().all(|line| line.chars().count() <= 24), "{text}");
        assert_eq!(text.matches("P-LVR-3").count(), 2, "{text}");
    }

    #[test]
    fn no_control_sequence_of_a_name_reaches_the_terminal() {
        let mut screen = Screen::default();
        screen.heading("evil\u{1b}[2J\u{7}");
        assert_eq!(screen.text(NARROW), "evil\\u{1b}[2J\\u{7}\n");
        let bold = screen.text(Look { color: true, unicode: false, ..NARROW });
        assert_eq!(bold, "\u{1b}[1mevil\\u{1b}[2J\\u{7}\u{1b}[0m\n");
    }

    #[test]
    fn a_line_feed_in_a_name_forges_no_line() {
        let mut screen = Screen::default();
        screen.line("one\ntwo");
        let wide = Look { width: 80, ..NARROW };
        screen.table(&["variant", "accuracy"], &[vec!["a\nb\u{202e}".into(), "1.0".into()]], wide);
        let text = screen.text(wide);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains("one\\ntwo") && text.contains("a\\nb\\u{202e}"), "{text}");
    }

    #[test]
    fn words_are_kept_whole() {
        let mut screen = Screen::default();
        screen.wrapped("one two three four five six seven", NARROW);
        assert_eq!(screen.text(NARROW), "one two three four five\n    six seven\n");
    }
}
