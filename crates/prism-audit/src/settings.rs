//! The settings of an audit: every number a finding depends on, declared beforehand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use prism_run::{Action, Donor, Intervention, Role};
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
    /// The margin, a share (0.05 = five points): of accuracy in equivalence tests and losses,
    /// of the answers that change in `unchanged`.
    pub equivalence_margin: f64,
    /// Least strength, in units of the latents' natural spread over examples, that tests
    /// anything: below it an intervention is `too weak`. Random donors have about 1.4.
    pub least_strength: f64,
    /// Largest share of a category's answers that may change unseen where `not used` is said.
    pub category_margin: f64,
    /// Family-wise error rate of losses and gains, and the level of bounds and equivalence tests.
    pub alpha: f64,
    /// The declared content set: is what the latents say used? Both kinds of exchange must be in it.
    pub content: Vec<Intervention>,
    /// The declared presence set: is the block needed?
    pub presence: Vec<Intervention>,
    /// Runs whose vectors are floors of the probes, by name: the base model, a randomly
    /// initialised one, on the same examples.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "prism_run::as_text::named")]
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
            least_strength: 0.5,
            category_margin: 0.2,
            alpha: 0.05,
            content: content_set(),
            presence: presence_set(),
            floors: BTreeMap::new(),
        }
    }
}

/// The content set where none is declared. Partners of the example count only where they exist,
/// are strong enough, and are as many as `unchanged` needs.
pub fn content_set() -> Vec<Intervention> {
    let donors = [Action::Swap(Donor::OtherAnswer), Action::SwapKv(Donor::OtherAnswer), Action::Draw, Action::Mean];
    donors.into_iter().chain([Action::Swap(Donor::Counterfactual)]).map(Intervention::from).collect()
}

/// The presence set where none is declared.
pub fn presence_set() -> Vec<Intervention> {
    [Action::Remove, Action::Markers, Action::Format].map(Intervention::from).to_vec()
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
        // A run folder from somebody else holds settings too.
        for (key, value, most) in [
            ("folds", self.folds, 100),
            ("inner_folds", self.inner_folds, 100),
            ("repeats", self.repeats, 100),
            ("c_grid", self.c_grid.len(), 64),
            ("control_draws", self.control_draws, 1_000),
            ("max_iterations", usize::try_from(self.max_iterations).unwrap_or(usize::MAX), 10_000_000),
            ("replicates", self.replicates, 1_000_000),
        ] {
            if value > most {
                return refuse(key, value.to_string(), "more than any analysis needs", "give a smaller number");
            }
        }
        if self.replicates < 100 {
            return refuse("replicates", self.replicates.to_string(), "a 95 % interval needs more", "give at least 100");
        }
        if !(self.equivalence_margin > 0.0 && self.equivalence_margin < 1.0) {
            return refuse("equivalence_margin", self.equivalence_margin.to_string(), "not a share", "give a number between 0 and 1");
        }
        if !(self.least_strength >= 0.0 && self.least_strength < 1.0) {
            return refuse("least_strength", self.least_strength.to_string(), "out of range", "give a number from 0 to below 1");
        }
        if !(self.category_margin >= self.equivalence_margin && self.category_margin < 1.0) {
            let remedy = "give a share of at least the equivalence margin";
            return refuse("category_margin", self.category_margin.to_string(), "below the margin, or no share", remedy);
        }
        let told = |set: &[Intervention]| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let decides = |role: Role| role.is_exchange() || role == Role::Resamples;
        if let Some(stranger) = self.content.iter().find(|i| !decides(i.role())) {
            let remedy = "name exchanges (swap, swap-kv, with their donors), draw and mean, on the whole block and with the image in view";
            return refuse("content", stranger.to_string(), "cannot show whether what latents say is used", remedy);
        }
        if let Some(alike) = self.content.iter().find(|i| i.action.donor() == Some(Donor::SameAnswer)) {
            let remedy = "name donors that answer something else: swap:other-answer, swap-kv:other-answer";
            return refuse("content", alike.to_string(), "its donors have the same answer, so nothing follows from it", remedy);
        }
        let has = |role: Role| self.content.iter().any(|i| i.role() == role);
        if !(has(Role::ExchangesVectors) && has(Role::ExchangesKeysValues)) {
            let remedy = "declare an exchange of vectors (swap:other-answer) and one of keys and values (swap-kv:other-answer)";
            return refuse("content", told(&self.content), "lacks one of the two kinds of exchange", remedy);
        }
        if let Some(stranger) = self.presence.iter().find(|i| i.role() != Role::LeavesOut) {
            return refuse("presence", stranger.to_string(), "does not leave the block out", "name remove, markers or format");
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
