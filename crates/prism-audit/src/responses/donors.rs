//! Donor-answer lift: do answers follow the donor whose latents were swapped in? A model
//! that reads its latents answers the donor's question; one that looks past them does not.

use std::collections::BTreeMap;

use prism_run::Scope;
use prism_run::records::{AnswerRow, ExampleRow};

use super::{Difference, by_row, share};
use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::DonorFinding;
use crate::pairs::Branch;

/// One finding per swap or mix with a donor other than the example itself.
pub fn donors(branches: &[Branch<'_>], examples: &[ExampleRow], clusters: &Clusters, settings: &AuditSettings) -> Vec<DonorFinding> {
    let labels: BTreeMap<usize, &str> = examples.iter().map(|e| (e.row, e.label.as_str())).collect();
    let swaps = branches.iter().filter(|b| {
        let i = b.intervention;
        i.action.donor().is_some() && !i.action.is_idle() && i.scope == Scope::default()
    });
    swaps.map(|branch| one(branch, branches, &labels, clusters, settings)).collect()
}

fn one(
    branch: &Branch<'_>,
    branches: &[Branch<'_>],
    labels: &BTreeMap<usize, &str>,
    clusters: &Clusters,
    settings: &AuditSettings,
) -> DonorFinding {
    // Under another view the baseline is the clean run under that view.
    let clean = branches.iter().find(|b| b.intervention == branch.intervention.baseline()).map(by_row).unwrap_or_default();
    let mut used: Vec<(&AnswerRow, &AnswerRow, &str, &str)> = Vec::new();
    let mut left_out = 0;
    for pair in &branch.pairs {
        let (answer, gold) = (pair.other, labels.get(&pair.other.row).copied().unwrap_or_default());
        match (answer.donor_label.as_deref(), clean.get(&answer.row)) {
            (Some(letter), Some(clean)) if letter != gold && logprob(clean, letter).is_some() => used.push((answer, clean, letter, gold)),
            _ => left_out += 1,
        }
    }
    let said = |answer: &AnswerRow, letter: &str| answer.answer.as_deref() == Some(letter);
    let number = |truth: bool| f64::from(u8::from(truth));
    let lift: Vec<(usize, f64)> = used.iter().map(|(a, c, d, _)| (a.row, number(said(a, d)) - number(said(c, d)))).collect();
    let lift = Difference::of_shares(&lift, clusters, settings);
    let margins: Vec<(usize, f64)> =
        used.iter().filter_map(|(a, c, letter, _)| Some((a.row, a.donor_margin? - margin(c, letter)?))).collect();
    let margins = Difference::of(&margins, clusters, settings);
    let beyond = beyond_damage(&used);
    let mut transfer = Difference::of(&beyond, clusters, settings);
    if beyond.windows(2).all(|pair| pair[0].1 == pair[1].1) {
        // All alike: an interval of no width would say that nothing is uncertain.
        (transfer.low, transfer.high) = (None, None);
    }
    DonorFinding {
        intervention: branch.intervention,
        examples: used.len(),
        left_out,
        donor_rate: share(used.iter().map(|(a, _, d, _)| said(a, d))),
        donor_rate_clean: share(used.iter().map(|(_, c, d, _)| said(c, d))),
        lift: lift.mean,
        lift_low: lift.low,
        lift_high: lift.high,
        lift_p: lift.p,
        transfer_examples: beyond.len(),
        transfer: transfer.mean,
        transfer_low: transfer.low,
        transfer_high: transfer.high,
        gold_rate: share(used.iter().map(|(a, _, _, g)| said(a, g))),
        gold_rate_clean: share(used.iter().map(|(_, c, _, g)| said(c, g))),
        margin_lift: margins.mean,
        margin_low: margins.low,
        margin_high: margins.high,
        reason: used.is_empty().then(|| "no example has a donor with another letter that is among its own options".into()),
    }
}

/// For each example whose donor could have had another letter: whether the answer is the donor's letter, minus the share of
/// donors of its stratum (gold letter, number of options) that have the letter answered. Its mean is what the answers match
/// beyond the mean over all ways to exchange the donors within strata.
fn beyond_damage(used: &[(&AnswerRow, &AnswerRow, &str, &str)]) -> Vec<(usize, f64)> {
    let options = |answer: &AnswerRow| answer.option_logprobs.as_ref().map_or(0, Vec::len);
    let mut strata: BTreeMap<(&str, usize), BTreeMap<&str, usize>> = BTreeMap::new();
    for (answer, _, donor, gold) in used {
        *strata.entry((gold, options(answer))).or_default().entry(donor).or_default() += 1;
    }
    let of = |(answer, _, donor, gold): &(&AnswerRow, &AnswerRow, &str, &str)| {
        let letters = strata.get(&(*gold, options(answer))).filter(|letters| letters.len() > 1)?;
        let said = answer.answer.as_deref();
        let all: usize = letters.values().sum();
        let expected = said.and_then(|said| letters.get(said)).map_or(0.0, |n| *n as f64 / all as f64);
        Some((answer.row, f64::from(u8::from(said == Some(donor))) - expected))
    };
    used.iter().filter_map(of).collect()
}

/// Log-probability of an option letter at the answer; `None` when it is no option.
fn logprob(answer: &AnswerRow, letter: &str) -> Option<f64> {
    answer.option_logprobs.as_ref()?.get(option(letter)?).copied()
}

/// That letter's margin over the best other option.
fn margin(answer: &AnswerRow, letter: &str) -> Option<f64> {
    let (all, own) = (answer.option_logprobs.as_ref()?, option(letter)?);
    let others = all.iter().enumerate().filter(|(i, _)| *i != own).map(|(_, l)| *l);
    Some(all.get(own)? - others.reduce(f64::max)?)
}

/// Place of a letter among the options, A first.
fn option(letter: &str) -> Option<usize> {
    let &[letter] = letter.as_bytes() else { return None };
    letter.is_ascii_uppercase().then(|| usize::from(letter - b'A'))
}
