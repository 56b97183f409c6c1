//! A table's CSV as pandas reads it: values, absent numbers and reasons are those of the cells.
//!
//! `oracle/tables.py` read `fixtures/table.csv`, wrote what it read as `fixtures/table.json` and the table again as
//! `fixtures/table.back.csv`.

use prism_report::document::{Cell, Column, Form, Row, RunName, Table, Tone, Value, csv};
use serde_json::Value as Json;

const CSV: &str = include_str!("fixtures/table.csv");
const READ: &str = include_str!("fixtures/table.json");
const BACK: &str = include_str!("fixtures/table.back.csv");

/// A table with every kind of number and some words that a reader may take for nothing.
fn table() -> Table {
    let delta = Column::points("delta", "change");
    let interval = delta.interval("delta_interval", "95 %");
    let columns = vec![
        Column::run(),
        Column::count("n", "n"),
        delta,
        interval,
        Column::percent("share", "share"),
        Column::decimal("plain", "plain", 3),
        Column::p("p", "p"),
        Column::words("word", "word"),
        Column::text("why", "why"),
    ];
    let run = |name: &str| RunName { style: None, label: name.into(), note: None };
    let mut table = Table::new("made", columns);
    table.push(Row::of_run(run("LVR"), "lvr", None).at("zero").cells([
        Cell::count(40),
        Cell::number(-0.026),
        Cell::interval(Some(-0.06), Some(0.01)),
        Cell::number(1.0 / 3.0),
        Cell::number(1e-7),
        Cell::number(1e-12),
        Cell::words("NA", Tone::Plain),
        Cell::text("a, \"b\"\nc"),
    ]));
    table.push(Row::of_run(run("LVR"), "lvr", None).at("remove").because(Some("no latents ran")));
    table.push(Row::of_run(run("N-LVR"), "n-lvr", None).at("zero").cells([
        Cell::count(12_345_678_901),
        Cell::number(0.07),
        Cell::interval(Some(-0.1), Some(1.0 / 3.0)),
        Cell::number(0.1 + 0.2),
        Cell::number(1e15),
        Cell::number(0.05),
        Cell::words("null", Tone::Plain),
        Cell::text(" spaced "),
    ]));
    table
}

#[test]
fn the_fixture_is_what_the_report_writes() {
    assert_eq!(csv::csv(&table()), CSV);
}

#[test]
fn pandas_reads_values_absences_and_reasons_as_the_cells_have_them() {
    let read: Json = serde_json::from_str(READ).unwrap();
    let table = table();
    let keys: Vec<&str> = table.rows().iter().map(|row| row.key.as_str()).collect();
    assert_eq!(read["keys"], serde_json::json!(keys));
    for (place, column) in table.columns.iter().enumerate() {
        for (r, row) in table.rows().iter().enumerate() {
            let name = &column.name;
            let at = |end: &str| &read["columns"][format!("{name}{end}")][r];
            let ends: &[&str] = if matches!(column.form, Form::Interval { .. }) { &[".low", ".high"] } else { &[""] };
            let here = format!("{name} of {}", row.key);
            assert_eq!(at(".absent").as_str(), row.cells[place].reason(), "{here}");
            match &row.cells[place].value {
                Value::Absent(_) => ends.iter().for_each(|end| assert!(at(end).is_null(), "{here}{end}")),
                Value::Count(count) => assert_eq!(at("").as_f64(), Some(*count as f64), "{here}"),
                value @ (Value::Number(_) | Value::Interval(..)) => {
                    let numbers: Vec<f64> = ends.iter().map(|end| at(end).as_f64().unwrap()).collect();
                    assert_eq!(numbers, column.form.numbers(value), "{here}");
                }
                other => assert_eq!(at("").as_str(), Some(column.form.write(other).as_str()), "{here}"),
            }
        }
    }
}

#[test]
fn pandas_writes_the_same_table_again() {
    let read = |text: &str| -> Vec<Vec<String>> {
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|record| record.unwrap().iter().map(str::to_string).collect()).collect()
    };
    let (ours, back) = (read(CSV), read(BACK));
    assert_eq!((&ours[0], ours.len()), (&back[0], back.len()));
    for (ours, back) in ours[1..].iter().zip(&back[1..]) {
        for (name, (ours, back)) in read(CSV)[0].iter().zip(ours.iter().zip(back)) {
            // A whole number beside an absent one comes back as `40.0`.
            match (ours.parse::<f64>(), back.parse::<f64>()) {
                (Ok(ours), Ok(back)) => assert_eq!(ours, back, "{name}"),
                _ => assert_eq!(ours, back, "{name}"),
            }
        }
    }
}
