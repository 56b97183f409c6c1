//! Charts: each module turns findings into one Vega-Lite specification, plain
//! JSON that can be tested without a browser.
//!
//! A specification carries its data, uses colours only from [`theme`] (the page's
//! script swaps them for the dark scheme), and takes its width from the page.

pub mod corruption;
pub mod cosine_accuracy;
pub mod gap_response;
pub mod probes;
pub mod theme;
pub mod training;

use serde_json::{Value, json};

use theme::VariantStyle;

/// What the point charts share: a run's variant, its label, and who it is in the tooltip.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// The variant's look.
    pub style: &'a VariantStyle,
    /// Variant and, if needed, seed.
    pub label: String,
}

/// The colour channel over the variants that occur.
fn colour(styles: &[&VariantStyle]) -> Value {
    let (names, colours): (Vec<_>, Vec<_>) = styles.iter().map(|s| (s.name.as_str(), s.colour)).unzip();
    json!({"field": "variant", "type": "nominal", "scale": {"domain": names, "range": colours}, "legend": null})
}

/// The shape channel over the variants that occur.
fn shape(styles: &[&VariantStyle]) -> Value {
    let (names, shapes): (Vec<_>, Vec<_>) = styles.iter().map(|s| (s.name.as_str(), s.shape)).unzip();
    json!({"field": "variant", "type": "nominal", "scale": {"domain": names, "range": shapes}, "legend": null})
}

/// A quantity on an axis that need not start at zero.
fn quantity(field: &str, title: &str) -> Value {
    json!({"field": field, "type": "quantitative", "title": title, "scale": {"zero": false, "nice": true, "padding": 12}})
}

fn tooltip(fields: &[(&str, &str, &str)]) -> Value {
    fields
        .iter()
        .map(|(field, title, format)| {
            if format.is_empty() {
                json!({"field": field, "title": title, "type": "nominal"})
            } else {
                json!({"field": field, "title": title, "type": "quantitative", "format": format})
            }
        })
        .collect()
}

/// The variants of some runs, each once, in order of appearance.
fn styles_of<'a>(runs: impl Iterator<Item = &'a VariantStyle>) -> Vec<&'a VariantStyle> {
    let mut all: Vec<&VariantStyle> = Vec::new();
    for style in runs {
        if !all.iter().any(|s| s.name == style.name) {
            all.push(style);
        }
    }
    all
}

/// A specification of the page's look around data and layers.
fn chart(description: &str, height: Value, data: Value, mut body: Value) -> Value {
    if let Some(object) = body.as_object_mut() {
        object.insert("description".into(), description.into());
        object.insert("width".into(), "container".into());
        object.insert("height".into(), height);
        object.insert("autosize".into(), json!({"type": "fit-x", "contains": "padding"}));
        object.insert("data".into(), json!({"values": data}));
        object.insert("config".into(), theme::config());
    }
    body
}
