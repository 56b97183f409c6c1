//! The corruption profile: change of accuracy under each intervention, with its
//! paired interval (method, section 7), as a forest plot in the order of the classes,
//! the first row of a class bearing its name.

use prism_run::{Class, Intervention};
use serde_json::{Value, json};

use super::{Run, chart, colour, shape, styles_of, theme, told, tooltip, with_interval};
use crate::document::CellName;
use crate::document::form::exact;
use crate::interventions::place;
use crate::number::points;

/// One run under one intervention.
#[derive(Debug, Clone)]
pub struct Effect<'a> {
    /// Whose.
    pub run: Run<'a>,
    /// The intervention.
    pub intervention: Intervention,
    /// Accuracy minus clean accuracy.
    pub delta: f64,
    /// 95 % interval of the paired difference.
    pub low: Option<f64>,
    /// 95 % interval of the paired difference.
    pub high: Option<f64>,
    /// Wrong clean, right under the intervention.
    pub gained: usize,
    /// Right clean, wrong under the intervention.
    pub lost: usize,
    /// The cell of the table that says it.
    pub cell: Option<CellName>,
}

/// The chart; `margin` is the half-width of the declared equivalence band.
pub fn spec(effects: &[Effect<'_>], margin: Option<f64>) -> Option<Value> {
    if effects.is_empty() {
        return None;
    }
    let styles = styles_of(effects.iter().map(|e| e.run.style));
    let mut interventions: Vec<Intervention> = effects.iter().map(|e| e.intervention).collect();
    interventions.sort_by_key(|i| place(*i));
    interventions.dedup();
    let rows = rows(&interventions);
    let named = |i: Intervention| rows.iter().find(|(known, _)| *known == i).map_or("", |(_, name)| name.as_str());
    let mut runs: Vec<&str> = Vec::new();
    for e in effects {
        if !runs.contains(&e.run.label.as_str()) {
            runs.push(&e.run.label);
        }
    }
    let data: Vec<Value> = effects
        .iter()
        .map(|e| {
            let points = |v: f64| exact(v * 100.0);
            let mut mark = json!({"intervention": e.intervention, "row": named(e.intervention), "intervention_id": e.intervention,
                "delta": points(e.delta), "low": e.low.map(points), "high": e.high.map(points), "gained": e.gained, "lost": e.lost});
            if let Some(cell) = &e.cell {
                mark["cell"] = cell.to_string().into();
            }
            e.run.mark(mark)
        })
        .collect();
    let y = json!({"field": "row", "type": "nominal", "sort": rows.iter().map(|(_, name)| name).collect::<Vec<_>>(), "title": null,
        "scale": {"paddingInner": 0.28, "paddingOuter": 0.14}, "axis": {"domain": false, "ticks": false, "labelFontSize": 12.5, "labelColor": theme::INK, "labelLimit": 260}});
    let offset = json!({"field": "run", "type": "nominal", "sort": runs, "scale": {"paddingInner": 0, "paddingOuter": 0}});
    let title = ["change in accuracy, points", "(left of 0 it hurts, right of 0 it helps)"];
    let x = |field: &str| json!({"field": field, "type": "quantitative", "title": title, "scale": {"nice": true}});
    let mut layers = Vec::new();
    if let Some(m) = margin {
        layers.push(json!({"data": {"values": [{"from": -m * 100.0, "to": m * 100.0}]},
            "mark": {"type": "rect", "color": theme::BAND}, "encoding": {"x": x("from"), "x2": {"field": "to"}}}));
    }
    layers.push(json!({"data": {"values": [{"zero": 0}]}, "mark": {"type": "rule", "color": theme::RULE}, "encoding": {"x": x("zero")}}));
    layers.push(json!({"mark": {"type": "rule", "strokeWidth": 1.6, "opacity": 0.65},
        "encoding": {"x": x("low"), "x2": {"field": "high"}, "y": y, "yOffset": offset, "color": colour(&styles)}}));
    layers.push(json!({"mark": {"type": "point", "filled": true, "opacity": 1, "size": if runs.len() > 8 { 40 } else { 70 }},
        "encoding": {"x": x("delta"), "y": y, "yOffset": offset, "color": colour(&styles), "shape": shape(&styles),
            "tooltip": tooltip(&[("run", "run", ""), ("intervention", "intervention", ""), ("delta", "change, points", "+.1f"),
                ("low", "95 % from", "+.1f"), ("high", "to", "+.1f"), ("gained", "gained", "d"), ("lost", "lost", "d")])}}));
    let step = if runs.len() > 5 { 9 } else { 14 };
    let height = json!(interventions.len() * (runs.len() * step + 22));
    let words = effects.iter().map(|e| format!("{}, {}: {}", e.run.label, e.intervention, with_interval(e.delta, e.low, e.high, points)));
    Some(chart(
        &told(
            "Change of accuracy under each intervention, in points, one mark per run, with 95 % intervals of the paired difference",
            words,
        ),
        height,
        data.into(),
        json!({"layer": layers}),
    ))
}

/// Each intervention with what its row is called: the first of a class bears the class.
fn rows(interventions: &[Intervention]) -> Vec<(Intervention, String)> {
    let mut last: Option<Class> = None;
    let mut named = |i: &Intervention| {
        let class = i.class();
        let first = last.replace(class) != Some(class);
        (*i, if first { format!("{class} · {i}") } else { i.to_string() })
    };
    interventions.iter().map(&mut named).collect()
}
