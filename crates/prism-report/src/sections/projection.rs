//! The latents in a plane, by step and answer: points to look at, no result.

use std::collections::{BTreeMap, BTreeSet};

use prism_audit::findings::ProjectionFinding;
use prism_run::Stage;
use prism_run::records::{self, narrow::ExampleKey};
use prism_run::stream::RowReader;

use super::latent_steps::key_words;
use super::{Builder, first_seed_note, first_seeds, row, run};
use crate::charts::projection::{self, Point};
use crate::document::{Cell, Column, Figure, Prose, Section, Table};
use crate::html::clipped;
use crate::number::significant;
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Latents in a plane";
/// Points of one chart, at most.
const MOST: usize = 900;
/// Digits of a point's place: more are not seen.
const DIGITS: usize = 5;
/// Charts, at most.
const PANELS: usize = 12;

/// The section. What is not drawn is named in `left_out`.
pub fn section(study: &Study, part: &Part, builder: &mut Builder, left_out: &mut Vec<String>) -> Option<Section> {
    let mut table = Table::new("projection", columns());
    let mut figure = Figure::new("projection", Prose::default()).of("projection");
    for audit in first_seeds(part) {
        let ids = ids(audit, left_out);
        for stage in [Stage::Context, Stage::Target] {
            let all: Vec<&ProjectionFinding> = audit.findings.projection.iter().filter(|p| p.stage == stage).collect();
            let Some(first) = all.first() else { continue };
            let points = (figure.panels.len() < PANELS).then(|| points(&all, &ids));
            if points.is_none() {
                left_out.push(format!("latents in a plane: {}, {stage} stage, after {PANELS} charts", part.run_name(study, audit)));
            }
            table.push(row(study, part, audit).at(stage).cells([
                Cell::text(stage.name()),
                Cell::count(all.len()),
                Cell::count(points.as_ref().map(Vec::len)),
                Cell::number(first.x_share),
                Cell::number(first.y_share),
            ]));
            if let (Some(points), Some(placed)) = (points, table.rows().last()) {
                let shares = ["x_share", "y_share"].map(|column| table.written(column, &placed.key));
                let title = format!("{}, {stage} stage", study.style(audit).name);
                figure = figure.panel(title, projection::spec(&run(study, part, audit), stage, &points, &shares));
            }
        }
    }
    if table.is_empty() {
        return builder
            .absent(HEADING, "no run has latents that differ: the blocks never opened, or an earlier version wrote the findings");
    }
    figure.caption = caption(part, &table);
    Some(Section::new("projection", HEADING).with(figure).with(
        table.captioned("What is drawn: latents of the clean run, and the share of their variance along each of the two components."),
    ))
}

fn columns() -> Vec<Column> {
    vec![
        Column::run(),
        key_words("stage"),
        Column::count("latents", "latents"),
        Column::count("drawn", "drawn").because("the page has no room for a further chart"),
        Column::percent("x_share", "first component, %"),
        Column::percent("y_share", "second component, %"),
    ]
}

fn caption(part: &Part, table: &Table) -> Prose {
    let caption = Prose::said(
        "{Latents|latent} of the clean run in the plane of their stage’s first two principal components: the colour is the step (each \
         chart from its first to its last), the shape the letter answered (a cross: none). A point leads to its example, where that has a \
         card.",
    );
    let thinned = table.rows().iter().any(|row| table.count(row, "drawn").is_some_and(|drawn| table.count(row, "latents") > Some(drawn)));
    let fewer = if thinned { " Where a chart has no room for all latents, whole examples are drawn, evenly over the file." } else { "" };
    caption
        .and(fewer)
        .and(first_seed_note(part))
        .and(" Two axes of many: clusters by step are far easier to see than what tells answers apart, which is what the probes test.")
}

/// At most [`MOST`] latents: whole examples stay or go, evenly over the file.
fn points(all: &[&ProjectionFinding], ids: &BTreeMap<usize, String>) -> Vec<Point> {
    let mut rows: Vec<usize> = all.iter().map(|p| p.row).collect();
    rows.dedup();
    let steps = all.len().div_ceil(rows.len().max(1));
    let every = rows.len().div_ceil((MOST / steps.max(1)).max(1)).max(1);
    let kept: BTreeSet<usize> = rows.into_iter().step_by(every).collect();
    let drawn = all.iter().filter(|p| kept.contains(&p.row) && p.x.is_finite() && p.y.is_finite()).take(MOST);
    drawn
        .map(|p| Point {
            example: ids.get(&p.row).cloned().unwrap_or_else(|| format!("row {}", p.row)),
            step: p.step,
            x: significant(p.x, DIGITS),
            y: significant(p.y, DIGITS),
            answer: p.answer.as_deref().map_or_else(|| "none".into(), |a| clipped(a, 12)),
            label: clipped(&p.label, 12),
        })
        .collect()
}

fn ids(audit: &Audit, left_out: &mut Vec<String>) -> BTreeMap<usize, String> {
    let names = || -> prism_run::Result<BTreeMap<usize, String>> {
        let rows = RowReader::<ExampleKey>::open(&records::folder(&audit.folder).join(records::files::EXAMPLES))?;
        rows.map(|row| row.map(|e| (e.row, clipped(&e.id, 80)))).collect()
    };
    match names() {
        Ok(names) => names,
        Err(e) => {
            left_out.push(format!("examples\u{2019} names under latents in a plane: {e}"));
            BTreeMap::new()
        }
    }
}
