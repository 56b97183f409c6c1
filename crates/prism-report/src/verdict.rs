//! The verdict in words: do these latents matter? It repeats what is concluded of each run
//! ([`prism_audit::conclusion::RULE`]), with the tests adjusted over the whole page, and adds
//! nothing to it but the count over variants.

use prism_audit::conclusion::{LOAD_BEARING, NOT_RUN, is_decisive};
use prism_audit::findings::{ComparisonFinding, VerdictFinding};
use prism_audit::verdict::{BREAKS, BYPASSED, CHANGES, NO_LATENTS, TOO_WEAK};

use crate::number::{correlation, count_word, p_value, plain_points, points};
use crate::study::{Audit, Part, Study, intervention_label};

/// What the interventions allow to be said of one variant, over its seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A run is load-bearing.
    Bears,
    /// Not that, and in some run answers are lost by their form.
    Breaks,
    /// In every run every decisive intervention leaves accuracy inside the margin.
    Bypassed,
    /// Neither is shown for all of them.
    Undecided,
    /// Every intervention did too little to the latents to test anything.
    TooWeak,
    /// The block never opened.
    NoLatents,
    /// There are no corruption results.
    Unknown,
}

/// The CSS class of a verdict's word, a run's or an intervention's.
pub fn class_of_word(word: &str) -> &'static str {
    match word {
        CHANGES | LOAD_BEARING => "changes",
        BYPASSED => "bypassed",
        NO_LATENTS => "silent",
        _ => "undecided",
    }
}

/// The standing of a variant: what its runs are concluded to be, over its seeds.
pub fn standing(part: &Part, variant: usize) -> Standing {
    let words: Vec<&str> = part.of(variant).filter_map(|a| Some(a.conclusion()?.verdict.as_str())).collect();
    let all = |word: &str| words.iter().all(|w| *w == word);
    if words.is_empty() || all(NOT_RUN) {
        Standing::Unknown
    } else if words.contains(&LOAD_BEARING) {
        Standing::Bears
    } else if words.contains(&BREAKS) {
        Standing::Breaks
    } else if all(NO_LATENTS) {
        Standing::NoLatents
    } else if all(TOO_WEAK) {
        Standing::TooWeak
    } else if all(BYPASSED) {
        Standing::Bypassed
    } else {
        Standing::Undecided
    }
}

/// The verdict line of one benchmark.
pub fn sentence(study: &Study, part: &Part) -> String {
    let variants = part.variants();
    let with = |wanted: Standing| -> Vec<usize> { variants.iter().copied().filter(|&v| standing(part, v) == wanted).collect() };
    let (bears, bypassed, silent, unknown) =
        (with(Standing::Bears), with(Standing::Bypassed), with(Standing::NoLatents), with(Standing::Unknown));
    let breaks = with(Standing::Breaks);
    let m = variants.len();
    let names = |ids: &[usize]| list(ids.iter().map(|&v| study.variants[v].name.as_str()));
    let of_all = |k: usize| match (k, m) {
        (1, 1) => "the variant".to_string(),
        (2, 2) => "both variants".to_string(),
        (k, m) if k == m => format!("all {} variants", count_word(m)),
        (k, m) => format!("{} of {} variants", count_word(k), count_word(m)),
    };
    if unknown.len() == m {
        return "Nothing can be said: no corruption results were given.".into();
    }
    if silent.len() == m {
        return format!("Nothing was tested: the latent block never opened in {}.", of_all(m));
    }
    let weak = with(Standing::TooWeak);
    if weak.len() == m {
        return format!("Nothing was tested: in {}, every intervention was too weak to test whether the latents matter.", of_all(m));
    }
    let margin = part.margin().map_or_else(|| "the declared margin".to_string(), |m| format!("±{} points", plain_points(m)));
    let mut text = if !bears.is_empty() {
        let rest = m - bears.len() - breaks.len();
        let tail = if rest == 0 {
            String::new()
        } else if bypassed.len() == rest {
            format!(
                " In the other {} accuracy stays within {margin} under every decisive damage.",
                if rest == 1 { "one".into() } else { count_word(rest) }
            )
        } else {
            " For the others neither that nor its absence is shown.".to_string()
        };
        format!(
            "Yes, in {} ({}): damage to them lowers accuracy.{}{tail}",
            of_all(bears.len()),
            names(&bears),
            unparsed(part, LOAD_BEARING)
        )
    } else if breaks.len() == m {
        format!(
            "Not shown: damage to the latents breaks the form of the answers in {}, and is not shown to change the choice in any.{}",
            of_all(m),
            unparsed(part, BREAKS)
        )
    } else if bypassed.len() == m {
        format!("No: in {}, accuracy stays within {margin} under every decisive damage to the latents.", of_all(m))
    } else if !breaks.is_empty() {
        format!("Undecided: in none of {} variants is damage to the latents shown to cost the right choice.", count_word(m))
    } else if !lowered(part).is_empty() {
        format!(
            "Undecided: damage to the latents lowers accuracy in {}, and the choice is not shown to fall by {}.",
            names(&lowered(part)),
            part.margin().map_or_else(|| "the declared margin".to_string(), |m| format!("{} points", plain_points(m)))
        )
    } else if m == 1 {
        format!("Undecided: damage to the latents is not shown to cost right answers, nor can an effect beyond {margin} be excluded.")
    } else {
        let so_far = if bypassed.is_empty() {
            format!("nor can an effect beyond {margin} be excluded for any")
        } else {
            format!("and {} ({}) is shown to stay within {margin} throughout", of_all(bypassed.len()), names(&bypassed))
        };
        format!("Undecided: in none of {} variants is damage to the latents shown to cost right answers, {so_far}.", count_word(m))
    };
    if !breaks.is_empty() && breaks.len() < m {
        text.push_str(&format!(" In {} it breaks the form of the answers, and is not shown to change the choice.", names(&breaks)));
    }
    if !silent.is_empty() && silent.len() < m {
        text.push_str(&format!(" In {} the block never opened.", names(&silent)));
    }
    if !weak.is_empty() {
        text.push_str(&format!(" In {} every intervention was too weak to test anything.", names(&weak)));
    }
    text
}

/// What qualifies that line: how the damaged answers read leniently, and where accuracy rises. Empty, or sentences.
pub fn further(study: &Study, part: &Part) -> String {
    format!("{}{}{}", leniently(study, part), rise(study, part), stay(study, part)).trim_start().to_string()
}

/// Both, in one line.
pub fn whole(study: &Study, part: &Part) -> String {
    format!("{} {}", sentence(study, part), further(study, part)).trim_end().to_string()
}

/// Every run whose answers break in their form, with the verdicts of the interventions that say so.
pub fn broken(part: &Part) -> Vec<(&Audit, &VerdictFinding)> {
    let mut found = Vec::new();
    for audit in &part.audits {
        let Some(c) = audit.conclusion().filter(|c| c.verdict == BREAKS) else { continue };
        let rests = |v: &&VerdictFinding| c.resting_on.split(", ").any(|i| i == v.intervention);
        found.extend(audit.findings.verdict.iter().filter(rests).map(|v| (audit, v)));
    }
    found
}

/// What a lenient reading of broken answers shows, where it survives Bonferroni's adjustment over the readings: whether the choice
/// behind the form is right more or less often than in the clean run. Of every run the first intervention its verdict rests on.
fn leniently(study: &Study, part: &Part) -> String {
    let all = broken(part);
    let mut ways: [(&str, Vec<String>); 2] = [("more", Vec::new()), ("less", Vec::new())];
    let mut seen: Vec<(usize, Option<i64>)> = Vec::new();
    for (audit, v) in &all {
        if seen.contains(&(audit.variant, audit.seed)) {
            continue;
        }
        seen.push((audit.variant, audit.seed));
        let shown = v.lenient_p.is_some_and(|p| p * (all.len() as f64) < v.alpha);
        let Some(delta) = v.lenient_delta.filter(|_| shown) else { continue };
        let whose =
            format!("{} under {} ({} points)", part.run_name(study, audit), intervention_label(&v.intervention), points(Some(delta)));
        ways[usize::from(delta < 0.0)].1.push(whose);
    }
    let said: Vec<String> = ways
        .iter()
        .filter(|(_, whose)| !whose.is_empty())
        .map(|(way, whose)| format!("{way} often right than clean in {}", list(whose.iter().map(String::as_str))))
        .collect();
    if said.is_empty() { String::new() } else { format!(" Read leniently, the damaged answers are {}.", said.join(", ")) }
}

/// Variants of which a decisive intervention is shown to lower accuracy.
fn lowered(part: &Part) -> Vec<usize> {
    let mut found: Vec<usize> =
        decisive(part, |v, delta| v.verdict == CHANGES && delta < 0.0).into_iter().map(|(audit, ..)| audit.variant).collect();
    found.dedup();
    found
}

/// Every run and decisive intervention under which accuracy is shown to rise, with the change.
pub fn rises(part: &Part) -> Vec<(&Audit, &str, f64)> {
    decisive(part, |v, delta| v.verdict == CHANGES && delta > 0.0)
}

/// Every run and decisive intervention under which accuracy is shown to stay within the margin, with the change.
pub fn stays(part: &Part) -> Vec<(&Audit, &str, f64)> {
    decisive(part, |v, _| v.verdict == BYPASSED)
}

fn decisive(part: &Part, is: fn(&VerdictFinding, f64) -> bool) -> Vec<(&Audit, &str, f64)> {
    let mut found = Vec::new();
    for audit in &part.audits {
        for v in audit.findings.verdict.iter().filter(|v| is_decisive(v)) {
            if let Some(change) = audit.change(&v.intervention).filter(|c| is(v, c.delta)) {
                found.push((audit, v.intervention.as_str(), change.delta));
            }
        }
    }
    found
}

/// The intervention under which accuracy rises ([`most`]), in words: latents that cost answers matter too.
fn rise(study: &Study, part: &Part) -> String {
    let Some((how, whose, range)) = most(study, part, &rises(part)) else { return String::new() };
    format!(" {how} accuracy rises{whose} ({range} points).")
}

/// The intervention under which accuracy stays within the margin ([`most`]), in words, where not all are bypassed.
fn stay(study: &Study, part: &Part) -> String {
    let (Some((how, whose, range)), Some(margin)) = (most(study, part, &stays(part)), part.margin()) else { return String::new() };
    if part.variants().into_iter().all(|v| standing(part, v) == Standing::Bypassed) {
        return String::new();
    }
    format!(" {how} accuracy is shown to stay within ±{} points{whose} ({range}).", plain_points(margin))
}

/// Of what is shown under several interventions, one: of those that take latents away, else of all, the one of most variants. How
/// it reads, whose, and the range of changes.
fn most(study: &Study, part: &Part, shown: &[(&Audit, &str, f64)]) -> Option<(String, String, String)> {
    let mut by_intervention: Vec<(&str, Vec<usize>, Vec<f64>)> = Vec::new();
    for (audit, intervention, delta) in shown {
        let at = by_intervention.iter().position(|(known, ..)| known == intervention).unwrap_or_else(|| {
            by_intervention.push((intervention, Vec::new(), Vec::new()));
            by_intervention.len() - 1
        });
        let (_, variants, deltas) = &mut by_intervention[at];
        if !variants.contains(&audit.variant) {
            variants.push(audit.variant);
        }
        deltas.push(*delta);
    }
    // What takes the latents away says more than what changes them.
    let removal = |name: &str| prism_audit::verdict::is_removal(name);
    let mean = |deltas: &[f64]| deltas.iter().sum::<f64>() / deltas.len() as f64;
    let (intervention, variants, deltas) = by_intervention.iter().max_by(|a, b| {
        removal(a.0).cmp(&removal(b.0)).then(a.1.len().cmp(&b.1.len())).then(mean(&a.2).abs().total_cmp(&mean(&b.2).abs()))
    })?;
    let (runs, all) = (part.audits.len(), part.variants().len());
    let whose = match (variants.len(), all) {
        // A variant of several seeds is as many runs.
        _ if runs > all => {
            format!(" in {} of {runs} runs ({})", deltas.len(), list(variants.iter().map(|&v| study.variants[v].name.as_str())))
        }
        (1, 1) => String::new(),
        (2, 2) => " in both".to_string(),
        (k, m) if k == m => format!(" in all {}", count_word(m)),
        _ => format!(" in {}", list(variants.iter().map(|&v| study.variants[v].name.as_str()))),
    };
    let (low, high) = deltas.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), d| (l.min(*d), h.max(*d)));
    let range = if deltas.len() == 1 { points(Some(low)) } else { format!("{} to {}", points(Some(low)), points(Some(high))) };
    let how = match *intervention {
        "remove" => "Without the block (remove)".to_string(),
        "markers" => "With the block\u{2019}s steps left out (markers)".to_string(),
        "evict" => "With the latents hidden from what follows (evict)".to_string(),
        other => format!("Under {}", intervention_label(other)),
    };
    Some((how, whose, range))
}

/// How many of the answers lost, where runs are concluded so, could not be parsed: over the
/// interventions the conclusions rest on.
fn unparsed(part: &Part, conclusion: &str) -> String {
    let (mut lost, mut unparsed) = (0, 0);
    for audit in &part.audits {
        let Some(c) = audit.conclusion().filter(|c| c.verdict == conclusion) else { continue };
        let rests = |v: &&VerdictFinding| c.resting_on.split(", ").any(|i| i == v.intervention);
        for v in audit.findings.verdict.iter().filter(rests) {
            (lost, unparsed) = (lost + v.lost, unparsed + v.lost_unparsed);
        }
    }
    if unparsed == 0 {
        return String::new();
    }
    format!(" Of the {lost} answers lost, {unparsed} could not be parsed any more.")
}

/// The headline correlation of a comparison: cosine with accuracy, nothing held
/// fixed, one point a variant if there is such a row.
pub fn headline(rows: &[ComparisonFinding]) -> Option<&ComparisonFinding> {
    let mut fitting: Vec<&ComparisonFinding> = rows.iter().filter(|r| r.x == "cosine" && r.y == "accuracy" && r.given.is_none()).collect();
    fitting.sort_by_key(|r| r.unit != "seed_mean");
    fitting.first().copied()
}

/// The headline correlation in words.
pub fn headline_sentence(row: &ComparisonFinding) -> String {
    match row.r {
        Some(_) => {
            let what = if row.unit == "run" { "runs" } else { "variants" };
            format!(
                "Across {} {what}, cosine and accuracy correlate at r = {} (exact p = {}).",
                row.variants,
                correlation(row.r),
                p_value(row.exact_p)
            )
        }
        None => format!(
            "No correlation of cosine and accuracy is given{}.",
            row.reason.as_deref().map_or_else(String::new, |why| format!(": {}", why.trim_end_matches('.')))
        ),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<&str> = items.collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => (*one).to_string(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}
