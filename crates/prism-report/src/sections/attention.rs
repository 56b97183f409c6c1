//! Where the model looks when it answers and when it makes latents.

use prism_audit::findings::AttentionFinding;
use prism_run::NotedAt;

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, first_seed_note, first_seeds, run, styles};
use crate::charts::heat::{self, Cell};
use crate::charts::lines::{self, Line, Look, Point};
use crate::number::{decimal, interval, percent};
use crate::study::{Part, Study};

const HEADING: &str = "Where the model looks";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    if part.audits.iter().all(|a| a.findings.attention.is_empty()) {
        return builder.absent(HEADING, "no run recorded its attention");
    }
    type Read = fn(&AttentionFinding) -> (Option<f64>, Option<f64>, Option<f64>);
    let answer = |pick: Read| -> Vec<Line<'_>> {
        let of = |a: &crate::study::Audit| -> Vec<Point> {
            let rows = a.findings.attention.iter().filter(|f| f.place == NotedAt::Answer);
            rows.filter_map(|f| {
                let (y, low, high) = pick(f);
                Some(Point { x: f.layer as f64, y: y?, low, high, key: None })
            })
            .collect()
        };
        part.audits.iter().map(|a| Line { run: run(study, part, a), name: String::new(), points: of(a) }).collect()
    };
    let share = Look {
        what: "Attention of the answer",
        x: "layer",
        counts: true,
        y: "attention on latents, %",
        scale: 100.0,
        digits: 1,
        band: None,
        reference: None,
    };
    let image = Look { y: "attention on the image, %", ..share };
    let enrichment = Look { y: "on the boxes, times an even spread", scale: 1.0, digits: 2, reference: Some(1.0), ..share };
    let charts = vec![
        (lines::spec(&answer(|f| (f.latents, f.latents_low, f.latents_high)), &share), "On the latents".to_string()),
        (lines::spec(&answer(|f| (f.image, None, None)), &image), "On the image".to_string()),
        (lines::spec(&answer(|f| (f.enrichment, f.enrichment_low, f.enrichment_high)), &enrichment), "On the annotated boxes".to_string()),
    ];
    let caption = "Attention of the answer position by layer, mean over examples and heads, with 95 % intervals (clusters whole). Right: attention on the annotated boxes over what an even spread over the image would put there. Attention is where the model looks, not what it uses.";
    let mut out = builder.figure("attention", charts, &styles(study, part), caption);
    out.push_str(&maps(study, part, builder));
    let mut t = Table::new(&[
        (TEXT, "place"),
        (NUMBER, "step"),
        (NUMBER, "layer"),
        (NUMBER, "examples"),
        (NUMBER, "image, %"),
        (NUMBER, "text, %"),
        (NUMBER, "latents, %"),
        (NUMBER, "95 %"),
        (NUMBER, "generated, %"),
        (NUMBER, "boxes, times even"),
        (NUMBER, "95 %"),
        (NUMBER, "of examples"),
        (NUMBER, "entropy on image, nats"),
        (NUMBER, "on latents, nats"),
    ]);
    for audit in &part.audits {
        for f in &audit.findings.attention {
            let cells = [
                f.place.to_string(),
                f.step.map_or_else(|| "\u{2013}".into(), |s| s.to_string()),
                f.layer.to_string(),
                f.examples.to_string(),
                percent(f.image),
                percent(f.text),
                percent(f.latents),
                interval(f.latents_low, f.latents_high, percent),
                percent(f.generated),
                decimal(f.enrichment, 2),
                interval(f.enrichment_low, f.enrichment_high, |v| decimal(v, 2)),
                f.enrichment_examples.to_string(),
                decimal(f.image_entropy, 2),
                decimal(f.latent_entropy, 2),
            ];
            t.row(study, part, audit, None, &cells, None);
        }
    }
    out.push_str(&builder.table("attention", "Attention by forward and layer, mean over examples and heads.", &t.finish()));
    builder.section("attention", HEADING, &out)
}

/// A heat map per variant: attention on the boxes while latents are made, by step and layer.
fn maps(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let steps = |f: &&AttentionFinding| f.step.is_some() && f.enrichment.is_some_and(f64::is_finite);
    let all: Vec<f64> =
        first_seeds(part).iter().flat_map(|a| a.findings.attention.iter().filter(steps)).filter_map(|f| f.enrichment).collect();
    if all.is_empty() {
        return String::new();
    }
    let range = [all.iter().copied().fold(f64::INFINITY, f64::min), all.iter().copied().fold(f64::NEG_INFINITY, f64::max)];
    let look = heat::Look { what: "Attention on the annotated boxes", columns: "step", title: "times even", scale: 1.0, range };
    let mut charts = Vec::new();
    for audit in first_seeds(part) {
        let mut of: Vec<&AttentionFinding> = audit.findings.attention.iter().filter(steps).collect();
        of.sort_by_key(|f| (f.layer, f.place, f.step));
        let staged = of.iter().any(|f| f.place == NotedAt::Context);
        let column = |f: &AttentionFinding| {
            let step = f.step.unwrap_or_default();
            if staged { format!("{} {step}", f.place) } else { step.to_string() }
        };
        let cells: Vec<Cell> =
            of.iter().map(|f| Cell { column: column(f), row: f.layer.to_string(), value: f.enrichment.unwrap_or(f64::NAN) }).collect();
        if !cells.is_empty() {
            charts.push((heat::spec(&run(study, part, audit), &cells, &look), study.style(audit).name.clone()));
        }
    }
    let caption = format!(
        "Attention of the latent steps on the annotated boxes, over an even spread, by step and layer; one scale for all.{}",
        first_seed_note(part)
    );
    builder.figure("attention-steps", charts, &styles(study, part), &caption)
}
