//! Training seeds as dots: a variant is the spread of its seeds, never one bar.

use prism_audit::findings::SeedFinding;
use prism_run::Intervention;

use super::{Builder, row, styles};
use crate::charts::Run;
use crate::charts::seeds::{self, Dot, Mean, Spread};
use crate::document::{Cell, CellName, Column, Figure, Form, Row, RunName, Section, Table, Unit};
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Training seeds";
/// Charts of changes, at most.
const PANELS: usize = 5;

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    if !part.has_seeds() {
        return builder.absent(
            HEADING,
            "one training seed a variant, so nothing here says how much a second one would change; `prism study --seeds 5` trains more",
        );
    }
    let (clean, changes) = (clean(study, part), changes(study, part));
    let mut section = Section::new("seeds", HEADING).with(figure(study, part, &clean, &changes));
    for table in [clean, changes] {
        if !table.is_empty() {
            section = section.with(table);
        }
    }
    Some(section)
}

fn figure(study: &Study, part: &Part, clean: &Table, changes: &Table) -> Figure {
    let caption = "Every dot is one training seed. The tick is the mean over seeds and examples, the bar its 95 % interval for seeds and \
        examples not seen (two-way variance components); both are absent where the runs were not compared.";
    let accuracy = spreads(study, part, clean, Intervention::CLEAN);
    let mut figure = Figure::new("seeds", caption)
        .panel("Clean", seeds::spec(&accuracy, "accuracy, clean, %", None, None))
        .variants(&styles(study, part))
        .of("seeds");
    for i in part.interventions().into_iter().filter(|i| !i.is_sham()).take(PANELS) {
        let spreads = spreads(study, part, changes, i);
        figure = figure.panel(i.to_string(), seeds::spec(&spreads, "change in accuracy, points", Some(i), Some(0.0)));
    }
    figure
}

/// The variants with their seeds, and the means of the table. A seed's own number stands in Table 1, or among the interventions.
fn spreads<'a>(study: &'a Study, part: &Part, means: &Table, intervention: Intervention) -> Vec<Spread<'a>> {
    let dot = |audit: &Audit| {
        let own = row(study, part, audit);
        let (value, table, column, own) = if intervention.is_clean() {
            (audit.clean()?.accuracy, "table-1", "accuracy", own)
        } else {
            (audit.change(intervention).map(|c| c.delta), "corruption", "delta", own.under(intervention))
        };
        let cell = CellName { table: table.into(), column: column.into(), row: own.key };
        let seed = audit.seed.map_or_else(String::new, |seed| seed.to_string());
        Some(Dot { seed, value: value.filter(|value| value.is_finite())?, cell })
    };
    let mean = |id: &str| {
        let of = |row: &Row| row.variant.as_deref() == Some(id) && row.intervention == Some(intervention);
        let e = means.estimates("mean", Some("mean_interval")).find(|e| of(e.row))?;
        Some(Mean { value: e.value, low: e.low, high: e.high, cell: e.name })
    };
    let spread = |variant: usize| {
        let style = &study.variants[variant];
        Spread { run: Run { style, label: style.name.clone() }, seeds: part.of(variant).filter_map(dot).collect(), mean: mean(&style.id) }
    };
    part.variants().into_iter().map(spread).collect()
}

/// What the comparison found over seeds, in the order of its rows.
fn found<'a>(study: &'a Study, quantity: &str) -> impl Iterator<Item = &'a SeedFinding> {
    // Items are drawn jointly within a benchmark; a comparison is of one.
    let findings = study.comparison.as_ref().filter(|_| study.parts.len() == 1).map_or(&[][..], |(_, f)| f.seeds.as_slice());
    let accuracy = quantity == ACCURACY;
    findings.iter().filter(move |f| (f.quantity == ACCURACY) == accuracy)
}

/// The quantity of a finding that is of the clean run; the others are of changes.
const ACCURACY: &str = "accuracy";

/// Clean accuracy over the seeds of each variant.
fn clean(study: &Study, part: &Part) -> Table {
    let mean = Column::percent("mean", "accuracy, %");
    let effect = Column::percent("effect", "random effects");
    let mut table = Table::new("seeds", columns(vec![Column::run()], mean, effect));
    for (f, row) in found(study, ACCURACY).filter_map(|f| Some((f, named(study, part, f)?))) {
        // Narrowed to with the clean run, as its dots are.
        table.push(Row { intervention: Some(f.intervention), ..rest(row, f) });
    }
    table.captioned(
        "Clean accuracy over training seeds. 95 %: for seeds and items not seen, then for new items with these seeds. Between seeds: standard \
         deviation beyond what the items explain, in points. Random effects: Paule and Mandel\u{2019}s mean with Hartung and Knapp\u{2019}s \
         interval. Q asks whether seeds agree within their own errors; I²: share of the spread that these do not explain.",
    )
}

/// Changes over the seeds of each variant.
fn changes(study: &Study, part: &Part) -> Table {
    let mean = Column::points("mean", "change");
    let effect = Column::points("effect", "random effects");
    let mut table = Table::new("seed-changes", columns(vec![Column::run(), Column::intervention()], mean, effect));
    for (f, row) in found(study, "delta").filter_map(|f| Some((f, named(study, part, f)?))) {
        table.push(rest(row.under(f.intervention).cell(Cell::intervention(f.intervention)), f));
    }
    table.captioned("Changes of accuracy over training seeds, in points; columns as in the table above.")
}

fn columns(key: Vec<Column>, mean: Column, effect: Column) -> Vec<Column> {
    let mean_interval = mean.interval("mean_interval", "95 %");
    let items_interval = mean.interval("items_interval", "items alone").priority(2);
    let effect = effect.priority(3);
    let effect_interval = effect.interval("effect_interval", "95 %");
    let spread = Form::Number { unit: Unit::Points, digits: 1, signed: false };
    let mut columns = key;
    columns.extend([
        Column::count("n", "seeds").priority(2),
        Column::count("items", "items").priority(2),
        mean,
        mean_interval,
        items_interval,
        Column::new("between_seeds", "between seeds, sd", spread).priority(2),
        effect,
        effect_interval,
        Column::p("q_p", "Q *p*").priority(3),
        Column::percent("i2", "I², %").priority(3),
    ]);
    columns
}

/// The begin of a variant's row, if the benchmark has the variant.
fn named(study: &Study, part: &Part, f: &SeedFinding) -> Option<Row> {
    let style = part.variants().into_iter().map(|v| &study.variants[v]).find(|style| style.id == f.variant)?;
    let name = RunName { style: Some(style.clone()), label: style.name.clone(), note: None };
    Some(Row::of_run(name, &style.id, None).because(f.reason.as_deref()))
}

/// The row's numbers.
fn rest(row: Row, f: &SeedFinding) -> Row {
    row.cells([
        Cell::count(f.seeds),
        Cell::count(f.items),
        Cell::number(f.mean).strong(),
        Cell::interval(f.low, f.high),
        Cell::interval(f.items_low, f.items_high),
        Cell::number(f.between_seeds),
        Cell::number(f.effect),
        Cell::interval(f.effect_low, f.effect_high),
        Cell::number(f.q_p),
        Cell::number(f.i2),
    ])
}
