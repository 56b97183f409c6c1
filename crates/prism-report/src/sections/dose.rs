//! Dose and response: how the answer changes as the damage grows, with what the dose means
//! for these latents (signal-to-noise).

use prism_run::DoseFamily;

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, run, styles};
use crate::charts::lines::{self, Line, Look, Point};
use crate::number::{decimal, interval, percent, points};
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Dose and response";
/// Graded families, with what their amount is.
const FAMILIES: [(DoseFamily, &str, &str); 3] = [
    (DoseFamily::Noise, "noise, raw", "sigma, raw units"),
    (DoseFamily::Relative, "noise, relative", "sigma, shares of the measured spread"),
    (DoseFamily::Mix, "mixed with a donor", "share of the donor"),
];

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let graded = part.audits.iter().flat_map(|a| &a.findings.doses).any(|d| d.amount > 0.0);
    if !graded {
        return builder.absent(
            HEADING,
            "no graded intervention was run; add `noise:0.1`, `noise:1`, `relative:1` or `mix:0.5` to the audit\u{2019}s interventions",
        );
    }
    let mut charts = Vec::new();
    for (family, name, title) in FAMILIES {
        let look = look(part, title);
        let by_dose = lines::spec(&lines_of(study, part, family, |d| Some(d.amount)), &look);
        if by_dose.is_some() {
            charts.push((by_dose, name.to_string()));
        }
    }
    let by_noise = lines_of(study, part, DoseFamily::Noise, |d| d.snr_spread.filter(|_| d.amount > 0.0));
    let look = Look { x: "signal to noise, dB, against the latents\u{2019} spread", counts: false, ..look(part, "") };
    if let Some(spec) = lines::spec(&by_noise, &look) {
        charts.push((Some(spec), "the same noise, by signal-to-noise".into()));
    }
    let band = if part.margin().is_some() { " The band is the equivalence margin." } else { "" };
    let caption = format!(
        "Change in accuracy as the damage grows, with 95 % intervals of the paired difference. A raw sigma means another thing in every model; by signal-to-noise (spread of the latents over examples against the root mean square change of a dimension) runs compare: 0 dB is noise as large as what tells examples apart.{band}"
    );
    let mut out = builder.figure("dose", charts, &styles(study, part), &caption);
    out.push_str(&table(study, part, builder));
    builder.section("dose", HEADING, &out)
}

fn look<'a>(part: &Part, x: &'a str) -> Look<'a> {
    Look {
        what: "Dose and response",
        x,
        counts: false,
        y: "change in accuracy, points",
        scale: 100.0,
        digits: 1,
        band: part.margin(),
        reference: Some(0.0),
    }
}

fn lines_of<'a>(
    study: &'a Study,
    part: &Part,
    family: DoseFamily,
    x: impl Fn(&prism_audit::findings::DoseFinding) -> Option<f64>,
) -> Vec<Line<'a>> {
    let points = |a: &Audit| -> Vec<Point> {
        let of = a.findings.doses.iter().filter(|d| d.family == family);
        let mut all: Vec<Point> = of
            .filter_map(|d| {
                let clean = d.intervention.is_clean();
                let y = if clean { 0.0 } else { d.delta? };
                Some(Point { x: x(d)?, y, low: d.delta_low, high: d.delta_high, key: (!clean).then_some(d.intervention) })
            })
            .collect();
        all.sort_by(|a, b| a.x.total_cmp(&b.x));
        all
    };
    part.audits
        .iter()
        .filter(|a| !a.is_silent())
        .map(|a| Line { run: run(study, part, a), name: String::new(), points: points(a) })
        .filter(|l| l.points.len() > 1)
        .collect()
}

fn table(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut t = Table::new(&[
        (TEXT, "family"),
        (TEXT, "intervention"),
        (NUMBER, "n"),
        (NUMBER, "SNR by norm, dB"),
        (NUMBER, "SNR by spread, dB"),
        (NUMBER, "accuracy, %"),
        (NUMBER, "change"),
        (NUMBER, "95 %"),
        (NUMBER, "margin, nats"),
        (NUMBER, "95 %"),
        (NUMBER, "outputs changed, %"),
    ]);
    let signed = |v: Option<f64>| decimal(v, 2);
    for audit in &part.audits {
        for d in &audit.findings.doses {
            let cells = [
                d.family.to_string(),
                d.intervention.to_string(),
                d.examples.to_string(),
                decimal(d.snr_norm, 1),
                decimal(d.snr_spread, 1),
                percent(d.accuracy),
                points(d.delta),
                interval(d.delta_low, d.delta_high, points),
                signed(d.margin_delta),
                interval(d.margin_low, d.margin_high, signed),
                percent(d.changed),
            ];
            t.row(study, part, audit, Some(d.intervention), &cells, None);
        }
    }
    builder.table(
        "dose",
        "Graded interventions. Signal-to-noise by norm: latents against the change made to them; by spread: how latents differ over examples against the change of a dimension. Change in points against the clean run; margin: change of the gold letter\u{2019}s log-probability against the best other one.",
        &t.finish(),
    )
}
