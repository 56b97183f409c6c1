//! What an intervention allows to be said, in words, and the rule behind the words.

use crate::AuditSettings;
use crate::findings::VerdictFinding;
use crate::pairs::{Branch, opened, right};
use crate::statistics::adjust::{benjamini_hochberg, holm};
use crate::statistics::equivalence::{Discordant, detectable_difference, is_equivalent, needed_for_equivalence};
use crate::statistics::mcnemar::mcnemar_exact;

/// The rule, to be printed beside every verdict.
pub const RULE: &str = "Each verdict reads the examples whose latent block opened in the clean run. \
`changes the answer`: exact McNemar test on the same examples, p below alpha after Holm over the interventions of the run \
(also when the change is smaller than the margin). `bypassed`: the interval of the paired difference in accuracy \
(Agresti-Min, 90 % for alpha = 0.05) lies inside the equivalence margin fixed beforehand, that is, two one-sided tests hold. \
`undecided`: neither, with the number of examples the equivalence test would need at the discordance seen (80 % power). \
`no latents ran`: the block never opened, so nothing was tested. A verdict speaks of this intervention, this benchmark \
and this margin, not of the variant at large.";

/// Verdict: McNemar's test found a change.
pub const CHANGES: &str = "changes the answer";
/// Verdict: equivalent within the margin.
pub const BYPASSED: &str = "bypassed";
/// Verdict: neither shown.
pub const UNDECIDED: &str = "undecided";
/// Verdict: nothing was tested.
pub const NO_LATENTS: &str = "no latents ran";

/// Power the sizes are computed for.
const POWER: f64 = 0.8;

/// One verdict per intervention that replaces something (not clean, sham or noise of 0).
pub fn verdicts(branches: &[Branch<'_>], settings: &AuditSettings) -> Vec<VerdictFinding> {
    let tested: Vec<(&str, Discordant)> = branches
        .iter()
        .filter(|b| !b.is_clean() && !b.is_sham())
        .map(|branch| {
            let pairs = branch.pairs.iter().filter(|p| opened(p.clean));
            let mut counts = Discordant { n: 0, gained: 0, lost: 0 };
            for pair in pairs {
                counts.n += 1;
                counts.gained += usize::from(!right(pair.clean) && right(pair.other));
                counts.lost += usize::from(right(pair.clean) && !right(pair.other));
            }
            (branch.name, counts)
        })
        .collect();
    let p: Vec<f64> = tested.iter().filter(|(_, c)| c.n > 0).map(|(_, c)| mcnemar_exact(c.gained, c.lost)).collect();
    let mut adjusted = p.iter().zip(holm(&p)).zip(benjamini_hochberg(&p));
    tested
        .into_iter()
        .map(|(name, counts)| {
            let tests = if counts.n > 0 { adjusted.next().map(|((p, h), b)| [*p, h, b]) } else { None };
            one(name, counts, tests, settings)
        })
        .collect()
}

fn one(name: &str, counts: Discordant, tests: Option<[f64; 3]>, settings: &AuditSettings) -> VerdictFinding {
    let margin = settings.equivalence_margin;
    let interval = counts.interval(1.0 - 2.0 * settings.alpha);
    let delta = tests.map(|_| (counts.gained as f64 - counts.lost as f64) / counts.n as f64);
    let detectable = tests.and_then(|_| detectable_difference(counts.n, counts.rate(), settings.alpha, POWER));
    let needed = tests.map(|_| needed_for_equivalence(counts.rate(), margin, settings.alpha, POWER));
    let verdict = match tests {
        None => NO_LATENTS,
        Some([_, holm, _]) if holm < settings.alpha => CHANGES,
        Some(_) if is_equivalent(counts, margin, settings.alpha) => BYPASSED,
        Some(_) => UNDECIDED,
    };
    let mut finding = VerdictFinding {
        intervention: name.to_string(),
        examples: counts.n,
        discordant: counts.gained + counts.lost,
        delta,
        equivalence_low: interval.map(|i| i.low),
        equivalence_high: interval.map(|i| i.high),
        margin,
        mcnemar_p: tests.map(|t| t[0]),
        holm_p: tests.map(|t| t[1]),
        benjamini_hochberg_p: tests.map(|t| t[2]),
        detectable,
        needed,
        verdict: verdict.to_string(),
        reason: None,
    };
    finding.reason = Some(figures(&finding, counts));
    finding
}

/// The figures behind a verdict in one line.
fn figures(finding: &VerdictFinding, counts: Discordant) -> String {
    let (Some(delta), Some(low), Some(high), Some(holm)) =
        (finding.delta, finding.equivalence_low, finding.equivalence_high, finding.holm_p)
    else {
        return "the latent block opened in no example that ran both ways".into();
    };
    let mut text = format!(
        "{:+.1} points, {} gained and {} lost of {}; Holm p {holm:.3}; interval {:+.1} to {:+.1} against a margin of {:.1}",
        100.0 * delta,
        counts.gained,
        counts.lost,
        counts.n,
        100.0 * low,
        100.0 * high,
        100.0 * finding.margin,
    );
    if finding.verdict == UNDECIDED {
        if let Some(needed) = finding.needed {
            text.push_str(&format!("; equivalence would need about {needed} examples"));
        }
        if let Some(detectable) = finding.detectable {
            text.push_str(&format!("; changes below {:.1} points would mostly go unseen", 100.0 * detectable));
        }
    }
    text
}

/// A variant's verdicts in one line, e.g. `changes the answer: zero; undecided: noise:0.1, swap`.
pub fn in_words(verdicts: &[VerdictFinding]) -> String {
    let parts: Vec<String> = [CHANGES, BYPASSED, UNDECIDED, NO_LATENTS]
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
