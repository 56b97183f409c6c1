//! What latents would say, were they asked: the logit lens by step and layer.

use prism_audit::findings::LensFinding;
use prism_run::Stage;

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, first_seed_note, first_seeds, run, styles};
use crate::charts::heat::{self, Cell};
use crate::html::{clipped, escape};
use crate::number::{decimal, percent};
use crate::study::{Part, Study};

const HEADING: &str = "What the latents would say";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    if part.audits.iter().all(|a| a.findings.lens.is_empty()) {
        return builder.absent(HEADING, "no run recorded a logit lens of its latents");
    }
    let of_lens = |f: &&LensFinding| f.gold.is_some_and(f64::is_finite);
    let largest = first_seeds(part).iter().flat_map(|a| a.findings.lens.iter().filter(of_lens)).filter_map(|f| f.gold).fold(0.0, f64::max);
    let look = heat::Look { what: "Logit lens", columns: "step", title: "gold letter, %", scale: 100.0, range: [0.0, largest.max(0.1)] };
    let mut charts = Vec::new();
    for audit in first_seeds(part) {
        let mut of: Vec<&LensFinding> = audit.findings.lens.iter().filter(of_lens).collect();
        of.sort_by_key(|f| (f.layer.unwrap_or(usize::MAX), f.stage, f.step));
        let staged = of.iter().any(|f| f.stage == Stage::Context);
        let cell = |f: &&LensFinding| Cell {
            column: if staged { format!("{} {}", f.stage, f.step) } else { f.step.to_string() },
            row: layer(f),
            value: f.gold.unwrap_or(f64::NAN),
        };
        let cells: Vec<Cell> = of.iter().map(cell).collect();
        if !cells.is_empty() {
            charts.push((heat::spec(&run(study, part, audit), &cells, &look), study.style(audit).name.clone()));
        }
    }
    let caption = format!(
        "Mean probability of the gold letter when each latent step is read by the output head, by step and layer (the input of the layer; last: after the final norm); one scale for all, to 10 % at least.{}",
        first_seed_note(part)
    );
    let mut out = if charts.is_empty() { String::new() } else { builder.figure("lens", charts, &styles(study, part), &caption) };
    let mut t = Table::new(&[
        (TEXT, "stage"),
        (NUMBER, "step"),
        (NUMBER, "layer"),
        (NUMBER, "examples"),
        (NUMBER, "entropy, nats"),
        (NUMBER, "likeliest, %"),
        (NUMBER, "gold letter, %"),
        (TEXT, "likeliest tokens, share of examples"),
    ]);
    for audit in &part.audits {
        for f in &audit.findings.lens {
            let cells = [
                f.stage.to_string(),
                f.step.to_string(),
                layer(f),
                f.examples.to_string(),
                decimal(f.entropy, 2),
                percent(f.probability),
                percent(f.gold),
                escape(&clipped(&f.tokens, 160)),
            ];
            t.row(study, part, audit, None, &cells, None);
        }
    }
    out.push_str(&builder.table("lens", "The logit lens of the latents over examples: entropy over the vocabulary, mean probability of the likeliest token and of the gold letter, and the commonest of the likeliest.", &t.finish()));
    builder.section("lens", HEADING, &out)
}

fn layer(f: &LensFinding) -> String {
    f.layer.map_or_else(|| "last".into(), |layer| layer.to_string())
}
