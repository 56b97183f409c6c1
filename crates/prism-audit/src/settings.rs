//! The settings of an audit: every number a finding depends on, declared beforehand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Whose probe pipeline is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// This project's: C tuned in an inner loop, folds by image, floors, controls.
    #[default]
    None,
    /// The paper's release, number for number.
    Paper,
}

impl std::str::FromStr for Compat {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "paper" => Ok(Self::Paper),
            other => Err(format!("`{other}` is neither `none` nor `paper`")),
        }
    }
}

/// How records become findings. The defaults are the paper's where it has one, but for the probes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// Seed of the folds (scikit-learn's `random_state`) and of every resampling.
    pub seed: u32,
    /// Whose probe pipeline.
    pub compat: Compat,
    /// Folds of the probe's cross-validation.
    pub folds: usize,
    /// Values of the probe's inverse regularisation strength (scikit-learn's `C`) to choose
    /// from in the inner loop, ascending. Below the least a probe of thousands of z-scored
    /// columns says the label frequencies; above the greatest every training part is separated.
    pub c_grid: Vec<f64>,
    /// Folds of the inner loop.
    pub inner_folds: usize,
    /// Repeats of the outer folds.
    pub repeats: usize,
    /// `C` of the paper's pipeline.
    pub c: f64,
    /// Most iterations of one fit of the paper's pipeline.
    pub max_iterations: u64,
    /// Draws of control labels.
    pub control_draws: usize,
    /// Bootstrap replicates.
    pub replicates: usize,
    /// Equivalence margin in accuracy (0.05 = five points): `bypassed` is said only
    /// when the effect is shown to be smaller than this.
    pub equivalence_margin: f64,
    /// Smallest change of the latents, as a share of their norm, that tests anything:
    /// below it an intervention without effect is `too weak to test`.
    pub strength_floor: f64,
    /// Family-wise error rate of `changes the answer`, and the level of the equivalence test.
    pub alpha: f64,
    /// Runs whose vectors are floors of the probes, by name: the base model, a randomly
    /// initialised one, on the same examples.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub floors: BTreeMap<String, PathBuf>,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            seed: 42,
            compat: Compat::None,
            folds: 5,
            c_grid: vec![1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0],
            inner_folds: 3,
            repeats: 5,
            c: 1.0,
            max_iterations: 1000,
            control_draws: 50,
            replicates: 5000,
            equivalence_margin: 0.05,
            strength_floor: 0.05,
            alpha: 0.05,
            floors: BTreeMap::new(),
        }
    }
}

impl AuditSettings {
    /// The paper's probe pipeline in place of this project's.
    pub fn paper(self) -> Self {
        Self { compat: Compat::Paper, control_draws: 10, ..self }
    }

    /// The equivalence bound of a change of the log-probability margin, nats: what moves an
    /// answer at even odds by [`AuditSettings::equivalence_margin`] (0.201 for five points).
    /// Absent for margins of half and more, which no change at even odds exceeds.
    pub fn log_odds_bound(&self) -> Option<f64> {
        let bound = ((0.5 + self.equivalence_margin) / (0.5 - self.equivalence_margin)).ln();
        (self.equivalence_margin < 0.5 && bound.is_finite()).then_some(bound)
    }

    /// Refuses settings no analysis can be made with.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key.
    pub fn check(&self) -> Result<()> {
        let refuse = |key, value: String, cause, remedy| Err(Error::Setting { key, value, cause, remedy });
        if self.folds < 2 {
            return refuse("folds", self.folds.to_string(), "cross-validation needs two parts", "give at least 2");
        }
        if !(self.c.is_finite() && self.c > 0.0) {
            return refuse("c", self.c.to_string(), "not a positive number", "give a finite number above 0");
        }
        let ascending = self.c_grid.windows(2).all(|w| w[0] < w[1]);
        if self.c_grid.is_empty() || !ascending || !self.c_grid.iter().all(|c| c.is_finite() && *c > 0.0) {
            let remedy = "give finite numbers above 0, each larger than the one before";
            return refuse("c_grid", format!("{:?}", self.c_grid), "not an ascending list of strengths", remedy);
        }
        if self.inner_folds < 2 {
            return refuse("inner_folds", self.inner_folds.to_string(), "a choice of C needs two parts", "give at least 2");
        }
        if self.repeats == 0 {
            return refuse("repeats", "0".into(), "no folds would be made", "give at least 1");
        }
        if self.max_iterations == 0 {
            return refuse("max_iterations", "0".into(), "no fit could start", "give at least 1");
        }
        if self.replicates < 100 {
            return refuse("replicates", self.replicates.to_string(), "a 95 % interval needs more", "give at least 100");
        }
        if !(self.equivalence_margin > 0.0 && self.equivalence_margin < 1.0) {
            return refuse("equivalence_margin", self.equivalence_margin.to_string(), "not a share", "give a number between 0 and 1");
        }
        if !(self.strength_floor >= 0.0 && self.strength_floor < 1.0) {
            return refuse("strength_floor", self.strength_floor.to_string(), "not a share", "give a number from 0 to below 1");
        }
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            return refuse("alpha", self.alpha.to_string(), "not an error rate", "give a number between 0 and 0.5");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_points_at_even_odds_are_a_fifth_of_a_nat() {
        let bound = AuditSettings::default().log_odds_bound().unwrap();
        assert!((1.0 / (1.0 + (-bound).exp()) - 0.55).abs() < 1e-12, "{bound}");
        assert_eq!(AuditSettings { equivalence_margin: 0.5, ..Default::default() }.log_odds_bound(), None);
    }

    #[test]
    fn defaults_pass_and_nonsense_is_named() {
        AuditSettings::default().check().unwrap();
        let bad = AuditSettings { c: f64::NAN, ..Default::default() };
        assert!(bad.check().unwrap_err().to_string().contains("`c`"));
        let down = AuditSettings { c_grid: vec![1.0, 0.1], ..Default::default() };
        assert!(down.check().unwrap_err().to_string().contains("`c_grid`"));
    }
}
