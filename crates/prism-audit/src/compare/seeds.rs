//! Variants over their training seeds: what a number would be with seeds and items not seen.
//!
//! Three readings of one seed x item table. The two-way interval and the item-and-seed
//! bootstrap treat both as samples; the interval over items alone keeps these seeds; the
//! random-effects summary takes each seed's number with its own error, as a meta-analysis
//! would. Seeds answer the same items, which the last does not know: its Q and I^2 are
//! then on the small side.

use std::collections::BTreeMap;

use prism_run::Intervention;
use prism_run::random::Stream;

use super::items::Answers;
use super::points::{Run, Unit, points};
use crate::AuditSettings;
use crate::findings::SeedFinding;
use crate::statistics::bootstrap::{Cluster, clustered_mean, item_and_seed_replicates};
use crate::statistics::cluster_robust::cluster_mean;
use crate::statistics::percentile::percentile_interval;
use crate::statistics::random_effects::{Between, random_effects};
use crate::statistics::two_way::two_way;

/// One row per variant with several seeds and intervention that all of them ran.
pub fn seeds(runs: &[Run], settings: &AuditSettings) -> Vec<SeedFinding> {
    let several = points(runs, Unit::SeedMean).into_iter().filter(|p| p.runs.len() > 1);
    several
        .flat_map(|point| {
            let runs: Vec<&Run> = point.runs.iter().filter_map(|&i| runs.get(i)).collect();
            let answers: Option<Vec<&Answers>> = runs.iter().map(|r| r.answers.as_ref()).collect();
            let Some(answers) = answers else {
                let reason = "a seed's records are absent".to_string();
                return vec![SeedFinding { reason: Some(reason), ..empty(&point.variant, &point.name, Intervention::CLEAN, runs.len()) }];
            };
            let shared = answers[0].scores.keys().filter(|name| answers.iter().all(|a| a.scores.contains_key(*name)));
            shared.map(|name| one(&point.variant, &point.name, *name, &answers, settings)).collect()
        })
        .collect()
}

fn empty(variant: &str, name: &str, intervention: Intervention, seeds: usize) -> SeedFinding {
    SeedFinding {
        variant: variant.into(),
        name: name.into(),
        quantity: if intervention.is_clean() { "accuracy".into() } else { "delta".into() },
        intervention,
        seeds,
        items: 0,
        clusters: 0,
        mean: None,
        low: None,
        high: None,
        between_seeds: None,
        bootstrap_low: None,
        bootstrap_high: None,
        items_low: None,
        items_high: None,
        effect: None,
        effect_low: None,
        effect_high: None,
        tau2: None,
        tau2_dersimonian_laird: None,
        q: None,
        q_p: None,
        i2: None,
        reason: None,
    }
}

fn one(variant: &str, name: &str, intervention: Intervention, answers: &[&Answers], settings: &AuditSettings) -> SeedFinding {
    let mut found = empty(variant, name, intervention, answers.len());
    let table = Table::of(answers, intervention);
    found.items = table.sizes.iter().sum();
    found.clusters = table.sizes.len();
    if found.clusters < 2 {
        found.reason = Some("the seeds share fewer than two clusters of items".into());
        return found;
    }
    let stream = |what: &str| Stream::new(u64::from(settings.seed), what, &[variant, &intervention.to_string()]);
    if let Some(both) = two_way(&table.scaled()) {
        let bounds = both.interval(0.95);
        found.mean = Some(both.mean);
        found.between_seeds = Some(both.between_seeds);
        found.low = bounds.map(|i| i.low);
        found.high = bounds.map(|i| i.high);
    }
    let drawn = item_and_seed_replicates(&table.sums, &table.sizes, settings.replicates, &mut stream("item-and-seed bootstrap"));
    let drawn = percentile_interval(drawn, 0.95);
    found.bootstrap_low = drawn.map(|i| i.low);
    found.bootstrap_high = drawn.map(|i| i.high);
    let items = clustered_mean(&table.averaged(), settings.replicates, 0.95, &mut stream("item bootstrap over seeds"));
    found.items_low = items.map(|i| i.low);
    found.items_high = items.map(|i| i.high);
    summarize(&table, intervention, &mut found);
    found
}

/// Fills in the random-effects summary.
fn summarize(table: &Table, intervention: Intervention, found: &mut SeedFinding) {
    let each: Vec<(f64, f64)> = (0..table.sums.len()).filter_map(|seed| table.of_seed(seed, intervention)).collect();
    let (effects, variances): (Vec<f64>, Vec<f64>) = each.into_iter().unzip();
    found.tau2_dersimonian_laird = random_effects(&effects, &variances, Between::DerSimonianLaird).map(|r| r.tau2);
    if let Some(summary) = random_effects(&effects, &variances, Between::PauleMandel) {
        let bounds = summary.cautious(0.95);
        found.effect = Some(summary.effect);
        found.effect_low = bounds.map(|i| i.low);
        found.effect_high = bounds.map(|i| i.high);
        found.tau2 = Some(summary.tau2);
        (found.q, found.q_p, found.i2) = (Some(summary.q), Some(summary.q_p), Some(summary.i2));
    }
}

/// Scores of several seeds on the items all of them answered, in clusters.
struct Table {
    /// `[seed][cluster]`: sum over the cluster's items.
    sums: Vec<Vec<f64>>,
    /// Sum of the squared scores by seed.
    squares: Vec<f64>,
    /// Items by cluster.
    sizes: Vec<usize>,
}

impl Table {
    fn of(answers: &[&Answers], intervention: Intervention) -> Self {
        let scores: Vec<&BTreeMap<String, f64>> = answers.iter().filter_map(|a| a.scores.get(&intervention)).collect();
        let mut clusters: BTreeMap<&str, (Vec<f64>, usize)> = BTreeMap::new();
        let mut squares = vec![0.0; scores.len()];
        let Some((first, clusters_of)) = scores.first().zip(answers.first().map(|a| &a.clusters)) else {
            return Self { sums: Vec::new(), squares, sizes: Vec::new() };
        };
        for id in first.keys() {
            let of_item: Option<Vec<f64>> = scores.iter().map(|s| s.get(id).copied()).collect();
            let (Some(values), Some(cluster)) = (of_item, clusters_of.get(id)) else { continue };
            let (sums, size) = clusters.entry(cluster).or_insert_with(|| (vec![0.0; scores.len()], 0));
            *size += 1;
            for (i, value) in values.into_iter().enumerate() {
                sums[i] += value;
                squares[i] += value * value;
            }
        }
        let sums = (0..scores.len()).map(|seed| clusters.values().map(|(sums, _)| sums[seed]).collect()).collect();
        Self { sums, squares, sizes: clusters.into_values().map(|(_, size)| size).collect() }
    }

    fn items(&self) -> f64 {
        self.sizes.iter().sum::<usize>() as f64
    }

    /// Cluster sums scaled so that their mean is the mean over items.
    fn scaled(&self) -> Vec<Vec<f64>> {
        let scale = self.sizes.len() as f64 / self.items();
        self.sums.iter().map(|row| row.iter().map(|sum| sum * scale).collect()).collect()
    }

    /// Mean over the seeds of each cluster's sum.
    fn averaged(&self) -> Vec<Cluster> {
        let mean = |cluster: usize| self.sums.iter().map(|row| row[cluster]).sum::<f64>() / self.sums.len() as f64;
        self.sizes.iter().enumerate().map(|(cluster, size)| (mean(cluster), *size)).collect()
    }

    /// One seed's mean and its variance, clusters together. A seed in which no item differs
    /// from another would have none: it then gets that of one item more, half of it each way.
    fn of_seed(&self, seed: usize, intervention: Intervention) -> Option<(f64, f64)> {
        let clusters: Vec<Cluster> = self.sums.get(seed)?.iter().copied().zip(self.sizes.iter().copied()).collect();
        let found = cluster_mean(&clusters)?;
        let n = self.items();
        let added = if intervention.is_clean() { (n * found.mean + 0.5) / (n + 1.0) } else { (self.squares[seed] + 1.0) / (n + 2.0) };
        let smoothed = if intervention.is_clean() { added * (1.0 - added) / n } else { (added - found.mean.powi(2)) / n };
        Some((found.mean, if found.error > 0.0 { found.error.powi(2) } else { smoothed }))
    }
}

#[cfg(test)]
mod tests {
    use prism_run::Action;

    use super::*;

    fn answers(scores: &[f64]) -> Answers {
        let id = |i: usize| format!("e{i}");
        Answers {
            scores: BTreeMap::from([(Action::Zero.into(), scores.iter().enumerate().map(|(i, s)| (id(i), *s)).collect())]),
            clusters: (0..scores.len()).map(|i| (id(i), format!("pair {}", i / 2))).collect(),
            ..Answers::default()
        }
    }

    #[test]
    fn seeds_that_differ_widen_what_items_alone_say() {
        let item = |i: usize, share: usize| if i % 10 < share { -1.0 } else { 0.0 };
        let of = |share: usize| answers(&(0..200).map(|i| item(i, share)).collect::<Vec<f64>>());
        let runs = [of(1), of(3), of(7)];
        let found = one("v", "V", Action::Zero.into(), &runs.iter().collect::<Vec<_>>(), &AuditSettings::default());
        assert_eq!((found.seeds, found.items, found.clusters, found.quantity.as_str()), (3, 200, 100, "delta"));
        assert!((found.mean.unwrap() + 11.0 / 30.0).abs() < 1e-12, "{found:?}");
        let width = |low: Option<f64>, high: Option<f64>| high.unwrap() - low.unwrap();
        let (both, items) = (width(found.low, found.high), width(found.items_low, found.items_high));
        assert!(both > 4.0 * items, "{both} {items}");
        assert!(found.i2.unwrap() > 0.9 && found.q_p.unwrap() < 1e-6 && found.between_seeds.unwrap() > 0.25, "{found:?}");
        assert!(width(found.effect_low, found.effect_high) > items);
    }

    #[test]
    fn equal_seeds_add_nothing_and_silent_ones_are_not_certain() {
        let same = answers(&(0..100).map(|i| if i % 5 == 0 { -1.0 } else { 0.0 }).collect::<Vec<f64>>());
        let found = one("v", "V", Action::Zero.into(), &[&same, &same, &same], &AuditSettings::default());
        assert_eq!((found.tau2, found.i2), (Some(0.0), Some(0.0)));
        assert!(found.between_seeds.unwrap() < 1e-15, "the rounding of a mean of equal numbers: {found:?}");
        let silent = answers(&[0.0; 100]);
        let found = one("v", "V", Action::Zero.into(), &[&silent, &silent], &AuditSettings::default());
        assert!(found.effect_high.unwrap() > 0.01 && found.mean == Some(0.0), "{found:?}");
    }
}
