//! Cosine against accuracy, one point a run (method, sections 5 and 8).

use serde_json::{Value, json};

use super::{Run, chart, colour, quantity, shape, styles_of, told, tooltip, with_interval};
use crate::document::CellName;
use crate::document::form::exact;
use crate::number::{decimal, percent};

/// One run.
#[derive(Debug, Clone)]
pub struct Point<'a> {
    /// Whose.
    pub run: Run<'a>,
    /// Cosine of latent and teacher target, target stage.
    pub cosine: f64,
    /// Clean accuracy.
    pub accuracy: f64,
    /// Wilson 95 % interval.
    pub low: Option<f64>,
    /// Wilson 95 % interval.
    pub high: Option<f64>,
    /// The cell of a table that says its accuracy; the cosine stands in the same row.
    pub cell: Option<CellName>,
}

/// Axes that several charts share, so that they can be compared at a glance.
#[derive(Debug, Clone, Copy)]
pub struct Axes {
    cosine: (f64, f64),
    /// In percent, ends at full tens.
    accuracy: (f64, f64),
}

impl Axes {
    /// Axes that hold all of these points with their intervals; `None` without a point.
    pub fn around(points: &[Point<'_>]) -> Option<Self> {
        let ends = |values: &mut dyn Iterator<Item = f64>| {
            values.fold(None, |ends: Option<(f64, f64)>, v| Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v)))))
        };
        let (low, high) = ends(&mut points.iter().map(|p| p.cosine))?;
        let room = (0.06 * (high - low)).max(0.01);
        let accuracies = ends(&mut points.iter().flat_map(|p| [Some(p.accuracy), p.low, p.high]).flatten().map(|v| 100.0 * v))?;
        let accuracy = ((accuracies.0 / 10.0).floor() * 10.0, (accuracies.1 / 10.0).ceil() * 10.0);
        Some(Self { cosine: (low - room, high + room), accuracy })
    }
}

/// The chart on axes of its own; `None` when there is nothing to draw.
pub fn spec(points: &[Point<'_>], cosine_title: &str) -> Option<Value> {
    let own = Axes::around(points)?;
    drawn(points, cosine_title, own.cosine, None)
}

/// The chart on given axes; `None` when there is nothing to draw.
pub fn spec_on(points: &[Point<'_>], cosine_title: &str, axes: Axes) -> Option<Value> {
    drawn(points, cosine_title, axes.cosine, Some(axes.accuracy))
}

fn drawn(points: &[Point<'_>], cosine_title: &str, cosine: (f64, f64), accuracy: Option<(f64, f64)>) -> Option<Value> {
    if points.is_empty() {
        return None;
    }
    let styles = styles_of(points.iter().map(|p| p.run.style));
    let data: Vec<Value> = points
        .iter()
        .map(|p| {
            let percents = |share: f64| exact(share * 100.0);
            let mut mark = p.run.mark(json!({"cosine": p.cosine, "accuracy": percents(p.accuracy),
                "low": p.low.map(percents), "high": p.high.map(percents)}));
            if let Some(cell) = &p.cell {
                mark["cell"] = cell.to_string().into();
            }
            mark
        })
        .collect();
    let many = points.len() > styles.len();
    // The axis of all points, also when the page shows one of them.
    let x = json!({"field": "cosine", "type": "quantitative", "title": cosine_title, "axis": {"format": ".2f"},
        "scale": {"domain": [cosine.0, cosine.1], "nice": false}});
    let y = |field: &str| {
        let mut y = quantity(field, "accuracy, %");
        if let Some((low, high)) = accuracy {
            y["scale"]["domain"] = json!([low, high]);
        }
        y
    };
    let body = json!({
        "encoding": {"x": x, "color": colour(&styles)},
        "layer": [
            {"mark": {"type": "rule", "strokeWidth": 1.4, "opacity": if many { 0.35 } else { 0.6 }},
             "encoding": {"y": y("low"), "y2": {"field": "high"}}},
            {"mark": {"type": "point", "filled": true, "opacity": if many { 0.85 } else { 1.0 }, "size": if many { 60 } else { 120 }},
             "encoding": {"y": y("accuracy"), "shape": shape(&styles),
                "tooltip": tooltip(&[("run", "run", ""), ("cosine", "cosine", ".3f"), ("accuracy", "accuracy, %", ".1f"),
                    ("low", "95 % from", ".1f"), ("high", "to", ".1f")])}}
        ]
    });
    let words = points.iter().map(|p| {
        format!("{}: cosine {}, accuracy {} %", p.run.label, decimal(Some(p.cosine), 3), with_interval(p.accuracy, p.low, p.high, percent))
    });
    let description = told("Accuracy against cosine, one point per run, with Wilson 95 % intervals", words);
    Some(chart(&description, json!(300), data.into(), body))
}
