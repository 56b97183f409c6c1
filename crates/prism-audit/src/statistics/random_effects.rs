//! One number from several training seeds, each with an error of its own: a
//! random-effects summary.
//!
//! The seeds' true values are taken to vary with variance tau^2 around a mean, found by
//! DerSimonian and Laird (1986) in one step or by Paule and Mandel (1982) as the value at
//! which the weighted squares equal their freedom. The interval is Hartung and Knapp's
//! (2001), which reads the spread off the seeds themselves.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::{Interval, normal, student};

/// How tau^2 is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// One step from the fixed-effect weights, not below 0.
    DerSimonianLaird,
    /// Iterated, not below 0.
    PauleMandel,
}

/// The summary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomEffects {
    /// Mean over seeds not seen.
    pub effect: f64,
    /// Its standard error with tau^2 taken as known.
    pub error: f64,
    /// Its standard error by Hartung and Knapp.
    pub hartung_knapp_error: f64,
    /// Variance between seeds.
    pub tau2: f64,
    /// Cochran's Q: the weighted squares about the fixed-effect mean.
    pub q: f64,
    /// p of Q: whether the seeds agree within their own errors.
    pub q_p: f64,
    /// Share of the spread that the seeds' own errors do not explain, not below 0.
    pub i2: f64,
    /// Seeds.
    pub seeds: usize,
}

/// Summarizes one effect and variance a seed; `None` below two seeds, or when a variance
/// is not positive and finite.
pub fn random_effects(effects: &[f64], variances: &[f64], between: Between) -> Option<RandomEffects> {
    let k = effects.len();
    if k < 2 || variances.len() != k || variances.iter().any(|v| !(*v > 0.0 && v.is_finite())) {
        return None;
    }
    let freedom = (k - 1) as f64;
    let fixed = Weighted::at(effects, variances, 0.0);
    let tau2 = match between {
        Between::DerSimonianLaird => {
            let squares: f64 = variances.iter().map(|v| v.powi(-2)).sum();
            ((fixed.squares - freedom) / (fixed.weight - squares / fixed.weight)).max(0.0)
        }
        Between::PauleMandel => paule_mandel(effects, variances, freedom),
    };
    let random = Weighted::at(effects, variances, tau2);
    Some(RandomEffects {
        effect: random.mean,
        error: random.weight.recip().sqrt(),
        hartung_knapp_error: (random.squares / freedom / random.weight).sqrt(),
        tau2,
        q: fixed.squares,
        q_p: ChiSquared::new(freedom).ok()?.sf(fixed.squares),
        i2: if fixed.squares > 0.0 { (1.0 - freedom / fixed.squares).max(0.0) } else { 0.0 },
        seeds: k,
    })
}

/// Weighted mean, total weight and weighted squares at one tau^2.
struct Weighted {
    mean: f64,
    weight: f64,
    squares: f64,
}

impl Weighted {
    fn at(effects: &[f64], variances: &[f64], tau2: f64) -> Self {
        let weights: Vec<f64> = variances.iter().map(|v| 1.0 / (v + tau2)).collect();
        let weight: f64 = weights.iter().sum();
        let mean = weights.iter().zip(effects).map(|(w, e)| w * e).sum::<f64>() / weight;
        let squares = weights.iter().zip(effects).map(|(w, e)| w * (e - mean).powi(2)).sum();
        Self { mean, weight, squares }
    }
}

/// The tau^2 at which the weighted squares, which fall with it, equal their freedom.
fn paule_mandel(effects: &[f64], variances: &[f64], freedom: f64) -> f64 {
    let excess = |tau2: f64| Weighted::at(effects, variances, tau2).squares - freedom;
    if excess(0.0) <= 0.0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, variances.iter().copied().fold(f64::MIN_POSITIVE, f64::max));
    while excess(high) > 0.0 && high.is_finite() {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    high
}

impl RandomEffects {
    /// The normal interval at `level`: too short for a handful of seeds.
    pub fn interval(self, level: f64) -> Interval {
        let half = normal::critical(level) * self.error;
        Interval { low: self.effect - half, high: self.effect + half }
    }

    /// Hartung and Knapp's interval at `level`. Far too short when the seeds agree by chance
    /// better than their own errors allow: see [`RandomEffects::cautious`].
    pub fn hartung_knapp(self, level: f64) -> Option<Interval> {
        self.student(level, self.hartung_knapp_error)
    }

    /// The same with the larger of the two errors, so that agreement by chance narrows nothing.
    pub fn cautious(self, level: f64) -> Option<Interval> {
        self.student(level, self.hartung_knapp_error.max(self.error))
    }

    fn student(self, level: f64, error: f64) -> Option<Interval> {
        let half = student::critical(level, (self.seeds - 1) as f64)? * error;
        Some(Interval { low: self.effect - half, high: self.effect + half })
    }
}
