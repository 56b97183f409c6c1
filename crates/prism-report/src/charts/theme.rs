//! One colour and one shape per variant, everywhere on the page; two schemes.
//!
//! The hues are Okabe and Ito's, which stay apart for colour-blind readers; the
//! shape says the same again. Specifications hold the light scheme; the page's
//! script replaces each light colour by its dark partner.

use serde_json::{Value, json};

/// Text of axes and titles.
pub const INK: &str = "#1b1c1e";
/// Secondary text.
pub const FAINT: &str = "#5d6166";
/// Grid lines.
pub const GRID: &str = "#e3e5e8";
/// Axis lines and ticks.
pub const RULE: &str = "#a0a4aa";
/// The equivalence band.
pub const BAND: &str = "#e9ebee";
/// The high end of a heat map; the low end is the band's.
pub const HEAT: &str = "#00577f";
/// The low end where marks stand alone on the paper and must be seen.
pub const PALE: &str = "#d8a25e";

const SANS: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

/// Light and dark colour of each variant in turn.
const COLOURS: [(&str, &str); 7] = [
    ("#0072b2", "#4aa8e0"),
    ("#56a5d8", "#9ad2f5"),
    ("#009e73", "#2cc597"),
    ("#dd9200", "#f2b63f"),
    ("#c8500a", "#ff8a4a"),
    ("#b5679a", "#e3a3c8"),
    ("#707070", "#adadad"),
];

/// Vega's names of the shapes, in turn; one fewer or more than the colours would
/// repeat pairs early, eight against seven gives 56 different ones.
const SHAPES: [&str; 8] = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left"];

/// How a variant looks.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantStyle {
    /// Id, e.g. `p-lvr-3`.
    pub id: String,
    /// Printed name.
    pub name: String,
    /// Colour in the light scheme; in HTML, the class `v{n}` gives both.
    pub colour: &'static str,
    /// Vega shape.
    pub shape: &'static str,
    /// Index of the colour, for the class.
    pub class: usize,
}

impl VariantStyle {
    /// The look of the `index`-th variant.
    pub fn new(index: usize, id: &str, name: &str) -> Self {
        let class = index % COLOURS.len();
        Self { id: id.into(), name: name.into(), colour: COLOURS[class].0, shape: SHAPES[index % SHAPES.len()], class }
    }

    /// The shape as an SVG path in a box of -5..5, as Vega draws it.
    pub fn path(&self) -> &'static str {
        match self.shape {
            "circle" => "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
            "square" => "M-3.6,-3.6h7.2v7.2h-7.2z",
            "triangle-up" => "M0,-4.4l4.6,8h-9.2z",
            "diamond" => "M0,-5l5,5l-5,5l-5,-5z",
            "cross" => "M-1.6,-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
            "triangle-down" => "M0,4.4l4.6,-8h-9.2z",
            "triangle-right" => "M4.4,0l-8,4.6v-9.2z",
            _ => "M-4.4,0l8,4.6v-9.2z",
        }
    }
}

/// CSS custom properties of both schemes: `(light, dark)` declarations.
pub fn css() -> (String, String) {
    let list = |pick: fn(&(&'static str, &'static str)) -> &'static str| {
        COLOURS.iter().enumerate().map(|(i, pair)| format!("--v{i}:{};", pick(pair))).collect::<String>()
    };
    (list(|p| p.0), list(|p| p.1))
}

/// Every light colour of a specification with its dark partner.
pub fn dark_partners() -> Value {
    let mut map = serde_json::Map::new();
    for (light, dark) in COLOURS {
        map.insert(light.into(), dark.into());
    }
    for (light, dark) in [
        (INK, "#e6e7e9"),
        (FAINT, "#a3a7ad"),
        (GRID, "#31353b"),
        (RULE, "#6d7278"),
        (BAND, "#2a2f36"),
        (HEAT, "#8fd0f7"),
        (PALE, "#a8691f"),
    ] {
        map.insert(light.into(), dark.into());
    }
    Value::Object(map)
}

/// The configuration every chart shares. A figure of a paper is 420 units wide and 85 mm (241 pt), so that text of 12.5 units is of 7 pt there.
pub fn config() -> Value {
    json!({
        "font": SANS,
        "background": null,
        // The place of a chart is an image with its numbers in words; its parts say nothing more.
        "aria": false,
        "view": {"stroke": null},
        "axis": {
            "labelColor": FAINT, "titleColor": INK, "gridColor": GRID, "domainColor": RULE, "tickColor": RULE,
            "labelFontSize": 12.5, "titleFontSize": 12.5, "titleFontWeight": "normal", "titlePadding": 10,
            "labelPadding": 5, "tickSize": 4, "tickCount": 6, "labelFlush": false
        },
        "point": {"cursor": "pointer"},
        "rect": {"cursor": "pointer"},
        "axisY": {"domain": false, "ticks": false},
        "legend": {"labelColor": FAINT, "titleColor": INK, "titleFontWeight": "normal", "labelFontSize": 12.5, "titleFontSize": 12.5, "symbolBaseFillColor": FAINT, "symbolBaseStrokeColor": FAINT,
            "layout": {"bottom": {"direction": "vertical", "anchor": "start"}}},
        "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12.5, "titleFontSize": 12.5}
    })
}
