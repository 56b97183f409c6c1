//! Training seeds: every run a dot, their mean a filled mark with its interval.

use prism_run::Intervention;
use serde_json::{Value, json};

use super::{Run, chart, colour, shape, styles_of, theme, told, tooltip, with_interval};
use crate::number::decimal;

/// One variant over its seeds.
#[derive(Debug, Clone)]
pub struct Spread<'a> {
    /// The variant.
    pub run: Run<'a>,
    /// Seed and value, in points or percent.
    pub seeds: Vec<(String, f64)>,
    /// Mean over seeds and examples.
    pub mean: Option<f64>,
    /// 95 % interval for seeds and examples not seen.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
}

/// The chart of the quantity `title`; `reference` is where a line is drawn across.
pub fn spec(spreads: &[Spread<'_>], title: &str, key: Option<Intervention>, reference: Option<f64>) -> Option<Value> {
    if spreads.iter().all(|s| s.seeds.is_empty()) {
        return None;
    }
    let styles = styles_of(spreads.iter().map(|s| s.run.style));
    let names: Vec<&str> = spreads.iter().map(|s| s.run.label.as_str()).collect();
    let tagged = |mut mark: Value| {
        if let (Some(key), Some(mark)) = (key, mark.as_object_mut()) {
            mark.insert("intervention_id".into(), key.to_string().into());
        }
        mark
    };
    let dots: Vec<Value> = spreads
        .iter()
        .flat_map(|s| s.seeds.iter().map(|(seed, value)| tagged(s.run.mark(json!({"seed": seed, "value": value})))))
        .collect();
    let means: Vec<Value> = spreads
        .iter()
        .filter(|s| s.mean.is_some_and(f64::is_finite))
        .map(|s| tagged(s.run.mark(json!({"mean": s.mean, "low": s.low, "high": s.high}))))
        .collect();
    let y = json!({"field": "run", "type": "nominal", "sort": names, "title": null,
        "axis": {"domain": false, "ticks": false, "labelFontSize": 12, "labelColor": theme::INK}});
    let x = |field: &str| json!({"field": field, "type": "quantitative", "title": title, "scale": {"zero": reference == Some(0.0), "nice": true, "padding": 8}});
    let mut layers = Vec::new();
    if let Some(at) = reference {
        layers.push(json!({"data": {"values": [{"at": at}]}, "mark": {"type": "rule", "color": theme::RULE}, "encoding": {"x": x("at")}}));
    }
    layers.push(json!({"data": {"values": means}, "mark": {"type": "rule", "strokeWidth": 1.6, "opacity": 0.65},
        "encoding": {"x": x("low"), "x2": {"field": "high"}, "y": y, "color": colour(&styles)}}));
    layers.push(json!({"data": {"values": means}, "mark": {"type": "tick", "thickness": 2.4, "size": 18},
        "encoding": {"x": x("mean"), "y": y, "color": colour(&styles),
            "tooltip": tooltip(&[("run", "variant", ""), ("mean", "mean", ".1f"), ("low", "95 % from", ".1f"), ("high", "to", ".1f")])}}));
    layers.push(json!({"mark": {"type": "point", "filled": true, "size": 46, "opacity": 0.75},
        "encoding": {"x": x("value"), "y": y, "color": colour(&styles), "shape": shape(&styles),
            "tooltip": tooltip(&[("run", "variant", ""), ("seed", "seed", ""), ("value", title, ".1f")])}}));
    let show = |v: Option<f64>| decimal(v, 1);
    let words = spreads.iter().map(|s| {
        let seeds: Vec<String> = s.seeds.iter().map(|(_, v)| show(Some(*v))).collect();
        let mean = s.mean.map_or_else(String::new, |m| format!(", mean {}", with_interval(m, s.low, s.high, show)));
        format!("{}: {}{mean}", s.run.label, seeds.join(", "))
    });
    let description = told(&format!("Training seeds as dots, {title}"), words);
    Some(chart(&description, json!(spreads.len() * 30 + 20), dots.into(), json!({"layer": layers})))
}
