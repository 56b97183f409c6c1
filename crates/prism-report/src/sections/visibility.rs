//! Necessity and sufficiency: the latents damaged or not, the image in view or not, in one
//! two-by-two (method, section 7).

use std::fmt::Write;

use prism_audit::findings::VisibilityFinding;
use prism_run::{Action, Class, Intervention, View};

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, first_seed_note, first_seeds, run, styles, swatch};
use crate::charts::forest::{self, Look, Mark};
use crate::html::escape;
use crate::number::{interval, p_value, percent, points};
use crate::study::{Part, Study};

const HEADING: &str = "Necessary, sufficient, or neither";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let crossed =
        || part.audits.iter().flat_map(|a| a.findings.visibility.iter().map(move |f| (a, f))).filter(|(_, f)| !f.intervention.is_clean());
    if crossed().next().is_none() {
        return builder.absent(
            HEADING,
            "no intervention was crossed with another view of the image; add `clean@image-hidden` and `zero@image-hidden` to the audit\u{2019}s interventions",
        );
    }
    let marks = |pick: fn(&VisibilityFinding) -> forest::Estimate| -> Vec<Mark<'_>> {
        crossed()
            .filter_map(|(a, f)| {
                let (value, low, high) = pick(f);
                let row =
                    if f.view == View::ImageHidden { f.intervention.to_string() } else { format!("{} ({})", f.intervention, view(f.view)) };
                Some(Mark { run: run(study, part, a), row, key: Some(f.intervention), value: value?, low, high })
            })
            .collect()
    };
    let look = |what, title| Look { what, title, scale: 100.0, digits: 1, band: part.margin(), reference: Some(0.0) };
    let necessity = forest::spec(
        &marks(|f| (f.necessity, f.necessity_low, f.necessity_high)),
        &look("Necessity of the latents", "accuracy lost in full view, points"),
    );
    let sufficiency = forest::spec(
        &marks(|f| (f.sufficiency, f.sufficiency_low, f.sufficiency_high)),
        &look("Sufficiency of the latents", "accuracy lost in that view, points"),
    );
    let band = if part.margin().is_some() { " The band is the equivalence margin." } else { "" };
    let caption = format!(
        "By what is done to the latents (the teacher\u{2019}s targets are no damage: they can only be lost against). Left, necessity: what damage to the latents costs while the answer can look at the image. Right, sufficiency: what the latents are worth when it cannot (image hidden, where no other view is named). Latents that bear the answer score high on the right; high on the left too if nothing else holds it. One mark per run, bars are 95 % intervals of the paired difference.{band}"
    );
    let mut out = squares(study, part);
    out.push_str(&builder.figure(
        "visibility",
        vec![(necessity, "Necessity".into()), (sufficiency, "Sufficiency".into())],
        &styles(study, part),
        &caption,
    ));
    out.push_str(&table(study, part, builder));
    builder.section("visibility", HEADING, &out)
}

/// One two-by-two per variant, of the pair that most runs share: the first of each run.
fn squares(study: &Study, part: &Part) -> String {
    let mut out = String::from("<div class=\"squares\">");
    let mut pair: Option<(View, Intervention)> = None;
    for audit in first_seeds(part) {
        // A square is of damage; what the teacher gives is none.
        let gives = |i: Intervention| i.action == Action::Clean || i.class() == Class::Help;
        // Zero is the damage every study does; it stands here where it was crossed.
        let mut damages: Vec<&VisibilityFinding> = audit.findings.visibility.iter().filter(|f| !gives(f.intervention)).collect();
        damages.sort_by_key(|f| f.intervention.action != Action::Zero);
        let mut of = damages.into_iter();
        let found = match &pair {
            Some((view, intervention)) => of.find(|f| f.view == *view && f.intervention == *intervention),
            None => of.next(),
        };
        let Some(f) = found else { continue };
        pair.get_or_insert((f.view, f.intervention));
        let style = study.style(audit);
        let cell = |v: Option<f64>| {
            let shade = v.filter(|v| v.is_finite()).map_or(0.0, |v| (v * 60.0).clamp(0.0, 60.0));
            format!("<td style=\"--shade:{shade:.0}%\">{}</td>", percent(v))
        };
        let _ = write!(
            out,
            "<table class=\"square\" data-variant=\"{}\"><caption>{}{} <small>n = {}</small></caption><thead><tr><td></td><th scope=\"col\">latents<br>as they are</th><th scope=\"col\">latents<br>{}</th></tr></thead><tbody><tr><th scope=\"row\">image in view</th>{}{}</tr><tr><th scope=\"row\">{}</th>{}{}</tr></tbody></table>",
            escape(&style.id),
            swatch(style),
            escape(&style.name),
            f.examples,
            f.intervention,
            cell(f.open_clean),
            cell(f.open_damaged),
            escape(&view(f.view)),
            cell(f.view_clean),
            cell(f.view_damaged),
        );
    }
    let _ = write!(
        out,
        "</div><p class=\"rest\">Accuracy in percent in each of the four cells, over the examples that ran in all of them.{}</p>",
        first_seed_note(part)
    );
    out
}

/// A view in words, e.g. `image hidden`.
fn view(view: View) -> String {
    view.name().replace('-', " ")
}

fn table(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut t = Table::new(&[
        (TEXT, "image"),
        (TEXT, "latents"),
        (NUMBER, "n"),
        (NUMBER, "in view,<br>intact"),
        (NUMBER, "in view,<br>damaged"),
        (NUMBER, "out of view,<br>intact"),
        (NUMBER, "out of view,<br>damaged"),
        (NUMBER, "commonest<br>letter"),
        (NUMBER, "necessity"),
        (NUMBER, "<i>p</i>"),
        (NUMBER, "sufficiency"),
        (NUMBER, "<i>p</i>"),
        (NUMBER, "interaction"),
        (NUMBER, "the view alone"),
    ]);
    let effect = |v: Option<f64>, low: Option<f64>, high: Option<f64>| match (low, high) {
        (Some(_), Some(_)) => format!("<b>{}</b> <small>{}</small>", points(v), interval(low, high, points)),
        _ => points(v),
    };
    for audit in &part.audits {
        for f in &audit.findings.visibility {
            let mut cells = vec![escape(&view(f.view)), f.intervention.to_string(), f.examples.to_string()];
            if f.reason.is_none() {
                cells.extend([
                    percent(f.open_clean),
                    percent(f.open_damaged),
                    percent(f.view_clean),
                    percent(f.view_damaged),
                    percent(f.majority),
                    effect(f.necessity, f.necessity_low, f.necessity_high),
                    p_value(f.necessity_p),
                    effect(f.sufficiency, f.sufficiency_low, f.sufficiency_high),
                    p_value(f.sufficiency_p),
                    effect(f.interaction, f.interaction_low, f.interaction_high),
                    effect(f.image_effect, f.image_effect_low, f.image_effect_high),
                ]);
            }
            t.row(study, part, audit, Some(f.intervention), &cells, f.reason.as_deref());
        }
    }
    builder.table(
        "visibility",
        "The image in view or not, the latents damaged or not: accuracies in percent, effects in points with their 95 % intervals, <i>p</i> by sign flips with clusters whole, not adjusted over this table. Interaction: sufficiency − necessity, how far the image stands in for the latents. The view alone: what taking the image away costs.",
        &t.finish(),
    )
}
