//! The gallery section.

use maud::{Markup, html};

use super::{Builder, row};
use crate::document::{Block, Cell, Column, Prose, Row, Section, Table};
use crate::gallery::{Gallery, card};
use crate::html::clipped;
use crate::study::{Part, Study};

/// The table of how many there are, and its row.
const CHOSEN: (&str, &str) = ("chosen", "examples");

/// The section, from the examples chosen.
pub fn section(study: &Study, part: &Part, gallery: &Gallery, builder: &mut Builder) -> Option<Section> {
    if gallery.shown.is_empty() {
        return builder.absent("Examples", "no run's records could be read; see what was left out");
    }
    let interventions = part.interventions();
    let context = card::Context { study, part, runs: &gallery.runs, interventions: &interventions, prefix: &builder.prefix };
    let cards = html! {
        (explained())
        p class="none-fit rest" hidden { "No example shown here flips so; the table of flips lists others." }
        div.cards { @for (i, shown) in gallery.shown.iter().enumerate() { (card::html(context, shown, i + 1)) } }
    };
    let counts = counts(gallery);
    let number = |prose: Prose, column: &str| prose.number(&counts, column, CHOSEN.1);
    let first = number(number(Prose::default(), "shown").and(" of "), "total");
    let first = first.and(" examples, chosen for what they show; this is not a random draw.");
    let fold = Block::Fold { summary: "How they were chosen".into(), open: false, blocks: vec![how(&counts), counts.clone().into()] };
    Some(Section::new("examples", "Examples").with(first).with(fold).with(Block::Own(cards)).maybe(flips(study, part, gallery, &counts)))
}

/// How many examples and flips there are, and are shown.
fn counts(gallery: &Gallery) -> Table {
    let columns = vec![
        Column::words("of", "of").priority(0),
        Column::count("shown", "shown"),
        Column::count("total", "in all"),
        Column::count("flipping_shown", "shown that flip"),
        Column::count("flipping", "that flip in all"),
        Column::count("flips_listed", "flips listed"),
        Column::count("flips", "flips in all"),
    ];
    let mut table = Table::new(CHOSEN.0, columns);
    table.push(Row::new(CHOSEN.1).cells([
        Cell::text("the benchmark"),
        Cell::count(gallery.shown.len()),
        Cell::count(gallery.total),
        Cell::count(gallery.shown.iter().filter(|s| !s.flipped.is_empty()).count()),
        Cell::count(gallery.flipping),
        Cell::count(gallery.flips.len()),
        Cell::count(gallery.flips_total),
    ]));
    table.captioned("Examples of the benchmark and flips of their answers: a flip is from right to wrong or back.")
}

fn how(counts: &Table) -> Block {
    let number = |prose: Prose, column: &str| prose.number(counts, column, CHOSEN.1);
    let text = Prose::said(
        "As far as they go, every run and intervention that turns answers from right to wrong or back has an example of each kind: lost, lost \
         for want of an answer, gained. Then come those with most such flips (",
    );
    let text = number(number(text, "flipping_shown").and(" of the "), "flipping");
    text.and(" that flip at all are shown), then the first of the file.").into()
}

/// What the marks mean.
fn explained() -> Markup {
    html! {
        ul.key-cells {
            li { span.demo { "B" i { "✓" } } "right" }
            li { span.demo { "C" } "wrong" }
            li { span class="demo lost" { "C" } "was right, now wrong" }
            li { span class="demo gained" { "B" i { "✓" } } "was wrong, now right" }
            li { span class="demo moved" { "D" } "another wrong answer" }
            li { span class="demo reworded" { "B" i { "✓" } } "same answer, other text" }
            li { span.demo { "∅" } "no answer that could be parsed" }
            li { span.demo { "○" } "no latents" }
            li { "red boxes: what the question asks about" }
        }
    }
}

/// Every flip, or the first of each run and intervention where they are many.
fn flips(study: &Study, part: &Part, gallery: &Gallery, counts: &Table) -> Option<Table> {
    if gallery.flips.is_empty() {
        return None;
    }
    let columns = vec![
        Column::run(),
        Column::intervention(),
        Column::words("example", "example").priority(0),
        Column::words("clean", "clean"),
        Column::words("then", "then"),
        Column::words("now", "now"),
        Column::count("card", "card").because("it has no card"),
    ];
    let mut table = Table::new("flips", columns);
    let letter = |l: &Option<String>| Cell::text(l.as_deref().map_or_else(|| "no answer".into(), |l| clipped(l, 12)));
    for (id, flip) in &gallery.flips {
        let Some(audit) = part.audits.get(flip.run) else { continue };
        let place = gallery.shown.iter().position(|s| s.example.id == *id);
        table.push(row(study, part, audit).under(flip.intervention).at(id).cells([
            Cell::intervention(flip.intervention),
            Cell::text(clipped(id, 80)),
            letter(&flip.from),
            letter(&flip.to),
            Cell::text(if flip.gained { "right" } else { "wrong" }),
            Cell::count(place.map(|place| place + 1)),
        ]));
    }
    let number = |prose: Prose, column: &str| prose.number(counts, column, CHOSEN.1);
    let caption = Prose::said("Examples whose answer turns from right to wrong or back: ");
    let caption = number(number(caption, "flips_listed").and(" of "), "flips");
    Some(table.captioned(
        caption.and(" flips, the first of the file for each run and intervention. Card: the number of the example\u{2019}s card above."),
    ))
}
