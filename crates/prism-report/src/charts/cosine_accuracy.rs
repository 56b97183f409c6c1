//! Cosine against accuracy, one point a run (method, sections 5 and 8).

use serde_json::{Value, json};

use super::{Run, chart, colour, quantity, shape, styles_of, tooltip};

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
}

/// The chart; `None` when there is nothing to draw.
pub fn spec(points: &[Point<'_>], cosine_title: &str) -> Option<Value> {
    if points.is_empty() {
        return None;
    }
    let styles = styles_of(points.iter().map(|p| p.run.style));
    let data: Vec<Value> = points
        .iter()
        .map(|p| {
            json!({"run": p.run.label, "variant": p.run.style.name, "cosine": p.cosine, "accuracy": p.accuracy * 100.0,
                   "low": p.low.map(|v| v * 100.0), "high": p.high.map(|v| v * 100.0)})
        })
        .collect();
    let many = points.len() > styles.len();
    let body = json!({
        "encoding": {"x": quantity("cosine", cosine_title), "color": colour(&styles)},
        "layer": [
            {"mark": {"type": "rule", "strokeWidth": 1.4, "opacity": if many { 0.35 } else { 0.6 }},
             "encoding": {"y": quantity("low", "accuracy, %"), "y2": {"field": "high"}}},
            {"mark": {"type": "point", "filled": true, "opacity": if many { 0.85 } else { 1.0 }, "size": if many { 60 } else { 120 }},
             "encoding": {"y": quantity("accuracy", "accuracy, %"), "shape": shape(&styles),
                "tooltip": tooltip(&[("run", "run", ""), ("cosine", "cosine", ".3f"), ("accuracy", "accuracy, %", ".1f"),
                    ("low", "95 % from", ".1f"), ("high", "to", ".1f")])}}
        ]
    });
    Some(chart("Accuracy against cosine, one point per run, with Wilson 95 % intervals", json!(300), data.into(), body))
}
