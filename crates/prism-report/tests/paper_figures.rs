//! The paper's Figures 1 and 5 from its published numbers: what the charts draw are those
//! numbers, point for point.

use prism_audit::paper::published;
use prism_report::charts::theme::VariantStyle;
use prism_report::charts::{Run, cosine_accuracy, gap_response};
use prism_run::Action;
use serde_json::Value;

/// The published variants with their look.
fn variants() -> Vec<(VariantStyle, prism_audit::paper::published::PublishedVariant)> {
    let all = published().unwrap();
    all.variants().into_iter().enumerate().map(|(i, v)| (VariantStyle::new(i, &v.name.to_lowercase(), &v.name), v.clone())).collect()
}

fn run(style: &VariantStyle) -> Run<'_> {
    Run { style, label: style.name.clone() }
}

/// What the chart draws: name and the two numbers of every mark.
fn drawn(spec: &Value, x: &str, y: &str) -> Vec<(String, f64, f64)> {
    let marks = spec["data"]["values"].as_array().unwrap();
    marks.iter().map(|m| (m["variant"].as_str().unwrap().to_string(), m[x].as_f64().unwrap(), m[y].as_f64().unwrap())).collect()
}

fn assert_points(drawn: &[(String, f64, f64)], printed: &[(&str, f64, f64)]) {
    assert_eq!(drawn.len(), printed.len());
    for ((name, x, y), (of, px, py)) in drawn.iter().zip(printed) {
        assert!(name == of && (x - px).abs() < 1e-9 && (y - py).abs() < 1e-9, "{name} {x} {y}, printed {of} {px} {py}");
    }
}

#[test]
fn figure_1_is_cosine_against_accuracy() {
    let variants = variants();
    let points: Vec<cosine_accuracy::Point<'_>> = variants
        .iter()
        .map(|(style, v)| cosine_accuracy::Point {
            run: run(style),
            cosine: v.cosine,
            accuracy: v.vstar / 100.0,
            low: None,
            high: None,
            cell: None,
        })
        .collect();
    let spec = cosine_accuracy::spec(&points, "cosine").unwrap();
    // As printed in the paper's Table 1.
    let printed =
        [("LVR", 0.555, 70.2), ("N-LVR", 0.556, 71.7), ("D-LVR", 0.464, 69.6), ("P-LVR-2", 0.777, 57.1), ("P-LVR-3", 0.769, 57.1)];
    assert_points(&drawn(&spec, "cosine", "accuracy"), &printed);
}

#[test]
fn figure_5_is_gap_against_response() {
    let variants = variants();
    // G is printed nowhere: (a) minus (b) of Table 3. Responses as printed in Table 4.
    let gaps = [69.1 - 32.5, 66.0 - 41.9, 64.9 - 33.0, 50.2 - 35.6, 48.7 - 34.6];
    let responses =
        [("truncate", Action::Zero, [-2.6, -2.6, -1.1, 0.0, 2.1]), ("noise_0.1", Action::Noise(0.1), [-1.6, -0.5, 0.0, 2.1, 2.6])];
    for (key, action, deltas) in responses {
        let points: Vec<gap_response::Point<'_>> = variants
            .iter()
            .map(|(style, v)| gap_response::Point {
                run: run(style),
                gap: (v.probe_a - v.probe_b) / 100.0,
                delta: v.delta[key] / 100.0,
                low: None,
                high: None,
            })
            .collect();
        let spec = gap_response::spec(&points, action.into()).unwrap();
        let names = ["LVR", "N-LVR", "D-LVR", "P-LVR-2", "P-LVR-3"];
        let printed: Vec<(&str, f64, f64)> = names.iter().zip(gaps).zip(deltas).map(|((name, gap), delta)| (*name, gap, delta)).collect();
        assert_points(&drawn(&spec, "gap", "delta"), &printed);
    }
}
