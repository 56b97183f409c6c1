//! Published against recomputed, number by number (method, section 8).

use prism_run::random::Stream;
use serde::Serialize;

use super::left_out::left_out;
use super::published::{Published, published};
use crate::Result;
use crate::statistics::binomial_bootstrap::{redraw_accuracies, resampled_correlations};
use crate::statistics::correlation::{partial, pearson};
use crate::statistics::percentile::{deviation, percentile_interval};
use crate::text;

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

    #[test]
    fn every_published_number_is_reproduced() {
        let rows = recompute(42).unwrap();
        assert_eq!(rows.iter().filter(|r| r.section == "correlation").count(), 15);
        assert_eq!(rows.iter().filter(|r| r.section == "bootstrap").count(), 8);
        let missed: Vec<&PaperRow> = rows.iter().filter(|r| r.within == Some(false)).collect();
        assert!(missed.is_empty(), "{}", table(&rows));
    }

    #[test]
    fn other_seeds_agree_too() {
        for seed in 0..3 {
            let rows = recompute(seed).unwrap();
            assert!(rows.iter().all(|r| r.within != Some(false)), "seed {seed}\n{}", table(&rows));
        }
    }
}
