//! Donor-answer lift: do answers follow the donor whose latents were swapped in? A model
//! that reads its latents answers the donor's question; one that looks past them does not.
//!
//! Every number is over the same examples: the donor has another gold letter, one that is among the
//! example's own options, and the answer could be parsed in both runs. An answer that is missing on one
//! side only would otherwise count for or against the donor, though nothing was chosen.

use std::collections::BTreeMap;

use prism_run::Scope;
use prism_run::records::{AnswerRow, ExampleRow};

use super::{Difference, by_row, share};
use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::DonorFinding;
use crate::pairs::{Branch, Pair, unparsed};

/// One example with another letter swapped in.
#[derive(Clone, Copy)]
struct Swapped<'a> {
    answer: &'a AnswerRow,
    clean: &'a AnswerRow,
    donor: &'a str,
    gold: &'a str,
    options: usize,
}

/// One finding per swap or mix with a donor other than the example itself.
pub fn donors(branches: &[Branch<'_>], examples: &[ExampleRow], clusters: &Clusters, settings: &AuditSettings) -> Vec<DonorFinding> {
    let by_row: BTreeMap<usize, &ExampleRow> = examples.iter().map(|e| (e.row, e)).collect();
    let swaps = branches.iter().filter(|b| {
        let i = b.intervention;
        i.action.donor().is_some() && !i.action.is_idle() && i.scope == Scope::default()
    });
    swaps.map(|branch| one(branch, branches, &by_row, clusters, settings)).collect()
}

fn one(
    branch: &Branch<'_>,
    branches: &[Branch<'_>],
    examples: &BTreeMap<usize, &ExampleRow>,
    clusters: &Clusters,
    settings: &AuditSettings,
) -> DonorFinding {
    // Under another view the baseline is the clean run under that view.
    let clean = branches.iter().find(|b| b.intervention == branch.intervention.baseline()).map(by_row).unwrap_or_default();
    let used: Vec<Swapped<'_>> = branch.pairs.iter().filter_map(|pair| swapped(pair, &clean, examples)).collect();
    let said = |answer: &AnswerRow, letter: &str| answer.answer.as_deref() == Some(letter);
    let number = |truth: bool| f64::from(u8::from(truth));
    let lift: Vec<(usize, f64)> =
        used.iter().map(|s| (s.answer.row, number(said(s.answer, s.donor)) - number(said(s.clean, s.donor)))).collect();
    let lift = Difference::of_shares(&lift, clusters, settings);
    let margins: Vec<(usize, f64)> =
        used.iter().filter_map(|s| Some((s.answer.row, s.answer.donor_margin? - margin(s.clean, s.donor)?))).collect();
    let margins = Difference::of(&margins, clusters, settings);
    let beyond = beyond_damage(&used);
    let transfer = Difference::of(&beyond, clusters, settings);
    DonorFinding {
        intervention: branch.intervention,
        examples: used.len(),
        left_out: branch.pairs.len() - used.len(),
        donor_rate: share(used.iter().map(|s| said(s.answer, s.donor))),
        donor_rate_clean: share(used.iter().map(|s| said(s.clean, s.donor))),
        lift: lift.mean,
        lift_low: lift.low,
        lift_high: lift.high,
        lift_p: lift.p,
        transfer_examples: beyond.len(),
        transfer: transfer.mean,
        transfer_low: transfer.low,
        transfer_high: transfer.high,
        gold_rate: share(used.iter().map(|s| said(s.answer, s.gold))),
        gold_rate_clean: share(used.iter().map(|s| said(s.clean, s.gold))),
        margin_lift: margins.mean,
        margin_low: margins.low,
        margin_high: margins.high,
        reason: used
            .is_empty()
            .then(|| "no example with both answers parsed has a donor with another letter that is among its own options".into()),
    }
}

/// The pair, if every number may count it.
fn swapped<'a>(pair: &Pair<'a>, clean: &BTreeMap<usize, &'a AnswerRow>, examples: &BTreeMap<usize, &ExampleRow>) -> Option<Swapped<'a>> {
    let (answer, clean) = (pair.other, *clean.get(&pair.other.row)?);
    let (donor, gold) = (answer.donor_label.as_deref()?, pair.label);
    let options = examples.get(&answer.row)?.options.len();
    let among_options = option(donor).is_some_and(|place| place < options);
    let counts = donor != gold && among_options && !unparsed(answer) && !unparsed(clean);
    counts.then_some(Swapped { answer, clean, donor, gold, options })
}

/// For each example whose donor could have had another letter: how much more the answer is its donor's letter than the
/// letters of the other donors of its stratum (gold letter, number of options), under the swap minus in the clean run. In each
/// run that is whether the answer is the donor's letter, minus the share of the stratum's donors that have the letter answered;
/// its mean is what the answers match beyond the mean over all ways to exchange the donors within strata. The clean run is taken
/// off because its errors may name the donor's letter without reading any donor: partners look alike.
fn beyond_damage(used: &[Swapped<'_>]) -> Vec<(usize, f64)> {
    let mut strata: BTreeMap<(&str, usize), BTreeMap<&str, usize>> = BTreeMap::new();
    for s in used {
        *strata.entry((s.gold, s.options)).or_default().entry(s.donor).or_default() += 1;
    }
    let of = |s: &Swapped<'_>| {
        let letters = strata.get(&(s.gold, s.options)).filter(|letters| letters.len() > 1)?;
        let all: usize = letters.values().sum();
        let beyond = |answer: &AnswerRow| {
            let said = answer.answer.as_deref();
            let expected = said.and_then(|said| letters.get(said)).map_or(0.0, |n| *n as f64 / all as f64);
            f64::from(u8::from(said == Some(s.donor))) - expected
        };
        Some((s.answer.row, beyond(s.answer) - beyond(s.clean)))
    };
    used.iter().filter_map(of).collect()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use prism_run::Intervention;

    use super::*;
    use crate::made;
    use crate::pairs::branches;

    const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

    /// Examples of gold letter A with donors B and C in turn; letters as said.
    fn found(clean: &[Option<&str>], swapped: &[Option<&str>]) -> DonorFinding {
        let swap: Intervention = "swap:other-answer".parse().unwrap();
        let examples: Vec<ExampleRow> = (0..clean.len()).map(|row| made::example(row, "A")).collect();
        let of = |intervention: Intervention, said: &[Option<&str>]| -> Vec<AnswerRow> {
            let one = |(row, letter): (usize, &Option<&str>)| AnswerRow {
                donor_label: (intervention == swap).then(|| LETTERS[1 + row % 2].to_string()),
                // As a run records it: no forward produced an answer token, so no option has a log-probability.
                option_logprobs: letter.map(|_| vec![-1.0; 4]),
                ..made::answer(row, intervention, *letter, "A")
            };
            said.iter().enumerate().map(one).collect()
        };
        let answers = [of(Intervention::CLEAN, clean), of(swap, swapped)].concat();
        let branches = branches(Path::new("answers.parquet"), &examples, &answers).unwrap();
        donors(&branches, &examples, &Clusters::of(&examples), &AuditSettings::default()).remove(0)
    }

    #[test]
    fn a_missing_answer_on_either_side_counts_for_nobody() {
        let right = vec![Some("A"); 40];
        let holes = |first: usize| -> Vec<Option<&str>> { (0..40).map(|row| if row < first { None } else { Some("A") }).collect() };
        for (clean, swapped) in [(holes(10), right.clone()), (right.clone(), holes(10))] {
            let found = found(&clean, &swapped);
            assert_eq!((found.examples, found.left_out), (30, 10));
            assert_eq!((found.lift, found.transfer, found.gold_rate, found.gold_rate_clean), (Some(0.0), Some(0.0), Some(1.0), Some(1.0)));
        }
    }

    #[test]
    fn strata_are_the_examples_options_and_not_what_was_parsed() {
        let holes: Vec<Option<&str>> = (0..40).map(|row| if row % 3 == 0 { None } else { Some("B") }).collect();
        assert_eq!(found(&holes, &holes).transfer_examples, found(&holes, &holes).examples);
    }

    #[test]
    fn clean_errors_that_name_the_donor_are_no_transfer() {
        let errors: Vec<Option<&str>> = (0..40).map(|row| Some(if row < 20 { LETTERS[1 + row % 2] } else { "A" })).collect();
        let silent = found(&errors, &errors);
        assert_eq!((silent.transfer, silent.transfer_low, silent.donor_rate), (Some(0.0), None, Some(0.5)));
        let follows: Vec<Option<&str>> = (0..40).map(|row| Some(LETTERS[1 + row % 2])).collect();
        let read = found(&errors, &follows);
        // Of twenty that follow anew each is its donor's letter, which half the donors have.
        assert_eq!((read.lift, read.transfer), (Some(0.5), Some(0.25)));
        assert!(read.transfer_low.unwrap() > 0.0);
    }
}
