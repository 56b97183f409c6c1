//! A chart of the page as it stands alone: a fixed width, a white ground, the
//! shipped typeface, and the legend that the page puts above it.

use serde_json::{Value, json};

use super::font::FAMILY;
use prism_report::charts::theme::{FAINT, INK};

/// Width of the plot in pixels, where the page would choose it.
const WIDTH: u32 = 420;

/// The specification by itself. `title` may be empty; `variants` is how many the figure tells apart.
pub fn alone(specification: &Value, title: &str, variants: usize) -> Value {
    let mut spec = specification.clone();
    if variants > 1 {
        show_legend(&mut spec);
    }
    let Some(object) = spec.as_object_mut() else { return spec };
    object.insert("$schema".into(), "https://vega.github.io/schema/vega-lite/v5.json".into());
    if object.get("width").is_some_and(|w| w == "container") {
        object.insert("width".into(), WIDTH.into());
        object.insert("autosize".into(), "pad".into());
    }
    object.insert("background".into(), "white".into());
    object.insert("padding".into(), 8.into());
    if !title.is_empty() {
        object.insert("title".into(), json!({"text": title, "anchor": "start", "fontWeight": "normal", "fontSize": 13, "color": INK}));
    }
    if let Some(config) = object.entry("config").or_insert_with(|| json!({})).as_object_mut() {
        config.insert("font".into(), FAMILY.into());
        config.insert(
            "legend".into(),
            json!({"titleFontWeight": "normal", "labelColor": INK, "titleColor": FAINT, "labelFontSize": 11.5, "titleFontSize": 11.5}),
        );
    }
    spec
}

/// Gives the colours and shapes of the variants the legend that the page writes itself.
fn show_legend(node: &mut Value) {
    match node {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                let of_variants = matches!(key.as_str(), "color" | "shape") && value["field"] == "variant";
                if let Some(channel) = value.as_object_mut().filter(|c| of_variants && c.get("legend").is_some_and(Value::is_null)) {
                    channel.insert("legend".into(), json!({"title": null, "orient": "top", "symbolOpacity": 1, "columns": 5}));
                } else if key != "values" {
                    show_legend(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(show_legend),
        _ => {}
    }
}
