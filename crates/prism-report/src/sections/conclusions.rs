//! The verdict of each run as its audit found it: both answers, the sentence, and the clauses of
//! the rule that made them.

use std::fmt::Write;

use prism_audit::findings::ConclusionFinding;
use prism_audit::verdict::RULE;
use prism_run::Intervention;

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, swatch};
use crate::html::{escape, typeset};
use crate::number::{interval, p_value, percent, points};
use crate::study::{Audit, Part, Study};
use crate::{chips, verdict};

/// Runs that stand open on the first screen; the rest is folded.
const OPEN: usize = 12;

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    const HEADING: &str = "The verdict, and the rule that made it";
    if part.audits.iter().all(|a| a.conclusion().is_none()) {
        return builder.absent(HEADING, verdict::why_silent(part));
    }
    let mut t = Table::new(&[
        (TEXT, "word"),
        (TEXT, "what the block says is"),
        ("prose", "because"),
        (TEXT, "resting on"),
        (TEXT, "the block is"),
        ("prose", "because"),
        (TEXT, "resting on"),
        (NUMBER, "n"),
        (NUMBER, "opened, %"),
        (NUMBER, "changed answers, at most, %"),
        (NUMBER, "needed n"),
        ("prose", "limits"),
        ("prose", "with these"),
    ]);
    let dash = || "\u{2013}".to_string();
    for audit in &part.audits {
        let Some(c) = audit.conclusion() else { continue };
        let cells = [
            chips::word_of(c),
            c.content.to_string(),
            typeset(&c.rule),
            listed(&c.resting_on),
            chips::need(c.presence),
            typeset(&c.presence_rule),
            listed(&c.presence_on),
            c.examples.to_string(),
            percent(c.opened),
            percent(c.changed_bound),
            c.needed.map_or_else(dash, |n| n.to_string()),
            verdict::limit(c).map_or_else(dash, |limit| typeset(&limit)),
            if c.reason.is_empty() { dash() } else { figures(&c.reason) },
        ];
        t.row(study, part, audit, None, &cells, None);
    }
    let mut out = rule_html(RULE);
    out.push_str(&builder.table(
        "conclusions",
        "What each run allows to be said of its latents, judged from that run alone. Opened: examples whose block opened in the clean run, the ones every number reads. Changed answers, at most: the largest share the decisive interventions leave possible (one-sided 95 % bound). Needed n: questions that would decide the first question.",
        &t.finish(),
    ));
    out.push_str(&broken(study, part));
    builder.section("conclusions", HEADING, &out)
}

/// The figures behind a verdict, folded: one intervention a line.
fn figures(reason: &[String]) -> String {
    let lines: String = reason.iter().map(|clause| format!("<li>{}</li>", typeset(clause))).collect();
    format!("<details><summary>figures</summary><ul>{lines}</ul></details>")
}

/// Interventions with commas.
pub fn listed(interventions: &[Intervention]) -> String {
    interventions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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

/// Of every run its two words and its sentence.
pub fn brief(study: &Study, part: &Part) -> String {
    let line = |audit: &Audit| {
        let style = study.style(audit);
        let said = audit.conclusion().map_or_else(|| "<span class=\"word silent\">not tested</span>".to_string(), of_run);
        format!(
            "<li><span class=\"who\" data-variant=\"{}\">{}<b>{}</b></span> {said}</li>",
            escape(&style.id),
            swatch(style),
            escape(&part.run_name(study, audit))
        )
    };
    let lines: Vec<String> = part.audits.iter().map(line).collect();
    let (open, folded) = lines.split_at(lines.len().min(OPEN));
    let mut out = format!("<ul class=\"standings\">{}</ul>", open.concat());
    if !folded.is_empty() {
        let _ =
            write!(out, "<details><summary>{} more runs</summary><ul class=\"standings\">{}</ul></details>", folded.len(), folded.concat());
    }
    out
}

fn of_run(c: &ConclusionFinding) -> String {
    format!("{}: <span class=\"why\">{}</span>", chips::answers(c), typeset(&c.sentence))
}

/// For interventions that break the form: what is known of the choice, from the answers parsed both ways and from a
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
            v.intervention,
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
        "<h3>Where the form breaks</h3><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Three readings\"><table class=\"few\"><thead><tr><td></td><th scope=\"col\">all answers</th><th scope=\"col\">parsed both ways</th><th scope=\"col\">read leniently</th></tr></thead><tbody>{rows}</tbody></table></div><p class=\"why\">Change in points with its 95 % interval, which no adjustment widens: one that leaves out 0 may not survive Holm\u{2019}s. All answers: unparsed ones are wrong. Parsed both ways: a subset that the damage itself picks, and the smaller it is, the less can be shown. Read leniently: where <code>&lt;answer&gt;</code> is lost, a single option letter right before <code>&lt;/answer&gt;</code> counts; no verdict rests on it.</p>"
    )
}
