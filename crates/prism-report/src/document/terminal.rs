//! A table in the terminal: as many columns as the width has room for, by priority.
//!
//! Where not all of them fit, headings and words go over several lines, broken between words. What is folded away even then
//! is named below the table. Sentences stand below it, too, each with its row; no word is broken.

use super::folding;
use super::form::Form;
use super::table::{Column, FILES, KEY, RowKind, Table};
use super::value::Value;

/// What stands for an absent number.
pub const ABSENT: &str = "n/a";
/// Between two columns.
const GAP: usize = 2;
/// A text of more characters stands below the table.
const LONGEST_TEXT: usize = 24;
/// Words of more characters go over several lines where there is little room.
const LONGEST_WORDS: usize = 16;
/// Most lines of a heading.
const MOST_LINES: usize = 3;
/// Rows that are named where a number is absent, at most.
const MOST_NAMES: usize = 3;

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// To be written as it is: it has the width.
    Row(String),
    /// A sentence, to be broken between words.
    Sentence(String),
}

/// How a table is laid out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout<'a> {
    /// Characters in a line; absent for all columns of the table.
    pub width: Option<usize>,
    /// Whether the groups of columns stand above their headings.
    pub grouped: bool,
    /// Places of columns that do not stand and are not named, either.
    pub without: &'a [usize],
}

/// The lines; `width` absent for all columns.
pub fn lines(table: &Table, width: Option<usize>) -> Vec<Line> {
    laid(table, Layout { width, grouped: width.is_some(), without: &[] })
}

/// The lines in a layout.
pub fn laid(table: &Table, layout: Layout<'_>) -> Vec<Line> {
    let texts: Vec<Vec<String>> = table.rows().iter().map(|row| cells(table, row)).collect();
    let stands: Vec<usize> = (0..table.columns.len()).filter(|i| !layout.without.contains(i)).collect();
    let longest = |i: usize| texts.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
    let (told, columns): (Vec<usize>, Vec<usize>) =
        stands.into_iter().partition(|i| table.columns[*i].form == Form::Text && longest(*i) > LONGEST_TEXT);
    // In little room sentences that are no evidence are left out.
    let (told, left): (Vec<usize>, Vec<usize>) = told.into_iter().partition(|i| layout.width.is_none() || table.columns[*i].priority <= 1);
    let of: Vec<Column> = columns.iter().map(|i| table.columns[*i].clone()).collect();
    let fitted = |grid: &Grid| folding::fit(&of, &grid.widths, GAP, layout.width.unwrap_or(usize::MAX / 4));
    let mut grid = Grid::new(&of, &columns, &texts, layout.grouped, false);
    let (mut shown, mut folded) = fitted(&grid);
    if !folded.is_empty() {
        grid = Grid::new(&of, &columns, &texts, layout.grouped, true);
        (shown, folded) = fitted(&grid);
    }
    let mut out = grid.lines(&of, &shown, layout.grouped);
    let left = left.into_iter().filter(|i| table.columns[*i].priority < FILES);
    let mut unseen: Vec<usize> = folded.iter().map(|i| columns[*i]).chain(left).collect();
    unseen.sort_unstable();
    let names: Vec<String> = unseen.iter().filter_map(|i| folded_name(table, *i, &unseen)).collect();
    if !names.is_empty() {
        out.push(Line::Sentence(format!("not shown: {} (--wide)", names.join("; "))));
    }
    for place in told {
        let column = heading(&table.columns[place], false);
        let said = table.rows().iter().zip(&texts).filter(|(row, _)| row.cells[place].reason().is_none());
        out.extend(said.map(|(row, texts)| Line::Sentence(format!("{}, {column}: {}", row.key, texts[place]))));
    }
    out
}

/// How a column is called that does not stand; one that is attached to another of these goes without saying.
fn folded_name(table: &Table, place: usize, unseen: &[usize]) -> Option<String> {
    let column = &table.columns[place];
    let own = heading(column, false);
    let main = (0..place).rev().find(|i| !table.columns[*i].attached).filter(|_| column.attached);
    match main {
        None => Some(own),
        Some(main) if unseen.contains(&main) => None,
        Some(main) => Some(format!("{own} of {}", heading(&table.columns[main], false))),
    }
}

/// The column of runs where all rows are of one run and something else tells them apart.
pub fn of_one_run(table: &Table) -> Option<usize> {
    let place = table.columns.iter().position(|column| column.form == Form::Run)?;
    let others = table.columns.iter().enumerate().any(|(i, column)| i != place && column.priority == KEY);
    let label = |row: &super::Row| if let Value::Run(run) = &row.cells[place].value { Some(run.label.clone()) } else { None };
    let first = label(table.rows().first()?)?;
    (others && table.rows().iter().all(|row| label(row).as_ref() == Some(&first))).then_some(place)
}

/// Columns that need not stand, for what they say is one thing: nothing in any row, or as a part of the key the same in all.
pub fn idle(table: &Table) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (place, column) in table.columns.iter().enumerate().filter(|(_, column)| column.priority <= 1) {
        let cells = || table.rows().iter().map(move |row| &row.cells[place]);
        let Some(first) = cells().next() else { continue };
        let (name, reason) = (heading(column, false), first.reason());
        if cells().all(|cell| cell.reason().is_some()) {
            let same = reason.filter(|reason| cells().all(|cell| cell.reason() == Some(*reason)));
            let why = same.map_or_else(|| "in every row".to_string(), |reason| format!("in every row: {}", prism_run::shown(reason)));
            found.push((place, format!("{name}: {ABSENT} {why}")));
        } else if column.priority == KEY
            && column.form == Form::Words
            && table.rows().len() > 1
            && cells().all(|cell| cell.value == first.value)
        {
            found.push((place, format!("{name}: {} in every row", prism_run::shown(&column.form.write(&first.value)))));
        }
    }
    // What is attached to a column that is named goes with it.
    let named: Vec<usize> = found.iter().map(|(place, _)| *place).collect();
    let main = |place: usize| (0..place).rev().find(|i| !table.columns[*i].attached);
    for (place, said) in &mut found {
        if table.columns[*place].attached && main(*place).is_some_and(|main| named.contains(&main)) {
            said.clear();
        }
    }
    found
}

/// Why numbers are absent that the table is about: each reason once, with its rows. Columns in `without` do not count.
pub fn reasons(table: &Table, without: &[usize]) -> Vec<String> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let counts = |i: &usize| {
        let column = &table.columns[*i];
        column.priority <= 1 && !column.attached && !column.form.is_words() && !without.contains(i)
    };
    for row in table.rows() {
        for reason in (0..table.columns.len()).filter(counts).filter_map(|i| row.cells[i].reason()) {
            match found.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, rows)) if rows.last() == Some(&row.key.as_str()) => {}
                Some((_, rows)) => rows.push(row.key.as_str()),
                None => found.push((reason, vec![row.key.as_str()])),
            }
        }
    }
    let said = |(reason, rows): (&str, Vec<&str>)| {
        let others = if rows.len() > MOST_NAMES { " and others" } else { "" };
        let named: Vec<&str> = rows.into_iter().take(MOST_NAMES).collect();
        format!("{ABSENT}: {} ({}{others})", prism_run::shown(reason), named.join(", "))
    };
    found.into_iter().map(said).collect()
}

/// Headings and cells as lines, and how wide each column is.
struct Grid {
    heads: Vec<Vec<String>>,
    rows: Vec<Vec<Vec<String>>>,
    widths: Vec<usize>,
}

impl Grid {
    /// `of` are the columns, `places` where they are in a row of `texts`. Where it is `tight`, headings and words are broken.
    fn new(of: &[Column], places: &[usize], texts: &[Vec<String>], grouped: bool, tight: bool) -> Self {
        let cell = |column: &Column, text: &str| {
            let breaks = tight && matches!(column.form, Form::Words | Form::Text);
            if breaks { broken(&pieces(text, false), LONGEST_WORDS) } else { vec![text.to_string()] }
        };
        let rows: Vec<Vec<Vec<String>>> =
            texts.iter().map(|row| of.iter().zip(places).map(|(column, place)| cell(column, &row[*place])).collect()).collect();
        let widest = |lines: &[String]| lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let mut heads = Vec::new();
        let mut widths = Vec::new();
        for (i, column) in of.iter().enumerate() {
            let room = rows.iter().map(|row| widest(&row[i])).max().unwrap_or(0);
            let text = heading(column, grouped);
            let head = if tight { stacked(&text, room) } else { vec![text] };
            widths.push(room.max(widest(&head)));
            heads.push(head);
        }
        Self { heads, rows, widths }
    }

    fn lines(&self, of: &[Column], shown: &[usize], grouped: bool) -> Vec<Line> {
        let line = |cell: &dyn Fn(usize) -> String| {
            let mut out = String::new();
            for (i, place) in shown.iter().enumerate() {
                let (text, wide) = (cell(*place), self.widths[*place]);
                let padding = " ".repeat(wide.saturating_sub(text.chars().count()));
                let gap = if i == 0 { "" } else { "  " };
                // An interval after its number is ranged left, close to it.
                let left = of[*place].form.is_words() || matches!(of[*place].form, Form::Interval { .. });
                out.push_str(&if left { format!("{gap}{text}{padding}") } else { format!("{gap}{padding}{text}") });
            }
            Line::Row(out.trim_end().to_string())
        };
        let mut out = if grouped { self.groups(of, shown) } else { Vec::new() };
        let at = |lines: &[String], i: usize| lines.get(i).cloned().unwrap_or_default();
        let height = shown.iter().map(|i| self.heads[*i].len()).max().unwrap_or(1);
        // Headings stand on the rule below them.
        let head = |place: usize, i: usize| (i + self.heads[place].len()).checked_sub(height).map(|i| at(&self.heads[place], i));
        out.extend((0..height).map(|i| line(&|place| head(place, i).unwrap_or_default())));
        out.push(line(&|place| "-".repeat(self.widths[place])));
        for row in &self.rows {
            let height = shown.iter().map(|i| row[*i].len()).max().unwrap_or(1);
            out.extend((0..height).map(|i| line(&|place| at(&row[place], i))));
        }
        out
    }

    /// The lines above the headings: the name of each group over its columns, where it has room there.
    fn groups(&self, of: &[Column], shown: &[usize]) -> Vec<Line> {
        let mut spans: Vec<(usize, Vec<String>)> = Vec::new();
        let mut start = 0;
        let mut last: Option<&'static str> = None;
        for (i, place) in shown.iter().enumerate() {
            let group = of[*place].group;
            if let Some(name) = group.filter(|_| group != last) {
                let more = shown[i..].iter().take_while(|place| of[**place].group == group);
                let room = more.map(|place| self.widths[*place] + GAP).sum::<usize>().saturating_sub(GAP);
                let words = broken(&pieces(name, false), room);
                if words.iter().all(|word| word.chars().count() <= room) {
                    spans.push((start, words));
                }
            }
            last = group;
            start += self.widths[*place] + GAP;
        }
        let height = spans.iter().map(|(_, words)| words.len()).max().unwrap_or(0);
        let line = |i: usize| {
            let mut out = String::new();
            for (start, words) in &spans {
                if let Some(word) = (i + words.len()).checked_sub(height).and_then(|i| words.get(i)) {
                    out.push_str(&" ".repeat(start.saturating_sub(out.chars().count())));
                    out.push_str(word);
                }
            }
            Line::Row(out)
        };
        (0..height).map(line).collect()
    }
}

/// What a text can be broken into, each with whether a space stands before it.
fn pieces(text: &str, colons: bool) -> Vec<(bool, &str)> {
    text.split_whitespace().flat_map(|word| pieces_of(word, colons)).collect()
}

/// What a word can be broken into: a heading after a colon, too (`swap:other-answer`).
fn pieces_of(word: &str, colons: bool) -> Vec<(bool, &str)> {
    let mut parts = Vec::new();
    let (mut space, mut rest) = (true, word);
    while let Some(at) = rest.find(':').filter(|at| colons && rest[at + 1..].starts_with(char::is_alphabetic)) {
        parts.push((space, &rest[..=at]));
        (space, rest) = (false, &rest[at + 1..]);
    }
    parts.push((space, rest));
    parts
}

/// The pieces in lines of at most so many characters; a longer piece has a line of its own.
fn broken(pieces: &[(bool, &str)], room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (space, piece) in pieces {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        let gap = usize::from(*space && !line.is_empty());
        if !line.is_empty() && line.chars().count() + gap + piece.chars().count() > room {
            lines.push((*piece).to_string());
        } else {
            line.push_str(&" ".repeat(gap));
            line.push_str(piece);
        }
    }
    lines
}

/// A heading over a column of that width, no wider than [`MOST_LINES`] lines ask for.
fn stacked(text: &str, room: usize) -> Vec<String> {
    let pieces = pieces(text, true);
    let longest = pieces.iter().map(|(_, piece)| piece.chars().count()).max().unwrap_or(0);
    let mut width = room.max(longest);
    loop {
        let lines = broken(&pieces, width);
        if lines.len() <= MOST_LINES {
            return lines;
        }
        width += 1;
    }
}

/// The cells of a row as a terminal has them: a plain minus, and a run named once.
fn cells(table: &Table, row: &super::Row) -> Vec<String> {
    let of = |(column, cell): (&Column, &super::Cell)| match &cell.value {
        Value::Absent(_) => ABSENT.to_string(),
        Value::Run(_) if row.kind == RowKind::Again => String::new(),
        value => prism_run::shown(&column.form.write(value)).replace('−', "-"),
    };
    table.columns.iter().zip(&row.cells).map(of).collect()
}

/// What stands above a column; with its group where that has no line of its own.
fn heading(column: &Column, grouped: bool) -> String {
    let heading = column.heading.as_text();
    match (column.group, heading.is_empty()) {
        (_, true) => column.name.to_string(),
        (Some(group), _) if column.form.is_words() && !grouped => format!("{group}: {heading}"),
        _ => heading,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, Row};
    use super::*;

    fn made() -> Table {
        let share = Column::percent("share", "changed at most").because("nothing was run");
        let mut table = Table::new(
            "made",
            vec![
                Column::words("x", "quantity").priority(KEY),
                Column::words("unit", "a point is").priority(KEY),
                Column::points("delta:swap", "swap:other-answer").group("change in accuracy"),
                share,
                Column::text("why", "why").priority(3),
            ],
        );
        for (x, delta) in [("cosine, free-running", Some(0.1)), ("gap", None)] {
            table.push(Row::new(x).because(Some("one run only")).cells([
                Cell::text(x),
                Cell::text("variant"),
                Cell::number(delta),
                Cell::absent("nothing was run"),
                Cell::text("a sentence that is longer than a column may be"),
            ]));
        }
        table
    }

    #[test]
    fn in_little_room_headings_and_words_are_broken_between_words() {
        let rows = |width: usize| -> Vec<String> {
            let lines = laid(&made(), Layout { width: Some(width), grouped: true, without: &[1, 3] });
            lines.into_iter().filter_map(|line| if let Line::Row(row) = line { Some(row) } else { None }).collect()
        };
        let wide = rows(60);
        assert_eq!(wide[0], format!("{:22}change in", ""));
        assert_eq!(wide[2], "quantity              swap:other-answer");
        let narrow = rows(28);
        assert!(narrow.iter().all(|row| row.chars().count() <= 28), "{narrow:#?}");
        assert!(narrow.iter().any(|row| row.starts_with("free-running")), "{narrow:#?}");
        assert!(narrow.iter().any(|row| row.ends_with("swap:")) && narrow.iter().any(|row| row.ends_with("other-answer")), "{narrow:#?}");
    }

    #[test]
    fn a_column_that_says_one_thing_is_said_once() {
        let found = idle(&made());
        assert_eq!(found.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(found[0].1, "a point is: variant in every row");
        assert_eq!(found[1].1, "changed at most: n/a in every row: nothing was run");
        assert_eq!(reasons(&made(), &[1, 3]), ["n/a: one run only (gap)"]);
    }

    #[test]
    fn sentences_that_are_no_evidence_are_left_to_the_wide_table() {
        let told = |width: Option<usize>| -> Vec<String> {
            let lines = laid(&made(), Layout { width, grouped: true, without: &[1, 3] });
            lines.into_iter().filter_map(|line| if let Line::Sentence(text) = line { Some(text) } else { None }).collect()
        };
        assert_eq!(told(Some(60)), ["not shown: why (--wide)"]);
        assert_eq!(told(None).len(), 2);
    }
}
