//! An image with the question's boxes and, for staged variants, the context stage's: the
//! target box scaled about its centre and clipped (method, section 3).

use maud::{Markup, html};
use prism_run::RegionBox;

use super::{Cut, Example};
use prism_report::document::html::Safe;
use prism_report::gallery::MOST_BOXES;

/// The valid boxes of an example.
pub fn of(example: &Example) -> Vec<RegionBox> {
    let all: Vec<RegionBox> = serde_json::from_str(&example.example.boxes).unwrap_or_default();
    all.into_iter().filter(|b| b.is_valid()).take(MOST_BOXES).collect()
}

/// The example's image in a frame with its boxes, or the reason there is none.
pub fn html(example: &Example, address: &str) -> Markup {
    let e = &example.example;
    let boxes = of(example);
    let what = if boxes.is_empty() { "no box".to_string() } else { said(&boxes) };
    html! {
        figure.picture {
            @match &example.size {
                Ok((width, height)) => div.frame {
                    img src=(Safe(address)) width=(width) height=(height)
                        alt={ "Image of " (Safe(&e.id)) ", " (width) " by " (height) " pixels, " (what) };
                    (drawn(&boxes, example.context_scale))
                },
                Err(reason) => div.missing { b { "No image" } span { (Cut(reason, 400)) } },
            }
            figcaption {
                @if boxes.is_empty() {
                    "The benchmark gives no box for this question."
                } @else {
                    span class="line target" {} " box asked about"
                    @if let Some(scale) = example.context_scale {
                        " · " span class="line context" {} " context box, " (scale) " × about its centre"
                    }
                }
                @if e.images > 1 { " · first of " (e.images) " images; the records hold the path of the first" }
            }
        }
    }
}

/// The boxes as an SVG laid over the image.
pub fn drawn(boxes: &[RegionBox], context_scale: Option<f64>) -> Markup {
    let scaled: Vec<RegionBox> = context_scale.map_or_else(Vec::new, |scale| boxes.iter().map(|b| b.scaled(scale)).collect());
    html! {
        svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true" {
            @for b in &scaled { (rectangle("under", *b)) (rectangle("over context", *b)) }
            @for b in boxes { (rectangle("under", *b)) (rectangle("over", *b)) }
        }
    }
}

fn rectangle(class: &str, RegionBox([x0, y0, x1, y1]): RegionBox) -> Markup {
    let of = |share: f64| format!("{:.1}", share * 1000.0);
    html! { rect class=(class) x=(of(x0)) y=(of(y0)) width=(of(x1 - x0)) height=(of(y1 - y0)) {} }
}

/// The boxes in words, for the alternative text.
fn said(boxes: &[RegionBox]) -> String {
    let one = |RegionBox([x0, y0, x1, y1]): &RegionBox| {
        format!("box from {:.0} to {:.0} percent across, {:.0} to {:.0} percent down", x0 * 100.0, x1 * 100.0, y0 * 100.0, y1 * 100.0)
    };
    boxes.iter().map(one).collect::<Vec<_>>().join("; ")
}
