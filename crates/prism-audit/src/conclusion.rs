//! The verdict of a run: do its latents bear the answer? One word, from the verdicts of
//! its interventions ([`crate::verdict`]), and the clause of the rule that made it.

use crate::findings::{ConclusionFinding, VerdictFinding};
use crate::pairs::base;
use crate::verdict::{BREAKS, BYPASSED, CHANGES, NO_LATENTS, REPLACED, TOO_WEAK, UNDECIDED, is_removal, view};

/// The rule, to be printed beside the verdict of a run.
pub const RULE: &str = "The verdict of a run rests on its decisive interventions: those that destroy or remove what the latents \
carry as a whole (all of the block's latents change by at least half of their norm, or they are evicted, removed, or replaced by their markers or \
the bare format), whatever the answers did. Interventions on some steps, one stage or one layer, sham, noise of 0, and interventions that hand the model better information (oracle, forced) \
are not among them, nor are those under another view of the image (`@`), whose families are adjusted by themselves. \
`load-bearing`: under at least one decisive intervention accuracy falls (p below alpha after Holm over all interventions of the run, or of all runs where several stand beside each other), \
among answers parsed both ways it falls too (p below alpha after Holm), and there by at least the equivalence margin; so no loss that \
could be called bypassed is called load-bearing. `breaks the form`: not that, and under at least one decisive intervention accuracy \
falls, some of the answers lost can no longer be parsed, and among those parsed both ways no loss is shown. `bypassed`: at least one decisive intervention was run, and every one of them is shown to be equivalent to the \
clean run within the margin fixed beforehand, and none is shown to change answers; as all must hold, no adjustment is needed. \
`too weak to test`: no intervention did enough to the latents. `no latents ran`: the block never opened. `undecided`: anything else, \
with the number of examples that would decide where more examples would.";

/// Verdict: the answers need what the latents carry.
pub const LOAD_BEARING: &str = "load-bearing";
/// Verdict: there is nothing to conclude from.
pub const NOT_RUN: &str = "no intervention was run";

/// Whether an intervention belongs to the main question: the image seen as in the clean run.
pub fn is_main(name: &str) -> bool {
    view(name).is_empty()
}

/// Whether a verdict is of a decisive intervention.
pub fn is_decisive(v: &VerdictFinding) -> bool {
    let kind = base(&v.intervention).split(':').next().unwrap_or_default();
    let helps = ["oracle", "forced", "sham", "clean"].iter().any(|prefix| kind.starts_with(prefix));
    // On some steps, one stage or one layer's input the rest of the block is whole.
    let whole = !base(&v.intervention).contains('/');
    is_main(&v.intervention) && whole && !helps && (is_removal(&v.intervention) || v.relative_change.is_some_and(|r| r >= REPLACED))
}

/// Whether answers are worse under it, as the rule for `load-bearing` asks.
fn carries(v: &VerdictFinding) -> bool {
    let falls = v.verdict == CHANGES && v.delta.is_some_and(|d| d < 0.0);
    let by_choice = v.choice_holm_p.is_some_and(|p| p < v.alpha);
    falls && by_choice && v.choice_delta.is_some_and(|d| d <= -v.margin)
}

/// The verdict of the run these verdicts are of. Its variant and seed are left for the
/// caller to fill in.
pub fn conclude(verdicts: &[VerdictFinding]) -> ConclusionFinding {
    let main: Vec<&VerdictFinding> = verdicts.iter().filter(|v| is_main(&v.intervention)).collect();
    let decisive: Vec<&VerdictFinding> = main.iter().copied().filter(|v| is_decisive(v)).collect();
    let with = |of: &dyn Fn(&VerdictFinding) -> bool| -> Vec<&VerdictFinding> { decisive.iter().copied().filter(|v| of(v)).collect() };
    let is = |word: &'static str| move |v: &VerdictFinding| v.verdict == word;
    let found = |verdict: &str, rule: &str, resting_on: &[&VerdictFinding]| ConclusionFinding {
        variant: String::new(),
        seed: None,
        verdict: verdict.into(),
        rule: rule.into(),
        decisive: names(&decisive),
        resting_on: names(resting_on),
        examples: decisive.iter().map(|v| v.examples).min(),
        needed: None,
        margin: main.first().map(|v| v.margin),
        alpha: main.first().map(|v| v.alpha),
        reason: figures(resting_on),
    };
    if main.is_empty() {
        return found(NOT_RUN, "no intervention was run with the image in view", &[]);
    }
    if main.iter().all(|v| v.verdict == NO_LATENTS) {
        return found(NO_LATENTS, "the block opened in no example", &[]);
    }
    if decisive.is_empty() {
        return match main.iter().all(|v| v.verdict == TOO_WEAK) {
            true => found(TOO_WEAK, "every intervention was too weak to test", &main),
            false => {
                found(UNDECIDED, "no decisive intervention was run: none changed the latents by half of their norm or removed them", &main)
            }
        };
    }
    let carrying = with(&carries);
    if !carrying.is_empty() {
        return found(LOAD_BEARING, "accuracy falls under a decisive intervention, the choice with it, by at least the margin", &carrying);
    }
    let broken = with(&is(BREAKS));
    if !broken.is_empty() {
        return found(
            BREAKS,
            "under a decisive intervention accuracy falls, and among the answers that can be parsed both ways no loss is shown, nor excluded",
            &broken,
        );
    }
    if decisive.iter().all(|v| v.verdict == BYPASSED) {
        return found(BYPASSED, "every decisive intervention is equivalent to the clean run within the margin", &decisive);
    }
    let changing = with(&is(CHANGES));
    if !changing.is_empty() {
        let better = changing.iter().any(|v| v.delta.is_some_and(|d| d > 0.0));
        let rule = match better {
            true => {
                "a decisive intervention changes answers, and raises accuracy: the block makes a difference, and does not help; more examples of the same would not make it `load-bearing` or `bypassed`"
            }
            false => {
                "a decisive intervention lowers accuracy, and the choice is not shown to fall by the margin; more examples of the same would not decide"
            }
        };
        return found(UNDECIDED, rule, &changing);
    }
    let open = with(&|v| v.verdict != BYPASSED);
    let needed = open.iter().filter_map(|v| v.needed).max();
    ConclusionFinding {
        needed,
        ..found(UNDECIDED, "a decisive intervention is shown neither to change answers nor to be equivalent", &open)
    }
}

fn names(verdicts: &[&VerdictFinding]) -> String {
    verdicts.iter().map(|v| v.intervention.as_str()).collect::<Vec<_>>().join(", ")
}

/// One clause an intervention; `None` for none.
fn figures(verdicts: &[&VerdictFinding]) -> Option<String> {
    let one = |v: &&VerdictFinding| {
        let points = |share: Option<f64>| share.map_or_else(|| "n/a".to_string(), |d| format!("{:+.1}", 100.0 * d));
        let p = |p: Option<f64>| match p {
            None => "n/a".to_string(),
            Some(p) if p < 0.001 => "below 0.001".to_string(),
            Some(p) => format!("{p:.3}"),
        };
        format!(
            "{}: {} points of {} (Holm p {}), {} among the {} parsed both ways (Holm p {}), equivalence p {}",
            v.intervention,
            points(v.delta),
            v.examples,
            p(v.holm_p),
            points(v.choice_delta),
            v.choice_examples,
            p(v.choice_holm_p),
            p(v.equivalence_p),
        )
    };
    (!verdicts.is_empty()).then(|| verdicts.iter().map(one).collect::<Vec<_>>().join("; "))
}

/// The conclusion in one line, e.g. `load-bearing: accuracy falls ... (zero, swap)`.
pub fn in_words(c: &ConclusionFinding) -> String {
    let on = if c.resting_on.is_empty() { String::new() } else { format!(" ({})", c.resting_on) };
    let needed = c.needed.map_or_else(String::new, |n| format!("; about {n} examples would decide it if there is no effect"));
    format!("{}: {}{on}{needed}", c.verdict, c.rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::adjust;

    /// A verdict over `n` examples that lost `lost` answers, `unparsed` of them as answers, and
    /// gained `gained`, with the latents moved by `moved`. It goes the way of an audit: made up
    /// answers, paired and judged.
    struct Made {
        name: &'static str,
        n: usize,
        gained: usize,
        lost: usize,
        unparsed: usize,
        moved: f64,
    }

    const ZERO: Made = Made { name: "zero", n: 400, gained: 0, lost: 0, unparsed: 0, moved: 1.0 };

    fn judge(made: &[Made]) -> ConclusionFinding {
        let mut all: Vec<VerdictFinding> = made.iter().map(verdict).collect();
        adjust(&mut all.iter_mut().collect::<Vec<_>>());
        conclude(&all)
    }

    fn verdict(made: &Made) -> VerdictFinding {
        use crate::pairs::{Branch, Pair};
        use prism_run::records::AnswerRow;
        let answer = |row: usize, correct: bool, parsed: bool, moved: Option<f64>| AnswerRow {
            row,
            id: row.to_string(),
            intervention: String::new(),
            donor: None,
            outcome: if parsed { "scored".into() } else { "no_answer".into() },
            answer: parsed.then(|| "A".into()),
            correct: Some(correct),
            text: String::new(),
            generated: vec![i64::from(correct)],
            changed: None,
            steps_context: 0,
            steps_target: 4,
            gold_margin: None,
            gold_logprob: None,
            answer_entropy: None,
            latent_norm: Some(1.0),
            perturbation_norm: moved,
            option_logprobs: None,
            donor_label: None,
            donor_margin: None,
        };
        let rows: Vec<(AnswerRow, AnswerRow)> = (0..made.n)
            .map(|i| {
                let (lost, gained) = (i < made.lost, i >= made.lost && i < made.lost + made.gained);
                let clean = answer(i, !gained, true, None);
                (clean, answer(i, !lost, i >= made.unparsed || !lost, Some(made.moved)))
            })
            .collect();
        let pairs = rows.iter().map(|(clean, other)| Pair { clean, other, category: None, label: "" }).collect();
        let clean = Branch { name: "clean", intervention: Some(prism_run::Action::Clean.into()), pairs: vec![], rows: vec![] };
        let branch = Branch { name: made.name, intervention: None, pairs, rows: vec![] };
        let found = crate::verdict::verdicts(&[clean, branch], &Default::default(), &Default::default());
        found.into_iter().next().unwrap()
    }

    fn word(made: &[Made]) -> String {
        judge(made).verdict
    }

    #[test]
    fn a_loss_of_the_choice_by_the_margin_bears_load() {
        let found = judge(&[Made { lost: 60, ..ZERO }, Made { name: "swap", ..ZERO }]);
        assert_eq!((found.verdict.as_str(), found.resting_on.as_str(), found.decisive.as_str()), (LOAD_BEARING, "zero", "zero, swap"));
        assert!(found.reason.as_deref().unwrap().contains("-15.0 points of 400"), "{found:?}");
        let small = judge(&[Made { n: 2000, lost: 60, gained: 10, ..ZERO }]);
        assert_eq!((small.verdict.as_str(), small.needed), (UNDECIDED, None), "2.5 points lost beyond chance, and less than the margin");
        let few = judge(&[Made { n: 60, lost: 6, gained: 1, ..ZERO }]);
        assert!(few.verdict == UNDECIDED && few.needed.unwrap() > 60, "ten points, not beyond chance: {few:?}");
    }

    #[test]
    fn bypassed_asks_for_all_of_at_least_one() {
        assert_eq!(word(&[ZERO, Made { name: "evict", moved: 0.0, ..ZERO }]), BYPASSED);
        let one_open = judge(&[ZERO, Made { name: "swap", n: 100, lost: 5, gained: 4, ..ZERO }]);
        assert!(one_open.verdict == UNDECIDED && one_open.resting_on == "swap" && one_open.needed.unwrap() > 100, "{one_open:?}");
        assert_eq!(word(&[Made { n: 50, ..ZERO }]), UNDECIDED, "fifty silent pairs prove nothing");
        let weak = Made { name: "noise:0.1", moved: 0.2, lost: 4, gained: 4, ..ZERO };
        assert_eq!(word(&[weak]), UNDECIDED, "equivalent, and nothing decisive was run");
    }

    #[test]
    fn broken_forms_gains_and_help_bear_no_load() {
        assert_eq!(word(&[Made { lost: 380, unparsed: 380, ..ZERO }]), BREAKS);
        let found = judge(&[Made { gained: 60, ..ZERO }]);
        assert!(found.verdict == UNDECIDED && found.rule.contains("raises accuracy"), "{found:?}");
        let helped = judge(&[ZERO, Made { name: "oracle", gained: 80, ..ZERO }, Made { name: "forced:4", gained: 40, ..ZERO }]);
        assert_eq!((helped.verdict.as_str(), helped.decisive.as_str()), (BYPASSED, "zero"));
        let hidden = judge(&[ZERO, Made { name: "zero@image-hidden", lost: 200, ..ZERO }]);
        assert_eq!((hidden.verdict.as_str(), hidden.decisive.as_str()), (BYPASSED, "zero"));
    }

    #[test]
    fn nothing_run_and_nothing_moved_are_said() {
        assert_eq!(word(&[]), NOT_RUN);
        assert_eq!(word(&[Made { name: "zero@image-hidden", ..ZERO }]), NOT_RUN);
        assert_eq!(word(&[Made { name: "noise:0.1", moved: 0.01, ..ZERO }]), TOO_WEAK);
        assert_eq!(word(&[Made { n: 0, ..ZERO }]), NO_LATENTS);
    }

    #[test]
    fn a_load_must_survive_the_whole_family() {
        let lost = || Made { n: 100, lost: 8, ..ZERO };
        assert_eq!(word(&[lost()]), LOAD_BEARING);
        let names = ["noise:1", "noise:2", "noise:3", "noise:4", "swap", "mean", "constant"];
        let mut many: Vec<Made> = names.iter().map(|name| Made { name, n: 100, lost: 1, ..ZERO }).collect();
        many.push(lost());
        assert_eq!(word(&many), UNDECIDED, "p 0.008 among eight tests");
    }
}
