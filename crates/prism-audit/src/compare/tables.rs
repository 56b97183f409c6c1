//! Tables 1 and 2 in plain text, for the terminal.

use crate::findings::{ComparisonFinding, VariantSummary, marked};
use crate::text::{self, interval, number, percent, points, signed};

/// Table 1: one line per variant and seed; shares in percent, deltas in points. A word with a star has a limit,
/// which the run's own line says; where no run was judged there is no column of words.
pub fn table1(rows: &[VariantSummary]) -> String {
    let words = rows.iter().any(|r| r.word.is_some());
    let mut header = vec![
        "variant",
        "seed",
        "n",
        "cosine",
        "free",
        "accuracy",
        "95 %",
        "probe a",
        "probe b",
        "gap",
        "question",
        "floor",
        "opened",
        "zero",
        "noise:0.1",
        "noise:0.3",
        "noise:1",
        "swap",
    ];
    header.extend(words.then_some("latents"));
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|r| {
            let bounds =
                r.accuracy_low.zip(r.accuracy_high).map_or(text::ABSENT.into(), |(l, h)| format!("[{:.1}, {:.1}]", 100.0 * l, 100.0 * h));
            let mut cells = vec![
                r.name.clone(),
                r.seed.map_or(String::new(), |s| s.to_string()),
                r.examples.to_string(),
                number(r.cosine, 3),
                number(r.cosine_free, 3),
                percent(r.accuracy),
                bounds,
                percent(r.probe_a),
                percent(r.probe_b),
                points(r.gap),
                percent(r.question_mean),
                percent(r.type_floor),
                percent(r.opened),
                points(r.delta_truncate),
                points(r.delta_noise_01),
                points(r.delta_noise_03),
                points(r.delta_noise_10),
                points(r.delta_swap),
            ];
            if words {
                cells.push(r.word.map_or_else(|| text::ABSENT.into(), |word| marked(word, r.qualifier.as_deref())));
            }
            cells
        })
        .collect();
    text::table(&header, &cells)
}

/// Table 2: one line per correlation.
pub fn table2(rows: &[ComparisonFinding]) -> String {
    let header = [
        "points",
        "x",
        "y",
        "given",
        "n",
        "r",
        "bootstrap 95 %",
        "exact p",
        "rank r",
        "its p",
        "Fisher 95 %",
        "leave one out",
        "leave cluster out",
        "remarks",
    ];
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|r| {
            let remarks: Vec<&str> = [r.cluster_warning.as_deref(), r.reason.as_deref()].into_iter().flatten().collect();
            vec![
                r.unit.replace('_', " "),
                r.x.clone(),
                r.y.clone(),
                r.given.clone().unwrap_or_default(),
                r.variants.to_string(),
                signed(r.r, 2),
                interval(r.low, r.high, 2),
                number(r.exact_p, 3),
                signed(r.spearman, 2),
                number(r.spearman_p, 3),
                interval(r.fisher_low, r.fisher_high, 2),
                interval(r.leave_one_out_low, r.leave_one_out_high, 2),
                interval(r.leave_cluster_out_low, r.leave_cluster_out_high, 2),
                remarks.join("; "),
            ]
        })
        .collect();
    text::table(&header, &cells)
}
