//! Do latents find their own targets? A high cosine says little where every latent is near
//! every target.

use prism_run::{Cloud, Stage};

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, DRAWN, is_drawn, run, styles};
use crate::charts::lines::{self, Line, Look, Point};
use crate::html::dashed;
use crate::number::{decimal, interval, percent};
use crate::study::{Part, Study};

const HEADING: &str = "Does a latent know its own target?";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    if part.audits.iter().all(|a| a.findings.retrieval.is_empty()) {
        return builder.absent(HEADING, "no run has latents with teacher targets of their own");
    }
    let mut lines: [Vec<Line<'_>>; 2] = Default::default();
    for audit in &part.audits {
        let most = audit.findings.retrieval.iter().map(|f| f.pairs).max().unwrap_or(0);
        for (mode, of_mode) in [Cloud::TeacherForced, Cloud::FreeRunning].into_iter().zip(&mut lines) {
            for stage in [Stage::Context, Stage::Target] {
                let of = audit.findings.retrieval.iter().filter(|f| f.mode == mode && f.stage == stage && is_drawn(f.pairs, most));
                let point = |f: &prism_audit::findings::RetrievalFinding| {
                    Some(Point { x: f.step as f64, y: f.at_1?, low: f.at_1_low, high: f.at_1_high, key: None })
                };
                let points: Vec<Point> = of.filter_map(point).collect();
                if !points.is_empty() {
                    of_mode.push(Line { run: run(study, part, audit), name: format!("{stage} stage"), points });
                }
            }
        }
    }
    let largest = |a: &crate::study::Audit| a.findings.retrieval.iter().map(|f| f.pairs).max().unwrap_or(0);
    let drawn = part.audits.iter().flat_map(|a| a.findings.retrieval.iter().filter(|f| is_drawn(f.pairs, largest(a))));
    let chance = drawn.filter_map(|f| f.chance_1).filter(|c| c.is_finite()).reduce(f64::max);
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
    let [forced, free] = &lines;
    let charts = vec![(lines::spec(forced, &look), "Teacher-forced".to_string()), (lines::spec(free, &look), "Free-running".to_string())];
    let caption = format!(
        "Share of latents whose own teacher target is the nearest among all examples\u{2019} targets at that step, by cosine, with Wilson 95 % intervals; dashed: what guessing gets (the largest over steps). High cosine with low retrieval is a direction all targets share.{DRAWN}"
    );
    let mut out = builder.figure("retrieval", charts, &styles(study, part), &caption);
    let mut t = Table::new(&[
        (TEXT, "mode"),
        (TEXT, "stage"),
        (NUMBER, "step"),
        (NUMBER, "pairs"),
        (NUMBER, "cosine, own"),
        (NUMBER, "others\u{2019}"),
        (NUMBER, "centred"),
        (NUMBER, "whitened"),
        (NUMBER, "at 1, %"),
        (NUMBER, "95 %"),
        (NUMBER, "at 5, %"),
        (NUMBER, "centred at 1, %"),
        (NUMBER, "centred at 5, %"),
        (NUMBER, "chance at 1, at 5, %"),
    ]);
    for audit in &part.audits {
        for f in &audit.findings.retrieval {
            let mut cells = vec![dashed(f.mode), f.stage.to_string(), f.step.to_string(), f.pairs.to_string()];
            if f.reason.is_none() || f.cosine.is_some() {
                cells.extend([
                    decimal(f.cosine, 3),
                    decimal(f.cosine_others, 3),
                    decimal(f.centred, 3),
                    decimal(f.whitened, 3),
                    percent(f.at_1),
                    interval(f.at_1_low, f.at_1_high, percent),
                    percent(f.at_5),
                    percent(f.centred_at_1),
                    percent(f.centred_at_5),
                    format!("{}, {}", percent(f.chance_1), percent(f.chance_5)),
                ]);
            }
            t.row(study, part, audit, None, &cells, f.reason.as_deref());
        }
    }
    out.push_str(&builder.table(
        "retrieval",
        "Latents beside their own targets and beside other examples\u{2019}. Centred: each side\u{2019}s mean taken off; whitened: in the metric of the targets\u{2019} covariance, shrunk. At 1, at 5: the own target is the nearest, among the five nearest.",
        &t.finish(),
    ));
    builder.section("retrieval", HEADING, &out)
}
