//! A page with the tables it was made from, and what holds of every number on it.

pub mod forms;
pub mod pictures;
pub mod prose;
pub mod shaken;

use std::collections::BTreeMap;

use prism_report::document::{Cell, Column, Row, Table};
use prism_report::page;
use prism_report::sections::Numbered;
use prism_report::study::Study;
use serde_json::Value;

use crate::readers::html::{self, Element};

/// What a check says that does not hold.
pub fn fault(check: impl FnOnce()) -> Option<String> {
    let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).err()?;
    Some(said.downcast_ref::<String>().cloned().or_else(|| said.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
}

/// A page and what it was made from.
pub struct Made {
    /// The page as a browser reads it, without the libraries of its charts.
    pub page: Element,
    /// Its tables, in their order.
    pub tables: Vec<Table>,
    /// Its charts by the element they are drawn in.
    pub specs: BTreeMap<String, Value>,
}

/// A cell with all that is around it.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// Its table.
    pub table: &'a Table,
    /// Its row.
    pub row: &'a Row,
    /// Its column.
    pub column: &'a Column,
    /// The cell.
    pub cell: &'a Cell,
}

impl Found<'_> {
    /// As its column writes it.
    pub fn written(&self) -> String {
        self.column.form.write(&self.cell.value)
    }

    /// Its numbers, in the unit in which they are printed.
    pub fn numbers(&self) -> Vec<f64> {
        self.column.form.numbers(&self.cell.value)
    }
}

impl Made {
    /// The page of a study.
    pub fn of(study: &Study) -> Self {
        let (text, _, builder) = page::html(study, None, 6, &mut Vec::new());
        let own = text.split("<script type=\"text/plain\"").next().unwrap();
        let typed =
            builder.numbered.iter().filter_map(|one| if let Numbered::Typed(table) = one { Some(Table::clone(table)) } else { None });
        Self { page: html::read(own), tables: typed.collect(), specs: builder.specs }
    }

    /// The cell of a name, e.g. `corruption.delta[lvr/zero]`.
    pub fn cell(&self, name: &str) -> Found<'_> {
        let (table, rest) = name.split_once('.').unwrap_or_else(|| panic!("{name} is no cell"));
        let (column, row) = rest.split_once('[').unwrap_or_else(|| panic!("{name} is no cell"));
        let row = row.trim_end_matches(']');
        let table = self.tables.iter().find(|one| one.name == table).unwrap_or_else(|| panic!("{name}: the page has no such table"));
        let (of, cell) = table.cell(column, row).unwrap_or_else(|| panic!("{name}: the table has no such cell"));
        let row = table.rows().iter().find(|one| one.key == row).unwrap();
        Found { table, row, column: of, cell }
    }

    /// The parts of the page that hold a table.
    pub fn figure(&self, table: &str) -> &Element {
        let fits = |element: &Element| element.name == "figure" && element.attribute("data-table") == Some(table);
        let found = self.page.all(&fits);
        assert_eq!(found.len(), 1, "{table} stands on the page once");
        found[0]
    }

    /// Rows of a table that the page says it shows; the others lie in the findings.
    pub fn rows_shown(&self, table: &Table) -> usize {
        let rows = self.figure(table.name).attribute("data-rows").unwrap().parse().unwrap();
        assert!(rows == table.rows().len() || rows >= 24 && rows < table.rows().len(), "{}: {rows} rows are shown", table.name);
        rows
    }
}
