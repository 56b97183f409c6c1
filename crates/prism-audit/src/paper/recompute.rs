//! Published against recomputed, number by number (method, section 8), and the
//! figures the paper leaves out: exact p, Fisher's interval, clusters, floors, sizes.

use prism_run::random::Stream;
use serde::Serialize;

use super::published::{Published, published};
use crate::Result;
use crate::statistics::binomial_bootstrap::{redraw_accuracies, resampled_correlations};
use crate::statistics::correlation::{fisher_interval, leave_one_out, partial, pearson, pick};
use crate::statistics::entropy::{entropy, least_information_of_options};
use crate::statistics::equivalence::needed_for_equivalence;
use crate::statistics::percentile::{deviation, percentile_interval};
use crate::statistics::{clusters, permutation};
use crate::text;

/// V*Bench questions with four options and with two (method, section 10).
const FOUR_OPTIONS: usize = 115;
/// See [`FOUR_OPTIONS`].
const TWO_OPTIONS: usize = 76;
/// Bootstrap replicates of the paper.
const REPLICATES: usize = 5000;
/// Bootstraps of that size drawn here: their pooled bounds have a third of one
/// bootstrap's own noise, and their spread says how far two honest bootstraps differ.
const BATCHES: usize = 10;
/// Largest difference at which a bootstrap bound counts as reproduced.
const BOUND_TOLERANCE: f64 = 0.02;

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PaperRow {
    /// `correlation`, `bootstrap` or `left out` (by the paper).
    pub section: &'static str,
    /// What it is.
    pub name: String,
    /// As printed in the paper; absent for what the paper leaves out.
    pub published: Option<f64>,
    /// Computed here from the published tables.
    pub recomputed: Option<f64>,
    /// Recomputed minus published.
    pub difference: Option<f64>,
    /// Decimals to print.
    pub decimals: usize,
    /// Whether it is reproduced: correlations to the printed digits, bounds to 0.02.
    pub within: Option<bool>,
    /// What to make of it.
    pub note: Option<String>,
}

/// Recomputes every published correlation and interval, then what the paper leaves out.
///
/// The bootstrap redraws the V*Bench accuracies from binomials of n = 191 and keeps
/// the other column as printed (the reading that reproduces the published intervals;
/// see [`crate::statistics::binomial_bootstrap`]). The paper drew 5000 replicates once;
/// here ten such draws are pooled, keyed by `seed`.
///
/// # Errors
/// As [`published`].
pub fn recompute(seed: u64) -> Result<Vec<PaperRow>> {
    let paper = published()?;
    let mut rows = correlations(&paper);
    rows.extend(intervals(&paper, seed));
    rows.extend(left_out(&paper));
    Ok(rows)
}

fn correlations(paper: &Published) -> Vec<PaperRow> {
    paper
        .correlations()
        .into_iter()
        .map(|published| {
            let recomputed = paper.columns_of(&published.name).and_then(|(x, y, given)| {
                let (x, y) = (paper.column(x)?, paper.column(y)?);
                match given {
                    Some(z) => partial(&x, &y, &paper.column(z)?),
                    None => pearson(&x, &y),
                }
            });
            let decimals = published.decimals;
            let printed = |v: f64| format!("{v:.decimals$}");
            PaperRow {
                section: "correlation",
                published: Some(published.value),
                recomputed,
                difference: recomputed.map(|r| r - published.value),
                decimals,
                within: Some(recomputed.is_some_and(|r| printed(r) == printed(published.value))),
                note: None,
                name: published.name,
            }
        })
        .collect()
}

fn intervals(paper: &Published, seed: u64) -> Vec<PaperRow> {
    let n = paper.benchmark.get("vstar").map_or(0, |b| b.n);
    let accuracies: Vec<f64> = paper.column("vstar").unwrap_or_default().iter().map(|a| a / 100.0).collect();
    let mut rows = Vec::new();
    for (name, bounds) in paper.intervals() {
        let x = paper.columns_of(name).and_then(|(x, _, _)| paper.column(x)).unwrap_or_default();
        let mut stream = Stream::new(seed, "binomial bootstrap", &[name]);
        let mut replicates: Vec<f64> = Vec::with_capacity(BATCHES * REPLICATES);
        let mut batches: [Vec<f64>; 2] = Default::default();
        for _ in 0..BATCHES {
            let batch = resampled_correlations(&x, REPLICATES, || redraw_accuracies(&accuracies, n, &mut stream));
            if let Some(bounds) = percentile_interval(batch.clone(), 0.95) {
                batches[0].push(bounds.low);
                batches[1].push(bounds.high);
            }
            replicates.extend(batch);
        }
        let found = percentile_interval(replicates, 0.95).map(|interval| [interval.low, interval.high]);
        for (side, word) in ["low", "high"].into_iter().enumerate() {
            let recomputed = found.map(|f| f[side]);
            let difference = recomputed.map(|r| r - bounds[side]);
            rows.push(PaperRow {
                section: "bootstrap",
                name: format!("{name} {word}"),
                published: Some(bounds[side]),
                recomputed,
                difference,
                decimals: 3,
                within: Some(difference.is_some_and(|d| d.abs() <= BOUND_TOLERANCE)),
                note: deviation(&batches[side]).map(|sd| format!("one bootstrap of {REPLICATES} has a standard error of {sd:.3} here")),
            });
        }
    }
    rows
}

fn left_out(paper: &Published) -> Vec<PaperRow> {
    let row = |name: String, recomputed: Option<f64>, decimals: usize, note: Option<&str>| PaperRow {
        section: "left out",
        name,
        published: None,
        recomputed,
        difference: None,
        decimals,
        within: None,
        note: note.map(str::to_string),
    };
    let mut rows = Vec::new();
    let (Some(cosine), Some(vstar)) = (paper.column("cosine"), paper.column("vstar")) else { return rows };
    let names: Vec<String> = paper.variants().iter().map(|v| v.name.clone()).collect();
    let r = pearson(&cosine, &vstar);
    let fisher = r.and_then(|r| fisher_interval(r, cosine.len(), 0, 0.95));
    let left = leave_one_out(cosine.len(), |kept| pearson(&pick(&cosine, kept), &pick(&vstar, kept)));
    let exact = permutation::exact_p(&cosine, &vstar);
    rows.push(row("cosine_vstar exact p".into(), exact, 3, Some("all 120 orders of five variants; ties count")));
    rows.push(row("cosine_vstar Fisher low".into(), fisher.map(|i| i.low), 3, None));
    rows.push(row("cosine_vstar Fisher high".into(), fisher.map(|i| i.high), 3, None));
    rows.push(row("cosine_vstar leave-one-out low".into(), left.map(|i| i.low), 3, None));
    rows.push(row("cosine_vstar leave-one-out high".into(), left.map(|i| i.high), 3, None));
    if let Some(split) = clusters::split(&cosine).filter(clusters::Clusters::is_marked) {
        let warning = split.warning(&cosine, &vstar, &names);
        for (group, r) in split.within(&cosine, &vstar) {
            let members: Vec<&str> = group.iter().filter_map(|&i| names.get(i)).map(String::as_str).collect();
            rows.push(row(format!("cosine_vstar inside {}", members.join(", ")), r, 2, warning.as_deref()));
        }
    }
    if let Some(vstar) = paper.benchmark.get("vstar") {
        let counts: Vec<usize> = vstar.labels.values().copied().collect();
        let largest = counts.iter().max().map(|&m| 100.0 * m as f64 / vstar.n as f64);
        rows.push(row("V*Bench majority letter, %".into(), largest, 1, Some("what a constant answer gets; 25 % is not chance")));
        rows.push(row("V*Bench H(Y), nats".into(), Some(entropy(&counts)), 3, None));
        let letter = |name: &str| vstar.labels.get(name).copied().unwrap_or(0);
        let later = counts.iter().sum::<usize>() - letter("A") - letter("B");
        debug_assert_eq!(FOUR_OPTIONS + TWO_OPTIONS, vstar.n);
        let information = least_information_of_options([letter("A"), letter("B")], [letter("C"), later - letter("C")], TWO_OPTIONS);
        rows.push(row(
            "V*Bench I(letter; option count), nats, at least".into(),
            information,
            3,
            Some("a probe that only knows the question type"),
        ));
    }
    for (margin, words) in [(0.05, "5"), (0.02, "2")] {
        let needed = needed_for_equivalence(0.1, margin, 0.05, 0.8);
        let name = format!("questions needed for equivalence within {words} points");
        rows.push(row(name, Some(needed as f64), 0, Some("at 10 % discordance, 80 % power; V*Bench has 191")));
    }
    rows
}

/// The rows as an aligned table.
pub fn table(rows: &[PaperRow]) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let shown = |v: Option<f64>, more: usize| if v.is_none() { String::new() } else { text::number(v, row.decimals + more) };
            let more = if row.section == "correlation" { 2 } else { 0 };
            vec![
                row.section.to_string(),
                row.name.clone(),
                shown(row.published, 0),
                shown(row.recomputed, more),
                if row.difference.is_none() { String::new() } else { text::signed(row.difference, row.decimals + more) },
                row.within.map_or(String::new(), |w| if w { "yes".into() } else { "NO".into() }),
                row.note.clone().unwrap_or_default(),
            ]
        })
        .collect();
    text::table(&["section", "number", "published", "recomputed", "difference", "reproduced", "note"], &cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(rows: &[PaperRow], name: &str) -> f64 {
        rows.iter().find(|r| r.name.starts_with(name)).unwrap_or_else(|| panic!("no row {name}")).recomputed.unwrap()
    }

    #[test]
    fn every_published_number_is_reproduced() {
        let rows = recompute(42).unwrap();
        assert_eq!(rows.iter().filter(|r| r.section == "correlation").count(), 15);
        assert_eq!(rows.iter().filter(|r| r.section == "bootstrap").count(), 8);
        let missed: Vec<&PaperRow> = rows.iter().filter(|r| r.within == Some(false)).collect();
        assert!(missed.is_empty(), "{}", table(&rows));
    }

    #[test]
    fn what_the_paper_leaves_out() {
        let rows = recompute(42).unwrap();
        let near = |name: &str, expected: f64, tolerance: f64| {
            let found = value(&rows, name);
            assert!((found - expected).abs() <= tolerance, "{name}: {found}");
        };
        near("cosine_vstar exact p", 0.10, 1e-12);
        near("cosine_vstar Fisher low", -0.996, 5e-4);
        near("cosine_vstar Fisher high", -0.33, 5e-3);
        near("cosine_vstar inside LVR, N-LVR, D-LVR", 0.73, 5e-3);
        near("V*Bench majority", 37.2, 0.05);
        near("V*Bench H(Y)", 1.267, 5e-4);
        near("V*Bench I(letter", 0.163, 5e-4);
        near("questions needed for equivalence within 5", 343.0, 0.0);
        near("questions needed for equivalence within 2", 2141.0, 0.0);
    }

    #[test]
    fn other_seeds_agree_too() {
        for seed in 0..3 {
            let rows = recompute(seed).unwrap();
            assert!(rows.iter().all(|r| r.within != Some(false)), "seed {seed}\n{}", table(&rows));
        }
    }
}
