//! Do latents find their own targets? A high cosine says little where every latent is near
//! every target.

use prism_audit::findings::RetrievalFinding;
use prism_run::Cloud;

use super::latent_steps::{Steps, key_count, key_words};
use super::{Builder, DRAWN, row, styles};
use crate::charts::lines::{self, Look};
use crate::document::{Cell, Column, Figure, Prose, Row, Section, Table};
use crate::html::dashed;
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Does a latent know its own target?";
/// Modes of a panel each, with its title.
const MODES: [(Cloud, &str); 2] = [(Cloud::TeacherForced, "Teacher-forced"), (Cloud::FreeRunning, "Free-running")];
/// Why there is no cosine where the finding gives no reason.
const NO_LENGTH: &str = "a latent or a target has no length";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    let table = table(study, part);
    if table.is_empty() {
        return builder.absent(HEADING, "no run has latents with teacher targets of their own");
    }
    let figure = figure(study, part, &table);
    Some(Section::new("retrieval", HEADING).with(figure).with(table.captioned(
        "Each latent against its own target and against other examples’ targets. Centred: the mean of each side is taken off first; \
         {whitened}: in the metric of the targets’ covariance, shrunk. At 1 and at 5: the own target is the nearest, or among the five \
         nearest; chance: what guessing gets.",
    )))
}

/// A row for each mode, stage and step of each run.
pub fn table(study: &Study, part: &Part) -> Table {
    let cosine = |name, heading| Column::decimal(name, heading, 3).because(NO_LENGTH);
    let share = |name, heading| Column::percent(name, heading).because(NO_LENGTH);
    let at_1 = share("at_1", "at 1, %");
    let at_1_interval = at_1.interval("at_1_interval", "95 %").because(NO_LENGTH);
    let mut table = Table::new(
        "retrieval",
        vec![
            Column::run(),
            key_words("mode"),
            key_words("stage"),
            key_count("step"),
            Column::count("pairs", "pairs").priority(2),
            cosine("cosine", "cosine, own"),
            cosine("cosine_others", "cosine, others’"),
            cosine("centred", "centred").priority(2),
            cosine("whitened", "whitened").priority(2),
            at_1,
            at_1_interval,
            share("at_5", "at 5, %").priority(2),
            share("centred_at_1", "centred at 1, %").priority(3),
            share("centred_at_5", "centred at 5, %").priority(3),
            Column::percent("chance_1", "chance at 1, %").priority(2).because("no pairs"),
            Column::percent("chance_5", "chance at 5, %").priority(3).because("no pairs"),
        ],
    );
    for audit in &part.audits {
        for finding in &audit.findings.retrieval {
            table.push(of(study, part, audit, finding));
        }
    }
    table
}

fn of(study: &Study, part: &Part, audit: &Audit, f: &RetrievalFinding) -> Row {
    row(study, part, audit).at(dashed(f.mode)).at(f.stage).at(f.step).because(f.reason.as_deref()).cells([
        Cell::text(dashed(f.mode)),
        Cell::text(f.stage.name()),
        Cell::count(f.step),
        Cell::count(f.pairs),
        Cell::number(f.cosine),
        Cell::number(f.cosine_others),
        Cell::number(f.centred),
        Cell::number(f.whitened),
        Cell::number(f.at_1),
        Cell::interval(f.at_1_low, f.at_1_high),
        Cell::number(f.at_5),
        Cell::number(f.centred_at_1),
        Cell::number(f.centred_at_5),
        Cell::number(f.chance_1),
        Cell::number(f.chance_5),
    ])
}

fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let steps = Steps::of(table, "pairs");
    let chance = table.estimates("chance_1", None).filter(|e| steps.is_drawn(e.row)).map(|e| e.value).reduce(f64::max);
    let look = Look {
        what: "Retrieval of the own target",
        x: "latent step",
        counts: true,
        y: "own target nearest, %",
        scale: 100.0,
        digits: 1,
        band: None,
        reference: chance,
    };
    let caption = Prose::said(
        "How often a {latent}’s own teacher target is the nearest, by {cosine}, among all examples’ targets at that step, with Wilson 95 % \
         intervals. Dashed: what guessing gets, the largest over the steps. A high cosine with low retrieval means that all targets \
         share a direction.",
    );
    let mut figure = Figure::new("retrieval", caption.and(DRAWN));
    for (mode, title) in MODES {
        figure = figure.panel(title, lines::spec(&steps.lines(&dashed(mode), "at_1", Some("at_1_interval")), &look));
    }
    figure.variants(&styles(study, part)).of("retrieval")
}
