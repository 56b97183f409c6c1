//! An evaluation in the terminal: accuracy by category, how the examples ended, and pairs of questions.

use prism_audit::Findings;

use super::{Look, Screen, readings};
use crate::change::ALL;
use crate::document::table::KEY;
use crate::document::{Cell, Column, Form, Row, RowKind, Table, Tone};

/// Why a guess has no more than an accuracy.
const GUESS: &str = "a guess, not a run";

/// The tables of an evaluation.
pub fn draw(findings: &Findings, screen: &mut Screen, look: Look) {
    screen.typed(&table(findings), look);
    pairs(findings, screen, look);
    if let Some(read) = readings::line(&findings.readings) {
        screen.wrapped(&read, look);
    }
    for warning in findings.warnings.iter().filter(|warning| warning.about == "faithfulness") {
        screen.wrapped(&format!("note: {}", warning.text), look);
    }
}

/// Pairs that are right when all of their questions are, where a benchmark has pairs.
pub fn pairs(findings: &Findings, screen: &mut Screen, look: Look) {
    let table = pairs_table(findings);
    if !table.is_empty() {
        screen.heading("In pairs, all questions right");
        screen.typed(&table, look);
    }
}

/// A row for every category, and what guessing gets.
pub fn table(findings: &Findings) -> Table {
    let accuracy = Column::percent("accuracy", "accuracy, %").because("no example ran");
    let interval = accuracy.interval("accuracy_interval", "95 %").because("no example ran");
    let ended = |name: &'static str| Column::count(name, name).group("how the examples ended").priority(2);
    // How a model without a block ended is told by this column alone.
    let unopened = findings.faithfulness.iter().any(|f| f.intervention.is_clean() && f.no_latents > 0);
    let no_latents = ended("no_latents").priority(if unopened { 1 } else { 2 });
    let columns = vec![
        Column::words("category", "questions").priority(KEY),
        Column::count("examples", "n"),
        Column::count("correct", "right"),
        accuracy,
        interval,
        ended("scored"),
        ended("no_answer"),
        no_latents,
        ended("error"),
    ];
    let mut table = Table::new("evaluation", columns);
    for f in findings.faithfulness.iter().filter(|f| f.intervention.is_clean()) {
        let named = if f.category == ALL { "all questions" } else { f.category.as_str() };
        table.push(Row::new(named).cells([
            Cell::text(named),
            Cell::count(f.examples),
            Cell::count(f.correct),
            Cell::number(f.accuracy),
            Cell::interval(f.accuracy_low, f.accuracy_high),
            Cell::count(f.scored),
            Cell::count(f.no_answer),
            Cell::count(f.no_latents),
            Cell::count(f.error),
        ]));
    }
    if let Some(majority) = findings.table1.first().and_then(|line| line.majority) {
        let nothing = || Cell::absent("");
        table.push(Row::new("guess").kind(RowKind::Base).because(Some(GUESS)).cells([
            Cell::words("always the most common letter", Tone::Plain),
            nothing(),
            nothing(),
            Cell::number(Some(majority)),
        ]));
    }
    table
}

fn pairs_table(findings: &Findings) -> Table {
    let accuracy = Column::percent("accuracy", "accuracy, %").because("no pair ran whole");
    let interval = accuracy.interval("accuracy_interval", "95 %").because("no pair ran whole");
    let columns = vec![
        Column::new("intervention", "under", Form::Words).priority(KEY),
        Column::count("pairs", "pairs"),
        Column::count("correct", "right"),
        accuracy,
        interval,
        Column::count("incomplete", "incomplete").priority(2),
    ];
    let mut table = Table::new("pairs", columns);
    for pair in &findings.pairs {
        let name = pair.intervention.to_string();
        table.push(Row::new(&name).because(pair.reason.as_deref()).cells([
            Cell::text(name),
            Cell::count(pair.pairs),
            Cell::count(pair.correct),
            Cell::number(pair.accuracy),
            Cell::interval(pair.accuracy_low, pair.accuracy_high),
            Cell::count(pair.incomplete),
        ]));
    }
    table
}
