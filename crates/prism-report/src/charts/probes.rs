//! Probe accuracy by position, each run against its own floors, and by position and
//! layer (method, section 6).

use serde_json::{Value, json};

use super::{Run, chart, colour, shape, styles_of, theme, told, tooltip};
use crate::document::CellName;
use crate::document::form::exact;
use crate::number::percent;

/// One run at one position.
#[derive(Debug, Clone)]
pub struct Point<'a> {
    /// Whose.
    pub run: Run<'a>,
    /// The position as printed.
    pub position: String,
    /// Mean accuracy over folds.
    pub accuracy: f64,
    /// Lower end of its bar.
    pub low: Option<f64>,
    /// Upper end of its bar.
    pub high: Option<f64>,
    /// Accuracy with random labels.
    pub control: Option<f64>,
    /// The cell of a table that says its accuracy.
    pub cell: Option<CellName>,
}

/// The chart; `majority` draws the floor a constant answer reaches.
pub fn spec(points: &[Point<'_>], majority: Option<f64>) -> Option<Value> {
    if points.is_empty() {
        return None;
    }
    let styles = styles_of(points.iter().map(|p| p.run.style));
    let mut positions: Vec<&str> = Vec::new();
    let mut runs: Vec<&str> = Vec::new();
    for p in points {
        if !positions.contains(&p.position.as_str()) {
            positions.push(&p.position);
        }
        if !runs.contains(&p.run.label.as_str()) {
            runs.push(&p.run.label);
        }
    }
    let data: Vec<Value> = points
        .iter()
        .map(|p| {
            let mut mark = p.run.mark(json!({"position": p.position, "accuracy": percents(p.accuracy),
                "low": p.low.map(percents), "high": p.high.map(percents), "control": p.control.map(percents)}));
            if let Some(cell) = &p.cell {
                mark["cell"] = cell.to_string().into();
            }
            mark
        })
        .collect();
    let y = json!({"field": "position", "type": "nominal", "sort": positions, "title": null,
        "scale": {"paddingInner": 0.28, "paddingOuter": 0.14}, "axis": {"domain": false, "ticks": false, "labelFontSize": 12.5, "labelColor": theme::INK}});
    let offset = json!({"field": "run", "type": "nominal", "sort": runs, "scale": {"paddingInner": 0, "paddingOuter": 0}});
    let x =
        |field: &str| json!({"field": field, "type": "quantitative", "title": "probe accuracy, %", "scale": {"zero": false, "nice": true}});
    let mut layers = Vec::new();
    if let Some(m) = majority {
        layers.push(json!({"data": {"values": [{"floor": percents(m)}]},
            "mark": {"type": "rule", "color": theme::FAINT, "strokeDash": [4, 3]}, "encoding": {"x": x("floor")}}));
    }
    layers.push(json!({"mark": {"type": "rule", "strokeWidth": 1.6, "opacity": 0.55},
        "encoding": {"x": x("low"), "x2": {"field": "high"}, "y": y, "yOffset": offset, "color": colour(&styles)}}));
    layers.push(json!({"mark": {"type": "point", "filled": false, "shape": "circle", "size": 14, "strokeWidth": 1.1, "color": theme::FAINT, "opacity": 1},
        "encoding": {"x": x("control"), "y": y, "yOffset": offset}}));
    layers.push(json!({"mark": {"type": "point", "filled": true, "opacity": 1, "size": if runs.len() > 8 { 40 } else { 70 }},
        "encoding": {"x": x("accuracy"), "y": y, "yOffset": offset, "color": colour(&styles), "shape": shape(&styles),
            "tooltip": tooltip(&[("run", "run", ""), ("position", "position", ""), ("accuracy", "accuracy, %", ".1f"),
                ("control", "random labels, %", ".1f")])}}));
    let step = if runs.len() > 8 { 9 } else { 13 };
    let height = json!(positions.len() * (runs.len() * step + 22));
    let words = points.iter().map(|p| format!("{}, {}: {} %", p.run.label, p.position, percent(Some(p.accuracy))));
    Some(chart(
        &told("Probe accuracy by position, one mark per run; rings: random labels; dashed: majority class", words),
        height,
        data.into(),
        json!({"layer": layers}),
    ))
}

/// A share in percent, without the noise of the factor.
fn percents(share: f64) -> f64 {
    exact(share * 100.0)
}

/// One layer at one position of one run.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The position as printed.
    pub position: String,
    /// The layer as printed, in the order of the rows.
    pub layer: String,
    /// Mean accuracy.
    pub accuracy: f64,
    /// The cell of a table that says it.
    pub cell: Option<CellName>,
}

/// The heat map of one run: a row per position, a column per layer, the input at the left. Below the palest colour's
/// number it stays the palest.
pub fn layers(run: &Run<'_>, cells: &[Cell], range: [f64; 2]) -> Option<Value> {
    if cells.is_empty() {
        return None;
    }
    let (mut positions, mut columns): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for cell in cells {
        if !positions.contains(&cell.position.as_str()) {
            positions.push(&cell.position);
        }
        if !columns.contains(&cell.layer.as_str()) {
            columns.push(&cell.layer);
        }
    }
    let data: Vec<Value> = cells
        .iter()
        .map(|c| {
            let mut mark = run.mark(json!({"position": c.position, "layer": c.layer, "accuracy": percents(c.accuracy)}));
            if let Some(cell) = &c.cell {
                mark["cell"] = cell.to_string().into();
            }
            mark
        })
        .collect();
    let colour = json!({"field": "accuracy", "type": "quantitative", "title": "accuracy, %",
        "scale": {"domain": range.map(|v| v * 100.0), "range": [theme::BAND, theme::HEAT], "clamp": true},
        "legend": {"orient": "bottom", "titleOrient": "left", "gradientLength": 90}});
    let best = cells.iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
    let words = best.into_iter().map(|c| format!("Highest: {} % at {}, layer {}", percent(Some(c.accuracy)), c.position, c.layer));
    Some(chart(
        &told(
            &format!("Probe accuracy of {} by position and layer, {} cells", run.label, cells.len()),
            words.collect::<Vec<_>>().into_iter(),
        ),
        json!(positions.len() * 18 + 4),
        data.into(),
        json!({"mark": {"type": "rect"}, "encoding": {
            "x": {"field": "layer", "type": "nominal", "sort": columns, "title": "layer", "axis": {"labelAngle": 0, "labelOverlap": true, "domain": false, "ticks": false}},
            "y": {"field": "position", "type": "nominal", "sort": positions, "title": null, "axis": {"domain": false, "ticks": false, "labelLimit": 150}},
            "color": colour,
            "tooltip": tooltip(&[("position", "position", ""), ("layer", "layer", ""), ("accuracy", "accuracy, %", ".1f")])}}),
    ))
}
