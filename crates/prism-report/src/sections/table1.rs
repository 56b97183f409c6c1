//! Table 1: one line a run, and a line of means for a variant with several seeds.

use std::fmt::Write;

use prism_audit::findings::VariantSummary;
use prism_run::Intervention;

use super::{Builder, EXPLAINED, n_equals, row_start, swatch};
use crate::html::escape;
use crate::number::{decimal, interval, percent, points, spread};
use crate::study::{Audit, Part, Study};

/// A column read from an audit's own line.
type Read = fn(&VariantSummary) -> Option<f64>;

/// Interventions of a column each, at most.
const MOST: usize = 7;

/// The section.
pub fn html(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut interventions = part.whole_interventions();
    let further = part.interventions().len() - interventions.len().min(MOST);
    interventions.truncate(MOST);
    let mut t = String::from(
        "<table class=\"wide\"><thead><tr class=\"groups\"><td></td><th scope=\"colgroup\">alignment</th><th scope=\"colgroup\" colspan=\"2\">accuracy, %</th><th scope=\"colgroup\" colspan=\"4\">linear probes, %</th>",
    );
    if !interventions.is_empty() {
        let _ = write!(t, "<th scope=\"colgroup\" colspan=\"{}\">change in accuracy, points (gained / lost)</th>", interventions.len());
    }
    t.push_str("</tr><tr><th scope=\"col\">variant</th><th scope=\"col\">cosine</th><th scope=\"col\">clean</th><th scope=\"col\">95 %</th><th scope=\"col\">(a) answer</th><th scope=\"col\">(b) latent</th><th scope=\"col\">gap <i>G</i></th><th scope=\"col\">floor</th>");
    for i in &interventions {
        let _ = write!(t, "<th scope=\"col\">{i}</th>");
    }
    t.push_str("</tr></thead><tbody>");
    if let Some(base) = study.base.as_ref().filter(|base| base.benchmark == part.benchmark) {
        base_row(base, interventions.len(), &mut t);
    }
    for variant in part.variants() {
        let audits: Vec<&Audit> = part.of(variant).collect();
        if audits.len() > 1 {
            mean_row(study, variant, &audits, &interventions, &mut t);
        }
        for audit in &audits {
            run_row(study, part, audit, &interventions, audits.len() > 1, &mut t);
        }
    }
    t.push_str("</tbody></table>");
    let seeds =
        if part.has_seeds() { " Lines in bold are means over seeds with the range below; lines under them are single seeds." } else { "" };
    let more = match further {
        0 => String::new(),
        n => format!(" {n} further interventions stand in the sections below."),
    };
    let caption = format!(
        "{} on {}: {} questions. Cosine: teacher-forced, target stage. Accuracy with its Wilson 95 % interval. Probes: five-fold accuracy for the gold letter; gap: over the questions that have both vectors, so not the difference of the two columns; floor: what the commonest letter of each question type gets. Change: against the clean run of the same questions, with the number newly right / newly wrong, another content first (the words below say what each does).{more}{seeds}",
        if part.audits.len() == 1 { "The run" } else { "Variants" },
        escape(&part.benchmark),
        n_equals(part)
    );
    let table = builder.table("table-1", &caption, &t);
    builder.section("table-1", "Variants side by side", &format!("{table}{EXPLAINED}"))
}

/// The model all runs started from: scored, not probed, and without latents to change.
fn base_row(base: &VariantSummary, interventions: usize, t: &mut String) {
    let _ = write!(
        t,
        "<tr class=\"base\"><th scope=\"row\">base model <small>no latent block</small></th><td>–</td><td><b>{}</b></td><td class=\"soft\">{}</td>{}</tr>",
        percent(base.accuracy),
        interval(base.accuracy_low, base.accuracy_high, percent),
        "<td class=\"soft\">–</td>".repeat(4 + interventions)
    );
}

fn run_row(study: &Study, part: &Part, audit: &Audit, interventions: &[Intervention], under_mean: bool, t: &mut String) {
    let s = audit.summary();
    let clean = audit.clean();
    let start = row_start(study, part, audit, true, None);
    t.push_str(&if under_mean { start.replacen("class=\"first\"", "class=\"seed\"", 1) } else { start });
    let accuracy = clean.and_then(|c| c.accuracy).or_else(|| s.and_then(|s| s.accuracy));
    let low = clean.and_then(|c| c.accuracy_low).or_else(|| s.and_then(|s| s.accuracy_low));
    let high = clean.and_then(|c| c.accuracy_high).or_else(|| s.and_then(|s| s.accuracy_high));
    let _ = write!(
        t,
        "<td>{}</td><td><b>{}</b></td><td class=\"soft\">{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"soft\">{}</td>",
        decimal(s.and_then(|s| s.cosine), 3),
        percent(accuracy),
        interval(low, high, percent),
        percent(s.and_then(|s| s.probe_a)),
        percent(s.and_then(|s| s.probe_b)),
        points(s.and_then(|s| s.gap)),
        percent(s.and_then(|s| s.type_floor)),
    );
    for i in interventions {
        match audit.change(*i) {
            None if audit.is_silent() && audit.effect(*i).is_some() => {
                t.push_str("<td class=\"soft\" title=\"the block never opened\"><i>no latents</i></td>")
            }
            Some(c) => {
                let _ = write!(t, "<td>{} <small>{}/{}</small></td>", points(Some(c.delta)), c.gained, c.lost);
            }
            None => t.push_str("<td class=\"soft\">–</td>"),
        }
    }
    t.push_str("</tr>");
}

fn mean_row(study: &Study, variant: usize, audits: &[&Audit], interventions: &[Intervention], t: &mut String) {
    let style = &study.variants[variant];
    let _ = write!(
        t,
        "<tr class=\"mean\" data-variant=\"{}\"><th scope=\"row\">{}{} <small>{} seeds</small></th>",
        escape(&style.id),
        swatch(style),
        escape(&style.name),
        audits.len()
    );
    let of = |read: Read| spread(audits.iter().map(|a| a.summary().and_then(read)));
    let cell = |values: Option<(f64, f64, f64)>, write: &dyn Fn(Option<f64>) -> String| match values {
        Some((mean, low, high)) => {
            format!("<td>{}<br><small>{} to {}</small></td>", write(Some(mean)), write(Some(low)), write(Some(high)))
        }
        None => "<td>–</td>".to_string(),
    };
    t.push_str(&cell(of(|s| s.cosine), &|v| decimal(v, 3)));
    t.push_str(&cell(of(|s| s.accuracy), &percent));
    t.push_str("<td></td>");
    t.push_str(&cell(of(|s| s.probe_a), &percent));
    t.push_str(&cell(of(|s| s.probe_b), &percent));
    t.push_str(&cell(of(|s| s.gap), &points));
    t.push_str("<td></td>");
    for i in interventions {
        t.push_str(&cell(spread(audits.iter().map(|a| a.change(*i).map(|c| c.delta))), &points));
    }
    t.push_str("</tr>");
}
