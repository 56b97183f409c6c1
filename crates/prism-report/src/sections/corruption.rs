//! What interventions on the latents do, by class: the profile, what each shows, and the
//! response against the decodability gap (method, sections 6 to 8).

use std::fmt::Write;

use prism_audit::findings::VerdictFinding;
use prism_run::{Action, Effect, Intervention};

use super::{Builder, EXPLAINED, n_equals, row_start, run, styles};
use crate::charts::{corruption, gap_response};
use crate::chips;
use crate::html::escape;
use crate::number::{decimal, interval, p_value, percent, plain_points, points};
use crate::study::{Audit, Part, Study};

/// The section on interventions.
pub fn html(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let interventions = part.whole_interventions();
    let mut effects = Vec::new();
    for intervention in interventions.iter().copied() {
        for audit in &part.audits {
            let Some(change) = audit.change(intervention) else { continue };
            effects.push(corruption::Effect {
                run: run(study, part, audit),
                intervention,
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
        || " No common margin was declared.".to_string(),
        |m| format!(" The shaded band is the margin of ±{} points, fixed beforehand.", plain_points(m)),
    );
    let silent: Vec<String> = part.audits.iter().filter(|a| a.is_silent()).map(|a| part.run_name(study, a)).collect();
    let silent = if silent.is_empty() { String::new() } else { format!(" Not drawn, for no latent ran: {}.", escape(&silent.join(", "))) };
    let others = match part.interventions().len() - interventions.len() {
        0 => "",
        _ => " Interventions on part of the block, or under another view of the image, have figures of their own.",
    };
    let caption = format!(
        "Change in accuracy against the clean run of the same questions ({}; those whose block opened), by class: another content first, which answers whether what the block says is used; then less than the block, which answers whether it is needed; then order, damage and help, which explain. Damage lies off the distribution: a loss there may be one of form. Bars are 95 % score intervals of the paired difference.{band}{silent}{others}",
        n_equals(part)
    );
    let mut out = builder.figure("corruption", vec![(corruption::spec(&effects, margin), String::new())], &styles(study, part), &caption);
    out.push_str(EXPLAINED);
    out.push_str(&verdicts(study, part, builder));
    builder.section("corruption", "What interventions on the latents do", &out)
}

const COLUMNS: [&str; 14] = [
    "n",
    "strength",
    "changed answers",
    "at most, %",
    "change",
    "95 %",
    "gained / lost (unparsed)",
    "choice",
    "<i>p</i>",
    "Holm <i>p</i>",
    "equivalence <i>p</i>",
    "adjusted over all runs",
    "detectable",
    "needed n",
];

fn verdicts(study: &Study, part: &Part, builder: &mut Builder) -> String {
    if part.audits.iter().all(|a| a.findings.verdict.is_empty()) {
        return String::new();
    }
    let mut t = String::from(
        "<table><thead><tr><th scope=\"col\">variant</th><th scope=\"col\" class=\"text\">class</th><th scope=\"col\" class=\"text\">intervention</th>",
    );
    COLUMNS.iter().for_each(|heading| t.push_str(&format!("<th scope=\"col\">{heading}</th>")));
    t.push_str("<th scope=\"col\" class=\"text\">what it shows</th></tr></thead><tbody>");
    for audit in &part.audits {
        for (i, v) in audit.verdicts().into_iter().enumerate() {
            let _ = write!(
                t,
                "{}<td class=\"text\">{}</td><td class=\"text\">{}</td>{}",
                row_start(study, part, audit, i == 0, Some(v.intervention)),
                v.class,
                pick(study, audit, v.intervention),
                numbers(v, study.across(audit, v.intervention))
            );
            let why = v.reason.as_deref().map_or_else(String::new, |r| format!(" title=\"{}\"", escape(r)));
            let _ = write!(t, "<td class=\"text\"{why}>{}</td></tr>", chips::effect(v.verdict));
        }
    }
    t.push_str("</tbody></table>");
    builder.table(
        "corruption",
        "What each intervention shows, by class. n, and all that follows, counts the questions whose block opened in the clean run. Strength: distance of what was put in from the clean latents, in units of their natural spread. Changed answers: letter or parse state differs from the clean run; at most: one-sided 95 % bound of their share. Change and its 95 % score interval in points; unparsed: lost answers that could not be read any more; choice: change among answers parsed both ways. <i>p</i>: exact, clusters flipped whole where there are any; Holm: within the run\u{2019}s tests of the same family (content, presence, explanatory). Adjusted over all runs (Holm, over the comparison): it moves no word. Detectable: the smallest change, in points, that this many questions would show; needed: questions the equivalence test would ask for, where nothing is shown. Under another view of the image (@) the change is against the clean run under that view, of clean@ itself against that in full view.",
        &t,
    )
}

/// The numbers of a row, in the order of [`COLUMNS`].
fn numbers(v: &VerdictFinding, across: Option<f64>) -> String {
    let dash = || "–".to_string();
    let ran = v.examples > 0;
    let unparsed = if v.lost_unparsed > 0 { format!(" ({})", v.lost_unparsed) } else { String::new() };
    let strength = if v.nothing_to_exchange { "nothing to exchange".into() } else { decimal(v.strength, 2) };
    let cells = [
        v.examples.to_string(),
        strength,
        if ran { format!("{} <small>{} %</small>", v.changed_answers, percent(v.changed)) } else { dash() },
        percent(v.changed_bound),
        points(v.delta),
        interval(v.delta_low, v.delta_high, points),
        if ran { format!("{} / {}{unparsed}", v.gained, v.lost) } else { dash() },
        points(v.choice_delta),
        p_value(v.clustered_p.or(v.mcnemar_p)),
        p_value(v.holm_p),
        p_value(v.equivalence_p),
        p_value(across),
        percent(v.detectable),
        v.needed.filter(|_| v.verdict == Effect::Undecided).map_or_else(dash, |n| n.to_string()),
    ];
    cells.iter().map(|cell| format!("<td>{cell}</td>")).collect()
}

/// The intervention as a button that narrows the page to it and to the variant.
fn pick(study: &Study, audit: &Audit, intervention: Intervention) -> String {
    format!(
        "<button type=\"button\" class=\"pick\" data-pick-variant=\"{}\" data-pick-intervention=\"{intervention}\">{intervention}</button>",
        escape(&study.style(audit).id)
    )
}

/// The section on gap and response.
pub fn gap_html(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let interventions = part.interventions();
    let wanted = [Action::Zero, Action::Noise(0.1)].map(Intervention::from);
    let mut chosen: Vec<Intervention> = wanted.into_iter().filter(|i| interventions.contains(i)).collect();
    if chosen.is_empty() {
        chosen = interventions.into_iter().take(2).collect();
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
        charts.push((gap_response::spec(&all, intervention), String::new()));
    }
    let caption = format!(
        "Response to damage against the decodability gap <i>G</i> = acc(a) − acc(b): how much more of the answer can be read at the answer state than at the last latent. One point per run ({} each); both probes on the examples that have both vectors; bars are 95 % score intervals of the paired difference.",
        n_equals(part)
    );
    let figure = builder.figure("gap", charts, &styles(study, part), &caption);
    builder.section("gap", "Gap against response", &figure)
}
