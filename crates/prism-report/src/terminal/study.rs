//! Audits in the terminal: Table 1, the profile, the verdicts with the rule of each.

use prism_audit::verdict::in_words;
use prism_run::Intervention;

use super::{Look, Screen, profile};
use crate::change::ALL;
use crate::number::{decimal, interval, percent, points};
use crate::study::{Audit, Part, Study};
use crate::verdict;

/// Draws every benchmark of a study.
pub fn draw(study: &Study, screen: &mut Screen, look: Look) {
    for part in &study.parts {
        let several = if study.parts.len() > 1 { format!(" on {}", part.benchmark) } else { String::new() };
        screen.heading(&format!("Table 1: variants side by side{several} ({})", crate::sections::n_equals(part)));
        table1(study, part, screen, look);
        profile::draw(study, part, screen, look);
        verdicts(study, part, screen, look);
        categories(study, part, screen, look);
    }
}

/// Interventions on the whole block with the image in view, by class,
/// and how many more there are: those are for the page, which has the room.
pub fn plain(part: &Part) -> (Vec<Intervention>, usize) {
    let plain = part.whole_interventions();
    let rest = part.interventions().len() - plain.len();
    (plain, rest)
}

fn table1(study: &Study, part: &Part, screen: &mut Screen, look: Look) {
    let (interventions, _) = plain(part);
    let changes: Vec<String> = interventions.iter().map(|i| i.to_string()).collect();
    let mut header = vec!["variant", "cosine", "accuracy", "95 %", "floor", "probe (a)", "probe (b)", "gap G"];
    header.extend(changes.iter().map(String::as_str));
    let mut rows = Vec::new();
    if let Some(base) = study.base.as_ref().filter(|base| base.benchmark == part.benchmark) {
        let bounds = interval(base.accuracy_low, base.accuracy_high, percent);
        rows.push(vec!["base model".into(), "–".into(), percent(base.accuracy), bounds, percent(base.type_floor)]);
    }
    for audit in &part.audits {
        let (summary, clean) = (audit.summary(), audit.clean());
        let accuracy = clean.and_then(|c| c.accuracy).or_else(|| summary.and_then(|s| s.accuracy));
        let mut row = vec![
            part.run_name(study, audit),
            decimal(summary.and_then(|s| s.cosine), 3),
            percent(accuracy),
            clean.map_or_else(|| "–".into(), |c| interval(c.accuracy_low, c.accuracy_high, percent)),
            percent(summary.and_then(|s| s.type_floor)),
            percent(summary.and_then(|s| s.probe_a)),
            percent(summary.and_then(|s| s.probe_b)),
            points(summary.and_then(|s| s.gap)),
        ];
        row.extend(interventions.iter().map(|i| points(audit.change(*i).map(|c| c.delta))));
        rows.push(row);
    }
    screen.table(&header, &rows, look);
}

fn verdicts(study: &Study, part: &Part, screen: &mut Screen, look: Look) {
    screen.heading("Is what the block says used, and is the block needed?");
    screen.wrapped(&verdict::whole(study, part), look);
    for audit in &part.audits {
        let name = part.run_name(study, audit);
        for c in &audit.findings.conclusion {
            screen.wrapped(&format!("{name}: {}, block {}. {}", c.marked_word(), c.presence, c.sentence), look);
            if let Some(limit) = verdict::limit(c) {
                screen.wrapped(&format!("   limit: {limit}"), look);
            }
            screen.wrapped(&format!("   {}", in_words(&audit.findings.verdict)), look);
        }
    }
    let mut notes: Vec<(&str, Vec<String>)> = Vec::new();
    for (audit, warning) in part.audits.iter().flat_map(|a| a.findings.warnings.iter().map(move |w| (a, w))) {
        let name = part.run_name(study, audit);
        match notes.iter_mut().find(|(text, _)| *text == warning.text) {
            Some((_, names)) => names.push(name),
            None => notes.push((&warning.text, vec![name])),
        }
    }
    for (text, names) in notes {
        let whose = if names.len() == part.audits.len() && names.len() > 1 { "all runs".to_string() } else { names.join(", ") };
        screen.wrapped(&format!("note: {whose}: {text}"), look);
    }
}

/// Clean accuracy by category, where a run has more than one.
fn categories(study: &Study, part: &Part, screen: &mut Screen, look: Look) {
    let of = |audit: &Audit| -> Vec<Vec<String>> {
        let clean = audit.findings.faithfulness.iter().filter(|f| f.intervention.is_clean() && f.category != ALL);
        clean
            .map(|f| {
                let bounds = interval(f.accuracy_low, f.accuracy_high, percent);
                vec![part.run_name(study, audit), f.category.clone(), f.examples.to_string(), percent(f.accuracy), bounds]
            })
            .collect()
    };
    let rows: Vec<Vec<String>> = part.audits.iter().flat_map(of).collect();
    if !rows.is_empty() {
        screen.heading("Clean accuracy by category, %");
        screen.table(&["variant", "category", "n", "accuracy", "95 %"], &rows, look);
    }
}
