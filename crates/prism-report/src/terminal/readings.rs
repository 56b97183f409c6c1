//! By which rule the answers of a run were read, and how many each part of it read.

use prism_audit::findings::ReadingFinding;
use prism_run::answer::Part;

use crate::study::Study;

/// Of the clean run, in one line: ``answers, by `tagged`: 87 behind <answer>, 13 without an option``.
pub fn line(readings: &[ReadingFinding]) -> Option<String> {
    let clean: Vec<&ReadingFinding> = readings.iter().filter(|reading| reading.intervention.is_clean()).collect();
    let rules = &clean.first()?.rules;
    let counts: Vec<String> = clean.iter().map(|reading| format!("{} {}", reading.answers, words(reading.part))).collect();
    Some(format!("answers, by `{rules}`: {}", counts.join(", ")))
}

/// Of several runs, the rules and the runs read by them, where they differ; else the rules alone.
pub fn of_study(study: &Study) -> Vec<String> {
    let mut by_rules: Vec<(&str, Vec<String>)> = Vec::new();
    for (part, audit) in study.parts.iter().flat_map(|part| part.audits.iter().map(move |audit| (part, audit))) {
        let Some(reading) = audit.findings.readings.iter().find(|reading| reading.intervention.is_clean()) else { continue };
        let name = part.run_name(study, audit).to_string();
        match by_rules.iter_mut().find(|(rules, _)| *rules == reading.rules) {
            Some((_, names)) => names.push(name),
            None => by_rules.push((&reading.rules, vec![name])),
        }
    }
    let several = by_rules.len() > 1;
    let told = |(rules, names): (&str, Vec<String>)| match several {
        true => format!("answers read by `{rules}`: {}", names.join(", ")),
        false => format!("answers read by `{rules}`"),
    };
    by_rules.into_iter().map(told).collect()
}

/// Where an answer was found.
fn words(part: Part) -> &'static str {
    match part {
        Part::Tag => "behind <answer>",
        Part::Boxed => "in \\boxed{}",
        Part::Phrase => "behind a phrase",
        Part::Letter => "as a letter",
        Part::OptionText => "as an option's text",
        Part::Word => "as a word",
        Part::FirstCharacter => "as the first character",
        Part::WholeText => "as the whole text",
        Part::Unread => "without an option",
        Part::AsRecorded => "as recorded elsewhere",
    }
}
