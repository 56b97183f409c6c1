//! Sentences that an audit wrote, with their numbers as cells of the document.
//!
//! An audit's sentence holds its numbers as text. On the page each of them is the cell that holds it: written as the cell
//! writes it, and a link to its row. A number that no cell holds stays text.

use std::ops::Range;

use super::form::{Form, Unit};
use super::prose::{Prose, Span};
use super::table::Table;

/// A cell that a sentence may speak of.
#[derive(Debug, Clone)]
pub struct Spoken<'a> {
    /// Its table.
    pub table: &'a Table,
    /// Its column.
    pub column: &'static str,
    /// The key of its row.
    pub row: String,
}

impl Spoken<'_> {
    /// Whether a number is the cell's: one before a percent sign where the cell is a share that rounds to it, up or down,
    /// any other where the cell is none and is written like it.
    fn is(&self, number: &str, percent: bool) -> bool {
        let Some((column, cell)) = self.table.cell(self.column, &self.row) else { return false };
        if percent != matches!(column.form, Form::Number { unit: Unit::Percent, .. }) {
            return false;
        }
        let written = column.form.write(&cell.value);
        let step = 0.1_f64.powi(number.split_once('.').map_or(0, |(_, digits)| digits.len() as i32));
        let near = |exact: &f64| number.parse::<f64>().is_ok_and(|said| (said - exact).abs() < step);
        match percent {
            true => column.form.numbers(&cell.value).first().is_some_and(near),
            false => written == number || number.strip_prefix('+') == Some(written.as_str()),
        }
    }
}

impl Prose {
    /// With a sentence of the audit ([`Prose::typeset`]) whose numbers are looked for in these cells, in their order.
    #[must_use]
    pub fn spoken(self, text: &str, cells: &[Spoken<'_>]) -> Self {
        let typeset = Prose::default().typeset(text);
        typeset.spans().iter().fold(self, |prose, span| match span {
            Span::Code(code) => prose.code(code.clone()),
            other => numbered(prose, other.as_text(), cells),
        })
    }
}

/// Text with its numbers as cells.
fn numbered(mut prose: Prose, text: &str, cells: &[Spoken<'_>]) -> Prose {
    let mut end = 0;
    for place in numbers(text) {
        let (number, after) = (&text[place.clone()], &text[place.end..]);
        let Some(cell) = cells.iter().find(|cell| cell.is(number, after.starts_with(" %"))) else { continue };
        prose = prose.text(&text[end..place.start]).number(cell.table, cell.column, &cell.row);
        end = place.end;
    }
    prose.text(&text[end..])
}

/// Where numbers stand in a text: digits with a sign and a fraction, no part of a word, a name or a version.
pub fn numbers(text: &str) -> Vec<Range<usize>> {
    let characters: Vec<(usize, char)> = text.char_indices().collect();
    let at = |i: usize| characters.get(i).map_or(' ', |(_, c)| *c);
    let place = |i: usize| characters.get(i).map_or(text.len(), |(place, _)| *place);
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '=' | '/' | '@' | '.' | '-' | '#');
    let mut found = Vec::new();
    let (mut i, mut before) = (0, ' ');
    while i < characters.len() {
        let signed = matches!(at(i), '+' | '−');
        let start = i;
        if joins(before) || !at(i + usize::from(signed)).is_ascii_digit() {
            before = at(i);
            i += 1;
            continue;
        }
        let digits = |mut i: usize| {
            while at(i).is_ascii_digit() {
                i += 1;
            }
            i
        };
        i = digits(i + usize::from(signed));
        if at(i) == '.' && at(i + 1).is_ascii_digit() {
            i = digits(i + 1);
        }
        let goes_on = at(i).is_alphanumeric() || (matches!(at(i), '-' | '.' | '_' | ':') && at(i + 1).is_alphanumeric());
        if !goes_on {
            found.push(place(start)..place(i));
        }
        before = at(i - 1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, Column, Row};
    use super::*;

    fn table() -> Table {
        let columns = vec![
            Column::count("changed", "changed"),
            Column::count("n", "n"),
            Column::points("delta", "change"),
            Column::percent("opened", "opened, %"),
        ];
        let mut table = Table::new("made", columns);
        table.push(Row::new("a").cells([Cell::count(2), Cell::count(40), Cell::number(-0.13), Cell::number(0.7549)]));
        table.push(Row::new("zero").cells([Cell::count(0), Cell::count(40), Cell::number(0.0)]));
        table
    }

    fn cells(table: &Table) -> Vec<Spoken<'_>> {
        let of = |row: &'static str| ["changed", "n", "delta", "opened"].map(|column| Spoken { table, column, row: row.into() });
        [of("a"), of("zero")].concat()
    }

    #[test]
    fn numbers_of_a_sentence_are_cells_written_as_the_table_writes_them() {
        let table = table();
        let said = "At most 2 of 40 change (-13.0 points; `noise:1` +0.0); the block opened in 75 % of 17 examples.";
        let prose = Prose::default().spoken(said, &cells(&table));
        assert_eq!(prose.as_text(), "At most 2 of 40 change (−13.0 points; noise:1 0.0); the block opened in 75.5 % of 17 examples.");
        let linked = prose.spans().iter().filter_map(|span| if let Span::Number(_, cell) = span { Some(cell.to_string()) } else { None });
        assert_eq!(linked.collect::<Vec<_>>(), ["made.changed[a]", "made.n[a]", "made.delta[a]", "made.delta[zero]", "made.opened[a]"]);
    }

    #[test]
    fn names_versions_and_keys_hold_no_numbers() {
        let found = |text: &str| numbers(text).into_iter().map(|place| text[place].to_string()).collect::<Vec<_>>();
        assert_eq!(found("P-LVR-2 and noise:0.3, v0.1.2, k=4, seed_42, 3-4, 2nd"), Vec::<String>::new());
        assert_eq!(found("4 of −0.5, (+1.0) [8] 95 % 7."), ["4", "−0.5", "+1.0", "8", "95", "7"]);
    }
}
