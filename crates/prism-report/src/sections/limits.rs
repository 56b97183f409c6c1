//! What limits the words: lengths outside training, blocks that seldom opened, damage that decides nothing, and what the
//! audits and the comparison warn of.

use prism_run::Content;

use super::{conclusions, corruption, trust};
use crate::document::{Block, Prose, Section, Spoken, Table, Tone};
use crate::study::{Audit, Part, Study};
use crate::verdict;

/// Warnings that stand open; the rest is folded.
const OPEN_WARNINGS: usize = 6;

/// The section; nothing where nothing limits the words.
pub fn section(study: &Study, part: &Part) -> Option<Section> {
    let (changes, conclusions) = (corruption::table(study, part), conclusions::table(study, part));
    let cells = |audit: &Audit| conclusions::spoken(study, part, audit, &changes, &conclusions);
    let limits = verdict::limits_of(study, part);
    let mut said: Vec<Prose> = limits.iter().map(|(limit, of)| limited(limit, study, part, of, &conclusions)).collect();
    let damage = verdict::damage_of(study, part);
    let told = damage.iter().enumerate().fold(Prose::said(verdict::DAMAGE), |prose, (place, (clause, of))| {
        prose.and(if place > 0 { "; " } else { "" }).spoken(clause, &cells(of))
    });
    said.extend((!damage.is_empty()).then(|| told.and(".")));
    said.extend(Some(verdict::caution(part)).filter(|text| !text.is_empty()).map(Prose::plain));
    let warnings = warnings(study, part);
    if said.is_empty() && warnings.is_empty() {
        return None;
    }
    let mut section = Section::new("limits", "What limits these words");
    if !said.is_empty() {
        section = section.with(Block::List(said));
    }
    if !warnings.is_empty() {
        section = section.with(Block::Aside(Tone::Warn, "**The runs warn of this.**".into()));
        let mut open = warnings;
        let folded = open.split_off(open.len().min(OPEN_WARNINGS));
        section = section.with(Block::List(open));
        if !folded.is_empty() {
            section = section.with(Block::Fold { summary: "More warnings".into(), open: false, blocks: vec![Block::List(folded)] });
        }
    }
    Some(section)
}

/// What the first screen says of limits, one sentence each, those first without which nothing can be read. `true`: an alarm.
pub fn lines(study: &Study, part: &Part) -> Vec<(bool, Prose)> {
    let conclusions = conclusions::table(study, part);
    let mut all: Vec<(bool, Prose)> = Vec::new();
    if !crate::failed::failed(study, part).is_empty() {
        all.push((true, Prose::said("Not every example was [run](#trust).")));
    }
    let names = |names: Vec<String>| verdict::list(names.iter().map(String::as_str));
    let silent = part.names(study, part.audits.iter().filter(|a| a.is_silent()));
    if !silent.is_empty() {
        all.push((true, Prose::said("No latents: ").text(names(silent)).and(".")));
    }
    let guessing = trust::may_guess(study, part);
    if !guessing.is_empty() {
        let is = if guessing.len() == 1 { " is not shown to be above guessing." } else { " are not shown to be above guessing." };
        all.push((true, Prose::plain(names(guessing)).and(is)));
    }
    let limits = verdict::limits_of(study, part);
    // A star, as at the word that it limits.
    all.extend(
        limits.iter().map(|(limit, of)| (false, Prose::said("* ").join(limited(&without_aside(limit), study, part, of, &conclusions)))),
    );
    if all.is_empty() {
        all.extend(wanting(study, part, &conclusions).map(|said| (false, said)));
    }
    let unread = part.names(study, trust::often_unread(part));
    if !unread.is_empty() {
        all.push((false, Prose::said("Many clean answers of ").text(names(unread)).and(" cannot be parsed.")));
    }
    all
}

/// Where more questions would decide what is undecided: how many, of the run that wants most.
fn wanting(study: &Study, part: &Part, conclusions: &Table) -> Option<Prose> {
    let undecided = || part.audits.iter().filter(|a| a.conclusion().is_some_and(|c| c.content == Content::Undecided));
    let most = undecided().max_by_key(|a| a.conclusion().and_then(|c| c.needed))?;
    most.conclusion()?.needed?;
    let several = if undecided().count() > 1 { "Undecided: up to " } else { "Undecided: about " };
    Some(Prose::said(several).number(conclusions, "needed", &super::row(study, part, most).key).and(" questions would decide."))
}

/// A limit with the share of examples whose block opened as its cell has it; K and the lengths of training are names.
fn limited(limit: &str, study: &Study, part: &Part, of: &Audit, conclusions: &Table) -> Prose {
    let opened = Spoken { table: conclusions, column: "opened", row: super::row(study, part, of).key };
    let share = limit.find(" of examples whose block opened").unwrap_or(0);
    Prose::default().spoken(&limit[..share], &[opened]).typeset(&limit[share..])
}

/// A sentence without what it says in brackets, which stands in the section.
fn without_aside(sentence: &str) -> String {
    match (sentence.find(" ("), sentence.rfind(')')) {
        (Some(open), Some(close)) if open < close => format!("{}{}", &sentence[..open], &sentence[close + 1..]),
        _ => sentence.to_string(),
    }
}

/// The warnings of the audits and of the comparison, each once, with the names of those that say it.
fn warnings(study: &Study, part: &Part) -> Vec<Prose> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let of_audits = part.audits.iter().flat_map(move |a| a.findings.warnings.iter().map(move |w| (w, part.run_name(study, a))));
    let of_comparison = study.comparison.iter().flat_map(|(_, f)| &f.warnings).map(|w| (w, "comparison".to_string()));
    for (warning, whose) in of_audits.chain(of_comparison) {
        match found.iter_mut().find(|(text, _)| *text == warning.text) {
            Some((_, names)) => names.push(whose),
            None => found.push((warning.text.clone(), vec![whose])),
        }
    }
    let one = |(text, names): (String, Vec<String>)| {
        let all = names.len() == part.audits.len() && names.len() > 1;
        let whose = if all { "all runs".to_string() } else { names.join(", ") };
        Prose::default().typeset(&text).and(" (").text(whose).and(")")
    };
    found.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::without_aside;

    #[test]
    fn what_stands_in_brackets_is_left_to_the_section() {
        assert_eq!(without_aside("LVR: K = 8 lies outside the lengths (target: 1 to 4)."), "LVR: K = 8 lies outside the lengths.");
        assert_eq!(without_aside("LVR: )few( opened."), "LVR: )few( opened.");
        assert_eq!(without_aside("LVR · 42 (a: b"), "LVR · 42 (a: b");
    }
}
