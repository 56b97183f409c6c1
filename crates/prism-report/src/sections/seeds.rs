//! Training seeds as dots: a variant is the spread of its seeds, never one bar.

use prism_audit::findings::SeedFinding;
use prism_run::Intervention;

use super::{Builder, styles, swatch};
use crate::charts::Run;
use crate::charts::seeds::{self, Spread};
use crate::html::escape;
use crate::number::{decimal, interval, p_value, percent, points};
use crate::study::{Part, Study};

const HEADING: &str = "Training seeds";
/// Charts of changes, at most.
const PANELS: usize = 5;

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    if !part.has_seeds() {
        return builder.absent(
            HEADING,
            "one training seed a variant, so nothing here says how much a second one would change; `prism study --seeds 5` trains more",
        );
    }
    // Items are drawn jointly within a benchmark; a comparison is of one.
    let of = |v: usize, intervention: Intervention| -> Option<&SeedFinding> {
        let (_, findings) = study.comparison.as_ref()?;
        let alone = study.parts.len() == 1;
        findings.seeds.iter().find(|s| alone && s.variant == study.variants[v].id && s.intervention == intervention)
    };
    let spreads = |intervention: Intervention| -> Vec<Spread<'_>> {
        part.variants()
            .into_iter()
            .map(|v| {
                let style = &study.variants[v];
                let value = |a: &crate::study::Audit| {
                    if intervention.is_clean() { a.clean()?.accuracy } else { a.change(intervention).map(|c| c.delta) }
                };
                let seeds = part.of(v).filter_map(|a| {
                    Some((a.seed.map_or_else(String::new, |s| s.to_string()), value(a).filter(|v| v.is_finite())? * 100.0))
                });
                let found = of(v, intervention);
                let scaled = |v: Option<f64>| v.filter(|v| v.is_finite()).map(|v| v * 100.0);
                Spread {
                    run: Run { style, label: style.name.clone() },
                    seeds: seeds.collect(),
                    mean: found.and_then(|f| scaled(f.mean)),
                    low: found.and_then(|f| scaled(f.low)),
                    high: found.and_then(|f| scaled(f.high)),
                }
            })
            .collect()
    };
    let mut charts = vec![(seeds::spec(&spreads(Intervention::CLEAN), "accuracy, clean, %", None, None), "Clean".to_string())];
    let interventions = part.interventions();
    for i in interventions.into_iter().filter(|i| !i.is_sham()).take(PANELS) {
        charts.push((seeds::spec(&spreads(i), "change in accuracy, points", Some(i), Some(0.0)), i.to_string()));
    }
    let caption = "Every dot is one training seed. The tick is the mean over seeds and examples, the bar its 95 % interval for seeds and examples not seen (two-way variance components); both are absent where the runs were not compared.";
    let mut out = builder.figure("seeds", charts, &styles(study, part), caption);
    out.push_str(&table(study, part, builder));
    builder.section("seeds", HEADING, &out)
}

fn table(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let Some((_, findings)) = study.comparison.as_ref().filter(|(_, f)| !f.seeds.is_empty()) else { return String::new() };
    let mut t = String::from("<table><thead><tr><th scope=\"col\">variant</th><th scope=\"col\" class=\"text\">of</th>");
    for head in [
        "seeds",
        "items",
        "mean",
        "95 %, new seeds and items",
        "95 %, items alone",
        "between seeds, sd",
        "random effects",
        "95 %",
        "Q <i>p</i>",
        "I², %",
    ] {
        t.push_str(&format!("<th scope=\"col\">{head}</th>"));
    }
    t.push_str("</tr></thead><tbody>");
    let mut last = "";
    for s in &findings.seeds {
        let Some(style) = part.variants().into_iter().map(|v| &study.variants[v]).find(|style| style.id == s.variant) else { continue };
        let show: fn(Option<f64>) -> String = if s.quantity == "accuracy" { percent } else { points };
        let what = if s.quantity == "accuracy" { "accuracy, clean".to_string() } else { s.intervention.to_string() };
        t.push_str(&format!(
            "<tr class=\"{}\" data-variant=\"{}\" data-intervention=\"{}\"><th scope=\"row\">{}{}</th><td class=\"text\">{}</td><td>{}</td><td>{}</td>",
            if last == s.variant { "again" } else { "first" },
            escape(&style.id),
            s.intervention,
            swatch(style),
            escape(&style.name),
            escape(&what),
            s.seeds,
            s.items
        ));
        last = &s.variant;
        match (&s.reason, s.mean) {
            (Some(why), None) => t.push_str(&format!("<td class=\"text\" colspan=\"8\">{}</td></tr>", escape(why))),
            _ => {
                let cells = [
                    format!("<b>{}</b>", show(s.mean)),
                    interval(s.low, s.high, show),
                    interval(s.items_low, s.items_high, show),
                    decimal(s.between_seeds.map(|v| v * 100.0), 1),
                    show(s.effect),
                    interval(s.effect_low, s.effect_high, show),
                    p_value(s.q_p),
                    percent(s.i2),
                ];
                cells.iter().for_each(|cell| t.push_str(&format!("<td>{cell}</td>")));
                t.push_str("</tr>");
            }
        }
    }
    t.push_str("</tbody></table>");
    builder.table("seeds", "Variants over their training seeds, in percent and points. Random effects: Paule and Mandel\u{2019}s mean with Hartung and Knapp\u{2019}s interval; Q asks whether seeds agree within their own errors.", &t)
}
