//! Training curves: one loss against the step, one line a run (method, section 1).

use serde_json::{Value, json};

use super::{Run, chart, colour, styles_of, told, tooltip};
use crate::number::decimal;

/// One run's curve, already thinned.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Whose.
    pub run: Run<'a>,
    /// Step and value.
    pub points: Vec<(f64, f64)>,
}

/// The chart of the loss named `title`; logarithmic when the values span more
/// than a factor of twenty and none is zero or below.
pub fn spec(lines: &[Line<'_>], title: &str) -> Option<Value> {
    let values = || lines.iter().flat_map(|l| l.points.iter().map(|p| p.1));
    values().next()?;
    let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let log = low > 0.0 && high / low > 20.0;
    let styles = styles_of(lines.iter().map(|l| l.run.style));
    let data: Vec<Value> =
        lines.iter().flat_map(|l| l.points.iter().map(|(step, value)| l.run.mark(json!({"step": step, "value": value})))).collect();
    let scale = if log { json!({"type": "log", "nice": true}) } else { json!({"zero": false, "nice": true}) };
    let ends = |l: &Line<'_>| Some((l.points.first()?.1, l.points.last()?.1));
    let words: Vec<String> = lines
        .iter()
        .filter_map(|l| ends(l).map(|(from, to)| format!("{}: from {} to {}", l.run.label, decimal(Some(from), 3), decimal(Some(to), 3))))
        .collect();
    let description = told(&format!("Training by step, {title}, one line per run"), words.into_iter());
    let title = if log { format!("{title} (log scale)") } else { title.to_string() };
    let body = json!({
        "mark": {"type": "line", "strokeWidth": 1.1, "opacity": if lines.len() > styles.len() { 0.45 } else { 0.75 }, "interpolate": "linear"},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": "step", "axis": {"grid": false}},
            "y": {"field": "value", "type": "quantitative", "title": title, "scale": scale},
            "color": colour(&styles), "detail": {"field": "run"},
            "tooltip": tooltip(&[("run", "run", ""), ("step", "step", "d"), ("value", "value", ".4f")])
        }
    });
    Some(chart(&description, json!(240), data.into(), body))
}
