//! A table in every form: each cell, scraped by its table, its row and its column, is the cell of the model.

use std::collections::BTreeMap;

use prism_report::document::behind::Nowhere;
use prism_report::document::table::FILES;
use prism_report::document::terminal::{self, Layout, Line};
use prism_report::document::{Cell, Form, Row, Table, Value, csv, json, latex, markdown};
use prism_report::html::plain;
use prism_run::shown;

use super::Made;
use crate::readers::grid::{self, Grid, Name};
use crate::readers::text::value;

/// Texts of a table by row and column.
type Texts = BTreeMap<(usize, usize), String>;

/// Where the forms of a table do not agree, the first place of each form.
pub fn agree(made: &Made, table: &Table) -> Vec<String> {
    let one_line = |text: &str| plain(text).replace(['\n', '\r', '\t'], " ");
    let checks: [Box<dyn FnOnce() + '_>; 6] = [
        Box::new(|| on_the_page_and_in_files(made, table)),
        Box::new(|| in_json(table)),
        Box::new(|| as_printed(table, &grid::of_markdown(&markdown::markdown(table)), &one_line)),
        Box::new(|| as_printed(table, &grid::of_latex(&latex::latex(table, "tab:x")), &typed)),
        Box::new(|| on_a_terminal(table)),
        Box::new(|| on_a_narrow_terminal(table)),
    ];
    checks.into_iter().filter_map(super::fault).collect()
}

/// What is printed is the file's number rounded: found without a look at the model.
fn on_the_page_and_in_files(made: &Made, table: &Table) {
    let (page, numbers) = (on_the_page(made, table), in_csv(table));
    for (place, text) in &page {
        let Some(numbers) = numbers.get(place) else { continue };
        let (row, column) = (&table.rows()[place.0], &table.columns[place.1]);
        rounded(text, numbers, column.form, &format!("{}.{}[{}]", table.name, column.name, row.key));
    }
}

/// Printed numbers are these, rounded to the digits of the form.
fn rounded(text: &str, numbers: &[f64], form: Form, here: &str) {
    let (digits, interval) = match form {
        Form::Number { digits, .. } => (digits, false),
        Form::Interval { digits, .. } => (digits, true),
        _ => (3, false),
    };
    if text == "< 0.001" {
        assert!(numbers[0] < 0.001, "{here}: {text} of {numbers:?}");
        return;
    }
    let printed: Vec<&str> = if interval { text.trim_matches(['[', ']']).split(", ").collect() } else { vec![text] };
    assert_eq!(printed.len(), numbers.len(), "{here}: {text}");
    for (printed, number) in printed.iter().zip(numbers) {
        let read = value(printed).unwrap_or_else(|| panic!("{here}: {printed} is no number"));
        // A number that no column has room for has an exponent, and three digits.
        let step = if printed.contains('e') { 0.01 * number.abs() } else { 10f64.powi(-(digits as i32)) };
        assert!((read - number).abs() <= 0.5 * step * (1.0 + 1e-9) + 1e-12 * number.abs(), "{here}: {printed} of {number}");
        let after = printed.split_once('.').map_or(0, |(_, after)| after.len());
        assert!(printed.contains('e') || after == digits, "{here}: {printed} has not {digits} digits");
    }
}

/// What stands over a column where it stands beside the one it is attached to, and where it stands without it.
fn names(table: &Table, place: usize) -> (Name, Name) {
    let column = &table.columns[place];
    let main = (0..=place).rev().find(|i| !table.columns[*i].attached).unwrap_or(place);
    let (group, heading) = (column.group.unwrap_or_default().to_string(), column.heading.as_text());
    if main == place {
        let own = Name { group, heading, under: None };
        return (own.clone(), own);
    }
    let of = table.columns[main].heading.as_text();
    let alone = Name { group: group.clone(), heading: format!("{heading} of {of}"), under: None };
    (Name { group, heading, under: Some(of) }, alone)
}

/// The column of the model that a column of the page is, by what stands over it.
fn named(table: &Table, grid: &Grid, column: usize) -> usize {
    let name = &grid.columns[column];
    // The page sets groups only where a column shown has one.
    let grouped = grid.columns.iter().any(|column| !column.group.is_empty());
    let fits = |place: &usize| {
        let (beside, alone) = names(table, *place);
        let same = |of: Name| of.heading == name.heading && of.under == name.under && (of.group == name.group || !grouped);
        same(beside) || same(alone)
    };
    let found: Vec<usize> = (0..table.columns.len()).filter(fits).collect();
    assert_eq!(found.len(), 1, "{}: {name:?} names one column: {found:?}", table.name);
    found[0]
}

/// The page: every row by its address, every column once, in the open table or in the folded one below it.
fn on_the_page(made: &Made, table: &Table) -> Texts {
    let tables = made.figure(table.name).named("table");
    let grids: Vec<Grid> = tables.into_iter().map(grid::of_html).collect();
    let mut found = Texts::new();
    for grid in &grids {
        assert_eq!(grid.rows.len(), made.rows_shown(table), "{}", table.name);
        for column in 0..grid.columns.len() {
            let place = named(table, grid, column);
            for (r, (row, line)) in table.rows().iter().zip(&grid.rows).enumerate() {
                if let Some(id) = &line.id {
                    assert_eq!(*id, format!("{}:{}", table.name, row.key));
                }
                let (read, here) = (&line.cells[column], format!("{}.{}[{}]", table.name, table.columns[place].name, row.key));
                let expected = on_page(table, row, place, read.shared);
                assert_eq!(read.text, expected, "{here} on the page");
                if row.cells[place].reason().is_none() {
                    let before = found.insert((r, place), read.text.clone());
                    assert!(before.is_none_or(|text| text == read.text), "{here} on the page twice, and not the same");
                }
            }
        }
        assert!(grid.rows.iter().all(|line| line.cells.len() == grid.columns.len()), "{}: a cell for each column", table.name);
    }
    let shown = |place: usize| grids.iter().any(|grid| (0..grid.columns.len()).any(|column| named(table, grid, column) == place));
    let lacking: Vec<_> = (0..table.columns.len()).filter(|i| table.columns[*i].priority < FILES && !shown(*i)).collect();
    assert!(lacking.is_empty(), "{}: columns {lacking:?} are not on the page", table.name);
    found
}

/// A cell as the page has it; in the place of several stands why they are absent.
fn on_page(table: &Table, row: &Row, place: usize, shared: bool) -> String {
    let cell = &row.cells[place];
    let note = match &cell.value {
        Value::Run(run) => run.note.as_ref().map_or_else(String::new, |note| format!(" {note}")),
        _ => String::new(),
    };
    match cell.reason() {
        Some(reason) if shared => plain(reason),
        _ => plain(&format!("{}{note}", table.columns[place].form.write(&cell.value))),
    }
}

/// CSV, read by a reader that is not ours, by the names of its columns. Returns the numbers of every cell that has any.
fn in_csv(table: &Table) -> BTreeMap<(usize, usize), Vec<f64>> {
    let text = csv::csv(table);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let heads: Vec<String> = reader.headers().unwrap().iter().map(str::to_string).collect();
    let rows: Vec<Vec<String>> = reader.records().map(|record| record.unwrap().iter().map(str::to_string).collect()).collect();
    assert_eq!(rows.len(), table.rows().len(), "{}", table.name);
    let mut found = BTreeMap::new();
    for (r, (row, record)) in table.rows().iter().zip(&rows).enumerate() {
        let at = |name: &str| heads.iter().position(|head| head == name).map(|place| record[place].as_str());
        assert_eq!(at("key"), Some(row.key.as_str()));
        for (c, (column, cell)) in table.columns.iter().zip(&row.cells).enumerate() {
            let here = format!("{}.{}[{}] as CSV", table.name, column.name, row.key);
            let ends = if matches!(column.form, Form::Interval { .. }) { vec![".low", ".high"] } else { vec![""] };
            let read: Vec<&str> = ends.iter().map(|end| at(&format!("{}{end}", column.name)).unwrap_or_else(|| panic!("{here}"))).collect();
            let absent = at(&format!("{}.absent", column.name)).unwrap_or_default();
            assert_eq!(absent, plain(cell.reason().unwrap_or_default()), "{here}");
            match &cell.value {
                Value::Absent(reason) => assert!(!reason.is_empty() && read.iter().all(|text| text.is_empty()), "{here}: {read:?}"),
                Value::Number(_) | Value::Interval(..) => {
                    let numbers: Vec<f64> = read.iter().map(|text| text.parse().unwrap()).collect();
                    assert_eq!(numbers, column.form.numbers(&cell.value), "{here}");
                    found.insert((r, c), numbers);
                }
                Value::Count(count) => assert_eq!(read[0].parse::<usize>().unwrap(), *count, "{here}"),
                other => assert_eq!(read[0], plain(&column.form.write(other)), "{here}"),
            }
        }
    }
    found
}

/// JSON, as the explorer answers with: value, text and reason.
fn in_json(table: &Table) {
    let read: serde_json::Value = serde_json::from_str(&json::json(table, &Nowhere).to_string()).unwrap();
    assert_eq!(read["table"], table.name);
    for (row, line) in table.rows().iter().zip(read["rows"].as_array().unwrap()) {
        assert_eq!(line["key"].as_str(), Some(row.key.as_str()));
        for (column, cell) in table.columns.iter().zip(&row.cells) {
            let here = format!("{}.{}[{}] as JSON", table.name, column.name, row.key);
            let told = &line["cells"][&*column.name];
            assert_eq!(told["text"].as_str(), Some(plain(&column.form.write(&cell.value)).as_str()), "{here}");
            assert_eq!(told["absent"].as_str(), cell.reason().map(plain).as_deref(), "{here}");
            let numbers: Vec<f64> = match &told["value"] {
                serde_json::Value::Array(ends) => ends.iter().map(|end| end.as_f64().unwrap()).collect(),
                one => one.as_f64().into_iter().collect(),
            };
            match &cell.value {
                Value::Count(count) => assert_eq!(told["value"].as_u64(), Some(*count as u64), "{here}"),
                Value::Absent(_) => assert!(told["value"].is_null(), "{here}"),
                value => assert_eq!(numbers, column.form.numbers(value), "{here}"),
            }
        }
    }
}

/// A form as it is printed: the headings in their order, then every cell. `set` is a text as the form sets it.
fn as_printed(table: &Table, rows: &[Vec<String>], set: &dyn Fn(&str) -> String) {
    let columns: Vec<usize> = (0..table.columns.len()).filter(|i| table.columns[*i].priority < FILES).collect();
    assert_eq!(rows.len(), table.rows().len() + 1, "{}", table.name);
    for (place, head) in columns.iter().zip(&rows[0]) {
        let heading = set(&table.columns[*place].heading.as_text());
        assert!(head.ends_with(heading.trim()), "{}: {head} over {}", table.name, table.columns[*place].name);
    }
    for (row, cells) in table.rows().iter().zip(&rows[1..]) {
        assert_eq!(cells.len(), columns.len(), "{}: {cells:?}", table.name);
        for (place, read) in columns.iter().zip(cells) {
            let column = &table.columns[*place];
            let expected = set(&column.form.write(&row.cells[*place].value));
            assert_eq!(read, expected.trim(), "{}.{}[{}] as printed", table.name, column.name, row.key);
        }
    }
}

/// A text as one types it for LaTeX: dashes and quotes of ASCII, every space one.
fn typed(text: &str) -> String {
    let space = |c: char| if c.is_whitespace() || shown::is_obeyed(c) { ' ' } else { c };
    let text: String = text.chars().map(space).collect();
    text.replace('–', "--").replace('’', "'").replace('“', "``").replace('”', "''")
}

/// A cell as a terminal has it.
fn on_screen(table: &Table, row: &Row, place: usize) -> String {
    let cell: &Cell = &row.cells[place];
    match &cell.value {
        Value::Absent(_) => terminal::ABSENT.to_string(),
        Value::Run(_) if row.kind == prism_report::document::RowKind::Again => String::new(),
        value => shown(&table.columns[place].form.write(value)).replace('−', "-"),
    }
}

fn rows_of(lines: Vec<Line>) -> Vec<String> {
    lines.into_iter().filter_map(|line| if let Line::Row(row) = line { Some(row) } else { None }).collect()
}

/// All columns on a terminal, a line a row: those that stand are the columns of the model in their order.
fn on_a_terminal(table: &Table) {
    let columns = grid::of_terminal(&rows_of(terminal::lines(table, None)));
    let (mut next, mut numbers) = (0, 0);
    for column in &columns {
        let fits = |place: &usize| {
            let heading = table.columns[*place].heading.as_text().replace(' ', "");
            let over = if heading.is_empty() { table.columns[*place].name.replace(' ', "") } else { heading };
            let cells: Vec<String> = table.rows().iter().map(|row| on_screen(table, row, *place).trim().to_string()).collect();
            column.over.ends_with(&over) && column.cells == cells
        };
        let place = (next..table.columns.len()).find(fits);
        let place = place.unwrap_or_else(|| panic!("{}: no column is {column:#?}", table.name));
        numbers += usize::from(!table.columns[place].form.is_words());
        next = place + 1;
    }
    // Sentences stand below; every number has its column.
    let all = table.columns.iter().filter(|column| !column.form.is_words() && column.priority < FILES).count();
    assert_eq!(numbers, all, "{}: not all numbers stand on a wide terminal", table.name);
}

/// The columns that 80 characters have room for: each is one of the model's, number for number.
fn on_a_narrow_terminal(table: &Table) {
    let layout = Layout { width: Some(80), grouped: true, without: &[] };
    for column in grid::of_terminal(&rows_of(terminal::laid(table, layout))) {
        let read: Vec<&str> = column.cells.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
        let fits = |place: &usize| {
            let of = &table.columns[*place];
            let heading = of.heading.as_text().replace(' ', "");
            let cells: Vec<String> = table.rows().iter().map(|row| on_screen(table, row, *place)).collect();
            column.over.ends_with(&heading) && !of.form.is_words() && read == cells
        };
        // Words go over several lines.
        let words = |place: &usize| {
            let of = &table.columns[*place];
            let heading = if of.heading.is_empty() { of.name.to_string() } else { of.heading.as_text() };
            of.form.is_words() && column.over.ends_with(&heading.replace(' ', ""))
        };
        let found = (0..table.columns.len()).any(|place| fits(&place) || words(&place));
        assert!(found, "{}: no column is {column:#?}", table.name);
    }
}
