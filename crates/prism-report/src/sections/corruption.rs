//! What damage to the latents does: the profile, the verdict per intervention,
//! and the response against the decodability gap (method, sections 6 to 8).

use std::fmt::Write;

use prism_audit::verdict::UNDECIDED;

use super::{Builder, EXPLAINED, n_equals, row_start, run, styles};
use crate::charts::{corruption, gap_response};
use crate::html::escape;
use crate::number::{decimal, interval, p_value, percent, plain_points, points};
use crate::study::{Audit, Part, Study, intervention_label};
use crate::verdict::class_of_word;

/// The section on corruption.
pub fn html(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let interventions = part.whole_interventions();
    let mut effects = Vec::new();
    for intervention in &interventions {
        for audit in &part.audits {
            let Some(change) = audit.change(intervention) else { continue };
            effects.push(corruption::Effect {
                run: run(study, part, audit),
                intervention: intervention_label(intervention),
                key: intervention,
                delta: change.delta,
                low: change.low,
                high: change.high,
                gained: change.gained,
                lost: change.lost,
            });
        }
    }
    let margin = part.margin();
    let band = margin.map_or_else(
        || " No common equivalence margin was declared.".to_string(),
        |m| format!(" The shaded band is the equivalence margin of ±{} points, fixed beforehand; <i>bypassed</i> asks the narrower 90 % interval to lie inside.", plain_points(m)),
    );
    let silent: Vec<String> = part.audits.iter().filter(|a| a.is_silent()).map(|a| part.run_name(study, a)).collect();
    let silent = if silent.is_empty() { String::new() } else { format!(" Not drawn, for no latent ran: {}.", escape(&silent.join(", "))) };
    let others = match part.interventions().len() - interventions.len() {
        0 => "",
        _ => " Interventions on part of the block, or under another view of the image, have figures of their own.",
    };
    let caption = format!(
        "Change in accuracy when something is done to every latent of the block, against the clean run of the same questions ({}; those whose block opened): left of 0 the damage hurts, right of 0 it helps. Bars are 95 % score intervals of the paired difference.{band}{silent}{others}",
        n_equals(part)
    );
    let mut out = builder.figure("corruption", vec![(corruption::spec(&effects, margin), String::new())], &styles(study, part), &caption);
    out.push_str(EXPLAINED);
    out.push_str(&verdicts(study, part, builder));
    builder.section("corruption", "What damage to the latents does", &out)
}

fn verdicts(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut t = String::from(
        "<table><thead><tr><th scope=\"col\">variant</th><th scope=\"col\" class=\"text\">intervention</th><th scope=\"col\">n</th><th scope=\"col\">latents moved, %</th><th scope=\"col\">outputs changed, %</th><th scope=\"col\">change</th><th scope=\"col\">95 %</th><th scope=\"col\">gained / lost (unparsed)</th><th scope=\"col\">McNemar <i>p</i></th><th scope=\"col\">Holm <i>p</i></th><th scope=\"col\">equivalence <i>p</i></th><th scope=\"col\">detectable</th><th scope=\"col\">needed n</th><th scope=\"col\" class=\"text\">verdict</th></tr></thead><tbody>",
    );
    let mut any = false;
    for audit in &part.audits {
        for (i, v) in audit.findings.verdict.iter().enumerate() {
            any = true;
            let change = audit.change(&v.intervention);
            let unparsed = if v.lost_unparsed > 0 { format!(" ({})", v.lost_unparsed) } else { String::new() };
            let class = class_of_word(&v.verdict);
            let _ = write!(
                t,
                "{}<td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"soft\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"text\"{}><span class=\"word {class}\">{}</span></td></tr>",
                row_start(study, part, audit, i == 0, Some(&v.intervention)),
                pick(study, audit, &v.intervention),
                v.examples,
                decimal(v.relative_change.map(|r| 100.0 * r), 1),
                percent((v.examples > 0).then(|| v.changed as f64 / v.examples as f64)),
                points(change.map(|c| c.delta)),
                change.map_or_else(|| "–".into(), |c| interval(c.low, c.high, points)),
                change.map_or_else(|| "–".into(), |c| format!("{} / {}{unparsed}", c.gained, c.lost)),
                p_value(v.mcnemar_p),
                p_value(v.holm_p),
                p_value(v.equivalence_p),
                v.detectable.map_or_else(|| "–".into(), |d| percent(Some(d))),
                v.needed.filter(|_| v.verdict == UNDECIDED).map_or_else(|| "–".into(), |n| n.to_string()),
                v.reason.as_deref().map_or_else(String::new, |r| format!(" title=\"{}\"", escape(r))),
                escape(&v.verdict)
            );
        }
    }
    t.push_str("</tbody></table>");
    if !any {
        return String::new();
    }
    let rule = super::conclusions::rule_html(prism_audit::verdict::RULE);
    let table = builder.table(
        "corruption",
        "What each intervention allows to be said. n, and all that follows, counts the questions whose block opened. Latents moved: mean norm of the change over that of the clean latents; change and its 95 % score interval in points; unparsed: lost answers that could not be read any more; Holm over every run and intervention on this benchmark under the same view of the image; detectable: the smallest change, in points, that this many questions would show; needed: questions the equivalence test would ask for, where nothing is shown. Under another view of the image (@) the change is against the clean run under that view, of clean@ itself against that in full view. The score interval takes examples one by one; the tests take clusters whole.",
        &t,
    );
    table + &rule
}

/// The intervention as a button that narrows the page to it and to the variant.
fn pick(study: &Study, audit: &Audit, intervention: &str) -> String {
    format!(
        "<button type=\"button\" class=\"pick\" data-pick-variant=\"{}\" data-pick-intervention=\"{}\">{}</button>",
        escape(&study.style(audit).id),
        escape(intervention),
        escape(&intervention_label(intervention))
    )
}

/// The section on gap and response.
pub fn gap_html(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let interventions = part.interventions();
    let wanted = ["zero", "noise:0.1"];
    let mut chosen: Vec<&String> = interventions.iter().filter(|i| wanted.contains(&i.as_str())).collect();
    if chosen.is_empty() {
        chosen = interventions.iter().take(2).collect();
    }
    let mut charts = Vec::new();
    for intervention in chosen {
        let all: Vec<gap_response::Point<'_>> = part
            .audits
            .iter()
            .filter_map(|a| {
                let (change, gap) = (a.change(intervention)?, a.summary()?.gap.filter(|g| g.is_finite())?);
                Some(gap_response::Point { run: run(study, part, a), gap, delta: change.delta, low: change.low, high: change.high })
            })
            .collect();
        charts.push((gap_response::spec(&all, intervention, &intervention_label(intervention)), String::new()));
    }
    let caption = format!(
        "Response to damage against the decodability gap <i>G</i> = acc(a) − acc(b): how much more of the answer can be read at the answer state than at the last latent. One point per run ({} each); both probes on the examples that have both vectors; bars are 95 % score intervals of the paired difference.",
        n_equals(part)
    );
    let figure = builder.figure("gap", charts, &styles(study, part), &caption);
    builder.section("gap", "Gap against response", &figure)
}
