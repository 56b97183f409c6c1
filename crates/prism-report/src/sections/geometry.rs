//! What the latents are like: how many dimensions they use, how alike those of different
//! examples are. Latents that hardly differ between examples cannot carry an answer.

use prism_audit::findings::GeometryFinding;
use prism_run::Cloud;

use super::latent_steps::{Steps, key_count, key_words};
use super::{Builder, DRAWN, row, styles};
use crate::charts::lines::{self, Look};
use crate::document::{Cell, Column, Figure, Prose, Row, Section, Table};
use crate::html::dashed;
use crate::study::{Audit, Part, Study};

const HEADING: &str = "The shape of the latents";
/// Why a spread is absent.
const ONE: &str = "fewer than two vectors";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    let table = table(study, part);
    if table.is_empty() {
        return builder.absent(HEADING, "no run recorded latents: the blocks never opened, or an earlier version wrote the records");
    }
    let figure = figure(study, part, &table);
    Some(Section::new("geometry", HEADING).with(figure).with(table.captioned(
        "The latents at each step: as decoded (free-running), fed the targets (teacher-forced), and the targets themselves. Norm: mean \
         over examples, with its standard deviation. Spread: root mean square over dimensions of the standard deviation over examples. At \
         most: what the {effective rank} and the participation ratio cannot exceed. The last two columns are mean cosines, to the block’s \
         end token and to the same example’s vector of the step before.",
    )))
}

/// A row for each mode, stage and step of each run.
pub fn table(study: &Study, part: &Part) -> Table {
    let mut table = Table::new(
        "geometry",
        vec![
            Column::run(),
            key_words("mode"),
            key_words("stage"),
            key_count("step"),
            Column::count("vectors", "vectors").priority(2),
            Column::decimal("norm", "norm", 2).priority(2),
            Column::decimal("norm_sd", "sd", 2).attached().priority(2).because(ONE),
            Column::decimal("spread", "spread", 3).priority(2).because(ONE),
            Column::decimal("inter_example_cosine", "inter-example cosine", 3).because("fewer than two vectors, or one without length"),
            Column::decimal("effective_rank", "effective rank", 1),
            Column::count("rank_bound", "at most"),
            Column::decimal("participation_ratio", "participation ratio", 1).priority(3),
            Column::percent("first_share", "first direction, %").priority(2),
            Column::decimal("end_cosine", "to end token", 3).priority(3),
            Column::decimal("previous_cosine", "to step before", 3).priority(3),
        ],
    );
    for audit in &part.audits {
        for finding in &audit.findings.geometry {
            table.push(of(study, part, audit, finding));
        }
    }
    table
}

fn of(study: &Study, part: &Part, audit: &Audit, f: &GeometryFinding) -> Row {
    let decoded = f.mode == Cloud::FreeRunning;
    row(study, part, audit).at(dashed(f.mode)).at(f.stage).at(f.step).because(f.reason.as_deref()).cells([
        Cell::text(dashed(f.mode)),
        Cell::text(f.stage.name()),
        Cell::count(f.step),
        Cell::count(f.vectors),
        Cell::number(f.norm),
        Cell::number(f.norm_sd),
        Cell::number(f.spread),
        Cell::number(f.inter_example_cosine),
        Cell::number(f.effective_rank),
        Cell::count(f.reason.is_none().then_some(f.rank_bound)),
        Cell::number(f.participation_ratio),
        Cell::number(f.first_share),
        Cell::number(f.end_cosine).or(if decoded { "the records have no such cosine" } else { "taken of latents as decoded only" }),
        Cell::number(f.previous_cosine).or(if f.step == 0 { "the first step" } else { "no example has both vectors, each with a length" }),
    ])
}

fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let steps = Steps::of(table, "vectors");
    let spec = |value: &'static str, y: &'static str, digits: usize| {
        let look = Look { what: "Latents as decoded", x: "latent step", counts: true, y, scale: 1.0, digits, band: None, reference: None };
        lines::spec(&steps.lines(&dashed(Cloud::FreeRunning), value, None), &look)
    };
    let caption = Prose::said(
        "{Latents|latent} of the clean run by step. Effective rank: the exponential of the entropy of the centred singular values (Roy and \
         Vetterli 2007); the table has the most that it can be. A {cosine} near 1 between different examples’ latents means that the \
         block says nearly the same for all of them.",
    );
    Figure::new("geometry", caption.and(DRAWN))
        .panel("Dimensions in use", spec("effective_rank", "effective rank", 1))
        .panel("Alike over examples", spec("inter_example_cosine", "mean cosine of two examples’ latents", 3))
        .variants(&styles(study, part))
        .of("geometry")
}
