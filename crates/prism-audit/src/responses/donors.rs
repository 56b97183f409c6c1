//! Donor-answer lift: do answers follow the donor whose latents were swapped in? A model
//! that reads its latents answers the donor's question; one that looks past them does not.

use std::collections::BTreeMap;

use prism_run::records::{AnswerRow, ExampleRow};
use prism_run::{Action, Scope};

use super::{Difference, by_row, share};
use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::DonorFinding;
use crate::pairs::Branch;

/// One finding per swap or mix with a donor other than the example itself.
pub fn donors(branches: &[Branch<'_>], examples: &[ExampleRow], clusters: &Clusters, settings: &AuditSettings) -> Vec<DonorFinding> {
    let labels: BTreeMap<usize, &str> = examples.iter().map(|e| (e.row, e.label.as_str())).collect();
    let swaps = branches.iter().filter(|b| {
        let gives = |action| matches!(action, Action::Swap(_) | Action::Mix { .. });
        b.intervention.is_some_and(|i| gives(i.action) && !i.is_sham() && i.scope == Scope::default())
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
    let view = branch.intervention.map(|i| i.view);
    let is_baseline = |b: &&Branch<'_>| b.intervention.is_some_and(|i| i.action == Action::Clean && Some(i.view) == view);
    let clean = branches.iter().find(is_baseline).map(by_row).unwrap_or_default();
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
    let beyond: Vec<(usize, f64)> =
        used.iter().filter_map(|(a, c, donor, gold)| Some((a.row, above_wrong(a, donor, gold)? - above_wrong(c, donor, gold)?))).collect();
    let mut transfer = Difference::of(&beyond, clusters, settings);
    if beyond.iter().all(|(_, v)| *v == 0.0) {
        // All alike: an interval of no width would say that nothing is uncertain.
        (transfer.low, transfer.high) = (None, None);
    }
    DonorFinding {
        intervention: branch.name.to_string(),
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
        transfer_p: transfer.p,
        gold_rate: share(used.iter().map(|(a, _, _, g)| said(a, g))),
        gold_rate_clean: share(used.iter().map(|(_, c, _, g)| said(c, g))),
        margin_lift: margins.mean,
        margin_low: margins.low,
        margin_high: margins.high,
        reason: used.is_empty().then(|| "no example has a donor with another letter that is among its own options".into()),
    }
}

/// Whether the answer is the donor's letter, minus the share of the other wrong options it is; `None` where there is no other.
fn above_wrong(answer: &AnswerRow, donor: &str, gold: &str) -> Option<f64> {
    let others = answer.option_logprobs.as_ref()?.len().checked_sub(2).filter(|n| *n > 0)?;
    let said = answer.answer.as_deref();
    let is_option = said.and_then(option).is_some_and(|place| place < others + 2);
    Some(match said {
        Some(letter) if letter == donor => 1.0,
        Some(letter) if letter != gold && is_option => -1.0 / others as f64,
        _ => 0.0,
    })
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
