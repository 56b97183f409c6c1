//! Where the answer can be read: probes by position, with their floors (method, section 6).

use std::fmt::Write;

use prism_run::Position;

use super::{Builder, run, run_header, styles};
use crate::charts::probes::{self, Point};
use crate::html::escape;
use crate::number::{decimal, percent, points};
use crate::study::{Part, Study};

/// The section.
pub fn html(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut all: Vec<(usize, Point<'_>)> = Vec::new();
    for audit in &part.audits {
        for f in audit.findings.probe.iter().filter(|f| f.target == "gold") {
            if let Some(accuracy) = f.accuracy.filter(|a| a.is_finite()) {
                let place = Position::ALL.iter().position(|p| p.name() == f.position).unwrap_or(Position::ALL.len());
                let point = Point {
                    run: run(study, part, audit),
                    position: label(&f.position),
                    accuracy,
                    sd: f.accuracy_sd,
                    control: f.control_accuracy,
                };
                all.push((place, point));
            }
        }
    }
    all.sort_by_key(|(place, _)| *place);
    let charted: Vec<Point<'_>> = all.into_iter().map(|(_, p)| p).collect();
    let floors: Vec<f64> = part.audits.iter().flat_map(|a| &a.findings.probe).filter_map(|f| f.majority).collect();
    let majority = floors.iter().copied().reduce(f64::max);
    let caption = "Linear probes for the gold letter, by position: mean over folds, bars ± one standard deviation over folds. Grey rings: the same probe on random labels; dashed line: share of the commonest letter (the largest over runs). What can be read need not be used: read this beside the corruption profile.";
    let mut out = builder.figure(vec![(probes::spec(&charted, majority), "")], &styles(study, part), caption);
    out.push_str(&table(study, part, builder));
    builder.section("probes", "Where the answer can be read", &out)
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
        None => return name.replace('_', " "),
    };
    words.into()
}

fn table(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut t = String::from(
        "<table><thead><tr><th scope=\"col\">variant</th><th scope=\"col\" class=\"text\">position</th><th scope=\"col\">rows</th><th scope=\"col\">folds</th><th scope=\"col\">accuracy ± sd</th><th scope=\"col\">commonest</th><th scope=\"col\">random labels</th><th scope=\"col\">selectivity</th><th scope=\"col\">CE, nats</th><th scope=\"col\">H(Y)</th><th scope=\"col\">MI</th><th scope=\"col\">fit</th></tr></thead><tbody>",
    );
    for audit in &part.audits {
        for (i, f) in audit.findings.probe.iter().enumerate() {
            let header = if i == 0 { run_header(study, part, audit) } else { "<td></td>".into() };
            let target = if f.target == "gold" { String::new() } else { format!(" <small>{}</small>", escape(&f.target)) };
            let _ = write!(
                t,
                "<tr{}>{header}<td class=\"text\">{}{target}</td><td>{}</td><td>{}</td>",
                if i == 0 { " class=\"first\"" } else { "" },
                escape(&label(&f.position)),
                f.rows,
                f.folds
            );
            if let (None, Some(why)) = (f.accuracy, &f.reason) {
                let _ = write!(t, "<td class=\"text\" colspan=\"8\">{}</td></tr>", escape(why));
                continue;
            }
            let fit = match (f.converged, f.iterations_max) {
                (Some(true), Some(n)) => format!("{n} it."),
                (Some(false), Some(n)) => format!("<b>not converged</b>, {n} it."),
                _ => "–".into(),
            };
            let _ = write!(
                t,
                "<td><b>{}</b> <small>± {}</small></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"soft\">{fit}</td></tr>",
                percent(f.accuracy),
                percent(f.accuracy_sd),
                percent(f.majority),
                percent(f.control_accuracy),
                points(f.selectivity),
                decimal(f.cross_entropy, 3),
                decimal(f.label_entropy, 3),
                decimal(f.mi, 3)
            );
        }
    }
    t.push_str("</tbody></table>");
    builder.table(
        "Probes for the gold letter. Accuracies in percent, selectivity (accuracy minus random labels) in points. MI is the lower bound H(Y) − CE, not clamped: below zero the probe predicts worse than the label frequencies. Iterations: most over folds.",
        &t,
    )
}
