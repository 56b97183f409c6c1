//! Runs beside each other in the terminal: Table 1, and what a comparison found across them: correlations (Table 2), training
//! seeds, lengths of the block, and what the recipe asks of groups.

use prism_audit::Findings;

use super::{Look, Screen, ending};
use crate::document::Section;
use crate::failed::nothing_ran;
use crate::sections::{self, Builder, agreement};
use crate::study::Study;

/// Table that repeats Table 1 for the arms of the recipe's groups.
const ARMS: &str = "arms";

/// Table 1 of every benchmark.
pub fn variants(study: &Study, screen: &mut Screen, look: Look) {
    for part in study.parts.iter().filter(|part| !nothing_ran(part)) {
        let several = if study.parts.len() > 1 { format!(" on {}", part.benchmark) } else { String::new() };
        screen.heading(&format!("Table 1: variants side by side{several} ({})", sections::n_equals(part)));
        screen.typed(&ending::side_by_side(study, part), look);
    }
}

/// What the comparison of a study found.
pub fn draw(study: &Study, screen: &mut Screen, look: Look) {
    let Some((_, findings)) = study.comparison.as_ref().filter(|_| !study.parts.iter().all(nothing_ran)) else { return };
    correlations(findings, screen, look);
    for part in &study.parts {
        let found = [
            sections::seeds::section(study, part, &mut Builder::default()),
            sections::budgets::section(study, part, &mut Builder::default()),
            sections::groups::section(study, part, &mut Builder::default()),
        ];
        found.into_iter().flatten().for_each(|section| tables(&section, screen, look));
    }
}

/// Table 2, which needs no more than a comparison's findings.
pub fn correlations(findings: &Findings, screen: &mut Screen, look: Look) {
    if !findings.comparison.is_empty() {
        screen.heading("Table 2: correlations");
        screen.typed(&agreement::correlations(&findings.comparison), look);
    }
}

/// The tables of a section under its heading.
fn tables(section: &Section, screen: &mut Screen, look: Look) {
    screen.heading(section.heading);
    let wide = screen.is_wide();
    for (i, table) in section.tables().into_iter().filter(|table| wide || table.name != ARMS).enumerate() {
        if i > 0 {
            screen.line("");
        }
        screen.typed(table, look);
    }
}
