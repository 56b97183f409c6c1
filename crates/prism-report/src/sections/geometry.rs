//! What the latents are like: how many dimensions they use, how alike those of different
//! examples are. Latents that hardly differ between examples cannot carry an answer.

use prism_audit::findings::GeometryFinding;
use prism_run::{Cloud, Stage};

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, DRAWN, is_drawn, run, styles};
use crate::charts::lines::{self, Line, Look, Point};
use crate::html::dashed;
use crate::number::{decimal, percent};
use crate::study::{Part, Study};

const HEADING: &str = "The shape of the latents";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    if part.audits.iter().all(|a| a.findings.geometry.is_empty()) {
        return builder.absent(HEADING, "no run recorded latents: the blocks never opened, or an earlier version wrote the records");
    }
    let lines = |pick: fn(&GeometryFinding) -> Option<f64>| -> Vec<Line<'_>> {
        let mut all = Vec::new();
        for audit in &part.audits {
            let most = audit.findings.geometry.iter().map(|f| f.vectors).max().unwrap_or(0);
            for stage in [Stage::Context, Stage::Target] {
                let of = audit
                    .findings
                    .geometry
                    .iter()
                    .filter(|f| f.mode == Cloud::FreeRunning && f.stage == stage && is_drawn(f.vectors, most));
                let points: Vec<Point> = of.filter_map(|f| Some(Point { x: f.step as f64, y: pick(f)?, ..Point::default() })).collect();
                if !points.is_empty() {
                    all.push(Line { run: run(study, part, audit), name: format!("{stage} stage"), points });
                }
            }
        }
        all
    };
    let look =
        |y| Look { what: "Latents as decoded", x: "latent step", counts: true, y, scale: 1.0, digits: 2, band: None, reference: None };
    let charts = vec![
        (lines::spec(&lines(|f| f.effective_rank), &look("effective rank")), "Dimensions in use".to_string()),
        (
            lines::spec(&lines(|f| f.inter_example_cosine), &look("mean cosine of two examples\u{2019} latents")),
            "Alike over examples".to_string(),
        ),
    ];
    let caption = format!(
        "Latents of the clean run by step. Effective rank: exponential of the entropy of the centred singular values (Roy and Vetterli 2007), at most as in the table. A cosine near 1 between different examples\u{2019} latents means the block says nearly the same for all of them.{DRAWN}"
    );
    let mut out = builder.figure("geometry", charts, &styles(study, part), &caption);
    let mut t = Table::new(&[
        (TEXT, "mode"),
        (TEXT, "stage"),
        (NUMBER, "step"),
        (NUMBER, "vectors"),
        (NUMBER, "norm"),
        (NUMBER, "sd"),
        (NUMBER, "spread"),
        (NUMBER, "inter-example cosine"),
        (NUMBER, "effective rank"),
        (NUMBER, "participation ratio"),
        (NUMBER, "at most"),
        (NUMBER, "first direction, %"),
        (NUMBER, "cosine to end token"),
        (NUMBER, "to step before"),
    ]);
    for audit in &part.audits {
        for f in &audit.findings.geometry {
            let mut cells = vec![
                dashed(f.mode),
                f.stage.to_string(),
                f.step.to_string(),
                f.vectors.to_string(),
                decimal(f.norm, 2),
                decimal(f.norm_sd, 2),
                decimal(f.spread, 3),
                decimal(f.inter_example_cosine, 3),
            ];
            if f.reason.is_none() {
                cells.extend([
                    decimal(f.effective_rank, 1),
                    decimal(f.participation_ratio, 1),
                    f.rank_bound.to_string(),
                    percent(f.first_share),
                    decimal(f.end_cosine, 3),
                    decimal(f.previous_cosine, 3),
                ]);
            }
            t.row(study, part, audit, None, &cells, f.reason.as_deref());
        }
    }
    out.push_str(&builder.table(
        "geometry",
        "The cloud of latents at each step: as decoded (free-running), fed the targets (teacher-forced), and the targets themselves. Spread: root mean square over dimensions of the standard deviation over examples.",
        &t.finish(),
    ));
    builder.section("geometry", HEADING, &out)
}
