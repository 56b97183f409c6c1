//! Which step matters: interventions on part of the block.

use super::{Builder, behind, row, styles};
use crate::charts::forest::{self, Look, Mark};
use crate::document::{Cell, Column, Did, Figure, Section, Table};
use crate::study::{Part, Study};

const HEADING: &str = "Which step matters";
/// What would measure it.
const ABSENT: &str = "no intervention was confined to some steps, a stage or a layer; add `zero/step=0`, `zero/step=1`, ... to the \
    audit\u{2019}s interventions";

/// What the table has in its columns.
const CAPTION: &str = "Interventions on part of the block, and the same action on all of it. Steps count from 0 within a stage; the block of \
    a staged variant may go on long after the last step named. n counts the questions that ran both ways. Change: of accuracy against the \
    clean run, in points. Gold margin: change of the log-probability of the gold letter against the best other option.";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    if part.audits.iter().all(|a| a.findings.steps.is_empty()) {
        return builder.absent(HEADING, ABSENT);
    }
    let table = table(study, part);
    let figure = figure(study, part, &table);
    Some(Section::new("steps", HEADING).with(figure).with(table.captioned(CAPTION)))
}

fn columns() -> Vec<Column> {
    let delta = Column::points("delta", "change");
    let delta_interval = delta.interval("delta_interval", "95 %");
    let margin = Column::nats("margin_delta", "gold margin, nats").priority(2).because("no log-probability of the options was recorded");
    let margin_interval = margin.interval("margin_interval", "95 %").because("the gold margin changes by the same in every question");
    vec![
        Column::run(),
        Column::intervention(),
        Column::count("examples", "n").priority(2),
        Column::percent("accuracy", "accuracy, %").priority(2),
        delta,
        delta_interval,
        margin,
        margin_interval,
        Column::percent("changed", "outputs changed, %").priority(2),
    ]
}

/// A row for every run and intervention.
pub fn table(study: &Study, part: &Part) -> Table {
    let mut table = Table::new("steps", columns());
    for audit in &part.audits {
        let silent = audit.is_silent();
        for f in &audit.findings.steps {
            let examples = behind(study, audit, f.intervention);
            // Where no latent ran nothing was changed: a zero would be no finding.
            let effect = |v: Option<f64>| v.filter(|_| !silent);
            table.push(row(study, part, audit).under(f.intervention).because(silent.then_some("no latents ran")).cells([
                Cell::intervention(f.intervention),
                Cell::count(f.examples),
                Cell::number(f.accuracy),
                Cell::number(effect(f.delta)).strong().behind(examples.clone().that(Did::Flipped)),
                Cell::interval(effect(f.delta_low), effect(f.delta_high)),
                Cell::number(effect(f.margin_delta)),
                Cell::interval(effect(f.margin_low), effect(f.margin_high)),
                Cell::number(f.changed).behind(examples.that(Did::Changed)),
            ]));
        }
    }
    table
}

fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let marks = |column: &'static str, interval: &'static str| -> Vec<Mark<'_>> {
        table.estimates(column, Some(interval)).filter_map(|e| Mark::of(&e, e.row.intervention?.to_string())).collect()
    };
    let accuracy = Look {
        what: "Interventions on part of the block",
        title: "change in accuracy, points",
        scale: 100.0,
        digits: 1,
        band: part.margin(),
        reference: Some(0.0),
    };
    let margin = Look { title: "change of the gold margin, nats", scale: 1.0, digits: 2, band: None, ..accuracy };
    let caption = "Interventions on some of the steps, with the same action on all of them to compare with. One mark per run; bars are 95 % \
                   intervals of the paired difference.";
    Figure::new("steps", caption)
        .panel("Accuracy", forest::spec(&marks("delta", "delta_interval"), &accuracy))
        .panel("Log-probability margin of the gold letter", forest::spec(&marks("margin_delta", "margin_interval"), &margin))
        .variants(&styles(study, part))
        .of("steps")
}
