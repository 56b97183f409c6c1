//! Where the answer can be read: probes by position, with their floors (method, section 6).

use std::fmt::Write;

use prism_audit::findings::ProbeFinding;
use prism_audit::probe::row::OWN;
use prism_run::{Cloud, Position, Stage};

use super::{Builder, DRAWN, is_drawn, row_start, run, styles};
use crate::charts::lines::{self, Line, Look, Point as StepPoint};
use crate::charts::probes::{self, Point};
use crate::html::escape;
use crate::number::{decimal, percent, points};
use crate::study::{Part, Study};

/// The section.
pub fn html(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut all: Vec<(usize, Point<'_>)> = Vec::new();
    for audit in &part.audits {
        for f in audit.findings.probe.iter().filter(|f| charted(f) && fed(&f.position).is_none()) {
            if let Some(accuracy) = f.accuracy.filter(|a| a.is_finite()) {
                let place = Position::ALL.iter().position(|p| p.name() == f.position).unwrap_or(Position::ALL.len());
                let of_folds = f.accuracy_sd.map(|sd| (accuracy - sd, accuracy + sd));
                let bounds = f.item_low.zip(f.item_high).or(of_folds);
                let point = Point {
                    run: run(study, part, audit),
                    position: label(&f.position),
                    accuracy,
                    low: bounds.map(|b| b.0),
                    high: bounds.map(|b| b.1),
                    control: f.control_accuracy,
                };
                all.push((place, point));
            }
        }
    }
    all.sort_by_key(|(place, _)| *place);
    let points: Vec<Point<'_>> = all.into_iter().map(|(_, p)| p).collect();
    // Of the positions that most examples have: among the few that reach a late stage one letter may be the only one.
    let mine = || part.audits.iter().flat_map(|a| &a.findings.probe).filter(|f| charted(f));
    let most = mine().map(|f| f.rows).max().unwrap_or_default();
    let majority = mine().filter(|f| f.rows == most).filter_map(|f| f.majority).reduce(f64::max);
    let caption = "Linear probes for the gold letter, by position; bars are 95 % intervals over examples (± one standard deviation over folds where the paper\u{2019}s pipeline gives no more). Grey rings: the same probe on labels exchanged within question type; dashed line: share of the commonest letter, where most examples have the position (the largest over runs). What can be read need not be used: read this beside the corruption profile.";
    let mut out = builder.figure("probes", vec![(probes::spec(&points, majority), String::new())], &styles(study, part), caption);
    out.push_str(&steps(study, part, majority, builder));
    out.push_str(&layers(study, part, builder));
    out.push_str(&table(study, part, builder));
    builder.section("probes", "Where the answer can be read", &out)
}

/// Whether a finding is a mark of the first figure: the run's own last layer, for gold.
fn charted(f: &ProbeFinding) -> bool {
    f.target == "gold" && f.source == OWN && f.layer.is_none()
}

/// Stage and step of a position that is one latent fed back.
fn fed(position: &str) -> Option<(Stage, usize)> {
    match Cloud::step(position)? {
        (Cloud::FreeRunning, stage, step) => Some((stage, step)),
        _ => None,
    }
}

/// The same probe along the block, latent by latent.
fn steps(study: &Study, part: &Part, majority: Option<f64>, builder: &mut Builder) -> String {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for audit in &part.audits {
        let most = audit.findings.probe.iter().filter(|f| charted(f)).map(|f| f.rows).max().unwrap_or(0);
        for stage in [Stage::Context, Stage::Target] {
            let of = audit.findings.probe.iter().filter(|f| charted(f) && is_drawn(f.rows, most));
            let mut points: Vec<StepPoint> = of
                .filter_map(|f| {
                    let (_, step) = fed(&f.position).filter(|(s, _)| *s == stage)?;
                    Some(StepPoint { x: step as f64, y: f.accuracy?, low: f.item_low, high: f.item_high, key: None })
                })
                .collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            if !points.is_empty() {
                lines.push(Line { run: run(study, part, audit), name: format!("{stage} stage"), points });
            }
        }
    }
    let look = Look {
        what: "Probes along the block",
        x: "latent step",
        counts: true,
        y: "probe accuracy, %",
        scale: 100.0,
        digits: 1,
        band: None,
        reference: majority,
    };
    let spec = lines::spec(&lines, &look);
    if spec.is_none() {
        return String::new();
    }
    let bounded = lines.iter().flat_map(|l| &l.points).any(|p| p.low.is_some());
    let intervals = if bounded { ", with the 95 % interval over examples" } else { " (no interval is computed for these)" };
    let caption =
        format!("The probe for the gold letter on each latent as it is fed back{intervals}; dashed: share of the commonest letter.{DRAWN}");
    builder.figure("probe-steps", vec![(spec, String::new())], &styles(study, part), &caption)
}

/// A heat map per run that recorded its layers, all in one scale.
fn layers(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let own =
        |f: &&ProbeFinding| f.target == "gold" && f.source == OWN && fed(&f.position).is_none() && f.accuracy.is_some_and(f64::is_finite);
    let recorded: Vec<_> = part.audits.iter().filter(|a| a.findings.probe.iter().filter(own).any(|f| f.layer.is_some())).collect();
    if recorded.is_empty() {
        return String::new();
    }
    let shown = || recorded.iter().flat_map(|a| a.findings.probe.iter().filter(own));
    let accuracies: Vec<f64> = shown().filter_map(|f| f.accuracy).collect();
    let floor = shown().filter_map(|f| f.majority).fold(f64::INFINITY, f64::min);
    let range = [floor.min(1.0), accuracies.iter().copied().fold(floor, f64::max)];
    let mut charts = Vec::new();
    for audit in &recorded {
        let mut of: Vec<&ProbeFinding> = audit.findings.probe.iter().filter(own).collect();
        let place = |f: &ProbeFinding| Position::ALL.iter().position(|p| p.name() == f.position).unwrap_or(Position::ALL.len());
        of.sort_by_key(|f| (f.layer.unwrap_or(usize::MAX), place(f)));
        let cell = |f: &&ProbeFinding| probes::Cell {
            position: label(&f.position),
            layer: f.layer.map_or_else(|| "last".into(), |layer| layer.to_string()),
            accuracy: f.accuracy.unwrap_or_default(),
        };
        charts
            .push((probes::layers(&run(study, part, audit), &of.iter().map(cell).collect::<Vec<_>>(), range), part.run_name(study, audit)));
    }
    let caption = "Accuracy of the probe for the gold letter by position and layer: 0 is the input embedding, last is after the final norm. C chosen in an inner loop, one repeat of the folds (the last layer: all repeats). The palest colour is the commonest letter\u{2019}s share or less; where there is no cell, the position was not kept at that layer.";
    builder.figure("probe-layers", charts, &styles(study, part), caption)
}

/// A position in words, with the paper's letter.
fn label(name: &str) -> String {
    let words = match Position::from_name(name) {
        Some(Position::AnswerState) => "answer state (a)",
        Some(Position::LatentLast) => "last latent (b)",
        Some(Position::LatentMean) => "mean latent (c)",
        Some(Position::ContextLast) => "last context latent",
        Some(Position::ContextMean) => "mean context latent",
        Some(Position::QuestionMean) => "question mean",
        Some(Position::VisualMean) => "visual mean",
        None => {
            return match fed(name) {
                Some((stage, step)) => format!("latent, {stage} step {step}"),
                None => name.replace('_', " "),
            };
        }
    };
    words.into()
}

fn table(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let heads =
        ["rows", "accuracy", "best floor", "above it", "control", "selectivity", "p", "CE, nats", "H(Y)", "MI", "compression", "fit"];
    let mut t = String::from("<table><thead><tr><th scope=\"col\">variant</th><th scope=\"col\" class=\"text\">position</th>");
    heads.iter().for_each(|head| t.push_str(&format!("<th scope=\"col\">{head}</th>")));
    t.push_str("</tr></thead><tbody>");
    for audit in &part.audits {
        for (i, f) in audit.findings.probe.iter().filter(|f| f.layer.is_none()).enumerate() {
            let target =
                if f.target == "gold" { String::new() } else { format!(" <small>{}</small>", escape(&f.target.replace('_', " "))) };
            let source = if f.source == OWN { String::new() } else { format!(" <small>of {}</small>", escape(&f.source)) };
            let start = row_start(study, part, audit, i == 0, None);
            let position = escape(&label(&f.position));
            let _ = write!(t, "{start}<td class=\"text\">{position}{target}{source}</td><td>{}</td>", f.rows);
            if let (None, Some(why)) = (f.accuracy, &f.reason) {
                let _ = write!(t, "<td class=\"text\" colspan=\"{}\">{}</td></tr>", heads.len() - 1, escape(why));
                continue;
            }
            row(&mut t, f);
        }
    }
    t.push_str("</tbody></table>");
    builder.table(
        "probes",
        "Probes of the last layer; of gold where nothing else is said. Accuracies in percent with the 95 % interval over examples (paper's pipeline: ± standard deviation over folds); differences in points. Best floor: the rule or vectors the probe beats by least. Control: labels exchanged within question type and fold, the same search for C; p is the rank of the real accuracy among these draws. MI is the lower bound H(Y) − CE, not clamped: below zero the probe predicts worse than the label frequencies. Compression: uniform code over online code, 1 says nothing. Fit: median C, most iterations.",
        &t,
    )
}

/// The figures of one probe.
fn row(t: &mut String, f: &ProbeFinding) {
    let between = |low: Option<f64>, high: Option<f64>, show: fn(Option<f64>) -> String| match (low, high) {
        (Some(_), Some(_)) => format!(" <small>[{}, {}]</small>", show(low), show(high)),
        _ => String::new(),
    };
    let spread = match f.item_low {
        Some(_) => between(f.item_low, f.item_high, percent),
        None => format!(" <small>± {}</small>", percent(f.accuracy_sd)),
    };
    let floor = match &f.best_floor {
        Some(name) => format!("{} <small>{}</small>", percent(f.floor_accuracy), escape(&name.replace('_', " "))),
        None => format!("{} <small>majority</small>", percent(f.majority)),
    };
    let fit = match (f.converged, f.iterations_max) {
        (Some(converged), Some(n)) => {
            let c = f.c.map_or_else(String::new, |c| format!("C {c}, "));
            format!("{c}{}{n} it.", if converged { "" } else { "<b>not converged</b>, " })
        }
        _ => "–".into(),
    };
    let three = |value: Option<f64>| decimal(value, 3);
    let cells = [
        format!("<b>{}</b>{spread}", percent(f.accuracy)),
        floor,
        points(f.above_floor) + &between(f.above_floor_low, f.above_floor_high, points),
        percent(f.control_accuracy),
        points(f.selectivity),
        three(f.permutation_p),
        three(f.cross_entropy),
        three(f.label_entropy),
        three(f.mi) + &between(f.mi_low, f.mi_high, |v| decimal(v, 2)),
        decimal(f.compression, 2),
        fit,
    ];
    cells.iter().for_each(|cell| t.push_str(&format!("<td>{cell}</td>")));
    t.push_str("</tr>");
}
