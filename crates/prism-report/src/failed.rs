//! Examples that could not be run: said before anything else, and of runs in which no example ran in the place of it.

use crate::html::clipped;
use crate::number::count_word;
use crate::study::{Part, Study};

/// Longest text about what could not be run, in characters.
pub const LONGEST: usize = 4000;

/// Whether in no run one example could be run: there is neither an accuracy nor a word.
pub fn nothing_ran(part: &Part) -> bool {
    !part.audits.is_empty() && part.audits.iter().all(|audit| audit.findings.nothing_ran())
}

/// What could not be run, with the names of the runs that say it; each text once.
pub fn failed(study: &Study, part: &Part) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for audit in &part.audits {
        let Some(said) = audit.findings.failed() else { continue };
        let name = part.run_name(study, audit);
        match found.iter_mut().find(|(known, _)| *known == said) {
            Some((_, names)) => names.push(name),
            None => found.push((said, vec![name])),
        }
    }
    found
}

/// The answer where [`nothing_ran`]: that nothing did, and what to do, each text with its runs where not all say it.
pub fn sentence(study: &Study, part: &Part) -> String {
    let texts = failed(study, part);
    let all = texts.iter().map(|(said, whose)| match whose.len() == part.audits.len() {
        true => clipped(said, LONGEST),
        false => format!("{} ({})", clipped(said, LONGEST), whose.join(", ")),
    });
    let all = all.collect::<Vec<_>>().join(" ");
    match part.audits.len() {
        1 => all,
        2 => format!("In both runs not one example could be run. {all}"),
        n => format!("In all {} runs not one example could be run. {all}", count_word(n)),
    }
}
