//! Charts: each module turns findings into one Vega-Lite specification, plain
//! JSON that can be tested without a browser.
//!
//! A specification carries its data, uses colours only from [`theme`] (the page's
//! script swaps them for the dark scheme), and takes its width from the page.

pub mod corruption;
pub mod cosine_accuracy;
pub mod forest;
pub mod gap_response;
pub mod heat;
pub mod lines;
pub mod over_k;
pub mod packed;
pub mod probes;
pub mod projection;
pub mod seeds;
pub mod still;
pub mod svg;
pub mod theme;
pub mod training;

use serde_json::{Value, json};

use crate::number::interval;
use theme::VariantStyle;

/// What the point charts share: a run's variant, its label, and who it is in the tooltip.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// The variant's look.
    pub style: &'a VariantStyle,
    /// Variant and, if needed, seed.
    pub label: String,
}

impl Run<'_> {
    /// A mark of this run: what every mark says of itself, by which the page's script
    /// filters, and `more`.
    fn mark(&self, more: Value) -> Value {
        let mut mark = json!({"run": self.label, "variant": self.style.name, "variant_id": self.style.id});
        if let (Some(mark), Value::Object(more)) = (mark.as_object_mut(), more) {
            mark.extend(more);
        }
        mark
    }
}

/// Marks a description names one by one.
const TOLD: usize = 16;

/// A chart in words, with its numbers, for readers who cannot see it.
fn told(what: &str, marks: impl ExactSizeIterator<Item = String>) -> String {
    let rest = marks.len().saturating_sub(TOLD);
    let mut text = format!("{what}. {}", marks.take(TOLD).collect::<Vec<_>>().join("; "));
    if rest > 0 {
        text.push_str(&format!("; and {rest} more"));
    }
    text
}

/// `−2.6`, or `−2.6 [−6.0, +1.0]`: a number of a description, with its interval if it has one.
fn with_interval(value: f64, low: Option<f64>, high: Option<f64>, show: impl Fn(Option<f64>) -> String) -> String {
    match (low, high) {
        (Some(_), Some(_)) => format!("{} {}", show(Some(value)), interval(low, high, &show)),
        _ => show(Some(value)),
    }
}

/// A title in lines that a narrow chart has room for.
fn wrapped(title: &str) -> Vec<String> {
    /// Characters of a line.
    const WIDTH: usize = 30;
    let mut lines: Vec<String> = Vec::new();
    for word in title.split(' ') {
        match lines.last_mut().filter(|line| line.chars().count() + word.chars().count() < WIDTH) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_string()),
        }
    }
    lines
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run(style: &VariantStyle) -> Run<'_> {
        Run { style, label: style.name.clone() }
    }

    #[test]
    fn specifications_stay_as_they_are() {
        let (a, b) = (VariantStyle::new(0, "lvr", "LVR"), VariantStyle::new(1, "n-lvr", "N-LVR"));
        let scatter = [
            cosine_accuracy::Point { run: run(&a), cosine: 0.5, accuracy: 0.75, low: Some(0.5), high: Some(0.875), cell: None },
            cosine_accuracy::Point { run: run(&b), cosine: 0.25, accuracy: 0.5, low: None, high: None, cell: None },
        ];
        insta::assert_json_snapshot!("cosine_accuracy", cosine_accuracy::spec(&scatter, "cosine"));
        let effect = |run, delta| corruption::Effect {
            run,
            intervention: prism_run::Action::Zero.into(),
            delta,
            low: Some(-0.25),
            high: Some(0.25),
            gained: 1,
            lost: 2,
            cell: None,
        };
        insta::assert_json_snapshot!("corruption", corruption::spec(&[effect(run(&a), -0.125), effect(run(&b), 0.0)], Some(0.0625)));
        let gap = [gap_response::Point { run: run(&a), gap: 0.25, delta: -0.125, low: Some(-0.25), high: Some(0.0) }];
        insta::assert_json_snapshot!("gap_response", gap_response::spec(&gap, prism_run::Action::Zero.into()));
        let probe = [probes::Point {
            run: run(&a),
            position: "answer state (a)".into(),
            accuracy: 0.75,
            low: Some(0.625),
            high: Some(0.875),
            control: Some(0.25),
            cell: None,
        }];
        insta::assert_json_snapshot!("probes", probes::spec(&probe, Some(0.375)));
        let cell =
            |position: &str, layer: &str, accuracy| probes::Cell { position: position.into(), layer: layer.into(), accuracy, cell: None };
        let cells = [cell("answer state (a)", "0", 0.25), cell("answer state (a)", "last", 0.75), cell("last latent (b)", "last", 0.5)];
        insta::assert_json_snapshot!("probe_layers", probes::layers(&run(&a), &cells, [0.25, 0.75]));
        let line = [training::Line { run: run(&a), points: vec![(1.0, 2.0), (2.0, 1.0)] }];
        insta::assert_json_snapshot!("training", training::spec(&line, "cross-entropy"));
    }

    #[test]
    fn nothing_to_draw_is_no_chart() {
        assert!(cosine_accuracy::spec(&[], "cosine").is_none());
        assert!(corruption::spec(&[], None).is_none());
        assert!(gap_response::spec(&[], prism_run::Action::Zero.into()).is_none());
        assert!(probes::spec(&[], None).is_none() && probes::layers(&run(&VariantStyle::new(0, "lvr", "LVR")), &[], [0.0, 1.0]).is_none());
        assert!(training::spec(&[], "ce").is_none());
    }

    #[test]
    fn a_wide_range_of_losses_is_drawn_on_a_logarithmic_scale() {
        let a = VariantStyle::new(0, "lvr", "LVR");
        let line = [training::Line { run: run(&a), points: vec![(1.0, 30.0), (2.0, 1.0)] }];
        assert_eq!(training::spec(&line, "latent loss").unwrap()["encoding"]["y"]["scale"]["type"], "log");
    }
}
