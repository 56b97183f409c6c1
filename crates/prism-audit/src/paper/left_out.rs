//! What the published table says that the paper leaves out: how much five points can
//! carry, how large the deltas are against chance and equivalence, and the floors of the
//! probes.

use super::published::{Benchmark, Published};
use super::recompute::PaperRow;
use crate::statistics::adjust::holm;
use crate::statistics::correlation::{fisher_interval, leave_one_out, pearson, pick, ranks, spearman};
use crate::statistics::entropy::{entropy, least_information_of_options};
use crate::statistics::equivalence::{detectable_difference, needed_for_equivalence};
use crate::statistics::mcnemar::mcnemar_exact;
use crate::statistics::{clusters, permutation};

/// Discordance the sizes assume, level, and power.
const DISCORDANCE: f64 = 0.10;
const ALPHA: f64 = 0.05;
const POWER: f64 = 0.8;

/// Every figure, in the order correlation, deltas, floors.
pub fn left_out(paper: &Published) -> Vec<PaperRow> {
    let mut rows = headline(paper);
    if let Some(vstar) = paper.benchmark.get("vstar") {
        rows.extend(deltas(paper, vstar));
        rows.extend(floors(vstar));
    }
    rows
}

fn row(name: impl Into<String>, recomputed: Option<f64>, decimals: usize, note: Option<&str>) -> PaperRow {
    PaperRow {
        section: "left out",
        name: name.into(),
        published: None,
        recomputed,
        difference: None,
        decimals,
        within: None,
        note: note.map(str::to_string),
    }
}

/// The headline correlation over five single-seed variants.
fn headline(paper: &Published) -> Vec<PaperRow> {
    let (Some(cosine), Some(vstar)) = (paper.column("cosine"), paper.column("vstar")) else { return Vec::new() };
    let names: Vec<String> = paper.variants().iter().map(|v| v.name.clone()).collect();
    let fisher = pearson(&cosine, &vstar).and_then(|r| fisher_interval(r, cosine.len(), 0, 0.95));
    let left = leave_one_out(cosine.len(), |kept| pearson(&pick(&cosine, kept), &pick(&vstar, kept)));
    let rank_p = permutation::exact_p(&ranks(&cosine), &ranks(&vstar));
    let mut rows = vec![
        row("cosine_vstar variants", Some(cosine.len() as f64), 0, Some("one training seed each")),
        row("cosine_vstar exact p", permutation::exact_p(&cosine, &vstar), 3, Some("all 120 orders of five variants; ties count")),
        row("cosine_vstar rank correlation", spearman(&cosine, &vstar), 3, Some("Spearman's")),
        row("cosine_vstar rank correlation, exact p", rank_p, 3, None),
        row("cosine_vstar Fisher low", fisher.map(|i| i.low), 3, None),
        row("cosine_vstar Fisher high", fisher.map(|i| i.high), 3, None),
        row("cosine_vstar leave-one-out low", left.map(|i| i.low), 3, None),
        row("cosine_vstar leave-one-out high", left.map(|i| i.high), 3, None),
    ];
    if let Some(split) = clusters::split(&cosine).filter(clusters::Clusters::is_marked) {
        let warning = split.warning(&cosine, &vstar, &names);
        for (group, r) in split.within(&cosine, &vstar) {
            let members: Vec<&str> = group.iter().filter_map(|&i| names.get(i)).map(String::as_str).collect();
            rows.push(row(format!("cosine_vstar inside {}", members.join(", ")), r, 2, warning.as_deref()));
        }
    }
    rows
}

/// The published deltas in questions, the best case they leave for a test, and the sizes
/// that a claim of no effect needs.
fn deltas(paper: &Published, vstar: &Benchmark) -> Vec<PaperRow> {
    let all: Vec<f64> = paper.variants().iter().flat_map(|v| v.delta.values().copied()).collect();
    // A delta of k questions has at least k discordant pairs, and the smallest p when all go one way.
    let questions: Vec<usize> = all.iter().map(|d| (d.abs() / 100.0 * vstar.n as f64).round() as usize).collect();
    let best: Vec<f64> = questions.iter().map(|&k| mcnemar_exact(k, 0)).collect();
    let least = |p: &[f64]| p.iter().copied().reduce(f64::min);
    let detectable = detectable_difference(vstar.n, DISCORDANCE, ALPHA, POWER).map(|d| 100.0 * d);
    let mut rows = vec![
        row("deltas published", Some(all.len() as f64), 0, Some("five variants, five corruptions, V*Bench")),
        row("largest |delta| in questions", questions.iter().max().map(|&k| k as f64), 0, Some("of 191")),
        row("smallest McNemar p any delta can have", least(&best), 4, Some("if every discordant question went the same way")),
        row("the same after Holm over all of them", least(&holm(&best)), 3, Some("no published delta can be told from chance")),
        row("change of accuracy 191 questions would show, points", detectable, 1, Some("at 10 % discordance, 80 % power, alpha 0.05")),
    ];
    for (margin, words) in [(0.05, "5"), (0.02, "2")] {
        let needed = needed_for_equivalence(DISCORDANCE, margin, ALPHA, POWER);
        let name = format!("questions needed for equivalence within {words} points");
        rows.push(row(name, Some(needed as f64), 0, Some("at 10 % discordance, 80 % power; V*Bench has 191")));
    }
    rows
}

/// What a probe gets without any latent.
fn floors(vstar: &Benchmark) -> Vec<PaperRow> {
    let counts: Vec<usize> = vstar.labels.values().copied().collect();
    let largest = counts.iter().max().map(|&m| 100.0 * m as f64 / vstar.n as f64);
    let letter = |name: &str| vstar.labels.get(name).copied();
    let information = || {
        let (a, b, c, d) = (letter("A")?, letter("B")?, letter("C")?, letter("D")?);
        least_information_of_options([a, b], [c, d], vstar.with_options(2)?)
    };
    vec![
        row("V*Bench majority letter, %", largest, 1, Some("what a constant answer gets; 25 % is not chance")),
        row("V*Bench H(Y), nats", Some(entropy(&counts)), 3, None),
        row(
            "V*Bench I(letter; option count), nats, at least",
            information(),
            3,
            Some("a probe that only knows the question type, whatever the letters of the two-option questions"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::published::published;
    use super::*;

    fn near(name: &str, expected: f64, tolerance: f64) {
        let rows = left_out(&published().unwrap());
        let found = rows.iter().find(|r| r.name.starts_with(name)).unwrap_or_else(|| panic!("no row {name}"));
        assert!((found.recomputed.unwrap() - expected).abs() <= tolerance, "{found:?}");
    }

    #[test]
    fn five_single_seed_variants_are_two_clusters() {
        near("cosine_vstar variants", 5.0, 0.0);
        near("cosine_vstar exact p", 0.10, 1e-12);
        near("cosine_vstar inside LVR, N-LVR, D-LVR", 0.73, 5e-3);
        near("cosine_vstar Fisher low", -0.996, 5e-4);
        near("cosine_vstar Fisher high", -0.33, 5e-3);
        // scipy's, in oracle/expected/statistics_inference.json
        near("cosine_vstar rank correlation", -0.564_288, 1e-6);
        near("cosine_vstar rank correlation, exact p", 0.4, 1e-12);
    }

    #[test]
    fn the_deltas_are_one_to_eight_questions_and_prove_nothing_either_way() {
        near("deltas published", 25.0, 0.0);
        near("largest |delta| in questions", 8.0, 0.0);
        near("smallest McNemar p", 2.0 * 0.5f64.powi(8), 1e-12);
        near("the same after Holm", 25.0 * 2.0 * 0.5f64.powi(8), 1e-12);
        near("questions needed for equivalence within 5", 343.0, 0.0);
        near("questions needed for equivalence within 2", 2141.0, 0.0);
    }

    #[test]
    fn the_floors_are_not_a_quarter() {
        near("V*Bench majority", 37.2, 0.05);
        near("V*Bench H(Y)", 1.267, 5e-4);
        near("V*Bench I(letter", 0.163, 5e-4);
    }

    #[test]
    fn the_least_information_follows_the_published_counts() {
        let vstar = published().unwrap().benchmark["vstar"].clone();
        let all_two = Benchmark {
            labels: [("A".to_string(), 96), ("B".to_string(), 95), ("C".to_string(), 0), ("D".to_string(), 0)].into(),
            ..vstar
        };
        let value = |b: &Benchmark| floors(b).pop().unwrap().recomputed.unwrap();
        assert!(value(&all_two) < 1e-3, "letters that all questions share tell nothing of their kind");
        let unknown = Benchmark { categories: Default::default(), ..all_two };
        assert_eq!(floors(&unknown).pop().unwrap().recomputed, None);
    }
}
