//! A chart of the page as it stands alone: a fixed width, a white ground, the
//! shipped typeface, and the legend that the page puts above it.
//!
//! It is made for a column of 85 mm: the whole drawing is [`WIDTH`] units wide, and no text is smaller than
//! [`SMALLEST`] units, which is 7.1 pt there.

use serde_json::{Value, json};

use super::font::FAMILY;
use prism_report::charts::theme::{FAINT, INK};

/// Width of the whole drawing, where the page would choose it.
pub const WIDTH: u32 = 420;
/// Size of the smallest text.
pub const SMALLEST: f64 = 12.5;
/// Around the drawing.
const PADDING: u32 = 6;
/// Entries of a legend in a line, at most.
const COLUMNS: usize = 5;

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
        object.insert("autosize".into(), json!({"type": "fit-x", "contains": "padding"}));
    }
    object.insert("background".into(), "white".into());
    object.insert("padding".into(), PADDING.into());
    if !title.is_empty() {
        object.insert("title".into(), json!({"text": title, "anchor": "start", "fontWeight": "normal", "fontSize": 13, "color": INK}));
    }
    if let Some(config) = object.entry("config").or_insert_with(|| json!({})).as_object_mut() {
        config.insert("font".into(), FAMILY.into());
        // At the right, so that it may reach over the labels of the left axis.
        config.insert(
            "legend".into(),
            json!({"titleFontWeight": "normal", "labelColor": INK, "titleColor": FAINT, "labelFontSize": SMALLEST, "titleFontSize": SMALLEST,
                "layout": {"top": {"anchor": "end"}}}),
        );
        // What the page's configuration leaves to Vega is smaller there.
        let sizes = [("axis", "labelFontSize"), ("axis", "titleFontSize"), ("header", "labelFontSize"), ("header", "titleFontSize")];
        for (part, size) in sizes.into_iter().chain([("text", "fontSize")]) {
            if let Some(part) = config.entry(part).or_insert_with(|| json!({})).as_object_mut() {
                part.entry(size).or_insert_with(|| SMALLEST.into());
            }
        }
    }
    enlarge(&mut spec);
    spec
}

/// Gives the colours and shapes of the variants the legend that the page writes itself.
fn show_legend(node: &mut Value) {
    match node {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                let of_variants = matches!(key.as_str(), "color" | "shape") && value["field"] == "variant";
                let columns = columns(&value["scale"]["domain"]);
                if let Some(channel) = value.as_object_mut().filter(|c| of_variants && c.get("legend").is_some_and(Value::is_null)) {
                    channel.insert(
                        "legend".into(),
                        json!({"title": null, "orient": "top", "symbolOpacity": 1, "columns": columns, "labelLimit": WIDTH - 60}),
                    );
                } else if key != "values" {
                    show_legend(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(show_legend),
        _ => {}
    }
}

/// How many of these names a line of the legend has room for.
fn columns(names: &Value) -> usize {
    let longest =
        names.as_array().into_iter().flatten().filter_map(Value::as_str).map(|name| name.chars().count()).max().unwrap_or_default();
    // A character is six tenths of its size wide; the symbol and what stands around an entry take 28.
    let entry = 0.6 * SMALLEST * longest as f64 + 28.0;
    ((f64::from(WIDTH - 2 * PADDING) / entry) as usize).clamp(1, COLUMNS)
}

/// Makes every text as large as the smallest may be.
fn enlarge(node: &mut Value) {
    match node {
        Value::Object(object) => {
            for (key, value) in object.iter_mut().filter(|(key, _)| *key != "values") {
                let is_size = key == "fontSize" || key.ends_with("FontSize");
                if value.as_f64().is_some_and(|size| is_size && size < SMALLEST) {
                    *value = SMALLEST.into();
                } else {
                    enlarge(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(enlarge),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_smaller_than_a_column_of_a_paper_allows() {
        let spec = json!({"width": "container", "config": {"axis": {"labelFontSize": 11}},
            "encoding": {"y": {"field": "row", "axis": {"labelFontSize": 9, "labelColor": "red"}}}, "data": {"values": [{"fontSize": 3}]}});
        let alone = alone(&spec, "Title", 1);
        let axis = &alone["config"]["axis"];
        assert_eq!((&axis["labelFontSize"], &axis["titleFontSize"]), (&json!(SMALLEST), &json!(SMALLEST)));
        assert_eq!(alone["encoding"]["y"]["axis"], json!({"labelFontSize": SMALLEST, "labelColor": "red"}));
        assert_eq!((&alone["title"]["fontSize"], &alone["data"]["values"][0]["fontSize"]), (&json!(13), &json!(3)));
        assert!(SMALLEST / f64::from(WIDTH) * 85.0 / 25.4 * 72.0 >= 7.0, "points in a column of 85 mm");
    }

    #[test]
    fn a_legend_has_as_many_columns_as_names_fit() {
        assert_eq!(columns(&json!(["LVR", "P-LVR-2"])), 5);
        assert_eq!(columns(&json!(["an arm of the study with a name of its own"])), 1);
        assert_eq!(columns(&Value::Null), 5);
    }
}
