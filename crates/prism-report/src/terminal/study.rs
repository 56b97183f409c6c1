//! A study in the terminal: Table 1, the profile, what was found across runs, and the answers, which stand last.

use prism_audit::verdict::in_words;

use super::{Look, Screen, across, ending, profile, readings};
use crate::failed::nothing_ran;
use crate::sections::{self, outcomes};
use crate::study::{Part, Study};
use crate::verdict;

/// Draws every benchmark of a study.
pub fn draw(study: &Study, screen: &mut Screen, look: Look) {
    across::variants(study, screen, look);
    for part in study.parts.iter().filter(|part| !nothing_ran(part)) {
        profile::draw(study, part, screen, look);
        categories(study, part, screen, look);
    }
    across::draw(study, screen, look);
    for part in study.parts.iter().filter(|part| part.audits.len() > 1 && !nothing_ran(part)) {
        runs(study, part, screen, look);
    }
    if study.parts.iter().any(|part| part.audits.len() > 1) {
        readings::of_study(study).iter().for_each(|read| screen.wrapped(read, look));
    }
    ending::answers(study, screen, look);
}

/// What each of several runs says by itself; of a single run the answer is that.
fn runs(study: &Study, part: &Part, screen: &mut Screen, look: Look) {
    let judged = part.audits.iter().filter_map(|audit| Some((audit, audit.conclusion()?)));
    let mut judged = judged.peekable();
    if judged.peek().is_none() {
        return;
    }
    let several = if study.parts.len() > 1 { format!(" on {}", part.benchmark) } else { String::new() };
    screen.heading(&format!("Run by run{several} ({})", sections::n_equals(part)));
    for (audit, conclusion) in judged {
        let name = part.run_name(study, audit);
        screen.wrapped(&format!("{name}: {}, block {}. {}", conclusion.marked_word(), conclusion.presence, conclusion.sentence), look);
        if let Some(limit) = verdict::limit(conclusion) {
            screen.wrapped(&format!("   limit: {limit}"), look);
        }
        screen.wrapped(&format!("   {}", in_words(&audit.findings.verdict)), look);
    }
}

/// Clean accuracy by category, where a run has more than one.
fn categories(study: &Study, part: &Part, screen: &mut Screen, look: Look) {
    let table = outcomes::categories(study, part);
    if !table.is_empty() {
        screen.heading("Clean accuracy by category");
        screen.typed(&table, look);
    }
}
