//! Training seeds: every run a dot, their mean a tick with its interval.

use prism_run::Intervention;
use serde_json::{Value, json};

use super::{Run, chart, colour, shape, styles_of, theme, told, tooltip, with_interval};
use crate::document::CellName;
use crate::document::form::exact;
use crate::number::decimal;

/// One variant over its seeds. Numbers are shares; they are printed in percent or points.
#[derive(Debug, Clone)]
pub struct Spread<'a> {
    /// The variant.
    pub run: Run<'a>,
    /// One a run.
    pub seeds: Vec<Dot>,
    /// What the comparison makes of them, where it has the variant.
    pub mean: Option<Mean>,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Dot {
    /// Its training seed.
    pub seed: String,
    /// Its number.
    pub value: f64,
    /// The cell of a table that says it.
    pub cell: CellName,
}

/// The mean over seeds and examples.
#[derive(Debug, Clone, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// 95 % interval for seeds and examples not seen.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// The cell of a table that says it.
    pub cell: CellName,
}

/// The chart of the quantity `title`; `reference` is where a line is drawn across.
pub fn spec(spreads: &[Spread<'_>], title: &str, key: Option<Intervention>, reference: Option<f64>) -> Option<Value> {
    if spreads.iter().all(|s| s.seeds.is_empty()) {
        return None;
    }
    let styles = styles_of(spreads.iter().map(|s| s.run.style));
    let names: Vec<&str> = spreads.iter().map(|s| s.run.label.as_str()).collect();
    let printed = |share: f64| exact(share * 100.0);
    let named = |mut mark: Value, cell: &CellName| {
        mark["cell"] = cell.to_string().into();
        if let Some(key) = key {
            mark["intervention_id"] = key.to_string().into();
        }
        mark
    };
    let (mut dots, mut means): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for spread in spreads {
        for dot in &spread.seeds {
            dots.push(named(spread.run.mark(json!({"seed": dot.seed, "value": printed(dot.value)})), &dot.cell));
        }
        if let Some(mean) = &spread.mean {
            let numbers = json!({"mean": printed(mean.value), "low": mean.low.map(printed), "high": mean.high.map(printed)});
            means.push(named(spread.run.mark(numbers), &mean.cell));
        }
    }
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
    let show = |v: Option<f64>| decimal(v.map(|share| exact(share * 100.0)), 1);
    let words = spreads.iter().map(|s| {
        let seeds: Vec<String> = s.seeds.iter().map(|dot| show(Some(dot.value))).collect();
        let mean = s.mean.as_ref().map_or_else(String::new, |m| format!(", mean {}", with_interval(m.value, m.low, m.high, show)));
        format!("{}: {}{mean}", s.run.label, seeds.join(", "))
    });
    let description = told(&format!("Training seeds as dots, {title}"), words);
    Some(chart(&description, json!(spreads.len() * 30 + 20), dots.into(), json!({"layer": layers})))
}
