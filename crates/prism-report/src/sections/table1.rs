//! Table 1: one line a run, and a line of means for a variant with several seeds.

use std::borrow::Cow;

use prism_audit::findings::VariantSummary;
use prism_run::Intervention;

use super::{Builder, EXPLAINED, row};
use crate::document::{Cell, Column, Did, Prose, Row, RowKind, RunName, Section, Table};
use crate::number::spread;
use crate::study::{Audit, Part, Study};

/// A column read from an audit's own line.
type Read = fn(&VariantSummary) -> Option<f64>;

/// Interventions of a column each, at most.
const MOST: usize = 7;
/// Why the base model has little more than its accuracy.
const BASE: &str = "scored only: not probed, and without latents to change";
/// Why a line of means has no interval.
const MEAN: &str = "of a mean over seeds: see the training seeds";

/// The section.
pub fn section(study: &Study, part: &Part, _: &mut Builder) -> Section {
    let mut interventions = part.whole_interventions();
    let further = part.interventions().len() > interventions.len().min(MOST);
    interventions.truncate(MOST);
    let mut table = Table::new("table-1", columns(&interventions));
    if let Some(base) = study.base.as_ref().filter(|base| base.benchmark == part.benchmark) {
        table.push(base_row(base));
    }
    for variant in part.variants() {
        let audits: Vec<&Audit> = part.of(variant).collect();
        if audits.len() > 1 {
            table.push(mean_row(study, variant, &audits, &interventions));
        }
        for audit in &audits {
            let kind = if audits.len() > 1 { RowKind::Seed } else { RowKind::First };
            table.push(run_row(study, part, audit, &interventions).kind(kind));
        }
    }
    let table = table.captioned(caption(part, further));
    Section::new("table-1", "Variants side by side").with(table).with(EXPLAINED)
}

fn columns(interventions: &[Intervention]) -> Vec<Column> {
    let accuracy = Column::percent("accuracy", "clean").group("accuracy, %");
    let interval = accuracy.interval("accuracy_interval", "95 %");
    let probes = |column: Column, priority: u8| column.group("linear probes, %").priority(priority);
    let mut columns = vec![
        Column::run(),
        Column::count("examples", "n").priority(2),
        Column::decimal("cosine", "cosine", 3).priority(2),
        accuracy,
        interval,
        probes(Column::percent("probe_a", "(a) answer"), 2),
        probes(Column::percent("probe_b", "(b) latent"), 2),
        probes(Column::points("gap", "gap *G*"), 2),
        probes(Column::percent("type_floor", "floor"), 2),
    ];
    for intervention in interventions {
        let named = |what: &str| Cow::from(format!("{what}:{intervention}"));
        let changes = |column: Column| column.group("change in accuracy, points");
        let count = |what: &'static str| {
            let column = Column::new(named(what), what, crate::document::Form::Count);
            changes(column.attached().priority(3).because("the intervention was not run"))
        };
        let delta = Column::points(named("delta"), Prose::plain(intervention.to_string()));
        // In little room accuracies and probes come first: the changes stand in a figure and a table of their own.
        columns.extend([changes(delta.priority(2).because("the intervention was not run")), count("gained"), count("lost")]);
    }
    columns
}

fn caption(part: &Part, further: bool) -> Prose {
    let what = if part.audits.len() == 1 { "The run on " } else { "Variants on " };
    let caption = Prose::said(what).text(part.benchmark.clone()).and(
        ". Cosine: teacher-forced, target stage. Accuracy with its Wilson 95 % interval. Probes: five-fold accuracy for the gold letter; \
         gap: over the questions that have both vectors, so not the difference of the two columns; floor: what the most common letter of each \
         question type gets. Change: against the clean run of the same questions, another content first ([the words](#words) say what each \
         does), with the answers newly right (gained) and newly wrong (lost).",
    );
    let caption = if further { caption.and(" Further interventions stand in the sections below.") } else { caption };
    if part.has_seeds() { caption.and(" Lines in bold are means over seeds; the lines under them are single seeds.") } else { caption }
}

/// The model all runs started from.
fn base_row(base: &VariantSummary) -> Row {
    let name = RunName { style: None, label: "base model".into(), note: Some("no latent block".into()) };
    Row::new("base").kind(RowKind::Base).because(Some(BASE)).cell(crate::document::Value::Run(name)).cells([
        Cell::count(base.examples),
        Cell::absent(""),
        Cell::number(base.accuracy).strong(),
        Cell::interval(base.accuracy_low, base.accuracy_high),
    ])
}

fn run_row(study: &Study, part: &Part, audit: &Audit, interventions: &[Intervention]) -> Row {
    let s = audit.summary();
    let clean = audit.clean();
    let of = |read: Read| Cell::number(s.and_then(read)).or("not measured");
    let accuracy = clean.and_then(|c| c.accuracy).or_else(|| s.and_then(|s| s.accuracy));
    let low = clean.and_then(|c| c.accuracy_low).or_else(|| s.and_then(|s| s.accuracy_low));
    let high = clean.and_then(|c| c.accuracy_high).or_else(|| s.and_then(|s| s.accuracy_high));
    let mut row = row(study, part, audit).cells([
        Cell::count(audit.examples()),
        of(|s| s.cosine),
        Cell::number(accuracy).strong(),
        Cell::interval(low, high),
        of(|s| s.probe_a),
        of(|s| s.probe_b),
        of(|s| s.gap),
        of(|s| s.type_floor),
    ]);
    for intervention in interventions {
        let change = audit.change(*intervention);
        let silent = audit.is_silent() && audit.effect(*intervention).is_some();
        let why = if silent { "no latents ran" } else { "" };
        let behind = super::behind(study, audit, *intervention);
        row = row.cells([
            Cell::number(change.map(|c| c.delta)).or(why).behind(behind.clone().that(Did::Flipped)),
            Cell::count(change.map(|c| c.gained)).or(why).behind(behind.clone().that(Did::Gained)),
            Cell::count(change.map(|c| c.lost)).or(why).behind(behind.that(Did::Lost)),
        ]);
    }
    row
}

fn mean_row(study: &Study, variant: usize, audits: &[&Audit], interventions: &[Intervention]) -> Row {
    let style = &study.variants[variant];
    let name = RunName { style: Some(style.clone()), label: style.name.clone(), note: Some(format!("{} seeds", audits.len())) };
    let mean = |values: Option<(f64, f64, f64)>| Cell::number(values.map(|(mean, _, _)| mean));
    let of = |read: Read| mean(spread(audits.iter().map(|a| a.summary().and_then(read)))).or("not measured");
    let mut row = Row::of_run(name, &style.id, None).at("mean").kind(RowKind::Mean).because(Some(MEAN)).cells([
        Cell::absent(""),
        of(|s| s.cosine),
        of(|s| s.accuracy),
        Cell::absent(""),
        of(|s| s.probe_a),
        of(|s| s.probe_b),
        of(|s| s.gap),
        of(|s| s.type_floor),
    ]);
    for intervention in interventions {
        let delta = mean(spread(audits.iter().map(|a| a.change(*intervention).map(|c| c.delta))));
        row = row.cells([delta.or("no seed has this change"), Cell::absent(""), Cell::absent("")]);
    }
    row
}
