//! How every example ended, and whether the interventions did anything at all.

use std::fmt::Write;

use super::{Builder, first_screen, row_start};
use crate::change::ALL;
use crate::html::{clipped, escape};
use crate::number::{decimal, interval, percent};
use crate::study::{Part, Study};

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut t = String::from(
        "<table><thead><tr><th scope=\"col\">variant</th><th scope=\"col\" class=\"text\">intervention</th><th scope=\"col\">scored</th><th scope=\"col\">no answer</th><th scope=\"col\">no latents</th><th scope=\"col\">error</th><th scope=\"col\">opened, %</th><th scope=\"col\">context steps</th><th scope=\"col\">target steps</th><th scope=\"col\">outputs changed</th><th scope=\"col\">|latent|</th><th scope=\"col\">|change|</th></tr></thead><tbody>",
    );
    for audit in &part.audits {
        for (i, f) in audit.findings.faithfulness.iter().filter(|f| f.category == ALL).enumerate() {
            let loud = |n: usize| if n > 0 { format!("<b>{n}</b>") } else { "0".into() };
            let changed = if f.intervention.is_clean() { "–".into() } else { f.changed.to_string() };
            let _ = write!(
                t,
                "{}<td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{changed}</td><td>{}</td><td>{}</td></tr>",
                row_start(study, part, audit, i == 0, Some(f.intervention)),
                f.intervention,
                f.scored,
                loud(f.no_answer),
                loud(f.no_latents),
                loud(f.error),
                percent(f.opened),
                decimal(f.steps_context, 1),
                decimal(f.steps_target, 1),
                decimal(f.latent_norm, 2),
                decimal(f.perturbation_norm, 2)
            );
        }
    }
    t.push_str("</tbody></table>");
    let table = builder.table(
        "outcomes",
        "Every example ends in exactly one outcome. <i>No answer</i> counts as wrong; <i>no latents</i>: the block never opened, so the intervention did nothing there; <i>error</i>: left out of n. Outputs changed: examples whose generated tokens differ from the clean run’s. |latent| is the mean norm of the vectors fed back, |change| that of what the intervention did to them.",
        &t,
    );
    let failures = failures(study, part, builder);
    let categories = categories(study, part, builder);
    builder.section("outcomes", "How the examples ended", &format!("{table}{failures}{categories}"))
}

/// What could not be run, by cause; empty where everything ran.
fn failures(study: &Study, part: &Part, builder: &mut Builder) -> String {
    if part.audits.iter().all(|audit| audit.findings.failures.is_empty()) {
        return String::new();
    }
    let mut t = String::from(
        "<table><thead><tr><th scope=\"col\">variant</th><th scope=\"col\" class=\"text\">cause</th><th scope=\"col\">examples</th><th scope=\"col\">of</th><th scope=\"col\" class=\"text\">the first</th><th scope=\"col\" class=\"prose\">what is said of it</th></tr></thead><tbody>",
    );
    for audit in &part.audits {
        for (i, failure) in audit.findings.failures.iter().enumerate() {
            let _ = write!(
                t,
                "{}<td class=\"text\">{}</td><td><b>{}</b></td><td>{}</td><td class=\"text\">{}</td><td class=\"prose\">{}</td></tr>",
                row_start(study, part, audit, i == 0, None),
                failure.cause.name().replace('_', " "),
                failure.examples,
                failure.of,
                escape(&clipped(&failure.id, 80)),
                escape(&clipped(failure.message.as_deref().unwrap_or("–"), 500))
            );
        }
    }
    t.push_str("</tbody></table>");
    for (said, _) in first_screen::failed(study, part) {
        builder.not_measured.push(("Examples that could not be run".into(), clipped(&said, 2000)));
    }
    let caption = "Examples that could not be run, by cause, with the first of each; they are in no other number.";
    builder.table("failures", caption, &t)
}

/// Clean accuracy per category, when the benchmark has any.
fn categories(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut names: Vec<&str> = Vec::new();
    for f in part.audits.iter().flat_map(|a| &a.findings.faithfulness) {
        if f.category != ALL && f.intervention.is_clean() && !names.contains(&f.category.as_str()) {
            names.push(&f.category);
        }
    }
    if names.is_empty() {
        return String::new();
    }
    let mut t = String::from("<table><thead><tr><th scope=\"col\">variant</th>");
    for name in &names {
        let _ = write!(t, "<th scope=\"col\">{}</th>", escape(&name.replace('_', " ")));
    }
    t.push_str("</tr></thead><tbody>");
    for audit in &part.audits {
        t.push_str(&row_start(study, part, audit, true, None));
        for name in &names {
            let row = audit.findings.faithfulness.iter().find(|f| f.category == *name && f.intervention.is_clean());
            match row {
                Some(f) => {
                    let _ = write!(
                        t,
                        "<td>{} <small>{} of {}</small></td>",
                        percent(f.accuracy),
                        interval(f.accuracy_low, f.accuracy_high, percent),
                        f.examples
                    );
                }
                None => t.push_str("<td>–</td>"),
            }
        }
        t.push_str("</tr>");
    }
    t.push_str("</tbody></table>");
    builder.table("categories", "Clean accuracy by category, in percent, with its Wilson 95 % interval and the number of questions.", &t)
}
