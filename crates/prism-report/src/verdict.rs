//! The verdict in words: do these latents matter? It repeats what the audits
//! concluded for each intervention ([`prism_audit::verdict::RULE`]) and adds
//! nothing to it but the count over variants.

use prism_audit::conclusion::LOAD_BEARING;
use prism_audit::findings::{ComparisonFinding, VerdictFinding};
use prism_audit::verdict::{BREAKS, BYPASSED, CHANGES, NO_LATENTS, TOO_WEAK};

use crate::number::{correlation, count_word, p_value, plain_points};
use crate::study::{Part, Study};

/// What the interventions allow to be said of one variant, over its seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Some intervention changes the answer.
    Changes,
    /// Some intervention breaks the form of the answers; none is shown to change the choice.
    Breaks,
    /// Every intervention leaves accuracy inside the margin.
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

/// The standing of one word.
pub fn standing_of_word(word: &str) -> Standing {
    match word {
        CHANGES => Standing::Changes,
        BREAKS => Standing::Breaks,
        BYPASSED => Standing::Bypassed,
        NO_LATENTS => Standing::NoLatents,
        TOO_WEAK => Standing::TooWeak,
        _ => Standing::Undecided,
    }
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

/// The standing of a variant.
pub fn standing(part: &Part, variant: usize) -> Standing {
    let mut all = part.of(variant).flat_map(|a| &a.findings.verdict).filter(|v| v.intervention != "sham").peekable();
    if all.peek().is_none() {
        return Standing::Unknown;
    }
    // What was too weak to test says nothing for or against, unless there is nothing else.
    let mut words: Vec<Standing> = all.map(|v| standing_of_word(&v.verdict)).collect();
    if words.iter().any(|w| *w != Standing::TooWeak) {
        words.retain(|w| *w != Standing::TooWeak);
    }
    if words.contains(&Standing::Changes) {
        Standing::Changes
    } else if words.contains(&Standing::Breaks) {
        Standing::Breaks
    } else if words.iter().all(|w| *w == Standing::NoLatents) {
        Standing::NoLatents
    } else if words.iter().all(|w| *w == Standing::TooWeak) {
        Standing::TooWeak
    } else if words.iter().all(|w| *w == Standing::Bypassed) {
        Standing::Bypassed
    } else {
        Standing::Undecided
    }
}

/// The verdict line of one benchmark, and a second sentence on cosine when variants were compared.
pub fn sentence(study: &Study, part: &Part) -> String {
    let variants = part.variants();
    let with = |wanted: Standing| -> Vec<usize> { variants.iter().copied().filter(|&v| standing(part, v) == wanted).collect() };
    let (changes, bypassed, silent, unknown) =
        (with(Standing::Changes), with(Standing::Bypassed), with(Standing::NoLatents), with(Standing::Unknown));
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
    let mut text = if !changes.is_empty() {
        let (worse, better) = directions(part);
        let how = match (worse, better) {
            (true, false) => "damage to them lowers accuracy",
            (false, true) => "damage to them raises accuracy",
            _ => "damage to them changes accuracy, in both directions",
        };
        let rest = m - changes.len() - breaks.len();
        let tail = if rest == 0 {
            String::new()
        } else if bypassed.len() == rest {
            format!(" In the other {} it stays within {margin}.", if rest == 1 { "one".into() } else { count_word(rest) })
        } else {
            " For the others no effect is shown.".to_string()
        };
        format!("Yes, in {} ({}): {how}.{}{tail}", of_all(changes.len()), names(&changes), unparsed(part, CHANGES))
    } else if breaks.len() == m {
        format!(
            "Not shown: damage to the latents breaks the form of the answers in {}, and is not shown to change the choice in any.{}",
            of_all(m),
            unparsed(part, BREAKS)
        )
    } else if bypassed.len() == m {
        format!("No: in {}, whatever is done to the latents, accuracy stays within {margin}.", of_all(m))
    } else if !breaks.is_empty() {
        format!("Undecided: in none of {} variants does damage to the latents change the choice of an answer beyond chance.", count_word(m))
    } else if m == 1 {
        format!(
            "Undecided: damage to the latents is not shown to change accuracy beyond chance, nor can an effect beyond {margin} be excluded."
        )
    } else {
        let so_far = if bypassed.is_empty() {
            format!("nor can an effect beyond {margin} be excluded for any")
        } else {
            format!("and {} ({}) is shown to stay within {margin} throughout", of_all(bypassed.len()), names(&bypassed))
        };
        format!("Undecided: in none of {} variants does damage to the latents change accuracy beyond chance, {so_far}.", count_word(m))
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

/// How many of the answers lost under interventions of that verdict could not be parsed.
fn unparsed(part: &Part, verdict: &str) -> String {
    let changing = || part.audits.iter().flat_map(|a| &a.findings.verdict).filter(|v: &&VerdictFinding| v.verdict == verdict);
    let (lost, unparsed) = changing().fold((0, 0), |(a, b), v| (a + v.lost, b + v.lost_unparsed));
    if unparsed == 0 {
        return String::new();
    }
    format!(" Of the {lost} answers lost, {unparsed} could not be parsed any more.")
}

/// Whether interventions that change the answer lower accuracy, and whether any raise it.
fn directions(part: &Part) -> (bool, bool) {
    let changing = || part.audits.iter().flat_map(|a| &a.findings.verdict).filter(|v: &&VerdictFinding| v.verdict == CHANGES);
    let (worse, better) = (changing().any(|v| v.delta.is_some_and(|d| d < 0.0)), changing().any(|v| v.delta.is_some_and(|d| d > 0.0)));
    (worse, better)
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
