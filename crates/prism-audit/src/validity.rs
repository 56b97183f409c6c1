//! Can the instrument say yes, and can it say no? Audits of control arms, of which both answers
//! are known by construction ([`Control`]).

use std::collections::BTreeSet;
use std::path::Path;

use prism_run::Control;
use prism_run::kept::keep_rows;
use prism_run::manifest::Manifest;
use prism_run::random::Stream;
use prism_run::records::{self, AnswerRow, ExampleRow, files};
use rayon::prelude::*;

use crate::clusters::Clusters;
use crate::findings::ValidityFinding;
use crate::pairs::{Branch, branches};
use crate::verdict::judge as judged;
use crate::{AuditSettings, Result};

/// Random halves of the questions that every control is judged by again.
pub const HALVES: usize = 50;

/// Judges one control's records; below a clean accuracy of `least` it is left out.
///
/// # Errors
/// When they are absent or damaged.
pub fn judge(run: &Path, control: Control, least: f64, settings: &AuditSettings) -> Result<ValidityFinding> {
    let manifest = Manifest::read(run)?;
    let folder = records::folder(run);
    let examples = keep_rows::<ExampleRow>(&folder.join(files::EXAMPLES))?;
    let path = folder.join(files::ANSWERS);
    let answers = keep_rows::<AnswerRow>(&path)?;
    let branches = branches(&path, &examples, &answers)?;
    let clusters = Clusters::of(&examples);
    let concluded = judged(&branches, &examples, &clusters, settings).conclusion;
    let expected = control.expected();
    // The halves are judged by tests and intervals that need no more draws than this.
    let quicker = AuditSettings { replicates: settings.replicates.min(1000), ..settings.clone() };
    let wrong = (0..HALVES).into_par_iter().filter(|&half| {
        let kept = half_of(&clusters, &examples, half);
        judged(&only(&branches, &kept), &examples, &clusters, &quicker).conclusion.word != expected
    });
    let halves_wrong = wrong.count();
    let shams: Vec<_> = branches.iter().filter(|b| b.is_sham()).flat_map(|b| &b.pairs).collect();
    let clean = branches.iter().find(|b| b.is_clean());
    let accuracy = clean.and_then(|b| crate::responses::share(b.pairs.iter().map(|p| crate::pairs::right(p.other))));
    Ok(ValidityFinding {
        variant: manifest.variant.clone().unwrap_or_default(),
        seed: manifest.seed.and_then(|seed| i64::try_from(seed).ok()),
        control,
        expected,
        holds: concluded.word == expected,
        needs_block: control.needs_block(),
        presence_holds: control.agrees(concluded.presence),
        left_out: accuracy.is_none_or(|share| share < least),
        accuracy,
        examples: clean.map_or(0, |b| b.pairs.len()),
        halves: HALVES,
        halves_wrong,
        shams: shams.len(),
        shams_changed: shams.iter().filter(|pair| !same(pair.clean, pair.other)).count(),
        reason: Some(if concluded.reason.is_empty() { concluded.rule } else { concluded.reason.join(" | ") }),
        word: concluded.word,
        presence: concluded.presence,
    })
}

/// Whether two answers are the same to the bit: tokens, steps, latents and every number at the answer.
pub fn same(a: &AnswerRow, b: &AnswerRow) -> bool {
    let bits = |row: &AnswerRow| {
        let numbers = [row.gold_margin, row.gold_logprob, row.answer_entropy, row.latent_norm];
        let options = row.option_logprobs.iter().flatten().map(|l| Some(*l));
        numbers.into_iter().chain(options).map(|n| n.map(f64::to_bits)).collect::<Vec<_>>()
    };
    let steps = |row: &AnswerRow| (row.steps_context, row.steps_target);
    a.generated == b.generated && a.answer == b.answer && steps(a) == steps(b) && bits(a) == bits(b)
}

/// Rows of a random half of the clusters.
fn half_of(clusters: &Clusters, examples: &[ExampleRow], half: usize) -> BTreeSet<usize> {
    let numbers: BTreeSet<usize> = examples.iter().filter_map(|e| clusters.number(e.row)).collect();
    let mut numbers: Vec<usize> = numbers.into_iter().collect();
    Stream::new(0, "validity halves", &[&half.to_string()]).shuffle(&mut numbers);
    numbers.truncate(numbers.len().div_ceil(2));
    let kept: BTreeSet<usize> = numbers.into_iter().collect();
    examples.iter().map(|e| e.row).filter(|row| clusters.number(*row).is_some_and(|n| kept.contains(&n))).collect()
}

fn only<'a>(branches: &[Branch<'a>], rows: &BTreeSet<usize>) -> Vec<Branch<'a>> {
    let of = |branch: &Branch<'a>| Branch {
        intervention: branch.intervention,
        pairs: branch.pairs.iter().filter(|p| rows.contains(&p.clean.row)).copied().collect(),
        rows: branch.rows.iter().filter(|(r, _)| rows.contains(&r.row)).copied().collect(),
    };
    branches.iter().map(of).collect()
}
