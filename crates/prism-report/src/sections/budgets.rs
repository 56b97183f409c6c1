//! Accuracy and content effect over the step budget K, one line an arm.

use prism_audit::findings::{BudgetFinding, marked};

use super::{Builder, row, styles};
use crate::charts::lines::{self, Line, Look};
use crate::document::table::KEY;
use crate::document::{Cell, Column, Figure, Prose, Row, RowKind, RunName, Section, Table};
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Over the number of latent steps";
/// Why there is no K in a row.
const DECLARED: &str = "the K declared for the study";
/// Why a line of means lacks what is no mean.
const MEAN: &str = "of a mean over seeds";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    // A comparison is of one benchmark.
    let found = study.comparison.as_ref().filter(|_| study.parts.len() == 1).map_or(&[][..], |(_, f)| f.budgets.as_slice());
    if !found.iter().any(|f| f.k.is_some()) {
        return builder.absent(HEADING, "the study was audited at one K; name more in the recipe\u{2019}s `audit.sweep`");
    }
    let table = table(study, part, found);
    let figure = figure(study, part, &table);
    Some(Section::new("budgets", HEADING).with(figure).with(table))
}

fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let accuracy =
        Look { what: "Accuracy over K", x: "K", counts: true, y: "accuracy, %", scale: 100.0, digits: 1, band: None, reference: None };
    let changed = Look {
        what: "Answers changed by the exchange that changes most, over K",
        y: "answers changed, %",
        reference: Some(0.0),
        band: part.margin(),
        ..accuracy
    };
    let caption = Prose::said(
        "Left: clean accuracy. Right: the largest share of answers that any exchange or resampling of the whole block changes; the bar \
         reaches to its one-sided 95 % bound, and the band is the {margin} below which content is not used. ",
    )
    .and(if part.has_seeds() {
        "Means over seeds; bars are means of the seeds\u{2019} own."
    } else {
        "One seed; bars are 95 % intervals over questions."
    })
    .and(
        " A staged variant runs K steps in its target stage and 2 K in its context stage. Only the declared K was chosen before the runs; \
         words at another K are exploratory.",
    );
    let mut bounds = drawn(table, "changed", None);
    for point in bounds.iter_mut().flat_map(|line| &mut line.points) {
        let row = point.cell.as_ref().and_then(|cell| table.rows().iter().find(|row| row.key == cell.row));
        point.high = row.and_then(|row| table.number(row, "changed_bound"));
    }
    Figure::new("budgets", caption)
        .panel("Clean accuracy", lines::spec(&drawn(table, "accuracy", Some("accuracy_interval")), &accuracy))
        .panel("Answers that an exchange changes", lines::spec(&bounds, &changed))
        .variants(&styles(study, part))
        .of("budgets")
}

/// A line a variant: of its means where it has several seeds, else of its run.
fn drawn<'a>(table: &'a Table, column: &'a str, interval: Option<&str>) -> Vec<Line<'a>> {
    let kept = table.estimates(column, interval).filter(|e| e.row.kind != RowKind::Seed);
    lines::of_table(kept, |e| Some((String::new(), table.count(e.row, "k")? as f64)))
}

/// The rows of an arm by K, the declared one first.
fn over_k<'a>(found: &'a [BudgetFinding], variant: &str) -> Vec<(Option<usize>, Vec<&'a BudgetFinding>)> {
    let mut all: Vec<(Option<usize>, Vec<&BudgetFinding>)> = Vec::new();
    for f in found.iter().filter(|f| f.variant == variant) {
        match all.iter_mut().find(|(known, _)| *known == f.k) {
            Some((_, rows)) => rows.push(f),
            None => all.push((f.k, vec![f])),
        }
    }
    all.sort_by_key(|(k, _)| *k);
    all
}

fn columns() -> Vec<Column> {
    let accuracy = Column::percent("accuracy", "accuracy, %");
    let interval = accuracy.interval("accuracy_interval", "95 %");
    vec![
        Column::run(),
        Column::count("k", "K").priority(KEY).because(DECLARED),
        Column::count("steps_context", "steps: context").priority(2).because("the variant has no such stage"),
        Column::count("steps_target", "target").attached().priority(2),
        Column::words("inside", "inside the trained lengths").priority(2).because("the lengths of training are unknown"),
        Column::count("n", "n").priority(3),
        accuracy,
        interval,
        Column::percent("parsed", "parsed, %").priority(3),
        Column::decimal("cosine_free", "cosine, free", 3).priority(3).because("not measured"),
        Column::percent("changed", "changed, %").because("no exchange was run"),
        Column::percent("changed_bound", "at most, %").attached().because("no exchange was run"),
        Column::points("delta", "change").priority(2).because("no exchange was run"),
        Column::words("word", "word").because("the run was not judged"),
        Column::words("block", "block").priority(2).because("the run was not judged"),
    ]
}

/// A row for every run and K; for a variant of several seeds their means by K before them.
fn table(study: &Study, part: &Part, found: &[BudgetFinding]) -> Table {
    let mut table = Table::new("budgets", columns());
    for variant in part.variants() {
        let style = &study.variants[variant];
        let audits: Vec<&Audit> = part.of(variant).collect();
        if audits.len() > 1 {
            let name = RunName { style: Some(style.clone()), label: style.name.clone(), note: Some("mean".into()) };
            for (k, rows) in over_k(found, &style.id) {
                table.push(mean(Row::of_run(name.clone(), &style.id, None).at("mean").at(at(k)), k, &rows));
            }
        }
        for audit in &audits {
            let kind = if audits.len() > 1 { RowKind::Seed } else { RowKind::First };
            for f in found.iter().filter(|f| f.variant == style.id && f.seed == audit.seed) {
                table.push(run(row(study, part, audit).at(at(f.k)).kind(kind), f));
            }
        }
    }
    let caption = Prose::said(
        "The clean run and the exchanges that decide at every K. Steps: of the context stage, then of the target stage. Changed: the largest \
         share of answers that an exchange or resampling changes, with the largest one-sided 95 % bound. Change: accuracy under the one that \
         moves it most, in points against the clean run. A word with a star speaks of a K outside the trained lengths, or of one not declared \
         beforehand.",
    );
    table.captioned(if part.has_seeds() {
        caption.and(" Lines in bold are means over seeds, of the intervals\u{2019} ends too.")
    } else {
        caption
    })
}

/// A K as a key has it.
fn at(k: Option<usize>) -> String {
    k.map_or_else(|| "declared".to_string(), |k| format!("k={k}"))
}

/// One run at one K.
fn run(row: Row, f: &BudgetFinding) -> Row {
    let word = match f.word {
        Some(word) => Cell::words(marked(word, f.qualifier.as_deref()), word.into()).note(f.qualifier.clone()),
        None => Cell::absent(""),
    };
    row.cells([
        Cell::count(f.k),
        Cell::count(f.steps_context),
        Cell::count(f.steps_target),
        Cell::truth(f.inside_lengths),
        Cell::count(f.examples),
        Cell::number(f.accuracy).strong(),
        Cell::interval(f.accuracy_low, f.accuracy_high),
        Cell::number(f.parsed),
        Cell::number(f.cosine_free),
        Cell::number(f.most_changed),
        Cell::number(f.changed_bound),
        Cell::number(f.content_delta),
        word,
        f.presence.map_or_else(|| Cell::absent(""), Cell::word),
    ])
}

/// The seeds of a variant at one K.
fn mean(row: Row, k: Option<usize>, rows: &[&BudgetFinding]) -> Row {
    let of = |read: fn(&BudgetFinding) -> Option<f64>| {
        let values: Vec<f64> = rows.iter().filter_map(|f| read(f)).filter(|value| value.is_finite()).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let nothing = || Cell::absent(MEAN);
    let steps = |read: fn(&BudgetFinding) -> Option<usize>| {
        let first = rows.first().and_then(|f| read(f));
        Cell::count(first.filter(|_| rows.iter().all(|f| read(f) == first)))
    };
    row.kind(RowKind::Mean).cells([
        Cell::count(k).or(DECLARED),
        steps(|f| f.steps_context),
        steps(|f| f.steps_target),
        nothing(),
        nothing(),
        Cell::number(of(|f| f.accuracy)).strong(),
        Cell::interval(of(|f| f.accuracy_low), of(|f| f.accuracy_high)),
        Cell::number(of(|f| f.parsed)),
        Cell::number(of(|f| f.cosine_free)),
        Cell::number(of(|f| f.most_changed)),
        Cell::number(of(|f| f.changed_bound)),
        Cell::number(of(|f| f.content_delta)),
        nothing(),
        nothing(),
    ])
}
