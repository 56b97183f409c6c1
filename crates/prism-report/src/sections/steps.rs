//! Which step matters: interventions on part of the block.

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, run, styles};
use crate::charts::forest::{self, Look, Mark};
use crate::number::{decimal, interval, percent, points};
use crate::study::{Part, Study};

const HEADING: &str = "Which step matters";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    if part.audits.iter().all(|a| a.findings.steps.is_empty()) {
        return builder.absent(HEADING, "no intervention was confined to some steps, a stage or a layer; add `zero/step=0`, `zero/step=1`, ... to the audit\u{2019}s interventions");
    }
    let marks = |pick: fn(&prism_audit::findings::StepFinding) -> forest::Estimate| -> Vec<Mark<'_>> {
        let all = part.audits.iter().filter(|a| !a.is_silent()).flat_map(|a| a.findings.steps.iter().map(move |f| (a, f)));
        all.filter_map(|(a, f)| {
            let (value, low, high) = pick(f);
            let row = f.intervention.to_string();
            Some(Mark { run: run(study, part, a), row, key: Some(f.intervention), value: value?, low, high })
        })
        .collect()
    };
    let accuracy = Look {
        what: "Interventions on part of the block",
        title: "change in accuracy, points",
        scale: 100.0,
        digits: 1,
        band: part.margin(),
        reference: Some(0.0),
    };
    let margin = Look { title: "change of the gold margin, nats", scale: 1.0, digits: 2, band: None, ..accuracy };
    let charts = vec![
        (forest::spec(&marks(|f| (f.delta, f.delta_low, f.delta_high)), &accuracy), "Accuracy".to_string()),
        (
            forest::spec(&marks(|f| (f.margin_delta, f.margin_low, f.margin_high)), &margin),
            "Log-probability margin of the gold letter".to_string(),
        ),
    ];
    let caption = "Damage to some of the steps, beside the same damage to all of them. One mark per run; bars are 95 % intervals of the paired difference.";
    let mut out = builder.figure("steps", charts, &styles(study, part), caption);
    let mut t = Table::new(&[
        (TEXT, "intervention"),
        (NUMBER, "n"),
        (NUMBER, "accuracy, %"),
        (NUMBER, "change"),
        (NUMBER, "95 %"),
        (NUMBER, "margin, nats"),
        (NUMBER, "95 %"),
        (NUMBER, "outputs changed, %"),
    ]);
    let nats = |v: Option<f64>| decimal(v, 2);
    for audit in &part.audits {
        for f in &audit.findings.steps {
            let cells = [
                f.intervention.to_string(),
                f.examples.to_string(),
                percent(f.accuracy),
                points(f.delta),
                interval(f.delta_low, f.delta_high, points),
                nats(f.margin_delta),
                interval(f.margin_low, f.margin_high, nats),
                percent(f.changed),
            ];
            t.row(study, part, audit, Some(f.intervention), &cells, None);
        }
    }
    out.push_str(&builder.table(
        "steps",
        "Interventions on part of the block. Steps count from 0 within a stage, and a staged variant may go on long after the last one named; change in points against the clean run.",
        &t.finish(),
    ));
    builder.section("steps", HEADING, &out)
}
