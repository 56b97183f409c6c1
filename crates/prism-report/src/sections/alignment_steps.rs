//! Alignment step by step, on the targets' own path and on the model's (method, section 5),
//! from the records: an audit's findings hold the mean over steps only.

use std::collections::BTreeMap;

use prism_audit::clusters::Clusters;
use prism_audit::statistics::cluster_robust::cluster_mean;
use prism_run::records::{self, AlignmentRow, files};
use prism_run::table::read_rows;
use prism_run::{Mode, Stage};

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, DRAWN, is_drawn, run, styles};
use crate::charts::lines::{self, Line, Look, Point};
use crate::gallery::read_examples;
use crate::html::dashed;
use crate::number::{decimal, interval};
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Alignment, step by step";
/// Modes of a panel each, with its title.
const MODES: [(Mode, &str); 2] = [(Mode::TeacherForced, "Teacher-forced"), (Mode::FreeRunning, "Free-running")];

/// Mode, stage and step of a mean.
type Place = (Mode, Stage, usize);

/// One mean over examples.
struct Mean {
    examples: usize,
    cosine: f64,
    low: Option<f64>,
    high: Option<f64>,
}

/// The section. Records that cannot be read are named in `left_out`.
pub fn section(study: &Study, part: &Part, builder: &mut Builder, left_out: &mut Vec<String>) -> String {
    let mut all: Vec<(&Audit, BTreeMap<Place, Mean>)> = Vec::new();
    for audit in &part.audits {
        match means(audit) {
            Ok(means) if means.is_empty() => {}
            Ok(means) => all.push((audit, means)),
            Err(e) => left_out.push(format!("alignment by step: {e}")),
        }
    }
    if all.is_empty() {
        return builder.absent(
            HEADING,
            "no run recorded latents beside teacher targets: the examples have no boxes, the blocks never opened, or `alignment` was 0",
        );
    }
    let look = Look {
        what: "Alignment by step",
        x: "latent step",
        counts: true,
        y: "cosine of latent and target",
        scale: 1.0,
        digits: 3,
        band: None,
        reference: None,
    };
    let mut charts = Vec::new();
    for (mode, title) in MODES {
        let mut lines: Vec<Line<'_>> = Vec::new();
        for (audit, means) in &all {
            let most = means.values().map(|mean| mean.examples).max().unwrap_or(0);
            for stage in [Stage::Context, Stage::Target] {
                let points: Vec<Point> = means
                    .iter()
                    .filter(|((m, s, _), mean)| *m == mode && *s == stage && is_drawn(mean.examples, most))
                    .map(|((_, _, step), mean)| Point { x: *step as f64, y: mean.cosine, low: mean.low, high: mean.high, key: None })
                    .collect();
                if !points.is_empty() {
                    lines.push(Line { run: run(study, part, audit), name: format!("{stage} stage"), points });
                }
            }
        }
        charts.push((lines::spec(&lines, &look), title.to_string()));
    }
    let caption = format!(
        "Cosine of latent and teacher target at each step: mean over examples with its 95 % interval (clusters whole). Teacher-forced, every step is fed the target before it; free-running, the model\u{2019}s own latent. Where the right panel falls away from the left, the published measure flatters. Training has as many steps as the region has tokens, decoding K.{DRAWN}"
    );
    let mut out = builder.figure("alignment-steps", charts, &styles(study, part), &caption);
    let mut t =
        Table::new(&[(TEXT, "mode"), (TEXT, "stage"), (NUMBER, "step"), (NUMBER, "examples"), (NUMBER, "cosine"), (NUMBER, "95 %")]);
    for (audit, means) in &all {
        for ((mode, stage, step), m) in means {
            let cells = [
                dashed(mode),
                stage.to_string(),
                step.to_string(),
                m.examples.to_string(),
                decimal(Some(m.cosine), 3),
                interval(m.low, m.high, |v| decimal(v, 3)),
            ];
            t.row(study, part, audit, None, &cells, None);
        }
    }
    out.push_str(&builder.table("alignment-steps", "Cosine of latent and teacher target by step, mean over examples.", &t.finish()));
    builder.section("alignment-steps", HEADING, &out)
}

fn means(audit: &Audit) -> Result<BTreeMap<Place, Mean>, prism_run::Error> {
    let path = records::folder(&audit.folder).join(files::ALIGNMENT);
    if !prism_run::door::stands(&path) {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<AlignmentRow> = read_rows(&path)?;
    let clusters = Clusters::of(&read_examples(audit)?);
    // Regions of one example first: an example counts once.
    let mut of_examples: BTreeMap<Place, BTreeMap<usize, (f64, usize)>> = BTreeMap::new();
    for row in rows.into_iter().filter(|r| r.cosine.is_finite()) {
        let of = of_examples.entry((row.mode, row.stage, row.step)).or_default().entry(row.row).or_default();
        *of = (of.0 + row.cosine, of.1 + 1);
    }
    Ok(of_examples
        .into_iter()
        .filter_map(|(place, examples)| {
            let values: Vec<(usize, f64)> = examples.into_iter().map(|(row, (sum, n))| (row, sum / n as f64)).collect();
            let mean = cluster_mean(&clusters.sums(values.iter().copied()))?;
            let bounds = mean.interval(0.95);
            let found =
                Mean { examples: values.len(), cosine: mean.mean, low: bounds.as_ref().map(|b| b.low), high: bounds.map(|b| b.high) };
            Some((place, found))
        })
        .collect())
}
