//! Tests that are adjusted together. A run's families are its own: a word is made from the run
//! alone, whatever stands beside it.

use std::collections::BTreeMap;

use prism_run::{Effect, Family, View};

use super::effect::{figures, word};
use crate::findings::VerdictFinding;
use crate::statistics::adjust::{benjamini_hochberg, holm};

/// The p of a change: with clusters flipped as a whole where there are any.
pub fn tested(v: &VerdictFinding) -> Option<f64> {
    v.clustered_p.or(v.mcnemar_p)
}

/// Adjusts the tests of one run's interventions, family by family, and words each.
pub fn adjust(verdicts: &mut [VerdictFinding]) {
    for family in families(verdicts.iter_mut()).into_values() {
        adjust_family(family);
    }
}

/// Adjusts over the same families of all runs of a comparison. It stands beside the words and moves none.
pub fn adjust_across<'a>(verdicts: impl Iterator<Item = &'a mut VerdictFinding>) {
    for family in families(verdicts).into_values() {
        let p: Vec<f64> = family.iter().filter_map(|v| tested(v)).collect();
        let mut adjusted = holm(&p).into_iter();
        for verdict in family {
            verdict.across_holm_p = tested(verdict).and_then(|_| adjusted.next());
        }
    }
}

fn families<'a>(verdicts: impl Iterator<Item = &'a mut VerdictFinding>) -> BTreeMap<(Family, View), Vec<&'a mut VerdictFinding>> {
    let mut families: BTreeMap<_, Vec<&mut VerdictFinding>> = BTreeMap::new();
    for verdict in verdicts {
        families.entry((verdict.family, verdict.intervention.view)).or_default().push(verdict);
    }
    families
}

fn adjust_family(family: Vec<&mut VerdictFinding>) {
    let p: Vec<f64> = family.iter().filter_map(|v| tested(v)).collect();
    let mut adjusted = holm(&p).into_iter().zip(benjamini_hochberg(&p));
    let choices: Vec<f64> = family.iter().filter_map(|v| v.choice_p).collect();
    let mut choices = holm(&choices).into_iter();
    for verdict in family {
        verdict.choice_holm_p = verdict.choice_p.and_then(|_| choices.next());
        let pair = tested(verdict).and_then(|_| adjusted.next());
        verdict.tests = p.len();
        verdict.holm_p = pair.map(|(holm, _)| holm);
        verdict.benjamini_hochberg_p = pair.map(|(_, bh)| bh);
        verdict.verdict = word(verdict);
        verdict.reason = Some(figures(verdict));
    }
}

/// The effects of a run in one line, e.g. `unchanged: swap:other-answer, draw; loses: remove`.
pub fn in_words(verdicts: &[VerdictFinding]) -> String {
    let parts: Vec<String> = Effect::ALL
        .into_iter()
        .filter_map(|effect| {
            let here = |v: &&VerdictFinding| v.verdict == effect && v.intervention.view == View::Open;
            let names: Vec<String> = verdicts.iter().filter(here).map(|v| v.intervention.to_string()).collect();
            (!names.is_empty()).then(|| format!("{effect}: {}", names.join(", ")))
        })
        .collect();
    if parts.is_empty() { "no intervention was run".into() } else { parts.join("; ") }
}
