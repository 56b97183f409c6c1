//! The default probe of one set of vectors: nested, repeated, clusters kept whole, with control
//! labels, a permutation test, intervals and a description length.

use prism_run::random::Stream;

use super::cluster_folds::cluster_folds;
use super::control::{exchanged, permutation_p};
use super::description_length::{code_length, transmission, uniform};
use super::nested::{Divided, OutOfFold, Search, nested};
use super::probed::Probed;
use super::resample::resample_mean;
use super::row::empty;
use super::rows::{Place, Rows, numbered};
use super::targets::Target;
use crate::findings::ProbeFinding;
use crate::statistics::entropy::entropy;
use crate::statistics::percentile::{deviation, percentile_interval, quantile_of_sorted};
use crate::{AuditSettings, Error, Result};

/// How much is asked of one set of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Everything.
    Full,
    /// Repeats alone: a floor, or one half of the decodability gap.
    Repeats,
    /// One repeat: a layer of the heat map.
    Once,
}

/// Probes `rows`; too few rows, clusters or classes give a finding without numbers that says why.
///
/// # Errors
/// [`Error::Probe`] on values that are not finite.
pub fn probe_rows(
    place: &Place,
    source: &str,
    target: Target,
    rows: &Rows<'_>,
    effort: Effort,
    settings: &AuditSettings,
) -> Result<Probed> {
    let counts = rows.counts();
    let mut clusters = rows.clusters.clone();
    clusters.sort_unstable();
    clusters.dedup();
    let mut finding = empty(place, source, target, &counts, settings.folds);
    finding.clusters = clusters.len();
    finding.left_out = rows.left_out;
    finding.reason = refusal(rows, clusters.len(), settings);
    let mut probed = Probed { finding, ids: rows.ids.clone(), clusters: rows.clusters.clone(), right: Vec::new(), folds: Vec::new() };
    if probed.finding.reason.is_some() {
        return Ok(probed);
    }
    let refuse = |cause: String| Error::Probe { position: place.name(), cause };
    let repeats = if effort == Effort::Once { 1 } else { settings.repeats };
    let seed = u64::from(settings.seed);
    let mut found: Vec<OutOfFold> = Vec::with_capacity(repeats);
    let mut draws: Vec<f64> = Vec::new();
    for repeat in 0..repeats {
        let mut stream = Stream::new(seed, "probe folds", &[&repeat.to_string()]);
        let fold_of = cluster_folds(&rows.labels, &rows.clusters, settings.folds, &mut stream);
        let mut labellings = vec![rows.labels.clone()];
        if effort == Effort::Full && repeat == 0 {
            labellings.extend(control_labels(rows, &fold_of, settings));
        }
        let divided = Divided { x: &rows.x, clusters: &rows.clusters, fold_of: &fold_of, folds: settings.folds };
        let search = Search { grid: &settings.c_grid, folds: settings.inner_folds, seed, repeat };
        let mut all = nested(divided, &labellings, search).map_err(refuse)?.into_iter();
        found.extend(all.next());
        draws.extend(all.zip(labellings.iter().skip(1)).map(|(control, labels)| control.accuracy(labels)));
        probed.folds.push(fold_of);
    }
    probed.right = (0..rows.labels.len())
        .map(|row| found.iter().filter(|f| f.predictions[row] == rows.labels[row]).count() as f64 / repeats as f64)
        .collect();
    let loss: Vec<f64> = (0..rows.labels.len()).map(|row| -found.iter().map(|f| f.log_p[row]).sum::<f64>() / repeats as f64).collect();
    describe(&mut probed.finding, rows, &found, &counts, &loss);
    if let (Some(real), false) = (found.first().map(|f| f.accuracy(&rows.labels)), draws.is_empty()) {
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        probed.finding.control_draws = Some(draws.len());
        probed.finding.control_accuracy = Some(mean);
        probed.finding.selectivity = probed.finding.accuracy.map(|a| a - mean);
        probed.finding.permutation_p = permutation_p(real, &draws);
    }
    if effort == Effort::Full {
        let interval =
            |values: &[f64]| resample_mean(&rows.clusters, values, settings.replicates, &mut Stream::new(seed, "probe bootstrap", &[]));
        let drawn = interval(&probed.right);
        (probed.finding.item_low, probed.finding.item_high) = (drawn.map(|i| i.low), drawn.map(|i| i.high));
        // what each example adds to H(Y) - CE: ln p(label) minus ln of the label's share
        let share = |label: usize| counts[label] as f64 / rows.labels.len() as f64;
        let information: Vec<f64> = rows.labels.iter().zip(&loss).map(|(&label, loss)| -share(label).ln() - loss).collect();
        let drawn = interval(&information);
        (probed.finding.mi_low, probed.finding.mi_high) = (drawn.map(|i| i.low), drawn.map(|i| i.high));
        let (order, ends) = transmission(&rows.clusters, counts.len(), &mut Stream::new(seed, "transmission", &[]));
        let labels: Vec<usize> = order.iter().map(|&row| rows.labels[row]).collect();
        let length = code_length(&rows.x.select(&order), &labels, counts.len(), &ends, &settings.c_grid).map_err(refuse)?;
        probed.finding.description_length = Some(length);
        probed.finding.compression = Some(uniform(labels.len(), counts.len()) / length);
    }
    Ok(probed)
}

/// Classes a probe tells apart, at most.
const MOST_CLASSES: usize = 256;

fn refusal(rows: &Rows<'_>, clusters: usize, settings: &AuditSettings) -> Option<String> {
    let (n, classes) = (rows.labels.len(), rows.classes.len());
    if classes < 2 {
        Some(format!("{classes} class among {n} rows: nothing to tell apart"))
    } else if classes > MOST_CLASSES {
        Some(format!("{classes} classes are more than a question has options"))
    } else if n < 2 * settings.folds {
        Some(format!("{n} rows are fewer than 2 x {} folds", settings.folds))
    } else if clusters < 2 * settings.folds {
        Some(format!("{clusters} clusters of examples that share an image are fewer than 2 x {} folds", settings.folds))
    } else {
        None
    }
}

fn control_labels(rows: &Rows<'_>, fold_of: &[usize], settings: &AuditSettings) -> Vec<Vec<usize>> {
    let types = numbered(rows.questions.iter().map(|q| q.category.to_string()));
    let stream = |draw: usize| Stream::new(u64::from(settings.seed), "control labels", &[&draw.to_string()]);
    (0..settings.control_draws).map(|draw| exchanged(&rows.labels, &types, fold_of, &mut stream(draw))).collect()
}

fn describe(finding: &mut ProbeFinding, rows: &Rows<'_>, found: &[OutOfFold], counts: &[usize], loss: &[f64]) {
    let accuracies: Vec<f64> = found.iter().map(|f| f.accuracy(&rows.labels)).collect();
    let of_folds: Vec<f64> = found.iter().flat_map(|f| f.accuracies.iter().copied()).collect();
    let prior = entropy(counts);
    let cross_entropy = loss.iter().sum::<f64>() / loss.len() as f64;
    let mut chosen: Vec<f64> = found.iter().flat_map(|f| f.c.iter().copied()).collect();
    chosen.sort_unstable_by(f64::total_cmp);
    finding.repeats = found.len();
    finding.accuracy = Some(accuracies.iter().sum::<f64>() / accuracies.len() as f64);
    finding.accuracy_sd = deviation(&of_folds);
    if let Some(interval) = percentile_interval(accuracies, 0.95).filter(|_| found.len() > 1) {
        (finding.repeat_low, finding.repeat_high) = (Some(interval.low), Some(interval.high));
    }
    finding.cross_entropy = Some(cross_entropy);
    finding.mi = Some(prior - cross_entropy);
    finding.mi_clamped = Some((prior - cross_entropy).max(0.0));
    finding.mi_uniform = Some(((counts.len() as f64).ln() - cross_entropy).max(0.0));
    finding.c = quantile_of_sorted(&chosen, 0.5);
    finding.iterations_max = found.iter().map(|f| f.iterations_max).max().and_then(|n| usize::try_from(n).ok());
    finding.converged = Some(found.iter().all(|f| f.converged));
    finding.gradient_max = Some(found.iter().fold(0.0, |m, f| m.max(f.gradient_max)));
}
