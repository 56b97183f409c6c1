//! An image with the question's boxes and, for staged variants, the context stage's: the
//! target box scaled about its centre and clipped (method, section 3).

use std::fmt::Write;

use prism_run::RegionBox;

use super::Example;
use prism_report::gallery::MOST_BOXES;
use prism_report::html::escape;

/// The valid boxes of an example.
pub fn of(example: &Example) -> Vec<RegionBox> {
    let all: Vec<RegionBox> = serde_json::from_str(&example.example.boxes).unwrap_or_default();
    all.into_iter().filter(|b| b.is_valid()).take(MOST_BOXES).collect()
}

/// The example's image in a frame with its boxes, or the reason there is none.
pub fn html(example: &Example, address: &str) -> String {
    let e = &example.example;
    let boxes = of(example);
    let mut out = String::from("<figure class=\"picture\">");
    match &example.size {
        Ok((width, height)) => {
            let _ = write!(
                out,
                "<div class=\"frame\"><img src=\"{address}\" width=\"{width}\" height=\"{height}\" alt=\"Image of {}, {width} by {height} pixels, {}\">{}</div>",
                escape(&e.id),
                if boxes.is_empty() { "no box".to_string() } else { said(&boxes) },
                drawn(&boxes, example.context_scale)
            );
        }
        Err(reason) => {
            let _ = write!(out, "<div class=\"missing\"><b>No image</b><span>{}</span></div>", super::cut_html(reason, 400));
        }
    }
    let mut notes = Vec::new();
    if boxes.is_empty() {
        notes.push("The benchmark gives no box for this question.".to_string());
    } else {
        notes.push("<span class=\"line target\"></span> box asked about".to_string());
        if let Some(scale) = example.context_scale {
            notes.push(format!("<span class=\"line context\"></span> context box, {scale} × about its centre"));
        }
    }
    if e.images > 1 {
        notes.push(format!("first of {} images; the records hold the path of the first", e.images));
    }
    let _ = write!(out, "<figcaption>{}</figcaption></figure>", notes.join(" · "));
    out
}

/// The boxes as an SVG laid over the image.
pub fn drawn(boxes: &[RegionBox], context_scale: Option<f64>) -> String {
    let mut out = String::from("<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
    let mut rectangle = |class: &str, RegionBox([x0, y0, x1, y1]): RegionBox| {
        let [x0, y0, x1, y1] = [x0, y0, x1, y1].map(|v| v * 1000.0);
        let _ = write!(out, "<rect class=\"{class}\" x=\"{x0:.1}\" y=\"{y0:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>", x1 - x0, y1 - y0);
    };
    if let Some(scale) = context_scale {
        for b in boxes {
            rectangle("under", b.scaled(scale));
            rectangle("over context", b.scaled(scale));
        }
    }
    for b in boxes {
        rectangle("under", *b);
        rectangle("over", *b);
    }
    out.push_str("</svg>");
    out
}

/// The boxes in words, for the alternative text.
fn said(boxes: &[RegionBox]) -> String {
    let one = |RegionBox([x0, y0, x1, y1]): &RegionBox| {
        format!("box from {:.0} to {:.0} percent across, {:.0} to {:.0} percent down", x0 * 100.0, x1 * 100.0, y0 * 100.0, y1 * 100.0)
    };
    boxes.iter().map(one).collect::<Vec<_>>().join("; ")
}
