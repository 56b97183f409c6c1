//! The explorer and the report's page over the same run: what both print is the same cell, to the digit; and the explorer's
//! pages print what its JSON says.

#[allow(dead_code, reason = "shared with the report's tests, which use the rest")]
#[path = "../../prism-report/tests/readers/mod.rs"]
mod readers;
#[allow(dead_code, reason = "shared with the server's tests, which use the rest")]
mod running;
#[allow(dead_code, reason = "shared with the report's tests, which use the rest")]
#[path = "../../prism-report/tests/synthetic/mod.rs"]
mod synthetic;

use prism_report::document::behind::Nowhere;
use prism_report::document::{Table, json};
use prism_report::sections::Numbered;
use prism_report::study::Study;
use prism_report::{ReportInputs, page};
use serde_json::Value;

use readers::grid::{self, Grid};
use readers::html;
use running::{Running, id};
use synthetic::Shape;

/// Columns that the explorer's table of interventions shares with the page's.
const SHARED: [&str; 11] =
    ["strength", "changed_answers", "changed_bound", "delta", "delta_interval", "lost", "gained", "p", "holm_p", "equivalence_p", "shows"];

/// The tables of the page over a study's audits.
fn page_tables(inputs: &ReportInputs) -> Vec<Table> {
    let study = Study::read(inputs, &mut Vec::new()).unwrap();
    let (_, _, builder) = page::html(&study, None, 1, &mut Vec::new());
    builder.numbered.iter().filter_map(|one| if let Numbered::Typed(table) = one { Some(Table::clone(table)) } else { None }).collect()
}

/// A table as JSON, by the key of its rows.
fn row<'a>(table: &'a Value, key: &str) -> &'a Value {
    let rows = table["rows"].as_array().unwrap();
    rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("{}: no row {key}", table["table"]))
}

/// Columns of the JSON under what stands over a column of a page.
fn named<'a>(table: &'a Value, grid: &Grid, column: usize) -> &'a str {
    let name = &grid.columns[column];
    let columns = table["columns"].as_array().unwrap();
    let main = |place: usize| (0..=place).rev().find(|i| columns[*i]["attached"] == false).unwrap();
    let fits = |place: &usize| {
        let (heading, of) = (columns[*place]["heading"].as_str().unwrap(), columns[main(*place)]["heading"].as_str().unwrap());
        match &name.under {
            Some(under) => heading == name.heading && under == of,
            None => heading == name.heading && main(*place) == *place || name.heading == format!("{heading} of {of}"),
        }
    };
    let found: Vec<usize> = (0..columns.len()).filter(fits).collect();
    assert_eq!(found.len(), 1, "{}: {name:?} is {found:?}", table["table"]);
    columns[found[0]]["name"].as_str().unwrap()
}

#[test]
fn what_the_page_and_the_explorer_both_print_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let study = synthetic::write(dir.path(), Shape { seeds: 1, silent: true });
    let tables = page_tables(&ReportInputs::new(study.audits.clone()));
    let changes = tables.iter().find(|table| table.name == "corruption").unwrap();
    let changes = json::json(changes, &Nowhere);
    let running = Running::over(&[dir.path().to_path_buf()]);
    let mut compared = 0;
    for variant in ["lvr", "p-lvr-2", "p-lvr-3"] {
        let told = running.json(&format!("/api/runs/{}/tables.json", id(&running, variant)));
        let interventions = told["tables"].as_array().unwrap().iter().find(|table| table["table"] == "interventions").unwrap();
        for of in interventions["rows"].as_array().unwrap() {
            let intervention = of["key"].as_str().unwrap();
            if intervention == "clean" {
                continue;
            }
            let there = row(&changes, &format!("{variant}/{intervention}"));
            for column in SHARED {
                let (here, there) = (&of["cells"][column], &there["cells"][column]);
                let name = format!("{column} of {variant} under {intervention}");
                assert_eq!((&here["value"], &here["text"]), (&there["value"], &there["text"]), "{name}");
                assert_eq!(here["absent"].is_string(), there["absent"].is_string(), "{name}");
                compared += usize::from(here["value"].is_number());
            }
        }
    }
    assert!(compared > 100, "{compared} numbers");
}

#[test]
fn a_page_of_the_explorer_prints_what_its_json_says() {
    let dir = tempfile::tempdir().unwrap();
    synthetic::write(dir.path(), Shape { seeds: 1, silent: false });
    let running = Running::over(&[dir.path().to_path_buf()]);
    let (one, two) = (id(&running, "lvr"), id(&running, "p-lvr-3"));
    let places = [
        (format!("/runs/{one}"), format!("/api/runs/{one}/tables.json")),
        (format!("/compare?run={one}&run={two}"), format!("/api/compare.json?run={one}&run={two}")),
    ];
    let mut compared = 0;
    for (page, data) in places {
        let told = running.json(&data);
        let page = html::read(&running.get(&page).text());
        for table in told["tables"].as_array().unwrap() {
            let fits = |element: &html::Element| element.is_of("typed") && element.attribute("data-table") == table["table"].as_str();
            let Some(place) = page.all(&fits).into_iter().next() else { continue };
            for grid in place.named("table").into_iter().map(grid::of_html) {
                let rows = table["rows"].as_array().unwrap();
                assert_eq!(grid.rows.len(), rows.len(), "{}", table["table"]);
                for column in 0..grid.columns.len() {
                    let name = named(table, &grid, column);
                    for (row, line) in rows.iter().zip(&grid.rows) {
                        let (cell, read) = (&row["cells"][name], &line.cells[column]);
                        let expected = if read.shared { &cell["absent"] } else { &cell["text"] };
                        assert_eq!(Some(read.text.as_str()), expected.as_str(), "{name} of {}", row["key"]);
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 300, "{compared} cells");
}
