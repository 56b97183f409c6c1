//! The gallery section.

use super::{Builder, n_equals};
use crate::gallery::{Gallery, card};
use crate::study::{Part, Study};

/// The section, from the examples chosen.
pub fn html(study: &Study, part: &Part, gallery: &Gallery, builder: &mut Builder) -> String {
    if gallery.shown.is_empty() {
        return String::new();
    }
    let interventions = part.interventions();
    let cards: String =
        gallery.shown.iter().enumerate().map(|(i, s)| card::html(study, part, &gallery.runs, &interventions, s, i + 1)).collect();
    let flipping_shown = gallery.shown.iter().filter(|s| s.flips > 0).count();
    let how = format!(
        "{} of {} examples ({}). Not a random draw: those whose correctness flips under most interventions and variants come first ({} of the {} that flip at all), then the first of the file.",
        gallery.shown.len(),
        gallery.total,
        n_equals(part),
        flipping_shown,
        gallery.flipping
    );
    let body = format!(
        "<p>{how}</p>\
         <ul class=\"key-cells\"><li><span class=\"demo\">B<i>✓</i></span>right</li><li><span class=\"demo lost\">C</span>was right, now wrong</li>\
         <li><span class=\"demo gained\">B<i>✓</i></span>was wrong, now right</li><li><span class=\"demo moved\">D</span>another wrong answer</li>\
         <li><span class=\"demo reworded\">B<i>✓</i></span>same answer, other text</li><li><span class=\"demo\">∅</span>no answer</li><li><span class=\"demo\">○</span>no latents</li></ul>\
         <div class=\"cards\">{cards}</div>"
    );
    builder.section("examples", "Examples", &body)
}
