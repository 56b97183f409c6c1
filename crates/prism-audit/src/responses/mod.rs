//! Answers under graded, partial and crossed interventions: dose and response, single
//! steps, necessity and sufficiency, donors' answers, counterfactual partners.

pub mod counterfactual;
pub mod donors;
pub mod dose;
pub mod steps;
pub mod visibility;

use std::collections::BTreeMap;

use prism_run::random::Stream;
use prism_run::records::AnswerRow;

use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::pairs::Branch;
use crate::statistics::Interval;
use crate::statistics::cluster_robust::cluster_mean;
use crate::statistics::equivalence::Discordant;
use crate::statistics::sign_flip::sign_flip;

/// A mean difference over the same examples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Difference {
    /// The mean.
    pub mean: Option<f64>,
    /// 95 % interval.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Sign flips, clusters as a whole, two-sided.
    pub p: Option<f64>,
}

impl Difference {
    /// Of shares: each value is -1, 0 or 1. The interval is the score interval of paired
    /// shares, or cluster-robust where examples form clusters.
    pub fn of_shares(values: &[(usize, f64)], clusters: &Clusters, settings: &AuditSettings) -> Self {
        let whole = Self::of(values, clusters, settings);
        let count = |sign: f64| values.iter().filter(|(_, v)| *v == sign).count();
        let counts = Discordant { n: values.len(), gained: count(1.0), lost: count(-1.0) };
        let silent = counts.gained + counts.lost == 0;
        let interval = match (clusters.joined_by().is_some(), silent) {
            // Clusters that all agree would give [0, 0], as if nothing were uncertain.
            (true, true) => Discordant { n: clusters.sums(values.iter().copied()).len(), gained: 0, lost: 0 }.interval(0.95),
            (true, false) => return whole,
            (false, _) => counts.interval(0.95),
        };
        Self { low: interval.map(|i| i.low), high: interval.map(|i| i.high), ..whole }
    }

    /// Of numbers: the interval is Student's over clusters; absent where they do not vary, for an interval of no
    /// width would say that nothing is uncertain.
    pub fn of(values: &[(usize, f64)], clusters: &Clusters, settings: &AuditSettings) -> Self {
        let values: Vec<(usize, f64)> = values.iter().copied().filter(|(_, v)| v.is_finite()).collect();
        if values.is_empty() {
            return Self::default();
        }
        let sums = clusters.sums(values.iter().copied());
        let flipped: Vec<f64> = sums.iter().map(|(sum, _)| *sum).collect();
        // Named by nothing but the purpose: every comparison redraws the same examples.
        let mut stream = Stream::new(u64::from(settings.seed), "sign flips of responses", &[]);
        let interval = cluster_mean(&sums).and_then(|mean| mean.interval(0.95)).filter(Interval::has_width);
        Self {
            mean: Some(values.iter().map(|(_, v)| v).sum::<f64>() / values.len() as f64),
            low: interval.map(|i| i.low),
            high: interval.map(|i| i.high),
            p: sign_flip(&flipped, settings.replicates, &mut stream).map(|test| test.p),
        }
    }
}

/// The answers of one branch that ran, by row of the example.
pub fn by_row<'a>(branch: &Branch<'a>) -> BTreeMap<usize, &'a AnswerRow> {
    branch.pairs.iter().map(|pair| (pair.other.row, pair.other)).collect()
}

/// Share of the truths among `values`; `None` without any.
pub fn share(values: impl Iterator<Item = bool>) -> Option<f64> {
    let (hits, n) = values.fold((0usize, 0usize), |(hits, n), value| (hits + usize::from(value), n + 1));
    (n > 0).then(|| hits as f64 / n as f64)
}

/// Mean of the finite values; `None` without any.
pub fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.filter(|v| v.is_finite()).fold((0.0, 0usize), |(sum, n), v| (sum + v, n + 1));
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_shares_has_the_score_interval() {
        let values: Vec<(usize, f64)> = (0..40).map(|row| (row, if row < 6 { -1.0 } else { 0.0 })).collect();
        let clusters = Clusters::alone(40);
        let found = Difference::of_shares(&values, &clusters, &AuditSettings::default());
        let expected = Discordant { n: 40, gained: 0, lost: 6 }.interval(0.95).unwrap();
        assert_eq!((found.mean, found.low, found.high), (Some(-0.15), Some(expected.low), Some(expected.high)));
        // Six one-sided items of a sign test.
        assert_eq!(found.p, Some(2.0 / 64.0));
    }

    #[test]
    fn what_does_not_vary_has_no_interval() {
        let values: Vec<(usize, f64)> = (0..40).map(|row| (row, 0.0)).collect();
        let found = Difference::of(&values, &Clusters::alone(40), &AuditSettings::default());
        assert_eq!((found.mean, found.low, found.high, found.p), (Some(0.0), None, None, Some(1.0)));
        let shares = Difference::of_shares(&values, &Clusters::alone(40), &AuditSettings::default());
        assert!(shares.low.unwrap() < -0.05 && shares.high.unwrap() > 0.05, "shares that do not differ have the score interval");
    }

    #[test]
    fn nothing_is_absent_and_not_zero() {
        let found = Difference::of(&[], &Clusters::alone(3), &AuditSettings::default());
        assert_eq!(found, Difference::default());
        assert_eq!((share([].into_iter()), mean([f64::NAN].into_iter())), (None, None));
    }
}
