//! What `prism paths` found, in plain text. The rest of it lies in the run folder's tables.

use std::collections::BTreeMap;

use prism_audit::findings::{CkaFinding, DriftFinding, EffectFinding, GradientCosineFinding, PathFinding};
use prism_audit::paths::drift::MODULES;
use prism_audit::paths::{PathFindings, effects};
use prism_audit::text::{ABSENT, interval, number, percent, points, signed, table};
use prism_run::{Change, Source, Weights, shown};

/// All of it.
pub fn describe(findings: &PathFindings) -> String {
    let mut text = String::new();
    let mut variants: Vec<(String, Option<i64>)> = Vec::new();
    for cell in &findings.paths {
        let variant = (cell.variant.clone(), cell.seed);
        if !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    for (name, seed) in &variants {
        let of = |variant: &str, its: Option<i64>| variant == name && its == *seed;
        let cells: Vec<&PathFinding> = findings.paths.iter().filter(|f| of(&f.variant, f.seed)).collect();
        let changes: Vec<EffectFinding> = findings.effects.iter().filter(|f| of(&f.variant, f.seed)).cloned().collect();
        let name = word(name, *seed);
        text.push_str(&format!("{}: accuracy in % [95 % interval] by weights and latents\n\n{}", shown(&name), crossing(&cells)));
        text.push_str(&reasons(&cells));
        text.push_str(&format!("\n{}\n", changed(&changes)));
        if let Some(sentence) = effects::in_words(&changes) {
            text.push_str(&format!("{sentence}.\n\n"));
        }
    }
    text.push_str(&format!("Weights: |variant - base| / |base| in %, by kind of module\n\n{}\n", drift(&findings.drift)));
    text.push_str(&format!("Weights: the same by layer\n\n{}\n", drift_by_layer(&findings.drift)));
    text.push_str(&format!(
        "Cosine of the gradients of cross-entropy and latent loss, in training\n\n{}\n",
        gradients(&findings.gradient_cosine)
    ));
    text.push_str(&format!("Likeness of states (linear CKA, debiased), by the input of each layer\n\n{}", likeness(&findings.cka)));
    for warning in &findings.warnings {
        text.push_str(&format!("\nnote: {}", shown(&warning.text)));
    }
    text
}

fn word(name: &str, seed: Option<i64>) -> String {
    seed.map_or_else(|| name.to_string(), |seed| format!("{name} seed {seed}"))
}

fn crossing(cells: &[&PathFinding]) -> String {
    let columns: Vec<Source> = std::iter::once(Source::Free).chain(Source::CROSSED).collect();
    let cell = |weights: Weights, latents: Source| {
        let found = cells.iter().find(|f| f.weights == weights && f.latents == latents);
        let bounds = |f: &PathFinding| interval(f.accuracy_low.map(|v| 100.0 * v), f.accuracy_high.map(|v| 100.0 * v), 1).replace('+', "");
        found.filter(|f| f.accuracy.is_some()).map_or_else(|| ABSENT.to_string(), |f| format!("{} {}", percent(f.accuracy), bounds(f)))
    };
    let name = |source: &Source| match source {
        Source::Free => "as it is".to_string(),
        Source::None => "no latents".into(),
        Source::Markers => "markers".into(),
        other => format!("{} latents", other.name()),
    };
    let names: Vec<String> = columns.iter().map(name).collect();
    let header: Vec<&str> = std::iter::once("weights").chain(names.iter().map(String::as_str)).collect();
    let row = |weights: Weights| {
        std::iter::once(weights.name().to_string()).chain(columns.iter().map(|latents| cell(weights, *latents))).collect::<Vec<_>>()
    };
    table(&header, &Weights::ALL.map(row))
}

/// Cells that miss examples, and why.
fn reasons(cells: &[&PathFinding]) -> String {
    let mut text = String::new();
    for cell in cells.iter().filter(|cell| cell.left_out > 0) {
        let reason = cell.reason.as_deref().unwrap_or("they could not be run");
        text.push_str(&format!("{}/{}: {} examples left out: {}\n", cell.weights, cell.latents, cell.left_out, shown(reason)));
    }
    if let Some(check) = cells.iter().find(|cell| cell.replays_changed.is_some()) {
        let changed = check.replays_changed.unwrap_or(0);
        text.push_str(&format!("check: {changed} of {} replays differ from the clean run by a bit\n", check.examples));
    }
    text
}

fn changed(effects: &[EffectFinding]) -> String {
    let row = |e: &EffectFinding| {
        let count = |n: Option<usize>| n.map_or_else(|| ABSENT.into(), |n| n.to_string());
        vec![
            e.effect.to_string(),
            e.held.clone(),
            format!("{} -> {}", e.from, e.to),
            e.examples.to_string(),
            count(e.gained),
            count(e.lost),
            points(e.delta),
            interval(e.delta_low.map(|v| 100.0 * v), e.delta_high.map(|v| 100.0 * v), 1),
            number(e.p, 4),
            number(e.holm_p, 4),
            number(e.equivalence_p, 4),
            signed(e.margin_delta, 2),
            e.reason.clone().or_else(|| Some(e.verdict?.to_string())).unwrap_or_default(),
        ]
    };
    // An interaction's cells are two effects; they stand in the file.
    let short = |e: &EffectFinding| {
        let mut row = row(e);
        if e.effect == Change::Interaction {
            row[2] = String::new();
        }
        row
    };
    let header =
        ["effect", "held", "from -> to", "n", "gained", "lost", "points", "95 %", "p", "Holm", "equivalence p", "margin", "verdict"];
    table(&header, &effects.iter().map(short).collect::<Vec<_>>())
}

fn drift(found: &[DriftFinding]) -> String {
    let modules: Vec<&str> =
        MODULES.iter().copied().filter(|module| found.iter().any(|f| f.level == "module" && f.module.as_deref() == Some(module))).collect();
    let header: Vec<&str> = ["variant", "all"].into_iter().chain(modules.iter().copied()).collect();
    let rows = found.iter().filter(|f| f.level == "all").map(|all| {
        let of = |module: &&str| {
            let same = |f: &&DriftFinding| {
                f.level == "module" && f.module.as_deref() == Some(module) && (&f.variant, f.seed) == (&all.variant, all.seed)
            };
            found.iter().find(same).and_then(|f| f.relative)
        };
        let values = std::iter::once(all.relative).chain(modules.iter().map(of)).map(|v| number(v.map(|v| 100.0 * v), 2));
        std::iter::once(word(&all.variant, all.seed)).chain(values).collect::<Vec<_>>()
    });
    table(&header, &rows.collect::<Vec<_>>())
}

fn drift_by_layer(found: &[DriftFinding]) -> String {
    let layers = found.iter().filter(|f| f.level == "layer").filter_map(|f| f.layer).max().map_or(0, |last| last + 1);
    let names: Vec<String> = (0..layers).map(|layer| layer.to_string()).collect();
    let header: Vec<&str> = std::iter::once("variant").chain(names.iter().map(String::as_str)).collect();
    let rows = found.iter().filter(|f| f.level == "all").map(|all| {
        let of = |layer: usize| {
            let same = |f: &&DriftFinding| f.level == "layer" && f.layer == Some(layer) && (&f.variant, f.seed) == (&all.variant, all.seed);
            number(found.iter().find(same).and_then(|f| f.relative).map(|v| 100.0 * v), 2)
        };
        std::iter::once(word(&all.variant, all.seed)).chain((0..layers).map(of)).collect::<Vec<_>>()
    });
    table(&header, &rows.collect::<Vec<_>>())
}

/// Per variant and layer the first step, the mean over the measured ones, and the last.
fn gradients(found: &[GradientCosineFinding]) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut by: BTreeMap<(String, String), Vec<(usize, f64)>> = BTreeMap::new();
    for f in found {
        let name = word(&f.variant, f.seed);
        match (f.step, &f.layer, f.cosine) {
            (Some(step), Some(layer), Some(cosine)) => by.entry((name, layer.clone())).or_default().push((step, cosine)),
            _ => rows.push(vec![name, f.reason.clone().unwrap_or_default(), String::new(), String::new(), String::new(), String::new()]),
        }
    }
    for ((name, layer), measured) in by {
        let mean = measured.iter().map(|(_, cosine)| cosine).sum::<f64>() / measured.len() as f64;
        let at = |place: Option<&(usize, f64)>| signed(place.map(|(_, cosine)| *cosine), 3);
        let steps = measured.len().to_string();
        rows.push(vec![name, layer, steps, at(measured.first()), signed(Some(mean), 3), at(measured.last())]);
    }
    table(&["variant", "layer", "steps", "first", "mean", "last"], &rows)
}

fn likeness(found: &[CkaFinding]) -> String {
    let layers = found.iter().filter_map(|f| f.layer).max().map_or(0, |last| last + 1);
    let names: Vec<String> = (0..layers).map(|layer| layer.to_string()).collect();
    let header: Vec<&str> =
        ["one", "other", "position", "n"].into_iter().chain(names.iter().map(String::as_str)).chain(["final"]).collect();
    let mut rows = Vec::new();
    for end in found.iter().filter(|f| f.layer.is_none()) {
        let same = |f: &&CkaFinding| (&f.one, &f.other, &f.position) == (&end.one, &end.other, &end.position);
        let at = |layer: usize| number(found.iter().filter(same).find(|f| f.layer == Some(layer)).and_then(|f| f.debiased), 3);
        let lead = [end.one.clone(), end.other.clone(), end.position.clone(), end.examples.to_string()];
        rows.push(lead.into_iter().chain((0..layers).map(at)).chain([number(end.debiased, 3)]).collect::<Vec<_>>());
    }
    table(&header, &rows)
}
