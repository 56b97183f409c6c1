//! The verdict of each run in words, with the clause of the rule that made it.

use std::fmt::Write;

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, swatch};
use crate::html::{escape, typeset};
use crate::number::{interval, p_value, points};
use crate::study::{Audit, Part, Study, intervention_label};
use crate::verdict::{self, class_of_word};

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
            typeset(&c.rule),
            escape(&labels(&c.resting_on)),
            c.decisive.split(", ").filter(|d| !d.is_empty()).count().to_string(),
            c.examples.map_or_else(dash, |n| n.to_string()),
            c.needed.map_or_else(dash, |n| n.to_string()),
            c.reason.as_deref().map_or_else(dash, figures),
        ];
        t.row(study, part, audit, None, &cells, None);
    }
    let mut out = rule_html(&format!(
        "{} The sentence at the head of the page says yes if a variant is `load-bearing`, no if all are `bypassed`, and undecided or not shown otherwise.",
        prism_audit::conclusion::RULE
    ));
    out.push_str(&builder.table(
        "conclusions",
        "What each run allows to be said of its latents. Needed n: questions that would decide it if there is no effect. Tests are adjusted over every run on this benchmark.",
        &t.finish(),
    ));
    builder.section("conclusions", HEADING, &out)
}

/// The figures behind a verdict, folded: one clause a line.
fn figures(reason: &str) -> String {
    let lines: String = reason.split("; ").map(|clause| format!("<li>{}</li>", typeset(clause))).collect();
    format!("<details><summary>figures</summary><ul>{lines}</ul></details>")
}

/// Interventions joined by `, ` as the page prints them.
pub fn labels(joined: &str) -> String {
    joined.split(", ").filter(|i| !i.is_empty()).map(intervention_label).collect::<Vec<_>>().join(", ")
}

/// A rule with its code words set as such.
pub fn rule_html(rule: &str) -> String {
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

/// A verdict of some runs of a variant: word, clause of the rule, what it rests on, in how many runs.
type Found = Vec<(String, String, String, usize)>;

/// The word of every variant and the clause of the rule that made it, once for all that share them.
pub fn brief(study: &Study, part: &Part) -> String {
    let mut groups: Vec<(Found, usize, Vec<usize>)> = Vec::new();
    for v in part.variants() {
        let mut found: Found = Vec::new();
        for c in part.of(v).filter_map(|a| a.conclusion()) {
            match found.iter_mut().find(|(word, rule, ..)| *word == c.verdict && *rule == c.rule) {
                Some((.., runs)) => *runs += 1,
                None => found.push((c.verdict.clone(), c.rule.clone(), labels(&c.resting_on), 1)),
            }
        }
        let runs = part.of(v).count();
        match groups.iter_mut().find(|(known, n, _)| *known == found && *n == runs) {
            Some((.., variants)) => variants.push(v),
            None => groups.push((found, runs, vec![v])),
        }
    }
    let mut out = String::from("<ul class=\"standings\">");
    for (found, runs, variants) in &groups {
        let names: Vec<String> = variants
            .iter()
            .map(|&v| {
                let style = &study.variants[v];
                format!("<span class=\"who\" data-variant=\"{}\">{}<b>{}</b></span>", escape(&style.id), swatch(style), escape(&style.name))
            })
            .collect();
        let _ = write!(out, "<li>{} ", names.join(" "));
        if found.is_empty() {
            out.push_str("<span class=\"word silent\">not tested</span>");
        }
        for (i, (word, rule, on, n)) in found.iter().enumerate() {
            let of = if n == runs { String::new() } else { format!(" in {n} of {runs} runs") };
            let on = if on.is_empty() || on.len() > 60 { String::new() } else { format!(" ({})", escape(on)) };
            let _ = write!(
                out,
                "{}<span class=\"word {}\">{}{of}</span>: <span class=\"why\">{}{on}</span>",
                if i > 0 { "; " } else { "" },
                class_of_word(word),
                escape(word),
                typeset(rule)
            );
        }
        out.push_str("</li>");
    }
    out.push_str("</ul>");
    out.push_str(&broken(study, part));
    out.push_str(&listed(study, part, &verdict::rises(part), "Accuracy is shown to rise, in points with 95 % intervals, under"));
    let stays = "Accuracy is shown to stay within the margin (by the 90 % interval; printed is the 95 %), the latents destroyed or out of sight, under";
    out.push_str(&listed(study, part, &verdict::stays(part), stays));
    out
}

/// For runs whose answers break in their form: what is known of the choice, from the answers parsed both ways and from a
/// lenient reading of all. An effect that is not shown is not shown to be absent.
fn broken(study: &Study, part: &Part) -> String {
    let cell = |label: &str, delta, low, high, n: usize, p: String| {
        format!(
            "<td data-label=\"{label}\">{} <small>{}</small> <small>n = {n}{p}</small></td>",
            points(delta),
            interval(low, high, points)
        )
    };
    let mut rows = String::new();
    for (audit, v) in verdict::broken(part) {
        let _ = write!(
            rows,
            "<tr data-variant=\"{}\"><th scope=\"row\">{}, {}</th>{}{}{}</tr>",
            escape(&study.style(audit).id),
            escape(&part.run_name(study, audit)),
            escape(&intervention_label(&v.intervention)),
            cell("all answers", v.delta, v.delta_low, v.delta_high, v.examples, format!(", Holm p {}", p_value(v.holm_p))),
            cell(
                "parsed both ways",
                v.choice_delta,
                v.choice_low,
                v.choice_high,
                v.choice_examples,
                format!(", Holm p {}", p_value(v.choice_holm_p))
            ),
            cell("read leniently", v.lenient_delta, v.lenient_low, v.lenient_high, v.examples, format!(", p {}", p_value(v.lenient_p))),
        );
    }
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Three readings\"><table class=\"few\"><thead><tr><td></td><th scope=\"col\">all answers</th><th scope=\"col\">parsed both ways</th><th scope=\"col\">read leniently</th></tr></thead><tbody>{rows}</tbody></table></div><p class=\"why\">Change in points with its 95 % interval, which no adjustment widens: one that leaves out 0 may not survive Holm\u{2019}s. All answers: unparsed ones are wrong. Parsed both ways: a subset that the damage itself picks, and in which the less can be shown the smaller it is. Read leniently: where <code>&lt;answer&gt;</code> is lost, a single option letter right before <code>&lt;/answer&gt;</code> counts; no verdict rests on it.</p>"
    )
}

/// Decisive interventions of which one thing is shown, with the change in every run of which it is: that accuracy rises (a
/// block that costs answers is no less an answer to the question than one that gives them), or that it stays.
fn listed(study: &Study, part: &Part, shown: &[(&Audit, &str, f64)], heading: &str) -> String {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for (audit, intervention, delta) in shown {
        let bounds = audit.change(intervention).map_or_else(String::new, |c| interval(c.low, c.high, points));
        let whose = format!("{}\u{a0}{}\u{a0}{}", part.run_name(study, audit), points(Some(*delta)), bounds.replace(' ', "\u{a0}"));
        let label = intervention_label(intervention);
        let points = format!("<span data-variant=\"{}\">{}</span>", escape(&study.style(audit).id), escape(&whose));
        match found.iter_mut().find(|(known, _)| *known == label) {
            Some((_, all)) => all.push(points),
            None => found.push((label, vec![points])),
        }
    }
    let lines: String = found.iter().map(|(label, points)| format!("<li>{}: {}</li>", escape(label), points.join(" "))).collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("<p class=\"why rises\">{heading}</p><ul class=\"why\">{lines}</ul>")
}
