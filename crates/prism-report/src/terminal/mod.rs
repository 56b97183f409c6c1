//! Runs in the terminal: tables of the document, a plot, and what every command ends with ([`ending`]): the answer in a
//! sentence, the table behind it, and where to look further.
//!
//! Everything is laid out in Unicode and put into ASCII at the end where the
//! terminal is no UTF-8 one, character by character, so that both look alike.

pub mod across;
pub mod ending;
pub mod evaluation;
pub mod profile;
pub mod readings;
pub mod sparkline;
pub mod study;
pub mod training;

use prism_run::shown;

use crate::document::Table;
use crate::document::terminal::{self, Layout, Line};

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
    wide: bool,
}

impl Screen {
    /// A screen that shows every column of a table, however wide that is, and all there is to plot.
    pub fn wide() -> Self {
        Self { wide: true, ..Self::default() }
    }

    /// Whether it is one that shows all ([`Screen::wide`]).
    pub fn is_wide(&self) -> bool {
        self.wide
    }

    /// Whether nothing stands on it yet.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

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

    /// Entries of a list one below the other, with its name before the first: `page    runs/a/report.html`.
    pub fn entries(&mut self, name: &str, entries: &[String]) {
        for (i, entry) in entries.iter().enumerate() {
            self.line(format!("{:<8}{entry}", if i == 0 { name } else { "" }));
        }
    }

    /// A table of the document: the columns that fit, by priority, or all of them on a wide screen. Below it what is not
    /// shown, what is the same in every row, and why numbers are absent.
    pub fn typed(&mut self, table: &Table, look: Look) {
        let idle = if self.wide { Vec::new() } else { terminal::idle(table) };
        let mut without: Vec<usize> = idle.iter().map(|(place, _)| *place).collect();
        // The text around the table says whose it is.
        without.extend(terminal::of_one_run(table).filter(|_| !self.wide));
        let layout = Layout { width: (!self.wide).then_some(look.width), grouped: true, without: &without };
        for line in terminal::laid(table, layout) {
            match line {
                Line::Row(row) => self.line(row),
                Line::Sentence(sentence) => self.wrapped(&sentence, look),
            }
        }
        let said = idle.into_iter().map(|(_, said)| said).filter(|said| !said.is_empty());
        for said in said.chain(terminal::reasons(table, &without)) {
            self.wrapped(&said, look);
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
            '²' => '2',
            '×' => 'x',
            c => sparkline::LEVELS.iter().position(|l| *l == c).map_or('?', |level| sparkline::ASCII[level]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Cell, Column, Row, RunName};

    const NARROW: Look = Look { width: 24, unicode: true, color: false };

    fn made(names: &[&str]) -> Table {
        let percent = |name: &'static str| Column::percent(name, name);
        let columns = vec![Column::run(), percent("accuracy"), percent("probe"), percent("gap").priority(2)];
        let mut table = Table::new("made", columns);
        for name in names {
            let run = RunName { style: None, label: (*name).into(), note: None };
            table.push(Row::of_run(run, name, None).cells([Cell::number(0.01), Cell::number(0.02), Cell::number(0.03)]));
        }
        table
    }

    #[test]
    fn a_table_stays_within_the_width_and_says_what_it_leaves_out() {
        let mut screen = Screen::default();
        screen.typed(&made(&["LVR", "P-LVR-3"]), NARROW);
        let text = screen.text(NARROW);
        assert!(text.lines().all(|line| line.chars().count() <= 24), "{text}");
        assert!(text.contains("accuracy  probe") && text.contains("not shown: gap (--wide)"), "{text}");
        let mut screen = Screen::wide();
        screen.typed(&made(&["LVR", "P-LVR-3"]), NARROW);
        let text = screen.text(NARROW);
        assert!(text.contains("accuracy  probe  gap") && !text.contains("not shown"), "{text}");
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
        screen.typed(&made(&["a\nb\u{202e}"]), wide);
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
