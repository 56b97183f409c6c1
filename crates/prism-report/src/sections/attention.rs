//! Where the model looks when it answers and when it makes latents.

use prism_audit::findings::AttentionFinding;
use prism_run::NotedAt;

use super::latent_steps::{entropy, key_count, key_words, maps, word};
use super::{Builder, first_seed_note, row, styles};
use crate::charts::heat;
use crate::charts::lines::{self, Line, Look};
use crate::document::{Cell, Column, Figure, Prose, Row, Section, Table};
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Where the model looks";
/// How the lines of the answer's attention are drawn.
const LOOK: Look<'static> = Look {
    what: "Attention of the answer",
    x: "layer",
    counts: true,
    y: "attention on latents, %",
    scale: 100.0,
    digits: 1,
    band: None,
    reference: None,
};

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    let table = table(study, part);
    if table.is_empty() {
        return builder.absent(HEADING, "no run recorded its attention");
    }
    let (answer, steps) = (of_answer(study, part, &table), of_steps(study, part, &table));
    Some(Section::new("attention", HEADING).with(answer).maybe(steps).with(table.captioned(
        "Attention of each forward by layer, mean over examples and heads. Boxes, {times even}: attention on the annotated boxes over what an even \
         spread over the image would put there, over the examples that have both. Entropy: over the image’s tokens, and over the latents.",
    )))
}

/// A row for each forward and layer of each run.
pub fn table(study: &Study, part: &Part) -> Table {
    let latents = Column::percent("latents", "latents, %");
    let latents_interval = latents.interval("latents_interval", "95 %").because("one cluster, or no spread over examples");
    let enrichment = Column::decimal("enrichment", "boxes, times even", 2).because("no example has boxes and attention on the image");
    let enrichment_interval = enrichment.interval("enrichment_interval", "95 %").because("too few examples with boxes, or no spread");
    let mut table = Table::new(
        "attention",
        vec![
            Column::run(),
            key_words("place"),
            key_count("step"),
            key_count("layer"),
            Column::count("examples", "examples").priority(2),
            Column::percent("image", "image, %"),
            Column::percent("text", "text, %").priority(2),
            latents,
            latents_interval,
            Column::percent("generated", "generated, %").priority(2),
            enrichment,
            enrichment_interval,
            Column::count("enrichment_examples", "of examples").priority(3),
            entropy("image_entropy", "entropy on image, nats").priority(3).because("no attention on the image"),
            entropy("latent_entropy", "entropy on latents, nats").priority(3).because("no latents before it"),
        ],
    );
    for audit in &part.audits {
        for finding in &audit.findings.attention {
            table.push(of(study, part, audit, finding));
        }
    }
    table
}

fn of(study: &Study, part: &Part, audit: &Audit, f: &AttentionFinding) -> Row {
    let forward = row(study, part, audit).at(f.place);
    let forward = match f.step {
        Some(step) => forward.at(step),
        None => forward,
    };
    forward.at(format_args!("layer={}", f.layer)).cells([
        Cell::text(f.place.name()),
        Cell::count(f.step).or("the answer is no latent step"),
        Cell::count(f.layer),
        Cell::count(f.examples),
        Cell::number(f.image),
        Cell::number(f.text),
        Cell::number(f.latents),
        Cell::interval(f.latents_low, f.latents_high),
        Cell::number(f.generated),
        Cell::number(f.enrichment),
        Cell::interval(f.enrichment_low, f.enrichment_high),
        Cell::count(f.enrichment_examples),
        Cell::number(f.image_entropy),
        Cell::number(f.latent_entropy),
    ])
}

/// Three charts of the answer's attention by layer.
fn of_answer(study: &Study, part: &Part, table: &Table) -> Figure {
    let image = Look { y: "attention on the image, %", ..LOOK };
    let boxes = Look { y: "on the boxes, times an even spread", scale: 1.0, digits: 2, reference: Some(1.0), ..LOOK };
    let caption = Prose::said(
        "Attention of the answer position by layer, mean over examples and heads, with 95 % intervals (clusters kept whole). Right: \
         attention on the annotated boxes over what an even spread over the image would put there. Attention is where the model looks, \
         not what it uses.",
    );
    Figure::new("attention", caption)
        .panel("On the latents", lines::spec(&lines_of(table, "latents", Some("latents_interval")), &LOOK))
        .panel("On the image", lines::spec(&lines_of(table, "image", None), &image))
        .panel("On the annotated boxes", lines::spec(&lines_of(table, "enrichment", Some("enrichment_interval")), &boxes))
        .variants(&styles(study, part))
        .of("attention")
}

/// A line for each run: a column of the answer's rows by layer.
fn lines_of<'a>(table: &'a Table, value: &'static str, interval: Option<&str>) -> Vec<Line<'a>> {
    lines::of_table(table.estimates(value, interval), |estimate| {
        let row = estimate.row;
        let layer = table.count(row, "layer").filter(|_| word(table, row, "place") == NotedAt::Answer.name())?;
        Some((String::new(), layer as f64))
    })
}

/// A heat map per variant: attention on the boxes while latents are made, by step and layer.
fn of_steps(study: &Study, part: &Part, table: &Table) -> Option<Figure> {
    let maps = maps(study, part, table, "place", "enrichment");
    if maps.is_empty() {
        return None;
    }
    let values = || maps.iter().flat_map(|(_, cells)| cells).map(|cell| cell.value);
    let range = [values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max)];
    let look = heat::Look { what: "Attention on the annotated boxes", columns: "step", title: "times even", scale: 1.0, digits: 2, range };
    let caption = Prose::said(
        "Attention of the {latent} steps on the annotated boxes, over what an even spread would put there, by step and layer; one scale \
         for all.",
    );
    let mut figure = Figure::new("attention-steps", caption.and(first_seed_note(part)));
    for (run, cells) in &maps {
        figure = figure.panel(run.style.name.clone(), heat::spec(run, cells, &look));
    }
    Some(figure.variants(&styles(study, part)).of("attention"))
}
