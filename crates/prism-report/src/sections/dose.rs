//! Dose and response: how the answer changes as the damage grows, with what the dose means
//! for these latents (signal-to-noise).

use prism_run::DoseFamily;

use super::{Builder, behind, row, styles};
use crate::charts::lines::{self, Line, Look};
use crate::document::{Cell, Column, Did, Figure, Form, Prose, Row, Section, Table, Tone, Unit};
use crate::study::{Part, Study};

const HEADING: &str = "Dose and response";
/// What would measure it.
const ABSENT: &str = "no graded intervention was run; add `noise:0.1`, `noise:1`, `relative:1` or `mix:0.5` to the audit\u{2019}s \
    interventions";
/// Graded families, with what their amount is.
const FAMILIES: [(DoseFamily, &str, &str); 3] = [
    (DoseFamily::Noise, "noise, raw", "sigma, raw units"),
    (DoseFamily::Relative, "noise, relative", "sigma, shares of the measured spread"),
    (DoseFamily::Mix, "mixed with a donor", "share of the donor"),
];

/// What the table has in its columns.
const CAPTION: &str = "Graded interventions, by family and dose; the clean run is the dose 0. n counts the questions that ran both ways. \
    Signal to noise by norm: the latents against the change made to them; by spread: how latents differ over examples against the change \
    of a dimension. Change: of accuracy against the clean run, in points. Gold margin: change of the log-probability of the gold letter \
    against the best other option.";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    let graded = part.audits.iter().flat_map(|a| &a.findings.doses).any(|d| d.amount > 0.0);
    if !graded {
        return builder.absent(HEADING, ABSENT);
    }
    let table = table(study, part);
    let figure = figure(study, part, &table);
    let figure = (!figure.panels.is_empty()).then_some(figure);
    Some(Section::new("dose", HEADING).maybe(figure).with(table.captioned(CAPTION)))
}

fn columns() -> Vec<Column> {
    let decibels = |name: &'static str, heading: &'static str| {
        let form = Form::Number { unit: Unit::Decibels, digits: 1, signed: false };
        let column = Column::new(name, heading, form).group("signal to noise, dB").priority(2);
        column.because("nothing was changed, or its size was not recorded")
    };
    let delta = Column::points("delta", "change");
    let delta_interval = delta.interval("delta_interval", "95 %").because("the clean run is what others are compared with");
    let margin = Column::nats("margin_delta", "gold margin, nats").priority(2).because("no log-probability of the options was recorded");
    let margin_interval = margin.interval("margin_interval", "95 %").because("the clean run, or the same change in every question");
    vec![
        Column::run(),
        Column::words("family", "family").priority(3),
        Column::intervention(),
        Column::decimal("amount", "dose", 2).priority(3),
        Column::count("examples", "n").priority(2),
        decibels("snr_norm", "by norm"),
        decibels("snr_spread", "by spread"),
        Column::percent("accuracy", "accuracy, %").priority(2),
        delta,
        delta_interval,
        margin,
        margin_interval,
        Column::percent("changed", "outputs changed, %").priority(2),
    ]
}

/// A row for every run, family and dose, the clean run first in each family.
pub fn table(study: &Study, part: &Part) -> Table {
    let mut table = Table::new("dose", columns());
    for audit in &part.audits {
        let silent = audit.is_silent();
        for d in &audit.findings.doses {
            let clean = d.intervention.is_clean();
            let start = row(study, part, audit).at(d.family).because(silent.then_some("no latents ran"));
            // The clean run is of every dose: the page does not hide it when it shows one intervention alone.
            let start = if clean { start.at(d.intervention) } else { start.under(d.intervention) };
            let named = if clean { Cell::words("clean", Tone::Plain) } else { Cell::intervention(d.intervention) };
            // Where no latent ran nothing was changed: a zero would be no finding.
            let effect = |v: Option<f64>| v.filter(|_| !silent);
            let delta = if clean { Some(0.0) } else { d.delta };
            let leads = |cell: Cell, did: Did| if clean { cell } else { cell.behind(behind(study, audit, d.intervention).that(did)) };
            table.push(start.cells([
                Cell::words(d.family.name(), Tone::Plain),
                named,
                Cell::number(d.amount),
                Cell::count(d.examples),
                Cell::number(d.snr_norm),
                Cell::number(d.snr_spread),
                Cell::number(d.accuracy),
                leads(Cell::number(effect(delta)).strong(), Did::Flipped),
                Cell::interval(effect(d.delta_low), effect(d.delta_high)),
                Cell::number(effect(d.margin_delta)),
                Cell::interval(effect(d.margin_low), effect(d.margin_high)),
                leads(Cell::number(d.changed), Did::Changed),
            ]));
        }
    }
    table
}

fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let mut caption = Prose::said(
        "Change in accuracy as the damage grows, with 95 % intervals of the paired difference. A raw sigma means something else in every \
         model. Signal to noise makes runs comparable: the spread of the latents over examples against the root mean square change of a \
         dimension. At 0 dB the noise is as large as what tells examples apart.",
    );
    if part.margin().is_some() {
        caption = caption.and(" The band is the equivalence {margin}.");
    }
    let mut figure = Figure::new("dose", caption).variants(&styles(study, part)).of("dose");
    for (family, name, title) in FAMILIES {
        let by_dose = lines_of(table, family, |row| table.number(row, "amount"));
        if let Some(spec) = lines::spec(&by_dose, &look(part, title)) {
            figure = figure.panel(name, Some(spec));
        }
    }
    let by_noise = lines_of(table, DoseFamily::Noise, |row| {
        let dosed = table.number(row, "amount")? > 0.0;
        table.number(row, "snr_spread").filter(|_| dosed)
    });
    match lines::spec(&by_noise, &look(part, "signal to noise, dB, against the latents\u{2019} spread")) {
        Some(spec) => figure.panel("the same noise, by signal-to-noise", Some(spec)),
        None => figure,
    }
}

fn look<'a>(part: &Part, x: &'a str) -> Look<'a> {
    Look {
        what: "Dose and response",
        x,
        counts: false,
        y: "change in accuracy, points",
        scale: 100.0,
        digits: 1,
        band: part.margin(),
        reference: Some(0.0),
    }
}

/// The changes of a family at `x`; what has one dose only is no line.
fn lines_of(table: &Table, family: DoseFamily, x: impl Fn(&Row) -> Option<f64>) -> Vec<Line<'_>> {
    let mut lines = lines::of_table(table.estimates("delta", Some("delta_interval")), |e| {
        let of_family = table.written("family", &e.row.key) == family.name();
        Some((String::new(), x(e.row).filter(|_| of_family)?))
    });
    lines.retain(|line| line.points.len() > 1);
    lines
}
