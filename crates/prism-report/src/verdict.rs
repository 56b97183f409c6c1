//! The verdict in words. Every run was judged once, by the audit ([`prism_audit::verdict`]);
//! here its sentence is repeated, and over several runs the words are counted.

use prism_audit::findings::{ComparisonFinding, ConclusionFinding, VerdictFinding};
use prism_audit::verdict::damage_in_words;
use prism_run::{Content, Effect, Need};

use crate::failed::{self, nothing_ran};
use crate::number::count_word;
use crate::study::{Audit, Part, Study};

/// Names listed in a sentence, at most; of more only the number is said.
const MOST_NAMES: usize = 5;

/// The headline of a benchmark: a single run's own sentence; of several, what is found in how many.
pub fn sentence(study: &Study, part: &Part) -> String {
    if nothing_ran(part) {
        return failed::sentence(study, part);
    }
    let judged: Vec<(&Audit, &ConclusionFinding)> = part.audits.iter().filter_map(|a| Some((a, judged(a)?))).collect();
    match judged.as_slice() {
        [] => why_silent(part).into(),
        [(_, only)] if part.audits.len() == 1 => only.sentence.clone(),
        _ => [contents(study, part, &judged), needs(study, part, &judged), unrun(study, part)]
            .into_iter()
            .filter(|s| !s.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// The headline of the first screen: [`sentence`] without the names of runs, which the picture below it has.
pub fn short(study: &Study, part: &Part) -> String {
    let judged: Vec<&ConclusionFinding> = part.audits.iter().filter_map(judged).collect();
    if judged.is_empty() || part.audits.len() == 1 || part.audits.iter().any(|a| a.findings.nothing_ran()) {
        return sentence(study, part);
    }
    let n = part.audits.len();
    let count = |fits: &dyn Fn(&ConclusionFinding) -> bool| judged.iter().filter(|&&c| fits(c)).count();
    let says: Vec<(Content, usize)> =
        Content::ALL.into_iter().map(|content| (content, count(&|c| c.content == content))).filter(|(_, k)| *k > 0).collect();
    let spoken = Need::ALL.into_iter().filter(|need| need_clause(*need).is_some());
    let needs: Vec<(Need, usize)> = spoken.map(|need| (need, count(&|c| c.presence == need))).filter(|(_, k)| *k > 0).collect();
    let one = |(place, (content, k)): (usize, &(Content, usize))| match place {
        0 => format!("{} {}", of_all(part, *k, true), content_clause(*content)),
        _ => format!("in {} {}", count_word(*k), also(*content)),
    };
    let first = says.iter().enumerate().map(one).collect::<Vec<_>>().join("; ");
    if let ([_], [(need, k)]) = (says.as_slice(), needs.as_slice())
        && *k == n
        && let Some(clause) = all_need(*need, n)
    {
        return capital(&format!("{first}; {clause}"));
    }
    let one = |(place, (need, k)): (usize, &(Need, usize))| match place {
        0 => Some(format!("{} {}", of_all(part, *k, false), need_clause(*need)?)),
        _ => Some(format!("in {} {}", count_word(*k), also_needs(*need)?)),
    };
    let second = needs.iter().enumerate().filter_map(one).collect::<Vec<_>>().join("; ");
    [first, second].iter().filter(|s| !s.is_empty()).map(|s| capital(s)).collect::<Vec<_>>().join(" ")
}

/// The verdict of a run, where there is something to judge.
fn judged(audit: &Audit) -> Option<&ConclusionFinding> {
    audit.conclusion().filter(|_| !audit.findings.nothing_ran())
}

/// Of which runs not one example could be run. Empty, or a sentence.
fn unrun(study: &Study, part: &Part) -> String {
    let here: Vec<&Audit> = part.audits.iter().filter(|a| a.findings.nothing_ran()).collect();
    if here.is_empty() { String::new() } else { capital(&format!("{} not one example could be run", within(study, part, &here))) }
}

/// `in all five variants`, `in two of five variants`; where that was said before, `in two of five`.
fn of_all(part: &Part, k: usize, first: bool) -> String {
    let n = part.audits.len();
    let what = if part.has_seeds() { "runs" } else { "variants" };
    match (k == n, first) {
        (true, _) if n == 2 => format!("in both {what}"),
        (true, _) => format!("in all {} {what}", count_word(n)),
        (false, true) => format!("in {} of {} {what}", count_word(k), count_word(n)),
        (false, false) => format!("in {} of {}", count_word(k), count_word(n)),
    }
}

/// The answer to the first question after another one was given.
fn also(content: Content) -> &'static str {
    match content {
        Content::Used => "the answers depend on it",
        Content::Misleading => "it misleads",
        Content::NotUsed => "the answers do not depend on it",
        Content::WithoutNetEffect => "it changes answers, and accuracy neither way",
        Content::InPart => "it matters in part",
        Content::Undecided => "that is not decided",
        Content::NoLatents => "no latents ran",
        Content::InstrumentFault => "a control changed answers",
    }
}

/// The answer to the second question after another one was given.
fn also_needs(need: Need) -> Option<&'static str> {
    match need {
        Need::Needed => Some("the model needs it"),
        Need::OnlyForm => Some("only the form of answers needs it"),
        Need::InTheWay => Some("it is in the way"),
        Need::Indifferent => Some("it could be left out"),
        Need::Undecided => Some("that is not decided"),
        Need::NotDefined => Some("that was not tested"),
        Need::NoLatents | Need::InstrumentFault => None,
    }
}

/// The answer to the second question where all runs have the same, after that to the first.
fn all_need(need: Need, n: usize) -> Option<String> {
    let all = if n == 2 { "both".to_string() } else { format!("all {}", count_word(n)) };
    match need {
        Need::Needed => Some(format!("{all} need their block")),
        Need::OnlyForm => Some("without their block they lose the form of their answers, not the choice".into()),
        Need::InTheWay => Some("their block is in the way".into()),
        Need::Indifferent => Some("their block could be left out".into()),
        Need::Undecided => Some("whether they need their block is not decided".into()),
        Need::NotDefined => Some("whether they need their block was not tested".into()),
        Need::NoLatents | Need::InstrumentFault => None,
    }
}

/// Why a benchmark has no verdict at all.
pub fn why_silent(part: &Part) -> &'static str {
    let intervened = |a: &Audit| a.findings.faithfulness.iter().any(|f| !f.intervention.is_clean());
    if part.audits.iter().any(intervened) {
        "No verdict: the published pipeline (--compat paper) has changes of accuracy and no words. Audit without it."
    } else {
        "Nothing can be said: no intervention was run."
    }
}

fn contents(study: &Study, part: &Part, judged: &[(&Audit, &ConclusionFinding)]) -> String {
    let clauses = Content::ALL.into_iter().filter_map(|content| {
        let here: Vec<&Audit> = judged.iter().filter(|(_, c)| c.content == content).map(|(a, _)| *a).collect();
        (!here.is_empty()).then(|| format!("{} {}", within(study, part, &here), content_clause(content)))
    });
    capital(&clauses.collect::<Vec<_>>().join("; "))
}

fn needs(study: &Study, part: &Part, judged: &[(&Audit, &ConclusionFinding)]) -> String {
    let clauses = Need::ALL.into_iter().filter_map(|need| {
        let here: Vec<&Audit> = judged.iter().filter(|(_, c)| c.presence == need).map(|(a, _)| *a).collect();
        let clause = need_clause(need).filter(|_| !here.is_empty())?;
        Some(format!("{} {clause}", within(study, part, &here)))
    });
    capital(&clauses.collect::<Vec<_>>().join("; "))
}

/// The answer to the first question as a clause.
fn content_clause(content: Content) -> &'static str {
    match content {
        Content::Used => "the answers depend on what the block says",
        Content::Misleading => "what the block says misleads",
        Content::NotUsed => "the answers do not depend on what the block says",
        Content::WithoutNetEffect => "what the block says changes answers, and accuracy neither way",
        Content::InPart => "what the block says matters in part",
        Content::Undecided => "whether the answers depend on what the block says is not decided",
        Content::NoLatents => "no latents ran, so nothing was tested",
        Content::InstrumentFault => "nothing can be said, for interventions that must change nothing changed answers",
    }
}

/// The answer to the second question as a clause; where the first says that nothing ran there is none.
fn need_clause(need: Need) -> Option<&'static str> {
    match need {
        Need::Needed => Some("the model needs its block"),
        Need::OnlyForm => Some("without its block the model loses the form of its answers, not the choice"),
        Need::InTheWay => Some("the block is in the way"),
        Need::Indifferent => Some("the block could be left out"),
        Need::Undecided => Some("whether the model needs its block is not decided"),
        Need::NotDefined => Some("whether the model needs its block was not tested"),
        Need::NoLatents | Need::InstrumentFault => None,
    }
}

/// `in all three variants`, `in two of five variants (LVR and N-LVR)`, `in one of six runs (LVR · 43)`.
fn within(study: &Study, part: &Part, here: &[&Audit]) -> String {
    let (k, n) = (here.len(), part.audits.len());
    let what = if part.has_seeds() { "runs" } else { "variants" };
    if k == n {
        return if n == 2 { format!("in both {what}") } else { format!("in all {} {what}", count_word(n)) };
    }
    let names: Vec<String> = here.iter().map(|a| part.run_name(study, a)).collect();
    let named = if k <= MOST_NAMES { format!(" ({})", list(names.iter().map(String::as_str))) } else { String::new() };
    format!("in {} of {} {what}{named}", count_word(k), count_word(n))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// What limits the words: the qualifier of every run that has one. Empty, or sentences.
pub fn limits(study: &Study, part: &Part) -> String {
    each_limit(study, part).join(" ")
}

/// The same, one sentence each.
pub fn each_limit(study: &Study, part: &Part) -> Vec<String> {
    limits_of(study, part).into_iter().map(|(said, _)| said).collect()
}

/// The same, each with the first run that it limits.
pub fn limits_of<'a>(study: &Study, part: &'a Part) -> Vec<(String, &'a Audit)> {
    let limited = grouped(part, |a| a.conclusion().and_then(limit));
    limited.iter().filter_map(|of| Some((told(study, part, of), *of.runs.first()?))).collect()
}

/// What limits the word of a run, as the audit wrote it.
pub fn limit(conclusion: &ConclusionFinding) -> Option<String> {
    let untrained = || "it was asked for lengths of the block that training did not have".to_string();
    conclusion.qualifier.clone().or_else(|| (conclusion.inside_lengths == Some(false)).then(untrained))
}

/// What damage is called before it is told.
pub const DAMAGE: &str = "Damage, which decides nothing: ";

/// Damage told as damage, which decides nothing. Empty, or a sentence.
pub fn damage(study: &Study, part: &Part) -> String {
    let damaged: Vec<String> = damage_of(study, part).into_iter().map(|(said, _)| said).collect();
    if damaged.is_empty() { String::new() } else { format!("{DAMAGE}{}.", damaged.join("; ")) }
}

/// The same in clauses, each with the first run that it tells of.
pub fn damage_of<'a>(study: &Study, part: &'a Part) -> Vec<(String, &'a Audit)> {
    let one = |of: Grouped<'a>| {
        let first = *of.runs.first()?;
        if part.audits.len() == 1 {
            return Some((of.said, first));
        }
        let names = part.names(study, of.runs.iter().copied());
        Some((format!("{} in {}", of.said, list(names.iter().map(String::as_str))), first))
    };
    grouped(part, |a| damage_in_words(&a.findings.verdict)).into_iter().filter_map(one).collect()
}

/// What is said of runs.
struct Grouped<'a> {
    said: String,
    /// Those it is said of.
    runs: Vec<&'a Audit>,
}

fn grouped<'a>(part: &'a Part, said: impl Fn(&Audit) -> Option<String>) -> Vec<Grouped<'a>> {
    let mut found: Vec<Grouped<'a>> = Vec::new();
    for audit in &part.audits {
        let Some(text) = said(audit) else { continue };
        match found.iter_mut().find(|known| known.said == text) {
            Some(known) => known.runs.push(audit),
            None => found.push(Grouped { said: text, runs: vec![audit] }),
        }
    }
    found
}

fn told(study: &Study, part: &Part, of: &Grouped<'_>) -> String {
    if part.audits.len() == 1 {
        return capital(&of.said);
    }
    let names = match of.runs.len() == part.audits.len() {
        true => "All runs".to_string(),
        false => list(part.names(study, of.runs.iter().copied()).iter().map(String::as_str)),
    };
    format!("{names}: {}.", of.said.trim_end_matches('.'))
}

/// What is always said beside a block that is needed. Empty, or a sentence.
pub fn caution(part: &Part) -> String {
    let needed = part.audits.iter().filter_map(Audit::conclusion).any(|c| c.presence == Need::Needed);
    let text = "A model that was always trained to open its block has not learnt to do without: needed is not useful.";
    if needed { text.to_string() } else { String::new() }
}

/// Headline, limits, damage and caution in one line.
pub fn whole(study: &Study, part: &Part) -> String {
    let all = [sentence(study, part), limits(study, part), damage(study, part), caution(part)];
    all.into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Every run and intervention on the whole block that breaks the form of answers.
pub fn broken(part: &Part) -> Vec<(&Audit, &VerdictFinding)> {
    let breaks = |v: &&VerdictFinding| v.verdict == Effect::BreaksForm && v.intervention.is_whole();
    part.audits.iter().flat_map(|a| a.findings.verdict.iter().filter(breaks).map(move |v| (a, v))).collect()
}

/// The headline correlation of a comparison: cosine with accuracy, nothing held
/// fixed, one point a variant if there is such a row.
pub fn headline(rows: &[ComparisonFinding]) -> Option<&ComparisonFinding> {
    let mut fitting: Vec<&ComparisonFinding> = rows.iter().filter(|r| r.x == "cosine" && r.y == "accuracy" && r.given.is_none()).collect();
    fitting.sort_by_key(|r| r.unit != "seed_mean");
    fitting.first().copied()
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
