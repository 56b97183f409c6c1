//! The gallery section.

use super::table::{TEXT, Table};
use super::{Builder, n_equals};
use crate::gallery::{Gallery, card};
use crate::html::{clipped, escape};
use crate::study::{Part, Study};

/// The section, from the examples chosen.
pub fn section(study: &Study, part: &Part, gallery: &Gallery, builder: &mut Builder) -> String {
    if gallery.shown.is_empty() {
        return builder.absent("Examples", "no run's records could be read; see what was left out");
    }
    let interventions = part.interventions();
    let context = card::Context { study, part, runs: &gallery.runs, interventions: &interventions, prefix: &builder.prefix };
    let cards: String = gallery.shown.iter().enumerate().map(|(i, s)| card::html(context, s, i + 1)).collect();
    let flipping_shown = gallery.shown.iter().filter(|s| !s.flipped.is_empty()).count();
    let how = format!(
        "{} of {} examples ({}). Not a random draw: chosen so that, as far as they go, every run and intervention that turns answers from right to wrong or back has an example of each kind (lost, lost for want of an answer, gained), then those with most such flips ({} of the {} that flip at all), then the first of the file.",
        gallery.shown.len(),
        gallery.total,
        n_equals(part),
        flipping_shown,
        gallery.flipping
    );
    let body = format!(
        "<p>{how}</p>\
         <ul class=\"key-cells\"><li><span class=\"demo\">B<i>✓</i></span>right</li><li><span class=\"demo\">C</span>wrong</li><li><span class=\"demo lost\">C</span>was right, now wrong</li>\
         <li><span class=\"demo gained\">B<i>✓</i></span>was wrong, now right</li><li><span class=\"demo moved\">D</span>another wrong answer</li>\
         <li><span class=\"demo reworded\">B<i>✓</i></span>same answer, other text</li><li><span class=\"demo\">∅</span>no answer that could be parsed</li><li><span class=\"demo\">○</span>no latents</li><li>red boxes: what the question asks about</li></ul>\
         <p class=\"none-fit rest\" hidden>No example shown here flips so; the table of flips lists others.</p><div class=\"cards\">{cards}</div>{}",
        flips(study, part, gallery, builder)
    );
    builder.section("examples", "Examples", &body)
}

/// Every flip, or the first of each run and intervention where they are many.
fn flips(study: &Study, part: &Part, gallery: &Gallery, builder: &mut Builder) -> String {
    if gallery.flips.is_empty() {
        return String::new();
    }
    let mut t = Table::new(&[(TEXT, "intervention"), (TEXT, "example"), (TEXT, "clean"), (TEXT, "then"), (TEXT, "now")]);
    let letter = |l: &Option<String>| l.as_deref().map_or_else(|| "no answer".into(), |l| escape(&clipped(l, 12)));
    for (id, flip) in &gallery.flips {
        let Some(audit) = part.audits.get(flip.run) else { continue };
        let name = escape(&clipped(id, 80));
        let link = match gallery.shown.iter().position(|s| s.example.id == *id) {
            Some(place) => format!("<a href=\"#{}example-{}\">{name}</a>", builder.prefix, place + 1),
            None => name,
        };
        let became = if flip.gained { "right" } else { "wrong" };
        let cells = [flip.intervention.to_string(), link, letter(&flip.from), letter(&flip.to), became.into()];
        t.row(study, part, audit, Some(flip.intervention), &cells, None);
    }
    let caption = format!(
        "Examples whose answer turns from right to wrong or back: {} of {} flips, the first of the file for each run and intervention. A name that is a link has its card above.",
        gallery.flips.len(),
        gallery.flips_total
    );
    builder.table("flips", &caption, &t.finish())
}
