//! The verdict of each run in words, with the clause of the rule that made it.

use std::fmt::Write;

use prism_audit::conclusion::is_decisive;

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, swatch};
use crate::html::escape;
use crate::number::points;
use crate::study::{Part, Study, intervention_label};
use crate::verdict::class_of_word;

/// The section.
pub fn html(study: &Study, part: &Part, builder: &mut Builder) -> String {
    const HEADING: &str = "The verdict, and the rule that made it";
    if part.audits.iter().all(|a| a.conclusion().is_none()) {
        return builder.absent(HEADING, "no intervention was run, so there is nothing to conclude from");
    }
    let mut t = Table::new(&[
        (TEXT, "verdict"),
        ("prose", "because"),
        (TEXT, "resting on"),
        (NUMBER, "of decisive"),
        (NUMBER, "n"),
        (NUMBER, "needed n"),
        ("prose", "with these"),
    ]);
    let dash = || "\u{2013}".to_string();
    for audit in &part.audits {
        let Some(c) = audit.conclusion() else { continue };
        let cells = [
            format!("<span class=\"word {}\">{}</span>", class_of_word(&c.verdict), escape(&c.verdict)),
            escape(&c.rule),
            escape(&labels(&c.resting_on)),
            c.decisive.split(", ").filter(|d| !d.is_empty()).count().to_string(),
            c.examples.map_or_else(dash, |n| n.to_string()),
            c.needed.map_or_else(dash, |n| n.to_string()),
            c.reason.as_deref().map_or_else(dash, figures),
        ];
        t.row(study, part, audit, None, &cells, None);
    }
    let mut out = rule_html(prism_audit::conclusion::RULE);
    out.push_str(&builder.table(
        "conclusions",
        "What each run allows to be said of its latents. Needed n: questions that would decide it if there is no effect. Tests are adjusted over every run of this page.",
        &t.finish(),
    ));
    builder.section("conclusions", HEADING, &out)
}

/// The figures behind a verdict, folded: one clause a line.
fn figures(reason: &str) -> String {
    let lines: String = reason.split("; ").map(|clause| format!("<li>{}</li>", escape(clause))).collect();
    format!("<details><summary>figures</summary><ul>{lines}</ul></details>")
}

/// Interventions joined by `, ` as the page prints them.
pub fn labels(joined: &str) -> String {
    joined.split(", ").filter(|i| !i.is_empty()).map(intervention_label).collect::<Vec<_>>().join(", ")
}

/// A rule with its code words set as such.
fn rule_html(rule: &str) -> String {
    let mut out = String::from("<details class=\"rule\"><summary>The whole rule</summary><p>");
    for (i, piece) in escape(rule).split('`').enumerate() {
        if i % 2 == 1 {
            let _ = write!(out, "<i>{piece}</i>");
        } else {
            out.push_str(piece);
        }
    }
    out.push_str("</p></details>");
    out
}

/// One line a variant: its word, and the clause of the rule, shortest where all seeds agree.
pub fn brief(study: &Study, part: &Part) -> String {
    let mut out = String::from("<ul class=\"standings\">");
    for v in part.variants() {
        let style = &study.variants[v];
        let mut found: Vec<(&str, &str, String, usize)> = Vec::new();
        for c in part.of(v).filter_map(|a| a.conclusion()) {
            match found.iter_mut().find(|(word, rule, ..)| *word == c.verdict && *rule == c.rule) {
                Some((.., runs)) => *runs += 1,
                None => found.push((&c.verdict, &c.rule, labels(&c.resting_on), 1)),
            }
        }
        let runs = part.of(v).count();
        let _ = write!(out, "<li data-variant=\"{}\">{}<b>{}</b> ", escape(&style.id), swatch(style), escape(&style.name));
        if found.is_empty() {
            out.push_str("<span class=\"word silent\">not tested</span>");
        }
        for (i, (word, rule, on, n)) in found.iter().enumerate() {
            let of = if *n == runs { String::new() } else { format!(" in {n} of {runs} runs") };
            let on = if on.is_empty() || on.len() > 60 { String::new() } else { format!(" ({})", escape(on)) };
            let _ = write!(
                out,
                "{}<span class=\"word {}\">{}{of}</span>: <span class=\"why\">{}{on}</span>",
                if i > 0 { "; " } else { "" },
                class_of_word(word),
                escape(word),
                escape(rule)
            );
        }
        out.push_str(&raised(part, v));
        out.push_str("</li>");
    }
    out.push_str("</ul>");
    out
}

/// The decisive interventions under which accuracy is shown to rise, with the change in every run: a block that costs
/// answers is no less an answer to the question than one that gives them.
fn raised(part: &Part, variant: usize) -> String {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for audit in part.of(variant) {
        for v in audit.findings.verdict.iter().filter(|v| is_decisive(v) && v.verdict == prism_audit::verdict::CHANGES) {
            let Some(change) = audit.change(&v.intervention).filter(|c| c.delta > 0.0) else { continue };
            let (label, points) = (intervention_label(&v.intervention), points(Some(change.delta)));
            match found.iter_mut().find(|(known, _)| *known == label) {
                Some((_, all)) => all.push(points),
                None => found.push((label, vec![points])),
            }
        }
    }
    if found.is_empty() {
        return String::new();
    }
    let each: Vec<String> = found.iter().map(|(label, points)| format!("{label} ({})", points.join(", "))).collect();
    format!("<span class=\"why\">. Accuracy rises under {} points.</span>", escape(&each.join(", ")))
}
