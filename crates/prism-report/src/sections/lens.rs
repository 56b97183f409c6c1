//! What each latent says when the output head reads it as a word: the logit lens by step and layer.

use prism_audit::findings::LensFinding;

use super::latent_steps::{entropy, key_count, key_words, maps};
use super::{Builder, first_seed_note, row, styles};
use crate::charts::heat;
use crate::document::{Cell, Column, Figure, Prose, Row, Section, Table};
use crate::html::clipped;
use crate::study::{Audit, Part, Study};

const HEADING: &str = "What the latents would say";
/// The scale of the maps ends here or above.
const LEAST: f64 = 0.1;

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    let table = table(study, part);
    if table.is_empty() {
        return builder.absent(HEADING, "no run recorded a logit lens of its latents");
    }
    let figure = figure(study, part, &table);
    Some(Section::new("lens", HEADING).maybe(figure).with(table.captioned(
        "The {logit lens} of the latents, over examples: entropy over the vocabulary, mean probability of the likeliest token and of the \
         gold letter, and the tokens that are most often the likeliest.",
    )))
}

/// A row for each stage, step and layer of each run.
pub fn table(study: &Study, part: &Part) -> Table {
    let mut table = Table::new(
        "lens",
        vec![
            Column::run(),
            key_words("stage"),
            key_count("step"),
            key_words("layer"),
            Column::count("examples", "examples").priority(2),
            entropy("entropy", "entropy, nats").priority(2),
            Column::percent("probability", "likeliest, %"),
            Column::percent("gold", "gold letter, %").because("the gold letter has no probability in the records"),
            Column::text("tokens", "likeliest tokens, share of examples").priority(2).because("the records name no token"),
        ],
    );
    for audit in &part.audits {
        for finding in &audit.findings.lens {
            table.push(of(study, part, audit, finding));
        }
    }
    table
}

fn of(study: &Study, part: &Part, audit: &Audit, f: &LensFinding) -> Row {
    let layer = f.layer.map_or_else(|| "last".to_string(), |layer| layer.to_string());
    row(study, part, audit).at(f.stage).at(f.step).at(format_args!("layer={layer}")).cells([
        Cell::text(f.stage.name()),
        Cell::count(f.step),
        Cell::text(layer.clone()),
        Cell::count(f.examples),
        Cell::number(f.entropy),
        Cell::number(f.probability),
        Cell::number(f.gold),
        Cell::maybe_text(Some(clipped(&f.tokens, 160)).filter(|tokens| !tokens.is_empty())),
    ])
}

/// A heat map per variant: the gold letter's probability by step and layer.
fn figure(study: &Study, part: &Part, table: &Table) -> Option<Figure> {
    let maps = maps(study, part, table, "stage", "gold");
    if maps.is_empty() {
        return None;
    }
    let largest = maps.iter().flat_map(|(_, cells)| cells).map(|cell| cell.value).fold(LEAST, f64::max);
    let look = heat::Look { what: "Logit lens", columns: "step", title: "gold letter, %", scale: 100.0, digits: 1, range: [0.0, largest] };
    let caption = Prose::said(
        "Mean probability of the gold letter when the output head reads each {latent} step, by step and layer (the input of the layer; \
         last: after the final norm). One scale for all, from 0 to 10 % or more.",
    );
    let mut figure = Figure::new("lens", caption.and(first_seed_note(part)));
    for (run, cells) in &maps {
        figure = figure.panel(run.style.name.clone(), heat::spec(run, cells, &look));
    }
    Some(figure.variants(&styles(study, part)).of("lens"))
}
