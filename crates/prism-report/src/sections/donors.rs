//! Whose answer is given: do swapped-in latents bring their own answer along, and does a
//! change of the image that changes the answer arrive in the latents?

use prism_audit::findings::DonorFinding;
use prism_run::ArrivesAt;

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, run, styles};
use crate::charts::forest::{self, Look, Mark};
use crate::charts::lines::{self, Line, Point};
use crate::html::escape;
use crate::number::{decimal, interval, p_value, percent, points};
use crate::study::{Part, Study};

const HEADING: &str = "Do answers follow the donor?";
const PARTNERS: &str = "Does a change that matters reach the latents?";

/// The section on donors.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let rows = || part.audits.iter().flat_map(|a| a.findings.donors.iter().map(move |f| (a, f)));
    if rows().next().is_none() {
        return builder
            .absent(HEADING, "no swap with a donor was run; add `swap` or `swap:counterfactual` to the audit\u{2019}s interventions");
    }
    type Read = fn(&DonorFinding) -> (Option<f64>, Option<f64>, Option<f64>);
    let marks = |read: Read| -> Vec<Mark<'_>> {
        let of = |(a, f): (_, &DonorFinding)| {
            let (value, low, high) = read(f);
            let (row, key) = (f.intervention.to_string(), Some(f.intervention));
            Some(Mark { run: run(study, part, a), row, key, value: value?, low, high })
        };
        rows().filter(|(a, _)| !a.is_silent()).filter_map(of).collect()
    };
    let look = Look {
        what: "Donor-answer lift",
        title: "more answers with the donor\u{2019}s letter, points",
        scale: 100.0,
        digits: 1,
        band: None,
        reference: Some(0.0),
    };
    let beyond = Look { what: "Donor\u{2019}s letter beyond damage", title: "above donors exchanged, points", ..look };
    let caption = "Left: how much oftener the donor\u{2019}s gold letter is answered once its latents stand in the block, on examples whose own gold letter is another. Damage that only makes a model guess raises this too, by up to 50 points with two options and 25 with four. Right: matches with the donor\u{2019}s letter above what the same answers would match with donors exchanged among questions of the same gold letter and number of options; any damage that does not know the donor leaves this at 0: if latents carry the answer, it is above. Bars are 95 % intervals of the paired difference.";
    let charts = vec![
        (forest::spec(&marks(|f| (f.lift, f.lift_low, f.lift_high)), &look), "Donor-answer lift".to_string()),
        (forest::spec(&marks(|f| (f.transfer, f.transfer_low, f.transfer_high)), &beyond), "Beyond damage".to_string()),
    ];
    let mut out = builder.figure("donors", charts, &styles(study, part), caption);
    let mut t = Table::new(&[
        (TEXT, "intervention"),
        (NUMBER, "n"),
        (NUMBER, "left out"),
        (NUMBER, "donor\u{2019}s letter,<br>clean, %"),
        (NUMBER, "swapped, %"),
        (NUMBER, "lift"),
        (NUMBER, "95 %"),
        (NUMBER, "<i>p</i>"),
        (NUMBER, "beyond damage"),
        (NUMBER, "95 %"),
        (NUMBER, "own gold,<br>clean, %"),
        (NUMBER, "swapped, %"),
        (NUMBER, "margin, nats"),
    ]);
    for (audit, f) in rows() {
        let mut cells = vec![f.intervention.to_string(), f.examples.to_string(), f.left_out.to_string()];
        if f.lift.is_some() || f.reason.is_none() {
            cells.extend([
                percent(f.donor_rate_clean),
                percent(f.donor_rate),
                format!("<b>{}</b>", points(f.lift)),
                interval(f.lift_low, f.lift_high, points),
                p_value(f.lift_p),
                points(f.transfer),
                interval(f.transfer_low, f.transfer_high, points),
                percent(f.gold_rate_clean),
                percent(f.gold_rate),
                decimal(f.margin_lift, 2),
            ]);
        }
        t.row(study, part, audit, Some(f.intervention), &cells, f.reason.as_deref());
    }
    out.push_str(&builder.table(
        "donors",
        "Answers beside the donor\u{2019}s gold letter. Left out: the donor has the same letter, none, or one that is no option here. Beyond damage: matches with the donor\u{2019}s letter above those with donors exchanged within gold letter and number of options. <i>p</i> by sign flips with clusters whole; margin: change of the donor letter\u{2019}s log-probability margin.",
        &t.finish(),
    ));
    builder.section("donors", HEADING, &out)
}

/// The section on counterfactual partners.
pub fn partners(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let rows = || part.audits.iter().flat_map(|a| a.findings.counterfactual.iter().map(move |f| (a, f)));
    if rows().next().is_none() {
        return builder.absent(PARTNERS, "the benchmark holds no pairs of counterfactual partners, or their vectors were not recorded");
    }
    let place = |at: ArrivesAt| at.name().replace('_', " ");
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (a, f) in rows() {
        let (Some(step), Some(y)) = (f.step, f.change) else { continue };
        let point = Point { x: step as f64, y, low: f.change_low, high: f.change_high, key: None };
        let (label, name) = (part.run_name(study, a), place(f.place));
        match lines.iter_mut().find(|l| l.run.label == label && l.name == name) {
            Some(line) => line.points.push(point),
            None => lines.push(Line { run: run(study, part, a), name, points: vec![point] }),
        }
    }
    let look = lines::Look {
        what: "Counterfactual sensitivity",
        x: "latent step",
        counts: true,
        y: "distance of partners / of strangers",
        scale: 1.0,
        digits: 2,
        band: None,
        reference: Some(1.0),
    };
    let fixed: Vec<Mark<'_>> = rows()
        .filter(|(_, f)| f.step.is_none())
        .filter_map(|(a, f)| {
            Some(Mark {
                run: run(study, part, a),
                row: place(f.place),
                key: None,
                value: f.change?,
                low: f.change_low,
                high: f.change_high,
            })
        })
        .collect();
    let forest = Look {
        what: "Counterfactual sensitivity",
        title: "distance of partners / of strangers",
        scale: 1.0,
        digits: 2,
        band: None,
        reference: Some(1.0),
    };
    let charts = vec![
        (forest::spec(&fixed, &forest), "From the image to the answer".to_string()),
        (lines::spec(&lines, &look), "Along the block".to_string()),
    ];
    let caption = "An example and its counterfactual partner differ in the one attribute that changes the answer. Mean squared distance of partners over that of strangers: at 0 the change never arrived, at 1 partners differ as strangers do. Bars are 95 % intervals over pairs.";
    let mut out = builder.figure("counterfactual", charts, &styles(study, part), caption);
    let mut t = Table::new(&[
        (TEXT, "place"),
        (NUMBER, "step"),
        (NUMBER, "pairs"),
        (NUMBER, "cosine of partners"),
        (NUMBER, "of strangers"),
        (NUMBER, "change"),
        (NUMBER, "95 %"),
        (NUMBER, "letters differ, %"),
        (NUMBER, "both right, %"),
    ]);
    for (audit, f) in rows() {
        let mut cells = vec![escape(&place(f.place)), f.step.map_or_else(|| "\u{2013}".into(), |s| s.to_string()), f.pairs.to_string()];
        if f.reason.is_none() {
            cells.extend([
                decimal(f.cosine, 3),
                decimal(f.cosine_strangers, 3),
                decimal(f.change, 2),
                interval(f.change_low, f.change_high, |v| decimal(v, 2)),
                percent(f.answers_differ),
                percent(f.both_right),
            ]);
        }
        t.row(study, part, audit, None, &cells, f.reason.as_deref());
    }
    out.push_str(&builder.table("counterfactual", "Counterfactual partners by place, from the image to the answer.", &t.finish()));
    builder.section("counterfactual", PARTNERS, &out)
}
