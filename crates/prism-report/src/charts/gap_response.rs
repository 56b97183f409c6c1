//! Decodability gap against the response to one intervention (method, sections 6 to 8).

use prism_run::Intervention;
use serde_json::{Value, json};

use super::{Run, chart, colour, quantity, shape, styles_of, theme, told, tooltip, with_interval};
use crate::document::CellName;
use crate::document::form::exact;
use crate::number;

/// One run.
#[derive(Debug, Clone)]
pub struct Point<'a> {
    /// Whose.
    pub run: Run<'a>,
    /// Probe accuracy at the answer state minus that at the last latent.
    pub gap: f64,
    /// Accuracy under the intervention minus clean accuracy.
    pub delta: f64,
    /// 95 % interval of the paired difference.
    pub low: Option<f64>,
    /// 95 % interval of the paired difference.
    pub high: Option<f64>,
}

/// The chart drawn from a document: each mark names the cell of its change and that of its gap. One pair for each point.
pub fn named(points: &[Point<'_>], cells: &[(CellName, CellName)], intervention: Intervention) -> Option<Value> {
    let mut spec = spec(points, intervention)?;
    for (mark, (change, gap)) in spec["data"]["values"].as_array_mut()?.iter_mut().zip(cells) {
        mark["cell"] = change.to_string().into();
        mark["gap_cell"] = gap.to_string().into();
    }
    Some(spec)
}

/// The chart for one intervention.
pub fn spec(points: &[Point<'_>], intervention: Intervention) -> Option<Value> {
    if points.is_empty() {
        return None;
    }
    let styles = styles_of(points.iter().map(|p| p.run.style));
    let data: Vec<Value> = points
        .iter()
        .map(|p| {
            let points = |v: f64| exact(v * 100.0);
            p.run.mark(json!({"intervention_id": intervention, "gap": points(p.gap), "delta": points(p.delta),
                "low": p.low.map(points), "high": p.high.map(points)}))
        })
        .collect();
    let title = format!("change under {intervention}, points");
    let body = json!({"layer": [
        {"data": {"values": [{"zero": 0}]}, "mark": {"type": "rule", "color": theme::RULE},
         "encoding": {"y": {"field": "zero", "type": "quantitative", "title": title}}},
        {"mark": {"type": "rule", "strokeWidth": 1.4, "opacity": 0.5},
         "encoding": {"x": quantity("gap", "decodability gap G, points"), "y": quantity("low", &title), "y2": {"field": "high"}, "color": colour(&styles)}},
        {"mark": {"type": "point", "filled": true, "opacity": 1, "size": if points.len() > styles.len() { 60 } else { 110 }},
         "encoding": {"x": quantity("gap", "decodability gap G, points"), "y": quantity("delta", &title), "color": colour(&styles), "shape": shape(&styles),
            "tooltip": tooltip(&[("run", "run", ""), ("gap", "gap, points", "+.1f"), ("delta", "change, points", "+.1f"),
                ("low", "95 % from", "+.1f"), ("high", "to", "+.1f")])}}
    ]});
    let words = points.iter().map(|p| {
        format!("{}: gap {}, change {}", p.run.label, number::points(Some(p.gap)), with_interval(p.delta, p.low, p.high, number::points))
    });
    let what = format!("Change of accuracy under {intervention} against the decodability gap, both in points, one point per run");
    Some(chart(&told(&what, words), json!(260), data.into(), body))
}
