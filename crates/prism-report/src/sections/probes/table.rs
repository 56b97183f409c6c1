//! The tables of the probes: those of the last layer in full, and the accuracy at every other layer.

use std::collections::HashMap;

use prism_audit::findings::ProbeFinding;
use prism_audit::probe::row::OWN;

use super::{GOLD, fed, label};
use crate::document::table::KEY;
use crate::document::{Cell, Column, Form, Row, Table, Tone, Unit};
use crate::sections::row;
use crate::study::{Audit, Part, Study};

/// Why a run's further numbers are absent where its accuracy is there.
const IN_FULL: &str = "computed only for whole positions of the run\u{2019}s own vectors, some not by the paper\u{2019}s pipeline";
/// What the table's columns are.
const CAPTION: &str = "Probes of the last layer. Accuracies in percent with the 95 % interval over examples, differences in points; sd: over \
    folds. Best floor: the rule or the vectors that the probe beats by least. Control: the same probe, the search for C included, on labels \
    exchanged within question type and fold; *p*: rank of the real accuracy among these draws. CE: cross-entropy; MI: its lower bound \
    H(Y) \u{2212} CE as it comes, so below zero the probe predicts worse than the label frequencies do. Compression: uniform code over online \
    code; 1 means that the vectors say nothing. C: the median over folds; iterations: the most that any fit took.";

/// The probes of the last layer, in the order of the table's rows.
pub fn whole(part: &Part) -> impl Iterator<Item = (&Audit, &ProbeFinding)> {
    all(part).filter(|(_, f)| f.layer.is_none())
}

/// A run's own probes for gold at other layers, in the order of the table's rows. Single steps are not among them.
pub fn layered(part: &Part) -> impl Iterator<Item = (&Audit, &ProbeFinding)> {
    all(part).filter(|(_, f)| f.layer.is_some() && f.target == GOLD && f.source == OWN && fed(&f.position).is_none())
}

fn all(part: &Part) -> impl Iterator<Item = (&Audit, &ProbeFinding)> {
    part.audits.iter().flat_map(|audit| audit.findings.probe.iter().map(move |f| (audit, f)))
}

/// What each row of a table is of, by its key. `probes` are those that the table was made of.
pub fn of_rows<'a>(
    table: &'a Table,
    probes: impl Iterator<Item = (&'a Audit, &'a ProbeFinding)>,
) -> HashMap<&'a str, (&'a Audit, &'a ProbeFinding)> {
    table.rows().iter().map(|row| row.key.as_str()).zip(probes).collect()
}

/// The last layer: a row for every run, position, target and source of vectors.
pub fn last(study: &Study, part: &Part) -> Table {
    let mut table = Table::new("probes", columns());
    for (audit, f) in whole(part) {
        // Where nothing was probed, one reason stands for all.
        let floor = f.best_floor.as_ref().map_or(f.majority, |_| f.floor_accuracy).filter(|_| f.accuracy.is_some());
        let named = f.best_floor.as_deref().unwrap_or("majority");
        let converged = match f.converged {
            Some(true) => Cell::words("yes", Tone::Plain),
            Some(false) => Cell::words("no", Tone::Warn),
            None => Cell::absent(""),
        };
        table.push(keyed(study, part, audit, f).cells([
            Cell::text(f.target.replace('_', " ")),
            Cell::text(f.source.clone()),
            Cell::count(f.rows),
            Cell::number(f.accuracy).strong(),
            Cell::interval(f.item_low, f.item_high),
            Cell::number(f.accuracy_sd),
            Cell::number(floor),
            Cell::maybe_text(floor.map(|_| named.replace('_', " "))),
            Cell::number(f.above_floor),
            Cell::interval(f.above_floor_low, f.above_floor_high),
            Cell::number(f.control_accuracy),
            Cell::number(f.selectivity),
            Cell::number(f.permutation_p),
            Cell::number(f.majority),
            Cell::number(f.cross_entropy),
            Cell::number(f.label_entropy),
            Cell::number(f.mi),
            Cell::interval(f.mi_low, f.mi_high),
            Cell::number(f.compression),
            Cell::number(f.c),
            Cell::count(f.iterations_max),
            converged,
        ]));
    }
    table.captioned(CAPTION)
}

fn columns() -> Vec<Column> {
    let accuracy = Column::percent("accuracy", "accuracy");
    let accuracy_interval = accuracy.interval("accuracy_interval", "95 %").because(IN_FULL);
    let above = Column::points("above_floor", "above it").because(IN_FULL);
    let above_interval = above.interval("above_floor_interval", "95 %").because(IN_FULL);
    let nats = |name: &'static str, heading: &'static str, signed: bool| {
        Column::new(name, heading, Form::Number { unit: Unit::Nats, digits: 3, signed }).priority(3)
    };
    let mi = nats("mi", "MI, nats", true);
    let mi_interval = mi.interval("mi_interval", "95 %").because(IN_FULL);
    vec![
        Column::run(),
        Column::words("position", "position").priority(KEY),
        Column::words("target", "predicts").priority(KEY),
        Column::words("source", "vectors of").priority(KEY),
        Column::count("rows", "n").priority(2),
        accuracy,
        accuracy_interval,
        Column::percent("accuracy_sd", "sd").attached().priority(3),
        Column::percent("floor", "best floor").priority(2),
        Column::words("floor_name", "which").attached().priority(2),
        above,
        above_interval,
        Column::percent("control", "control").priority(2).because(IN_FULL),
        Column::points("selectivity", "above control").priority(2).because(IN_FULL),
        Column::p("p", "*p*").priority(2).because(IN_FULL),
        Column::percent("majority", "most common letter").priority(3),
        nats("cross_entropy", "CE, nats", false),
        nats("label_entropy", "H(Y), nats", false),
        mi,
        mi_interval,
        Column::decimal("compression", "compression", 2).priority(3).because(IN_FULL),
        Column::decimal("c", "C", 5).priority(3),
        Column::count("iterations", "iterations").priority(3),
        Column::words("converged", "converged").priority(3),
    ]
}

/// The other layers: what the heat maps draw.
pub fn by_layer(study: &Study, part: &Part) -> Table {
    let columns = vec![
        Column::run(),
        Column::words("position", "position").priority(KEY),
        Column::count("layer", "layer").priority(KEY),
        Column::count("rows", "n").priority(2),
        Column::percent("accuracy", "accuracy"),
        Column::percent("majority", "most common letter").priority(2),
    ];
    let mut table = Table::new("probe-layers", columns);
    for (audit, f) in layered(part) {
        table.push(keyed(study, part, audit, f).cells([
            Cell::count(f.layer),
            Cell::count(f.rows),
            Cell::number(f.accuracy).strong(),
            Cell::number(f.majority),
        ]));
    }
    table.captioned(
        "Accuracy of the probe for the gold letter by position and layer, in percent, with the share of the most common letter. The last \
         layer, after the final norm, stands in the table above.",
    )
}

/// The begin of a probe's row: the run, and the position.
fn keyed(study: &Study, part: &Part, audit: &Audit, f: &ProbeFinding) -> Row {
    let mut row = row(study, part, audit).at(&f.position);
    if f.target != GOLD {
        row = row.at(&f.target);
    }
    if f.source != OWN {
        row = row.at(&f.source);
    }
    if let Some(layer) = f.layer {
        row = row.at(format!("layer={layer}"));
    }
    row.because(f.reason.as_deref()).cell(Cell::text(label(&f.position)))
}
