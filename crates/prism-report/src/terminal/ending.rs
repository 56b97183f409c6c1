//! What every command ends with: the answer in a sentence, what limits it, the table behind it, and where to look further.

use prism_audit::findings::ConclusionFinding;

use super::{Look, Screen, readings};
use crate::document::{Prose, RowKind, Section, Table};
use crate::failed::nothing_ran;
use crate::sections::{Builder, conclusions, corruption, table1};
use crate::study::{Audit, Part, Study};
use crate::verdict;

/// The answers of every benchmark, and what the runs warn of.
pub fn answers(study: &Study, screen: &mut Screen, look: Look) {
    for part in &study.parts {
        let several = if study.parts.len() > 1 { format!(" On {}", part.benchmark) } else { String::new() };
        if !nothing_ran(part) {
            screen.heading(&format!("Is what the block says used, and is the block needed?{several}"));
        }
        answer(study, part, screen, look);
    }
    warnings(study, screen, look);
}

/// The answer on one benchmark. Of a single run the table has a row for every intervention, of several a row for every run.
pub fn answer(study: &Study, part: &Part, screen: &mut Screen, look: Look) {
    screen.wrapped(&verdict::short(study, part), look);
    if nothing_ran(part) {
        return;
    }
    if let [audit] = part.audits.as_slice() {
        of_one(study, part, audit, screen, look);
    }
    let beside = [verdict::caution(part), verdict::damage(study, part)];
    for said in beside.into_iter().filter(|said| !said.is_empty()) {
        screen.wrapped(&said, look);
    }
    for limit in verdict::each_limit(study, part) {
        screen.wrapped(&format!("limit: {limit}"), look);
    }
    let table = match part.audits.as_slice() {
        [_] => Some(corruption::table(study, part)),
        _ => table_of(conclusions::section(study, part, &mut Builder::default()), "conclusions"),
    };
    if let Some(table) = table.filter(|table| !table.is_empty()) {
        screen.line("");
        screen.typed(&table, look);
    }
}

/// The words of a single run, and how right it is without an intervention.
fn of_one(study: &Study, part: &Part, audit: &Audit, screen: &mut Screen, look: Look) {
    if let Some(conclusion) = audit.conclusion() {
        screen.wrapped(&words(conclusion), look);
    }
    let table = side_by_side(study, part);
    if let Some(row) = table.rows().iter().find(|row| row.kind != RowKind::Base) {
        let clean = Prose::said("clean run: ")
            .number(&table, "accuracy", &row.key)
            .and(" % right, 95 % ")
            .number(&table, "accuracy_interval", &row.key)
            .and(", of ")
            .number(&table, "examples", &row.key)
            .and(" questions");
        screen.wrapped(&clean.as_text().replace('−', "-"), look);
    }
    if let Some(read) = readings::line(&audit.findings.readings) {
        screen.wrapped(&read, look);
    }
}

/// Both answers in words: `undecided*; block needed`.
pub fn words(conclusion: &ConclusionFinding) -> String {
    format!("{}; block {}", conclusion.marked_word(), conclusion.presence)
}

/// Table 1 of a benchmark.
pub fn side_by_side(study: &Study, part: &Part) -> Table {
    let section = table1::section(study, part, &mut Builder::default());
    table_of(Some(section), "table-1").unwrap_or_else(|| Table::new("table-1", Vec::new()))
}

/// The table of that name in a section.
fn table_of(section: Option<Section>, name: &str) -> Option<Table> {
    section?.tables().into_iter().find(|table| table.name == name).cloned()
}

/// What the audits and the comparison warn of, each text once, with the names of those that say it.
fn warnings(study: &Study, screen: &mut Screen, look: Look) {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    let of_parts = study.parts.iter().flat_map(|part| part.audits.iter().map(move |audit| (part.run_name(study, audit), audit)));
    let of_runs = of_parts.flat_map(|(name, audit)| audit.findings.warnings.iter().map(move |warning| (name.clone(), warning)));
    // Of runs in which nothing ran nothing was compared.
    let compared = study.comparison.iter().filter(|_| !study.parts.iter().all(nothing_ran));
    let of_comparison = compared.flat_map(|(_, findings)| &findings.warnings);
    for (name, warning) in of_runs.chain(of_comparison.map(|warning| ("the comparison".to_string(), warning))) {
        match found.iter_mut().find(|(text, _)| *text == warning.text) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => found.push((&warning.text, vec![name])),
        }
    }
    let runs = study.parts.iter().map(|part| part.audits.len()).sum::<usize>();
    if !found.is_empty() {
        screen.line("");
    }
    for (text, names) in found {
        let whose = match names.len() {
            _ if runs == 1 && study.comparison.is_none() => String::new(),
            count if count > 1 && count >= runs => "all runs: ".to_string(),
            _ => format!("{}: ", names.join(", ")),
        };
        screen.wrapped(&format!("note: {whose}{text}"), look);
    }
}

/// Where more of a run lies.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Its page.
    pub page: Option<String>,
    /// Folders of its findings.
    pub tables: Vec<String>,
    /// Commands that show more.
    pub next: Vec<String>,
}

impl Places {
    /// At the end of a screen.
    pub fn draw(&self, screen: &mut Screen) {
        if !screen.is_empty() {
            screen.line("");
        }
        screen.entries("page", self.page.as_slice());
        screen.entries("tables", &self.tables);
        screen.entries("next", &self.next);
    }
}
