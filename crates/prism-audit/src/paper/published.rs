//! `data/paper.toml`: the published tables, with the digits they were printed with.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::Result;

/// The file's text, part of the program.
const TEXT: &str = include_str!("../../data/paper.toml");

/// Variants in the order of the paper's tables.
pub const ORDER: [&str; 5] = ["lvr", "nlvr", "dlvr", "plvr2", "plvr3"];

/// The published numbers.
#[derive(Debug, Clone, Deserialize)]
pub struct Published {
    /// Benchmarks by id.
    pub benchmark: BTreeMap<String, Benchmark>,
    /// Variants by id.
    pub variant: BTreeMap<String, PublishedVariant>,
    correlation: BTreeMap<String, Spanned<f64>>,
    bootstrap: BTreeMap<String, [f64; 2]>,
}

/// A benchmark's size and label counts.
#[derive(Debug, Clone, Deserialize)]
pub struct Benchmark {
    /// Questions.
    pub n: usize,
    /// Questions per gold letter, where known.
    #[serde(default)]
    pub labels: BTreeMap<String, usize>,
    /// Its parts, where known.
    #[serde(default)]
    pub categories: BTreeMap<String, Category>,
}

/// A part of a benchmark.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Questions.
    pub n: usize,
    /// Options of each.
    pub options: usize,
}

impl Benchmark {
    /// Questions with so many options; `None` unless the parts are known and make the whole.
    pub fn with_options(&self, options: usize) -> Option<usize> {
        let count = |of: &dyn Fn(&Category) -> bool| self.categories.values().filter(|c| of(c)).map(|c| c.n).sum::<usize>();
        (count(&|_| true) == self.n).then(|| count(&|c| c.options == options))
    }
}

/// One variant's published numbers; accuracies and probes in percent, deltas in points.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedVariant {
    /// Printed name.
    pub name: String,
    /// Teacher-forced cosine, target stage.
    pub cosine: f64,
    /// V*Bench accuracy.
    pub vstar: f64,
    /// MMVP accuracy.
    pub mmvp: f64,
    /// BLINK accuracy.
    pub blink: f64,
    /// Probe at (a).
    pub probe_a: f64,
    /// Its standard error over folds.
    pub probe_a_se: f64,
    /// Its cross-entropy, nats.
    pub probe_a_ce: f64,
    /// Probe at (b).
    pub probe_b: f64,
    /// Its standard error over folds.
    pub probe_b_se: f64,
    /// Probe at the question mean.
    pub question_mean: f64,
    /// Change of V*Bench accuracy per corruption.
    pub delta: BTreeMap<String, f64>,
}

/// A published correlation.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlation {
    /// `x_y` or `x_y_given_z`.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Decimals it was printed with (0.980 has three).
    pub decimals: usize,
}

/// Reads the published numbers.
///
/// # Errors
/// When the built-in file does not parse, which its test rules out.
pub fn published() -> Result<Published> {
    Ok(prism_run::safe_toml::from_str(TEXT, Path::new("data/paper.toml"))?)
}

impl Published {
    /// The variants in table order.
    pub fn variants(&self) -> Vec<&PublishedVariant> {
        ORDER.iter().filter_map(|id| self.variant.get(*id)).collect()
    }

    /// The published correlations in file order.
    pub fn correlations(&self) -> Vec<Correlation> {
        let mut all: Vec<_> = self.correlation.iter().collect();
        all.sort_by_key(|(_, value)| value.span().start);
        all.into_iter()
            .map(|(name, value)| {
                let printed = TEXT.get(value.span()).unwrap_or_default();
                let decimals = printed.split_once('.').map_or(0, |(_, d)| d.trim().len());
                Correlation { name: name.clone(), value: *value.get_ref(), decimals }
            })
            .collect()
    }

    /// The published bootstrap intervals.
    pub fn intervals(&self) -> &BTreeMap<String, [f64; 2]> {
        &self.bootstrap
    }

    /// A column over the variants in table order: a field, `gap`, or a corruption's delta.
    pub fn column(&self, name: &str) -> Option<Vec<f64>> {
        self.variants()
            .into_iter()
            .map(|v| match name {
                "cosine" => Some(v.cosine),
                "vstar" => Some(v.vstar),
                "mmvp" => Some(v.mmvp),
                "blink" => Some(v.blink),
                "probe_a" => Some(v.probe_a),
                "probe_b" => Some(v.probe_b),
                "gap" => Some(v.probe_a - v.probe_b),
                "question_mean" => Some(v.question_mean),
                corruption => v.delta.get(corruption).copied(),
            })
            .collect()
    }

    /// Splits `x_y` or `x_y_given_z` into the names of its columns.
    pub fn columns_of<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str, Option<&'a str>)> {
        let (pair, given) = name.split_once("_given_").map_or((name, None), |(pair, given)| (pair, Some(given)));
        let splits = pair.match_indices('_').map(|(i, _)| (&pair[..i], &pair[i + 1..]));
        let (x, y) = splits.into_iter().find(|(x, y)| self.column(x).is_some() && self.column(y).is_some())?;
        Some((x, y, given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_printed() {
        let all = published().unwrap().correlations();
        let digits = |name: &str| all.iter().find(|c| c.name == name).unwrap().decimals;
        assert_eq!((digits("cosine_vstar"), digits("probe_a_vstar"), all.len()), (2, 3, 15));
        assert_eq!(all[0].name, "cosine_vstar");
    }

    #[test]
    fn the_parts_make_the_whole() {
        let paper = published().unwrap();
        let vstar = &paper.benchmark["vstar"];
        assert_eq!((vstar.with_options(4), vstar.with_options(2)), (Some(115), Some(76)));
        assert_eq!(vstar.labels.values().sum::<usize>(), vstar.n);
        assert_eq!(paper.benchmark["mmvp"].with_options(2), None, "its parts are not published here");
    }

    #[test]
    fn names_split_into_columns() {
        let paper = published().unwrap();
        assert_eq!(paper.columns_of("probe_a_noise_0.1"), Some(("probe_a", "noise_0.1", None)));
        assert_eq!(paper.columns_of("probe_a_vstar_given_question_mean"), Some(("probe_a", "vstar", Some("question_mean"))));
        assert_eq!(paper.columns_of("cosine_nonsense"), None);
    }
}
