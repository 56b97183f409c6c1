//! What an intervention allows to be said, in words, and the rule behind the words.

use std::collections::BTreeMap;

use prism_run::records::AnswerRow;
use prism_run::{Intervention, View};

use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::VerdictFinding;
use crate::lenient;
use crate::pairs::{Branch, Pair, base, gained, lost, opened, right, unparsed, within_view};
use crate::power::POWER;
use crate::statistics::adjust::{benjamini_hochberg, holm};
use crate::statistics::cluster_robust::cluster_mean;
use crate::statistics::equivalence::{Discordant, detectable_difference, equivalence_p, needed_for_equivalence};
use crate::statistics::mcnemar::mcnemar_exact;
use crate::statistics::sign_flip::exact_of_counts;

/// The rule, to be printed beside every verdict.
pub const RULE: &str = "Each verdict reads the examples whose latent block opened in the clean run. \
Under another view of the image (`@`) it compares with the clean run under that view; `clean@` itself, which leaves the latents alone, \
with the clean run in full view. \
`changes the answer`: exact McNemar test on the same examples, p below alpha after Holm over the interventions of the run \
under the same view of the image, or of all runs where several stand beside each other (also when the change is smaller than the \
margin). Where examples come in clusters (a pair, an image, a counterfactual partner), the test flips clusters as a whole. \
`breaks the form`: so by that test, more answers lost than gained, but over the examples whose answer could be parsed both ways \
the same test shows no change (p below alpha after Holm over the same family): answers are lost because they are no answers any \
more, and a change of the choice is not shown, nor excluded. \
`too weak to test`: no change is shown, and the intervention moved the latents by less than the declared share of their norm, \
or left every output as it was without replacing at least half of their norm or removing them; so nothing follows from the answers. \
`bypassed`: the score interval of the paired difference in accuracy \
(Tango, 90 % for alpha = 0.05) lies inside the equivalence margin fixed beforehand, so does the cluster-robust interval where there \
are clusters, and both one-sided tests hold with an exact p below alpha. \
`undecided`: neither, with the number of examples the equivalence test would need at the discordance seen (80 % power). \
`no latents ran`: the block never opened, so nothing was tested. A verdict speaks of this intervention, this benchmark \
and this margin, not of the variant at large; that of a run is another rule's.";

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
/// Verdict: there is no clean run under the same view of the image.
pub const NO_BASELINE: &str = "no clean run under this view";
/// Verdict: nothing was tested.
pub const NO_LATENTS: &str = "no latents ran";

/// Relative change from which outputs that all stayed the same are a result: the
/// latents were mostly replaced, and nothing read them.
pub const REPLACED: f64 = 0.5;

/// The view of the image an intervention was run under, its form's part after `@`; empty
/// for the image in view.
pub fn view(name: &str) -> &str {
    name.split_once('@').map_or("", |(_, view)| view)
}

/// Whether an intervention takes the latents away instead of changing their values: how far
/// they moved then says nothing of its strength.
pub fn is_removal(name: &str) -> bool {
    ["evict", "remov", "markers", "format"].iter().any(|prefix| base(name).starts_with(prefix))
}

/// One verdict per intervention that replaces something (not clean, sham or noise of 0).
/// The run's variant and seed are left for the caller to fill in.
pub fn verdicts(branches: &[Branch<'_>], clusters: &Clusters, settings: &AuditSettings) -> Vec<VerdictFinding> {
    let idle = |b: &&Branch<'_>| b.intervention.is_some_and(|i| Intervention { view: View::Open, ..i }.is_sham());
    let acting = branches.iter().filter(|b| !b.is_clean() && !idle(b));
    let mut found: Vec<VerdictFinding> = acting
        .map(|branch| match within_view(branch, branches) {
            Some(branch) => one(&branch, clusters, settings),
            None => VerdictFinding { baseline: false, ..one(&Branch { pairs: Vec::new(), ..branch.clone() }, clusters, settings) },
        })
        .collect();
    adjust(&mut found.iter_mut().collect::<Vec<_>>());
    found
}

/// Adjusts the tests of these verdicts, one family for each view of the image, and words
/// each anew.
pub fn adjust(verdicts: &mut [&mut VerdictFinding]) {
    let mut families: BTreeMap<String, Vec<&mut VerdictFinding>> = BTreeMap::new();
    for verdict in verdicts {
        families.entry(view(&verdict.intervention).to_string()).or_default().push(verdict);
    }
    families.into_values().for_each(adjust_family);
}

fn adjust_family(family: Vec<&mut VerdictFinding>) {
    let p: Vec<f64> = family.iter().filter_map(|v| tested(v)).collect();
    let mut adjusted = holm(&p).into_iter().zip(benjamini_hochberg(&p));
    let choices: Vec<f64> = family.iter().filter_map(|v| v.choice_p).collect();
    let mut choices = holm(&choices).into_iter();
    for verdict in family {
        verdict.choice_holm_p = verdict.choice_p.and_then(|_| choices.next());
        let pair = tested(verdict).and_then(|_| adjusted.next());
        verdict.family = p.len();
        verdict.holm_p = pair.map(|(holm, _)| holm);
        verdict.benjamini_hochberg_p = pair.map(|(_, bh)| bh);
        verdict.verdict = word(verdict).into();
        verdict.reason = Some(figures(verdict));
    }
}

/// The p of a change: with clusters flipped as a whole where there are any.
fn tested(v: &VerdictFinding) -> Option<f64> {
    v.clustered_p.or(v.mcnemar_p)
}

fn one(branch: &Branch<'_>, clusters: &Clusters, settings: &AuditSettings) -> VerdictFinding {
    let pairs: Vec<&Pair<'_>> = branch.pairs.iter().filter(|p| opened(p.clean)).collect();
    let count = |of: &dyn Fn(&Pair<'_>) -> bool| pairs.iter().filter(|p| of(p)).count();
    let counts = Discordant { n: pairs.len(), gained: count(&gained), lost: count(&lost) };
    let parsed = |p: &Pair<'_>| !unparsed(p.clean) && !unparsed(p.other);
    let choice = Discordant { n: count(&parsed), gained: count(&|p| gained(p) && parsed(p)), lost: count(&|p| lost(p) && parsed(p)) };
    let margin = settings.equivalence_margin;
    let (interval, equivalence) = (counts.interval(0.95), counts.interval(1.0 - 2.0 * settings.alpha));
    let some = counts.n > 0;
    let joined = clusters.joined_by().is_some();
    let change = |p: &Pair<'_>| f64::from(i8::from(gained(p)) - i8::from(lost(p)));
    let sums = clusters.sums(pairs.iter().map(|p| (p.clean.row, change(p))));
    let choice_sums = clusters.sums(pairs.iter().filter(|p| parsed(p)).map(|p| (p.clean.row, change(p))));
    let whole = |sums: &[(f64, usize)]| exact_of_counts(&sums.iter().map(|(sum, _)| *sum as i64).collect::<Vec<_>>());
    // Clusters that all agree show what as many single examples would.
    let silent = Discordant { n: sums.len(), gained: 0, lost: 0 };
    let robust = match (joined, counts.gained + counts.lost) {
        (false, _) => None,
        (true, 0) => silent.interval(1.0 - 2.0 * settings.alpha),
        (true, _) => cluster_mean(&sums).and_then(|m| m.interval(1.0 - 2.0 * settings.alpha)),
    };
    let equivalence_counts = if joined && counts.gained + counts.lost == 0 { silent } else { counts };
    // Of a part or a second reading of the answers: 95 % interval and exact p.
    let bounds = |d: Discordant, sums: &[(f64, usize)]| match (joined, d.gained + d.lost) {
        (false, _) => d.interval(0.95),
        (true, 0) => Discordant { n: sums.len(), gained: 0, lost: 0 }.interval(0.95),
        // Clusters that all agree give no width, which is no certainty: absent.
        (true, _) => cluster_mean(sums).and_then(|m| m.interval(0.95)).filter(|i| i.high > i.low),
    };
    let exact = |d: Discordant, sums: &[(f64, usize)]| some.then(|| if joined { whole(sums) } else { mcnemar_exact(d.gained, d.lost) });
    let reading: Vec<(usize, f64)> = pairs.iter().map(|p| (p.clean.row, lenient_change(p))).collect();
    let lenient_sums = clusters.sums(reading.iter().copied());
    let lenient = Discordant {
        n: pairs.len(),
        gained: reading.iter().filter(|(_, c)| *c > 0.0).count(),
        lost: reading.iter().filter(|(_, c)| *c < 0.0).count(),
    };
    let (choice_interval, lenient_interval) = (bounds(choice, &choice_sums), bounds(lenient, &lenient_sums));
    let share = |d: Discordant| (d.n > 0).then(|| (d.gained as f64 - d.lost as f64) / d.n as f64);
    VerdictFinding {
        variant: String::new(),
        seed: None,
        intervention: branch.name.to_string(),
        baseline: true,
        examples: counts.n,
        discordant: counts.gained + counts.lost,
        gained: counts.gained,
        lost: counts.lost,
        lost_unparsed: count(&|p| lost(p) && unparsed(p.other)),
        changed: count(&|p| p.clean.generated != p.other.generated),
        relative_change: relative_change(&pairs),
        relative_floor: settings.strength_floor,
        delta: share(counts),
        delta_low: interval.map(|i| i.low),
        delta_high: interval.map(|i| i.high),
        equivalence_low: equivalence.map(|i| i.low),
        equivalence_high: equivalence.map(|i| i.high),
        equivalence_p: some.then(|| equivalence_p(equivalence_counts, margin)),
        margin,
        alpha: settings.alpha,
        mcnemar_p: some.then(|| mcnemar_exact(counts.gained, counts.lost)),
        clusters: sums.len(),
        clustered_p: (some && joined).then(|| whole(&sums)),
        clustered_low: robust.map(|i| i.low),
        clustered_high: robust.map(|i| i.high),
        choice_examples: choice.n,
        choice_delta: share(choice),
        choice_p: exact(choice, &choice_sums),
        choice_low: choice_interval.map(|i| i.low),
        choice_high: choice_interval.map(|i| i.high),
        lenient_delta: share(lenient),
        lenient_low: lenient_interval.map(|i| i.low),
        lenient_high: lenient_interval.map(|i| i.high),
        lenient_p: exact(lenient, &lenient_sums),
        lenient_unread: count(&|p| lenient::read(p.other).is_none()),
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

/// 1, 0 or -1: whether the intervention makes a wrong answer right or a right one wrong, both read leniently.
fn lenient_change(pair: &Pair<'_>) -> f64 {
    let is_right = |answer: &AnswerRow| match &answer.answer {
        Some(_) => right(answer),
        None => lenient::read(answer).is_some_and(|letter| pair.label == letter),
    };
    f64::from(i8::from(is_right(pair.other)) - i8::from(is_right(pair.clean)))
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
    let Some(holm) = v.holm_p else { return if v.baseline { NO_LATENTS } else { NO_BASELINE } };
    let below_floor = v.relative_change.is_some_and(|r| r < v.relative_floor);
    let untouched = v.changed == 0 && v.relative_change.is_none_or(|r| r < REPLACED);
    // The clean run under another view leaves the latents alone: what changes is the image.
    let of_latents = base(&v.intervention) != "clean";
    let weak = of_latents && !is_removal(&v.intervention) && (below_floor || untouched);
    let within = |low: Option<f64>, high: Option<f64>| low.is_some_and(|low| low > -v.margin) && high.is_some_and(|high| high < v.margin);
    let clustered = v.clustered_p.is_none() || within(v.clustered_low, v.clustered_high);
    let inside = within(v.equivalence_low, v.equivalence_high) && clustered;
    if holm < v.alpha {
        let choice_unshown = v.choice_holm_p.is_some_and(|p| p >= v.alpha);
        if choice_unshown && v.lost_unparsed > 0 && v.lost > v.gained { BREAKS } else { CHANGES }
    } else if weak {
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
        return match v.baseline {
            true => "the latent block opened in no example that ran both ways".into(),
            false => format!("no clean run under this view; run `clean@{}` with it", view(&v.intervention)),
        };
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
    if let (Some(low), Some(high)) = (v.clustered_low, v.clustered_high) {
        text.push_str(&format!("; over {} clusters {:+.1} to {:+.1}", v.clusters, 100.0 * low, 100.0 * high));
    }
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
    let parts: Vec<String> = [CHANGES, BREAKS, BYPASSED, UNDECIDED, TOO_WEAK, NO_BASELINE, NO_LATENTS]
        .into_iter()
        .filter_map(|verdict| {
            let here = |v: &&VerdictFinding| v.verdict == verdict && view(&v.intervention).is_empty();
            let names: Vec<&str> = verdicts.iter().filter(here).map(|v| v.intervention.as_str()).collect();
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
        let mut verdict = one(&Branch { name: "zero", intervention: None, pairs: vec![], rows: vec![] }, &Clusters::default(), &settings);
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
