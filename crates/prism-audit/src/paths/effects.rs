//! What a change of weights does with the latents held, and a change of latents with the
//! weights held: differences of cells over the same examples.
//!
//! The gain goes from the base as it is to the variant as it is in four steps that add up:
//! *form* (the base is given the variant's text without the block), *weights* (no block on
//! either side), *markers* (the block's tokens, and no vector), *latents* (the variant's own at
//! their places, every token held). Another order of steps gives other figures; how far they differ is the interaction.

use std::collections::BTreeSet;

use prism_run::{Change, PathCell, Shown, Source, Weights};

use super::Named;
use super::cells::Answers;
use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::EffectFinding;
use crate::power::POWER;
use crate::responses::Difference;
use crate::statistics::adjust::holm;
use crate::statistics::cluster_robust::cluster_mean;
use crate::statistics::equivalence::{Discordant, detectable_difference, equivalence_p, needed_for_equivalence};
use crate::statistics::mcnemar::mcnemar_exact;
use crate::statistics::sign_flip::exact_of_counts;

const fn base(latents: Source) -> PathCell {
    PathCell::of(Weights::Base, latents)
}

const fn variant(latents: Source) -> PathCell {
    PathCell::of(Weights::Variant, latents)
}

/// Effect, what is held, from, to. The first four after the gain add up to it.
const EFFECTS: [(Change, &str, PathCell, PathCell); 18] = [
    (Change::Gain, "as they are", base(Source::Free), variant(Source::Free)),
    (Change::Form, "base weights", base(Source::Free), base(Source::None)),
    (Change::Weights, "no latents", base(Source::None), variant(Source::None)),
    (Change::Markers, "variant weights", variant(Source::None), variant(Source::Markers)),
    (Change::Latents, "variant weights", variant(Source::Markers), variant(Source::Variant)),
    (Change::Markers, "base weights", base(Source::None), base(Source::Markers)),
    (Change::Latents, "base weights", base(Source::Markers), base(Source::Variant)),
    (Change::Weights, "markers", base(Source::Markers), variant(Source::Markers)),
    (Change::Weights, "variant latents", base(Source::Variant), variant(Source::Variant)),
    (Change::Weights, "base latents", base(Source::Base), variant(Source::Base)),
    (Change::Weights, "oracle latents", base(Source::Oracle), variant(Source::Oracle)),
    (Change::Source, "variant weights", variant(Source::Base), variant(Source::Variant)),
    (Change::Source, "base weights", base(Source::Base), base(Source::Variant)),
    (Change::Untrained, "variant weights", variant(Source::Markers), variant(Source::Base)),
    (Change::Untrained, "base weights", base(Source::Markers), base(Source::Base)),
    (Change::Oracle, "variant weights", variant(Source::Variant), variant(Source::Oracle)),
    (Change::Oracle, "base weights", base(Source::Variant), base(Source::Oracle)),
    (Change::Oracle, "base weights, from markers", base(Source::Markers), base(Source::Oracle)),
];

/// Two effects whose difference is an interaction: with the variant's weights, with the base's.
const INTERACTIONS: [(&str, [PathCell; 2], [PathCell; 2]); 2] = [
    ("latents x weights", [variant(Source::Markers), variant(Source::Variant)], [base(Source::Markers), base(Source::Variant)]),
    ("source x weights", [variant(Source::Base), variant(Source::Variant)], [base(Source::Base), base(Source::Variant)]),
];

/// All effects of a variant; an effect of a cell that is not there is absent with the reason.
pub fn findings(named: &Named, answers: &Answers<'_>, clusters: &Clusters, settings: &AuditSettings) -> Vec<EffectFinding> {
    let rows = |cell: &PathCell| answers.get(cell).map(|ran| ran.keys().copied().collect::<BTreeSet<usize>>());
    // One set of examples for all that the gain is made of, so that its steps add up; the oracle,
    // which needs boxes, narrows its own effects only.
    let there = PathCell::all().filter(|cell| cell.latents != Source::Oracle).filter_map(|cell| rows(&cell));
    let common = there.reduce(|one, other| &one & &other).unwrap_or_default();
    let mut found = Vec::new();
    for (effect, held, from, to) in EFFECTS {
        let blank = blank(named, effect, held, from.to_string(), to.to_string(), settings);
        found.push(match (rows(&from), rows(&to)) {
            (Some(a), Some(b)) => simple(blank, &(&(&a & &b) & &common), answers, [from, to], clusters, settings),
            (a, _) => absent(blank, if a.is_none() { from } else { to }),
        });
    }
    for (name, [a, b], [c, d]) in INTERACTIONS {
        let blank = blank(named, Change::Interaction, name, format!("{c} to {d}"), format!("{a} to {b}"), settings);
        found.push(match [a, b, c, d].iter().find(|cell| rows(cell).is_none()) {
            Some(cell) => absent(blank, *cell),
            None => interaction(blank, &common, answers, [a, b, c, d], clusters, settings),
        });
    }
    let tested: Vec<f64> = found.iter().filter_map(|effect| effect.p).collect();
    let mut adjusted = holm(&tested).into_iter();
    for effect in found.iter_mut().filter(|effect| effect.p.is_some()) {
        effect.holm_p = adjusted.next();
        effect.verdict = Some(word(effect, settings));
    }
    found
}

/// The gold letter's margin and whether the answer is right, at a cell of an example.
fn at(answers: &Answers<'_>, cell: PathCell, row: usize) -> Option<Outcome> {
    let answer = answers.get(&cell)?.get(&row)?;
    Some((f64::from(u8::from(answer.correct == Some(true))), answer.gold_margin))
}

fn simple(
    blank: EffectFinding,
    rows: &BTreeSet<usize>,
    answers: &Answers<'_>,
    [from, to]: [PathCell; 2],
    clusters: &Clusters,
    settings: &AuditSettings,
) -> EffectFinding {
    let pairs: Vec<(usize, _, _)> = rows.iter().filter_map(|row| Some((*row, at(answers, from, *row)?, at(answers, to, *row)?))).collect();
    if pairs.is_empty() {
        return EffectFinding { reason: Some("no example ran in every cell of the crossing".into()), ..blank };
    }
    let values: Vec<(usize, f64)> = pairs.iter().map(|(row, a, b)| (*row, b.0 - a.0)).collect();
    let margins: Vec<(usize, f64)> = pairs.iter().filter_map(|(row, a, b)| Some((*row, b.1? - a.1?))).collect();
    let count = |sign: f64| values.iter().filter(|(_, v)| *v == sign).count();
    let counts = Discordant { n: values.len(), gained: count(1.0), lost: count(-1.0) };
    let (silent, joined) = (counts.gained + counts.lost == 0, clusters.joined_by().is_some());
    let sums = clusters.sums(values.iter().copied());
    // Clusters that all agree show what as many single examples would.
    let independent = if joined && silent { Discordant { n: sums.len(), gained: 0, lost: 0 } } else { counts };
    let level = 1.0 - 2.0 * settings.alpha;
    let (score, mut equivalence) = (counts.interval(0.95), independent.interval(level));
    if joined && !silent {
        // Inside the margin must be both the score interval and the one over clusters: the wider ends.
        let robust = cluster_mean(&sums).and_then(|m| m.interval(level));
        equivalence = equivalence.zip(robust).map(|(mut a, b)| {
            (a.low, a.high) = (a.low.min(b.low), a.high.max(b.high));
            a
        });
    }
    let difference = Difference::of_shares(&values, clusters, settings);
    let mcnemar = mcnemar_exact(counts.gained, counts.lost);
    let whole = || exact_of_counts(&sums.iter().map(|(sum, _)| *sum as i64).collect::<Vec<_>>());
    let margin = Difference::of(&margins, clusters, settings);
    EffectFinding {
        examples: counts.n,
        gained: Some(counts.gained),
        lost: Some(counts.lost),
        delta: Some((counts.gained as f64 - counts.lost as f64) / counts.n as f64),
        delta_low: difference.low,
        delta_high: difference.high,
        score_low: score.map(|i| i.low),
        score_high: score.map(|i| i.high),
        mcnemar_p: Some(mcnemar),
        clusters: sums.len(),
        p: Some(if joined { whole() } else { mcnemar }),
        equivalence_low: equivalence.map(|i| i.low),
        equivalence_high: equivalence.map(|i| i.high),
        equivalence_p: Some(equivalence_p(independent, settings.equivalence_margin)),
        margin_delta: margin.mean,
        margin_low: margin.low,
        margin_high: margin.high,
        margin_p: margin.p,
        detectable: detectable_difference(counts.n, counts.rate(), settings.alpha, POWER),
        needed: Some(needed_for_equivalence(counts.rate(), settings.equivalence_margin, settings.alpha, POWER)),
        ..blank
    }
}

/// Whether a cell was right, 1 or 0, and its margin.
type Outcome = (f64, Option<f64>);

fn interaction(
    blank: EffectFinding,
    rows: &BTreeSet<usize>,
    answers: &Answers<'_>,
    [a, b, c, d]: [PathCell; 4],
    clusters: &Clusters,
    settings: &AuditSettings,
) -> EffectFinding {
    let four = |row: &usize| {
        let [a, b, c, d] = [a, b, c, d].map(|cell| at(answers, cell, *row));
        Some((*row, [a?, b?, c?, d?]))
    };
    let cells: Vec<(usize, [Outcome; 4])> = rows.iter().filter_map(four).collect();
    if cells.is_empty() {
        return EffectFinding { reason: Some("no example ran in every cell of the crossing".into()), ..blank };
    }
    let values: Vec<(usize, f64)> = cells.iter().map(|(row, [a, b, c, d])| (*row, (b.0 - a.0) - (d.0 - c.0))).collect();
    let of_margin = |(row, [a, b, c, d]): &(usize, [Outcome; 4])| Some((*row, (b.1? - a.1?) - (d.1? - c.1?)));
    let margins: Vec<(usize, f64)> = cells.iter().filter_map(of_margin).collect();
    let difference = Difference::of(&values, clusters, settings);
    let margin = Difference::of(&margins, clusters, settings);
    let silent = values.iter().all(|(_, value)| *value == 0.0);
    EffectFinding {
        examples: values.len(),
        delta: difference.mean,
        // Nothing but zeros would give [0, 0], as if nothing were uncertain.
        delta_low: difference.low.filter(|_| !silent),
        delta_high: difference.high.filter(|_| !silent),
        clusters: clusters.sums(values.iter().copied()).len(),
        p: difference.p,
        margin_delta: margin.mean,
        margin_low: margin.low,
        margin_high: margin.high,
        margin_p: margin.p,
        ..blank
    }
}

fn absent(blank: EffectFinding, cell: PathCell) -> EffectFinding {
    EffectFinding { reason: Some(format!("no example has the cell {cell}: see there")), ..blank }
}

fn blank(named: &Named, effect: Change, held: &str, from: String, to: String, settings: &AuditSettings) -> EffectFinding {
    EffectFinding {
        variant: named.name.clone(),
        seed: named.seed(),
        effect,
        held: held.into(),
        from,
        to,
        examples: 0,
        gained: None,
        lost: None,
        delta: None,
        delta_low: None,
        delta_high: None,
        score_low: None,
        score_high: None,
        mcnemar_p: None,
        clusters: 0,
        p: None,
        holm_p: None,
        equivalence_low: None,
        equivalence_high: None,
        equivalence_p: None,
        margin: settings.equivalence_margin,
        margin_delta: None,
        margin_low: None,
        margin_high: None,
        margin_p: None,
        detectable: None,
        needed: None,
        verdict: None,
        reason: None,
    }
}

fn word(effect: &EffectFinding, settings: &AuditSettings) -> Shown {
    let within = |bound: Option<f64>| bound.is_some_and(|bound| bound.abs() < effect.margin);
    match effect {
        _ if effect.holm_p.is_some_and(|p| p < settings.alpha) => Shown::Differs,
        _ if within(effect.equivalence_low)
            && within(effect.equivalence_high)
            && effect.equivalence_p.is_some_and(|p| p < settings.alpha) =>
        {
            Shown::Equivalent
        }
        _ => Shown::Undecided,
    }
}

/// The gain and what it is made of, in a sentence.
pub fn in_words(found: &[EffectFinding]) -> Option<String> {
    let step = |at: usize| {
        let effect = found.get(at)?;
        let (delta, low, high) = (effect.delta?, effect.delta_low?, effect.delta_high?);
        Some(format!("{:+.1} points [{:+.1}, {:+.1}] ({})", 100.0 * delta, 100.0 * low, 100.0 * high, effect.verdict?))
    };
    let (gain, form, weights, markers, latents) = (step(0)?, step(1)?, step(2)?, step(3)?, step(4)?);
    let n = found.first()?.examples;
    Some(format!(
        "The gain of {gain}, over {} examples, is\n  {form} by the form of the answer (the base's weights)\n  {weights} by the weights, no block on either \
         side\n  {markers} by the block's tokens alone (the variant's weights)\n  {latents} by the variant's own latents, every token held",
        n
    ))
}

#[cfg(test)]
mod tests {
    use prism_run::Outcome as End;
    use prism_run::records::CellRow;

    use super::super::cells::answers;
    use super::*;

    fn answer(cell: PathCell, row: usize, right: bool) -> CellRow {
        CellRow {
            row,
            id: row.to_string(),
            intervention: cell,
            outcome: End::Scored,
            answer: Some("A".into()),
            correct: Some(right),
            text: String::new(),
            generated: vec![],
            changed: None,
            steps_context: 0,
            steps_target: 0,
            gold_margin: Some(if right { 1.0 } else { -1.0 }),
            gold_logprob: None,
            answer_entropy: None,
            latent_norm: None,
            perturbation_norm: None,
            option_logprobs: None,
        }
    }

    /// Examples 0 to 39; how many of them are right in a cell, from the first on.
    fn crossing(right: impl Fn(PathCell) -> Option<usize>) -> Vec<CellRow> {
        PathCell::all()
            .filter_map(|cell| Some((cell, right(cell)?)))
            .flat_map(|(cell, n)| (0..40).map(move |row| answer(cell, row, row < n)))
            .collect()
    }

    fn found(rows: &[CellRow]) -> Vec<EffectFinding> {
        let named = Named { name: "LVR".into(), seed: None };
        findings(&named, &answers(rows), &Clusters::alone(40), &AuditSettings::default())
    }

    #[test]
    fn the_steps_add_up_and_a_gain_of_the_weights_is_the_weights() {
        let rows = crossing(|cell| Some(if cell.weights == Weights::Base { 10 } else { 30 }));
        let found = found(&rows);
        let delta = |at: usize| found[at].delta.unwrap();
        assert_eq!((delta(0), delta(1), delta(2), delta(3), delta(4)), (0.5, 0.0, 0.5, 0.0, 0.0));
        assert_eq!(found[2].mcnemar_p, Some(mcnemar_exact(20, 0)));
        assert_eq!(found[2].verdict, Some(Shown::Differs));
        let interaction = found.iter().find(|e| e.effect == Change::Interaction).unwrap();
        assert_eq!((interaction.delta, interaction.delta_low), (Some(0.0), None));
        assert!(in_words(&found).unwrap().contains("+50.0 points"));
    }

    #[test]
    fn a_cell_that_is_not_there_takes_its_effects_along_and_no_other() {
        let rows = crossing(|cell| (cell != base(Source::Base)).then_some(20));
        let found = found(&rows);
        let of = |effect: Change, held: &str| found.iter().find(|e| e.effect == effect && e.held == held).unwrap();
        assert!(of(Change::Weights, "base latents").reason.as_deref().unwrap().contains("base/base"));
        assert!(of(Change::Weights, "no latents").delta.is_some() && of(Change::Interaction, "latents x weights").delta.is_some());
        assert!(of(Change::Interaction, "source x weights").delta.is_none());
    }
}
