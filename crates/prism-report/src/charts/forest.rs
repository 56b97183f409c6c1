//! Numbers with intervals, one row a question and one mark a run: a forest plot.

use prism_run::Intervention;
use serde_json::{Value, json};

use super::{Run, chart, colour, shape, styles_of, theme, told, tooltip, with_interval, wrapped};
use crate::document::form::exact;
use crate::document::{CellName, Estimate};
use crate::number::decimal;

/// One number of one run.
#[derive(Debug, Clone)]
pub struct Mark<'a> {
    /// Whose.
    pub run: Run<'a>,
    /// The row it stands in, as printed.
    pub row: String,
    /// The intervention it is of, if of one.
    pub key: Option<Intervention>,
    /// The number.
    pub value: f64,
    /// 95 % interval.
    pub low: Option<f64>,
    /// 95 % interval.
    pub high: Option<f64>,
    /// The cell of a table that says it.
    pub cell: Option<CellName>,
}

impl<'a> Mark<'a> {
    /// The mark of a cell, in the row of that name; `None` where the cell is of no variant.
    pub fn of(estimate: &Estimate<'a>, row: impl Into<String>) -> Option<Self> {
        let run = estimate.run()?;
        let run = Run { style: run.style.as_ref()?, label: run.label.clone() };
        let Estimate { value, low, high, name, row: of } = estimate;
        Some(Self { run, row: row.into(), key: of.intervention, value: *value, low: *low, high: *high, cell: Some(name.clone()) })
    }
}

/// What the chart is of.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// In words, for the description.
    pub what: &'a str,
    /// Title of the axis.
    pub title: &'a str,
    /// Factor from the numbers to what is printed: 100 for shares.
    pub scale: f64,
    /// Digits printed.
    pub digits: usize,
    /// Half-width of a band about 0.
    pub band: Option<f64>,
    /// Where a line is drawn across.
    pub reference: Option<f64>,
}

/// The chart; `None` when there is nothing to draw.
pub fn spec(marks: &[Mark<'_>], look: &Look<'_>) -> Option<Value> {
    let marks: Vec<&Mark<'_>> = marks.iter().filter(|m| m.value.is_finite()).collect();
    if marks.is_empty() {
        return None;
    }
    let styles = styles_of(marks.iter().map(|m| m.run.style));
    let (mut rows, mut runs): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for m in &marks {
        if !rows.contains(&m.row.as_str()) {
            rows.push(&m.row);
        }
        if !runs.contains(&m.run.label.as_str()) {
            runs.push(&m.run.label);
        }
    }
    let scaled = |v: Option<f64>| v.map(|v| exact(v * look.scale));
    let data: Vec<Value> = marks
        .iter()
        .map(|m| {
            let mark = json!({"row": m.row, "value": exact(m.value * look.scale), "low": scaled(m.low), "high": scaled(m.high)});
            let mut mark = m.run.mark(mark);
            if let Some(key) = m.key {
                mark["intervention_id"] = key.to_string().into();
            }
            if let Some(cell) = &m.cell {
                mark["cell"] = cell.to_string().into();
            }
            mark
        })
        .collect();
    let y = json!({"field": "row", "type": "nominal", "sort": rows, "title": null,
        "scale": {"paddingInner": 0.28, "paddingOuter": 0.14},
        "axis": {"domain": false, "ticks": false, "labelFontSize": 12, "labelColor": theme::INK, "labelLimit": 190}});
    let offset = json!({"field": "run", "type": "nominal", "sort": runs, "scale": {"paddingInner": 0, "paddingOuter": 0}});
    let x = |field: &str| json!({"field": field, "type": "quantitative", "title": wrapped(look.title), "scale": {"nice": true, "zero": look.reference == Some(0.0)}});
    let mut layers = Vec::new();
    if let Some(band) = look.band {
        layers.push(json!({"data": {"values": [{"from": -band * look.scale, "to": band * look.scale}]},
            "mark": {"type": "rect", "color": theme::BAND}, "encoding": {"x": x("from"), "x2": {"field": "to"}}}));
    }
    if let Some(at) = look.reference {
        layers.push(json!({"data": {"values": [{"at": at * look.scale}]},
            "mark": {"type": "rule", "color": theme::RULE}, "encoding": {"x": x("at")}}));
    }
    layers.push(json!({"mark": {"type": "rule", "strokeWidth": 1.6, "opacity": 0.65},
        "encoding": {"x": x("low"), "x2": {"field": "high"}, "y": y, "yOffset": offset, "color": colour(&styles)}}));
    let format = format!(".{}f", look.digits);
    layers.push(json!({"mark": {"type": "point", "filled": true, "opacity": 1, "size": if runs.len() > 8 { 40 } else { 70 }},
        "encoding": {"x": x("value"), "y": y, "yOffset": offset, "color": colour(&styles), "shape": shape(&styles),
            "tooltip": tooltip(&[("run", "run", ""), ("row", "of", ""), ("value", look.title, &format),
                ("low", "95 % from", &format), ("high", "to", &format)])}}));
    let step = if runs.len() > 5 { 9 } else { 14 };
    let show = |v: Option<f64>| decimal(scaled(v), look.digits);
    let words = marks.iter().map(|m| format!("{}, {}: {}", m.run.label, m.row, with_interval(m.value, m.low, m.high, show)));
    let description = told(&format!("{}, {}", look.what, look.title), words);
    Some(chart(&description, json!(rows.len() * (runs.len() * step + 22)), data.into(), json!({"layer": layers})))
}
