//! Dose and response: the amounts of one graded intervention in a row, each with its
//! signal-to-noise ratio, so that doses can be compared between models.

use std::collections::BTreeMap;

use prism_run::{Action, Donor, DoseFamily, Mixture};

use super::share;
use crate::faithfulness::ALL;
use crate::findings::{DoseFinding, FaithfulnessFinding};

/// One finding per family and amount, the clean run first in each.
///
/// `spread`: root mean square over dimensions of the latents' standard deviation, and their width.
pub fn doses(faithfulness: &[FaithfulnessFinding], spread: Option<(f64, usize)>) -> Vec<DoseFinding> {
    let whole = || faithfulness.iter().filter(|f| f.category == ALL && f.examples > 0);
    let mut families: BTreeMap<DoseFamily, Vec<(f64, &FaithfulnessFinding)>> = BTreeMap::new();
    for finding in whole() {
        let intervention = finding.intervention;
        if !intervention.is_whole() {
            continue;
        }
        let (family, amount) = match intervention.action {
            Action::Noise(sigma) => (DoseFamily::Noise, sigma),
            Action::RelativeNoise(share) => (DoseFamily::Relative, share),
            Action::Mix(Mixture { share, donor: Donor::Random }) => (DoseFamily::Mix, share),
            _ => continue,
        };
        families.entry(family).or_default().push((amount, finding));
    }
    let clean = whole().find(|f| f.intervention.is_clean());
    let mut found = Vec::new();
    for (family, mut amounts) in families {
        amounts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let start = clean.map(|clean| (0.0, clean)).filter(|_| amounts.first().is_none_or(|(amount, _)| *amount > 0.0));
        found.extend(start.into_iter().chain(amounts).map(|(amount, of)| one(family, amount, of, clean, spread)));
    }
    found
}

fn one(
    family: DoseFamily,
    amount: f64,
    of: &FaithfulnessFinding,
    clean: Option<&FaithfulnessFinding>,
    spread: Option<(f64, usize)>,
) -> DoseFinding {
    let decibels = |signal: Option<f64>, noise: Option<f64>| {
        let ratio = signal? / noise.filter(|noise| *noise > 0.0)?;
        (ratio > 0.0 && ratio.is_finite()).then(|| 20.0 * ratio.log10())
    };
    let change = of.perturbation_norm;
    let a_dimension = spread.and_then(|(_, width)| Some(change? / (width as f64).sqrt()));
    let is_clean = of.intervention.is_clean();
    DoseFinding {
        family,
        intervention: of.intervention,
        amount,
        examples: of.examples,
        spread: spread.map(|(spread, _)| spread),
        snr_norm: decibels(clean.and_then(|c| c.latent_norm), change),
        snr_spread: decibels(spread.map(|(spread, _)| spread), a_dimension),
        accuracy: of.accuracy,
        delta: if is_clean { Some(0.0) } else { of.delta },
        delta_low: of.delta_low,
        delta_high: of.delta_high,
        margin_delta: if is_clean { Some(0.0) } else { of.margin_delta },
        margin_low: of.margin_low,
        margin_high: of.margin_high,
        changed: share((0..of.examples).map(|i| i < of.changed)),
    }
}
