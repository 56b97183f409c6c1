//! What the pictures made here ([`super::still`], [`super::over_k`]) are drawn of: text, lines, boxes, and the cells that
//! their marks name.

use std::fmt::Display;

use maud::{Markup, PreEscaped, Render, html};

use crate::document::CellName;
use crate::document::html::Safe;

/// A place or a size: tenths of a unit are as fine as is seen.
#[derive(Debug, Clone, Copy)]
pub struct At(pub f64);

impl Render for At {
    fn render_to(&self, buffer: &mut String) {
        buffer.push_str(&format!("{:.1}", self.0));
    }
}

/// Text at a place. `anchor`: which end of it lies there. `cell`: whose number it is.
pub fn text((x, y): (f64, f64), class: &str, anchor: &str, said: &str, cell: Option<&CellName>) -> Markup {
    html! { text class=(class) x=(At(x)) y=(At(y)) text-anchor=(anchor) data-cell=[name(cell)] { (Safe(said)) } }
}

/// A line.
pub fn rule(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> Markup {
    html! { line class=(class) x1=(At(x1)) y1=(At(y1)) x2=(At(x2)) y2=(At(y2)) {} }
}

/// A box of left, top, width and height.
pub fn rectangle(class: &str, (x, y, width, height): (f64, f64, f64, f64)) -> Markup {
    html! { rect class=(class) x=(At(x)) y=(At(y)) width=(At(width.max(0.0))) height=(At(height)) {} }
}

/// The name of a cell as the value of an attribute.
pub fn name(cell: Option<&CellName>) -> Option<Markup> {
    cell.map(|cell| PreEscaped(crate::html::escape(&cell.to_string())))
}

/// The whole picture. `said` is the same in words.
pub fn picture(class: &str, (width, height): (f64, f64), said: &str, pieces: &[Markup]) -> Markup {
    let whole = |size: f64| format!("{size:.0}");
    html! {
        svg class=(class) role="img" aria-label=(Safe(said)) viewBox=(Around(whole(width), whole(height)))
            width=(whole(width)) height=(whole(height)) {
            @for piece in pieces { (piece) }
        }
    }
}

/// The value of `viewBox`: from the corner, so wide, so high.
struct Around(String, String);

impl Display for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0 0 {} {}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_a_tenth_and_text_is_text() {
        let cell = CellName { table: "made".into(), column: "delta".into(), row: "<lvr>".into() };
        let drawn = text((1.25, -3.0), "row", "end", "</text>", Some(&cell)).into_string();
        assert_eq!(
            drawn,
            "<text class=\"row\" x=\"1.2\" y=\"-3.0\" text-anchor=\"end\" data-cell=\"made.delta[&lt;lvr&gt;]\">&lt;/text&gt;</text>"
        );
        let whole = picture("forest", (10.4, 20.0), "\"said\"", &[rule("zero", (0.0, 0.0), (1.0, 1.0))]).into_string();
        assert!(
            whole.starts_with("<svg class=\"forest\" role=\"img\" aria-label=\"&quot;said&quot;\" viewBox=\"0 0 10 20\" width=\"10\""),
            "{whole}"
        );
    }
}
