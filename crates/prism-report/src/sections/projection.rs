//! The latents in a plane, by step and answer: points to look at, no result.

use std::collections::BTreeMap;

use prism_run::Stage;

use super::{Builder, first_seed_note, first_seeds, run};
use crate::charts::projection::{self, Point};
use crate::gallery::read_examples;
use crate::html::clipped;
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Latents in a plane";
/// Points of one chart, at most.
const MOST: usize = 900;
/// Charts, at most.
const PANELS: usize = 12;

/// The section. What is not drawn is named in `left_out`.
pub fn section(study: &Study, part: &Part, builder: &mut Builder, left_out: &mut Vec<String>) -> String {
    let mut charts = Vec::new();
    let mut thinned = false;
    for audit in first_seeds(part) {
        let ids = ids(audit, left_out);
        for stage in [Stage::Context, Stage::Target] {
            let of: Vec<_> = audit.findings.projection.iter().filter(|p| p.stage == stage).collect();
            let Some(first) = of.first() else { continue };
            if charts.len() == PANELS {
                left_out.push(format!("latents in a plane: {}, {stage} stage, after {PANELS} charts", part.run_name(study, audit)));
                continue;
            }
            // Whole examples stay or go, evenly over the file.
            let mut rows: Vec<usize> = of.iter().map(|p| p.row).collect();
            rows.dedup();
            let steps = of.len().div_ceil(rows.len().max(1));
            let every = rows.len().div_ceil((MOST / steps.max(1)).max(1)).max(1);
            thinned |= every > 1;
            let kept: std::collections::BTreeSet<usize> = rows.into_iter().step_by(every).collect();
            let points: Vec<Point> = of
                .iter()
                .filter(|p| kept.contains(&p.row))
                .take(MOST)
                .map(|p| Point {
                    example: ids.get(&p.row).cloned().unwrap_or_else(|| format!("row {}", p.row)),
                    step: p.step,
                    x: p.x,
                    y: p.y,
                    answer: p.answer.as_deref().map_or_else(|| "none".into(), |a| clipped(a, 12)),
                    label: clipped(&p.label, 12),
                })
                .collect();
            let title = format!("{}, {stage} stage", study.style(audit).name);
            charts.push((projection::spec(&run(study, part, audit), stage, &points, (first.x_share, first.y_share)), title));
        }
    }
    if charts.is_empty() {
        return builder
            .absent(HEADING, "no run has latents that differ: the blocks never opened, or an earlier version wrote the findings");
    }
    let fewer = if thinned { format!(" At most {MOST} latents a chart, whole examples evenly over the file.") } else { String::new() };
    let caption = format!(
        "Latents of the clean run in the plane of their stage\u{2019}s first two principal components: colour is the step (each chart from its first to its last), shape the letter answered (a cross: none). A point leads to its example, where that has a card.{fewer}{} Two axes of many: clusters by step are seen far more easily than what tells answers apart; the probes ask that.",
        first_seed_note(part)
    );
    let figure = builder.figure("projection", charts, &[], &caption);
    builder.section("projection", HEADING, &figure)
}

fn ids(audit: &Audit, left_out: &mut Vec<String>) -> BTreeMap<usize, String> {
    match read_examples(audit) {
        Ok(rows) => rows.into_iter().map(|e| (e.row, clipped(&e.id, 80))).collect(),
        Err(e) => {
            left_out.push(format!("examples\u{2019} names under latents in a plane: {e}"));
            BTreeMap::new()
        }
    }
}
