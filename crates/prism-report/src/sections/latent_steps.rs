//! What the sections on latents share: the columns that tell one latent step from another, and what charts draw of
//! a table's cells. A line or a map takes every number from a cell and keeps the cell's name.

use std::collections::BTreeMap;

use prism_run::Stage;

use super::{first_seeds, is_drawn, run};
use crate::charts::lines::{self, Line};
use crate::charts::{Run, heat};
use crate::document::table::KEY;
use crate::document::{Column, Form, Row, Table, Unit, Value};
use crate::study::{Audit, Part, Study};

/// A word that is part of a row's key: mode, stage, place.
pub fn key_words(name: &'static str) -> Column {
    Column::words(name, name).priority(KEY)
}

/// A whole number that is part of a row's key: step, layer.
pub fn key_count(name: &'static str) -> Column {
    Column::count(name, name).priority(KEY)
}

/// Entropies in nats.
pub fn entropy(name: &'static str, heading: &'static str) -> Column {
    Column::new(name, heading, Form::Number { unit: Unit::Nats, digits: 2, signed: false })
}

/// The latent steps of a table, and which of them enough examples reach to be drawn ([`is_drawn`]).
#[derive(Debug)]
pub struct Steps<'a> {
    table: &'a Table,
    /// The column that counts the examples that reach a step.
    counts: &'static str,
    /// The largest of these counts for each run.
    most: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Steps<'a> {
    /// The steps of a table whose column `counts` says how many examples reach each.
    pub fn of(table: &'a Table, counts: &'static str) -> Self {
        let mut most: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for row in table.rows() {
            if let (Some(run), Some(count)) = (identity(row), table.count(row, counts)) {
                let known = most.entry(run).or_default();
                *known = count.max(*known);
            }
        }
        Self { table, counts, most }
    }

    /// Whether enough examples reach the step of a row.
    pub fn is_drawn(&self, row: &Row) -> bool {
        let most = identity(row).and_then(|run| self.most.get(&run)).copied().unwrap_or_default();
        self.table.count(row, self.counts).is_some_and(|count| is_drawn(count, most))
    }

    /// The numbers of a column in one mode with the intervals of another, by step: a line for each run and stage.
    pub fn lines(&self, mode: &str, value: &'static str, interval: Option<&str>) -> Vec<Line<'a>> {
        lines::of_table(self.table.estimates(value, interval), |estimate| {
            let row = estimate.row;
            let step = self.table.count(row, "step").filter(|_| word(self.table, row, "mode") == mode && self.is_drawn(row))?;
            Some((format!("{} stage", word(self.table, row, "stage")), step as f64))
        })
    }
}

/// The map of the first seed of each variant that has one.
pub fn maps<'a>(study: &'a Study, part: &Part, table: &Table, stage: &str, value: &str) -> Vec<(Run<'a>, Vec<heat::Cell>)> {
    let of = |audit: &Audit| {
        let run = run(study, part, audit);
        let cells = map(table, stage, value, &run);
        (run, cells)
    };
    first_seeds(part).into_iter().map(of).filter(|(_, cells)| !cells.is_empty()).collect()
}

/// The numbers of a column for one run by step and layer, from the first layer up; the column `stage` holds their stage.
fn map(table: &Table, stage: &str, value: &str, run: &Run<'_>) -> Vec<heat::Cell> {
    let layers = table.place("layer");
    let mut found: Vec<(usize, Option<Stage>, usize, heat::Cell)> = Vec::new();
    for estimate in table.estimates(value, None) {
        let row = estimate.row;
        if identity(row) != Some((run.style.id.as_str(), run.label.as_str())) {
            continue;
        }
        let Some(step) = table.count(row, "step") else { continue };
        let layer = layers.map_or_else(String::new, |at| table.columns[at].form.write(&row.cells[at].value));
        // What has no number comes after the last layer.
        let order = layer.parse().unwrap_or(usize::MAX);
        let cell = heat::Cell { column: String::new(), row: layer, value: estimate.value, cell: Some(estimate.name.clone()) };
        found.push((order, Stage::from_name(word(table, row, stage)), step, cell));
    }
    found.sort_by_key(|(layer, stage, step, _)| (*layer, *stage, *step));
    let staged = found.iter().any(|(_, stage, _, _)| *stage == Some(Stage::Context));
    let named = |(_, stage, step, cell): (usize, Option<Stage>, usize, heat::Cell)| {
        let column = match stage.filter(|_| staged) {
            Some(stage) => format!("{stage} {step}"),
            None => step.to_string(),
        };
        heat::Cell { column, ..cell }
    };
    found.into_iter().map(named).collect()
}

/// The word in a column of a row; empty where there is none.
pub fn word<'a>(table: &Table, row: &'a Row, column: &str) -> &'a str {
    match table.place(column).and_then(|at| row.cells.get(at)).map(|cell| &cell.value) {
        Some(Value::Word { text, .. } | Value::Text(text)) => text.as_str(),
        _ => "",
    }
}

/// What tells the run of a row from the others: its variant and its name.
fn identity(row: &Row) -> Option<(&str, &str)> {
    let label = row.cells.iter().find_map(|cell| if let Value::Run(run) = &cell.value { Some(run.label.as_str()) } else { None })?;
    Some((row.variant.as_deref()?, label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::theme::VariantStyle;
    use crate::document::{Cell, RunName};

    fn name(style: &VariantStyle) -> RunName {
        RunName { style: Some(style.clone()), label: style.name.clone(), note: None }
    }

    #[test]
    fn a_line_is_of_one_run_and_stage_and_its_points_are_cells() {
        let cosine = Column::decimal("cosine", "cosine", 3);
        let interval = cosine.interval("cosine_interval", "95 %");
        let columns =
            vec![Column::run(), key_words("mode"), key_words("stage"), key_count("step"), Column::count("n", "n"), cosine, interval];
        let mut table = Table::new("made", columns);
        let lvr = VariantStyle::new(0, "lvr", "LVR");
        let steps: [(&str, &str, usize, usize); 4] =
            [("forced", "context", 0, 40), ("free", "target", 0, 40), ("free", "context", 1, 40), ("free", "target", 2, 3)];
        for (mode, stage, step, n) in steps {
            table.push(Row::of_run(name(&lvr), "lvr", None).at(mode).at(stage).at(step).cells([
                Cell::text(mode),
                Cell::text(stage),
                Cell::count(step),
                Cell::count(n),
                Cell::number(0.5),
                Cell::interval(Some(0.25), Some(0.75)),
            ]));
        }
        let lines = Steps::of(&table, "n").lines("free", "cosine", Some("cosine_interval"));
        let names: Vec<(&str, usize)> = lines.iter().map(|line| (line.name.as_str(), line.points.len())).collect();
        assert_eq!(names, [("target stage", 1), ("context stage", 1)], "three of forty are not drawn");
        let point = &lines[1].points[0];
        assert_eq!((point.x, point.y, point.low, point.high), (1.0, 0.5, Some(0.25), Some(0.75)));
        assert_eq!(point.cell.as_ref().unwrap().to_string(), "made.cosine[lvr/free/context/1]");
    }

    #[test]
    fn a_map_begins_with_the_first_layer_and_names_stages_where_there_are_several() {
        let (lvr, other) = (VariantStyle::new(0, "lvr", "LVR"), VariantStyle::new(1, "n-lvr", "N-LVR"));
        let columns = vec![Column::run(), key_words("stage"), key_count("step"), key_words("layer"), Column::percent("gold", "gold")];
        let mut table = Table::new("made", columns);
        let mut push = |style: &VariantStyle, stage: Stage, step: usize, layer: &str| {
            table.push(Row::of_run(name(style), &style.id, None).at(stage).at(step).at(layer).cells([
                Cell::text(stage.name()),
                Cell::count(step),
                Cell::text(layer),
                Cell::number(0.25),
            ]));
        };
        push(&lvr, Stage::Target, 0, "last");
        push(&lvr, Stage::Target, 0, "10");
        push(&lvr, Stage::Context, 1, "2");
        push(&other, Stage::Target, 0, "2");
        let of = |style: &VariantStyle| map(&table, "stage", "gold", &Run { style, label: style.name.clone() });
        let places: Vec<(String, String)> = of(&lvr).into_iter().map(|cell| (cell.column, cell.row)).collect();
        let expected = [("context 1", "2"), ("target 0", "10"), ("target 0", "last")];
        assert_eq!(places, expected.map(|(column, row)| (column.to_string(), row.to_string())));
        assert_eq!((of(&other).len(), of(&other)[0].column.as_str()), (1, "0"));
    }
}
