//! What an intervention allows to be said, in words, and the rule behind the words.

use crate::AuditSettings;
use crate::findings::VerdictFinding;
use crate::pairs::{Branch, Pair, gained, lost, opened, unparsed};
use crate::statistics::adjust::{benjamini_hochberg, holm};
use crate::statistics::equivalence::{Discordant, detectable_difference, equivalence_p, needed_for_equivalence};
use crate::statistics::mcnemar::mcnemar_exact;

/// The rule, to be printed beside every verdict.
pub const RULE: &str = "Each verdict reads the examples whose latent block opened in the clean run. \
`changes the answer`: exact McNemar test on the same examples, p below alpha after Holm over the interventions of the run, \
or of all runs where several stand beside each other (also when the change is smaller than the margin). \
`breaks the form`: so by that test, more answers lost than gained, but over the examples whose answer could be parsed both ways \
the same test shows no change (p below alpha after Holm over the same family): answers are lost because they are no answers any \
more, and a change of the choice is not shown, nor excluded. \
`too weak to test`: no change is shown, and the intervention moved the latents by less than the declared share of their norm, \
or left every output as it was without replacing at least half of their norm; so nothing follows from the answers. \
`bypassed`: the score interval of the paired difference in accuracy \
(Tango, 90 % for alpha = 0.05) lies inside the equivalence margin fixed beforehand, and both one-sided tests hold with an \
exact p below alpha. \
`undecided`: neither, with the number of examples the equivalence test would need at the discordance seen (80 % power). \
`no latents ran`: the block never opened, so nothing was tested. A verdict speaks of this intervention, this benchmark \
and this margin, not of the variant at large.";

/// Verdict: McNemar's test found a change.
pub const CHANGES: &str = "changes the answer";
/// Verdict: McNemar's test found a loss, and none among the answers that can be parsed.
pub const BREAKS: &str = "breaks the form";
/// Verdict: equivalent within the margin.
pub const BYPASSED: &str = "bypassed";
/// Verdict: neither shown.
pub const UNDECIDED: &str = "undecided";
/// Verdict: the intervention did too little to the latents.
pub const TOO_WEAK: &str = "too weak to test";
/// Verdict: nothing was tested.
pub const NO_LATENTS: &str = "no latents ran";

/// Power the sizes are computed for.
const POWER: f64 = 0.8;
/// Relative change from which outputs that all stayed the same are a result: the
/// latents were mostly replaced, and nothing read them.
const REPLACED: f64 = 0.5;

/// One verdict per intervention that replaces something (not clean, sham or noise of 0).
/// The run's variant and seed are left for the caller to fill in.
pub fn verdicts(branches: &[Branch<'_>], settings: &AuditSettings) -> Vec<VerdictFinding> {
    let mut found: Vec<VerdictFinding> =
        branches.iter().filter(|b| !b.is_clean() && !b.is_sham()).map(|branch| one(branch, settings)).collect();
    adjust(&mut found.iter_mut().collect::<Vec<_>>());
    found
}

/// Adjusts the tests of these verdicts as one family, and words each anew.
pub fn adjust(family: &mut [&mut VerdictFinding]) {
    let p: Vec<f64> = family.iter().filter_map(|v| v.mcnemar_p).collect();
    let mut adjusted = holm(&p).into_iter().zip(benjamini_hochberg(&p));
    let choices: Vec<f64> = family.iter().filter_map(|v| v.choice_p).collect();
    let mut choices = holm(&choices).into_iter();
    for verdict in family {
        verdict.choice_holm_p = verdict.choice_p.and_then(|_| choices.next());
        let pair = verdict.mcnemar_p.and_then(|_| adjusted.next());
        verdict.family = p.len();
        verdict.holm_p = pair.map(|(holm, _)| holm);
        verdict.benjamini_hochberg_p = pair.map(|(_, bh)| bh);
        verdict.verdict = word(verdict).into();
        verdict.reason = Some(figures(verdict));
    }
}

fn one(branch: &Branch<'_>, settings: &AuditSettings) -> VerdictFinding {
    let pairs: Vec<&Pair<'_>> = branch.pairs.iter().filter(|p| opened(p.clean)).collect();
    let count = |of: &dyn Fn(&Pair<'_>) -> bool| pairs.iter().filter(|p| of(p)).count();
    let counts = Discordant { n: pairs.len(), gained: count(&gained), lost: count(&lost) };
    let margin = settings.equivalence_margin;
    let (interval, equivalence) = (counts.interval(0.95), counts.interval(1.0 - 2.0 * settings.alpha));
    let some = counts.n > 0;
    VerdictFinding {
        variant: String::new(),
        seed: None,
        intervention: branch.name.to_string(),
        examples: counts.n,
        discordant: counts.gained + counts.lost,
        gained: counts.gained,
        lost: counts.lost,
        lost_unparsed: count(&|p| lost(p) && unparsed(p.other)),
        changed: count(&|p| p.clean.generated != p.other.generated),
        relative_change: relative_change(&pairs),
        relative_floor: settings.strength_floor,
        delta: some.then(|| (counts.gained as f64 - counts.lost as f64) / counts.n as f64),
        delta_low: interval.map(|i| i.low),
        delta_high: interval.map(|i| i.high),
        equivalence_low: equivalence.map(|i| i.low),
        equivalence_high: equivalence.map(|i| i.high),
        equivalence_p: some.then(|| equivalence_p(counts, margin)),
        margin,
        alpha: settings.alpha,
        mcnemar_p: some.then(|| mcnemar_exact(counts.gained, counts.lost)),
        choice_p: some.then(|| {
            let parsed = |p: &Pair<'_>| !unparsed(p.clean) && !unparsed(p.other);
            mcnemar_exact(count(&|p| gained(p) && parsed(p)), count(&|p| lost(p) && parsed(p)))
        }),
        choice_holm_p: None,
        family: 0,
        holm_p: None,
        benjamini_hochberg_p: None,
        detectable: if some { detectable_difference(counts.n, counts.rate(), settings.alpha, POWER) } else { None },
        needed: some.then(|| needed_for_equivalence(counts.rate(), margin, settings.alpha, POWER)),
        verdict: String::new(),
        reason: None,
    }
}

/// Norm of the change over the norm of the clean latents, both summed over the examples
/// that recorded them.
fn relative_change(pairs: &[&Pair<'_>]) -> Option<f64> {
    let norms = pairs.iter().filter_map(|p| Some((p.other.perturbation_norm?, p.clean.latent_norm?)));
    let (change, latent) = norms.fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    (latent > 0.0).then(|| change / latent).filter(|r: &f64| r.is_finite())
}

/// The word that [`RULE`] gives.
fn word(v: &VerdictFinding) -> &'static str {
    let Some(holm) = v.holm_p else { return NO_LATENTS };
    let below_floor = v.relative_change.is_some_and(|r| r < v.relative_floor);
    let untouched = v.changed == 0 && v.relative_change.is_none_or(|r| r < REPLACED);
    let inside = v.equivalence_low.is_some_and(|low| low > -v.margin) && v.equivalence_high.is_some_and(|high| high < v.margin);
    if holm < v.alpha {
        let choice_unshown = v.choice_holm_p.is_some_and(|p| p >= v.alpha);
        if choice_unshown && v.lost_unparsed > 0 && v.lost > v.gained { BREAKS } else { CHANGES }
    } else if below_floor || untouched {
        TOO_WEAK
    } else if inside && v.equivalence_p.is_some_and(|p| p < v.alpha) {
        BYPASSED
    } else {
        UNDECIDED
    }
}

/// The figures behind a verdict in one line.
fn figures(v: &VerdictFinding) -> String {
    let (Some(delta), Some(low), Some(high), Some(holm), Some(equivalence)) =
        (v.delta, v.equivalence_low, v.equivalence_high, v.holm_p, v.equivalence_p)
    else {
        return "the latent block opened in no example that ran both ways".into();
    };
    let unparsed = match (v.choice_p, v.choice_holm_p) {
        (Some(p), Some(holm)) => {
            format!(" ({} of them unparsed; among answers parsed both ways p {p:.3}, Holm {holm:.3})", v.lost_unparsed)
        }
        _ => String::new(),
    };
    let moved = v.relative_change.map_or_else(
        || "by how much the latents moved was not recorded".to_string(),
        |r| format!("the latents moved by {:.1} % of their norm", 100.0 * r),
    );
    let mut text = format!(
        "{:+.1} points, {} gained and {} lost{unparsed} of {}; {moved} and {} outputs ({:.1} %) changed; Holm p {holm:.3} over {} tests; \
         interval {:+.1} to {:+.1} against a margin of {:.1}, equivalence p {equivalence:.3}",
        100.0 * delta,
        v.gained,
        v.lost,
        v.examples,
        v.changed,
        100.0 * v.changed as f64 / v.examples.max(1) as f64,
        v.family,
        100.0 * low,
        100.0 * high,
        100.0 * v.margin,
    );
    if v.verdict == UNDECIDED {
        if let Some(needed) = v.needed {
            text.push_str(&format!("; equivalence would need about {needed} examples"));
        }
        if let Some(detectable) = v.detectable {
            text.push_str(&format!("; changes below {:.1} points would mostly go unseen", 100.0 * detectable));
        }
    }
    text
}

/// A variant's verdicts in one line, e.g. `changes the answer: zero; undecided: noise:0.1, swap`.
pub fn in_words(verdicts: &[VerdictFinding]) -> String {
    let parts: Vec<String> = [CHANGES, BREAKS, BYPASSED, UNDECIDED, TOO_WEAK, NO_LATENTS]
        .into_iter()
        .filter_map(|verdict| {
            let names: Vec<&str> = verdicts.iter().filter(|v| v.verdict == verdict).map(|v| v.intervention.as_str()).collect();
            if verdict == NO_LATENTS && names.len() == verdicts.len() && !names.is_empty() {
                return Some(NO_LATENTS.to_string());
            }
            (!names.is_empty()).then(|| format!("{verdict}: {}", names.join(", ")))
        })
        .collect();
    if parts.is_empty() { "no intervention was run".into() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A verdict with these counts that moved the latents by `relative`.
    fn found(n: usize, lost: usize, changed: usize, relative: Option<f64>) -> VerdictFinding {
        let settings = AuditSettings::default();
        let mut verdict = one(&Branch { name: "zero", intervention: None, pairs: vec![], rows: vec![] }, &settings);
        let counts = Discordant { n, gained: 0, lost };
        let interval = counts.interval(0.9).unwrap();
        verdict.equivalence_low = Some(interval.low);
        verdict.equivalence_high = Some(interval.high);
        verdict.equivalence_p = Some(equivalence_p(counts, 0.05));
        verdict.mcnemar_p = Some(mcnemar_exact(0, lost));
        verdict.choice_p = verdict.mcnemar_p;
        verdict.delta = Some(-(lost as f64) / n as f64);
        (verdict.examples, verdict.lost, verdict.changed, verdict.relative_change) = (n, lost, changed, relative);
        verdict
    }

    fn alone(mut verdict: VerdictFinding) -> String {
        adjust(&mut [&mut verdict]);
        verdict.verdict
    }

    #[test]
    fn an_intervention_that_did_nothing_shows_nothing() {
        assert_eq!(alone(found(400, 0, 0, Some(0.003))), TOO_WEAK);
        assert_eq!(alone(found(400, 0, 9, Some(0.003))), TOO_WEAK);
        assert_eq!(alone(found(400, 0, 0, None)), TOO_WEAK);
        assert_eq!(alone(found(400, 0, 9, Some(0.3))), BYPASSED);
        assert_eq!(alone(found(400, 0, 0, Some(1.0))), BYPASSED, "replaced as a whole, and nothing read it");
        assert_eq!(alone(found(40, 0, 9, Some(1.0))), UNDECIDED, "too few to exclude five points");
        assert_eq!(alone(found(400, 12, 12, Some(0.003))), CHANGES, "an effect is its own evidence");
    }

    #[test]
    fn answers_lost_as_answers_say_nothing_of_the_choice() {
        let broken = |choice| VerdictFinding { choice_p: Some(choice), lost_unparsed: 70, ..found(400, 78, 400, Some(1.0)) };
        assert_eq!(alone(broken(1.0)), BREAKS);
        assert_eq!(alone(broken(0.001)), CHANGES, "enough of them were parsed");
        let repaired = VerdictFinding { gained: 90, ..broken(1.0) };
        assert_eq!(alone(repaired), CHANGES, "more gained than lost breaks nothing");
        let mut seven: Vec<VerdictFinding> = (0..7).map(|_| broken(0.03)).collect();
        adjust(&mut seven.iter_mut().collect::<Vec<_>>());
        assert!(seven.iter().all(|v| v.verdict == BREAKS), "0.03 is no finding among seven tests");
    }

    #[test]
    fn a_change_must_survive_the_whole_family() {
        let mut many: Vec<VerdictFinding> = (0..20).map(|i| found(100, if i == 0 { 8 } else { 1 }, 20, Some(1.0))).collect();
        assert_eq!(alone(many[0].clone()), CHANGES);
        adjust(&mut many.iter_mut().collect::<Vec<_>>());
        assert_eq!((many[0].verdict.as_str(), many[0].family), (UNDECIDED, 20));
        assert!(many[0].reason.as_deref().unwrap().contains("over 20 tests"));
    }
}
