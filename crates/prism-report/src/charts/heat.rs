//! A heat map of one run: a number by step and layer, the lowest layer at the bottom.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Run, chart, theme, told, tooltip};
use crate::document::CellName;
use crate::document::form::exact;
use crate::number::decimal;

/// One cell.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Its column as printed, in the order of the columns.
    pub column: String,
    /// Its row as printed, from the lowest up.
    pub row: String,
    /// The number.
    pub value: f64,
    /// The cell of the table that says it.
    pub cell: Option<CellName>,
}

/// What the chart is of.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// In words, for the description.
    pub what: &'a str,
    /// Title of the columns.
    pub columns: &'a str,
    /// Title of the numbers.
    pub title: &'a str,
    /// Factor from the numbers to what is printed: 100 for shares.
    pub scale: f64,
    /// Digits printed.
    pub digits: usize,
    /// The numbers at the palest and the darkest colour.
    pub range: [f64; 2],
}

/// The columns that are labelled: all of a few, else every so many of each stage from its first, so that labels do not overlap.
fn labelled<'a>(columns: &[&'a str]) -> Vec<&'a str> {
    /// Labels there is room for.
    const ROOM: usize = 10;
    let every = columns.len().div_ceil(ROOM).max(1);
    let mut of_stage: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for column in columns {
        let count = of_stage.entry(column.split_once(' ').map_or("", |(stage, _)| stage)).or_default();
        if count.is_multiple_of(every) {
            kept.push(*column);
        }
        *count += 1;
    }
    kept
}

/// The chart; `None` when there is nothing to draw.
pub fn spec(run: &Run<'_>, cells: &[Cell], look: &Look<'_>) -> Option<Value> {
    let cells: Vec<&Cell> = cells.iter().filter(|c| c.value.is_finite()).collect();
    let largest = cells.iter().max_by(|a, b| a.value.total_cmp(&b.value))?;
    let (mut columns, mut rows): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for cell in &cells {
        if !columns.contains(&cell.column.as_str()) {
            columns.push(&cell.column);
        }
        if !rows.contains(&cell.row.as_str()) {
            rows.push(&cell.row);
        }
    }
    let count = rows.len();
    rows.reverse();
    let data: Vec<Value> = cells
        .iter()
        .map(|c| {
            let mut mark = json!({"column": c.column, "row": c.row, "value": exact(c.value * look.scale)});
            if let Some(cell) = &c.cell {
                mark["cell"] = cell.to_string().into();
            }
            run.mark(mark)
        })
        .collect();
    let format = format!(".{}f", look.digits);
    let body = json!({"mark": {"type": "rect"}, "encoding": {
        "x": {"field": "column", "type": "nominal", "sort": columns, "title": look.columns, "axis": {"labelAngle": if columns.iter().any(|c| c.len() > 3) { -40 } else { 0 }, "values": labelled(&columns), "domain": false, "ticks": false}},
        "y": {"field": "row", "type": "nominal", "sort": rows, "title": "layer"},
        "color": {"field": "value", "type": "quantitative", "title": look.title,
            "scale": {"domain": look.range.map(|v| v * look.scale), "range": [theme::BAND, theme::HEAT], "clamp": true},
            "legend": {"gradientLength": 80, "titleLimit": 90}},
        "tooltip": tooltip(&[("column", look.columns, ""), ("row", "layer", ""), ("value", look.title, &format)])}});
    let most = decimal(Some(largest.value * look.scale), look.digits);
    let words = format!("Largest: {most} at {} {}, layer {}", look.columns, largest.column, largest.row);
    let what = format!("{} of {}, {}, {} cells", look.what, run.label, look.title, cells.len());
    Some(chart(&told(&what, std::iter::once(words)), json!(count * 16 + 24), data.into(), body))
}
