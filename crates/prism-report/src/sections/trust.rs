//! Is it real? What could be wrong with a run, how much it could have shown, and on what.
//!
//! A line a run: the questions that count, the clean accuracy against guessing, what doing nothing through the same hook
//! changed, and the smallest change that would have been seen. What makes the words below unreadable stands above, loudly.

use prism_audit::findings::VerdictFinding;
use prism_run::Intervention;

use super::{conclusions, outcomes, row};
use crate::change::ALL;
use crate::document::{Block, Cell, Column, Prose, Row, RowKind, RunName, Section, Table, Tone, Value};
use crate::failed::{LONGEST, failed};
use crate::html::clipped;
use crate::number::count_word;
use crate::study::{Audit, Part, Study};
use crate::verdict;

/// Clean answers that cannot be parsed, from which share on they are said.
const UNREAD: f64 = 0.05;

/// The section, around the table that the first screen takes its margin from.
pub fn section(study: &Study, part: &Part, table: Table) -> Section {
    let mut section = Section::new("trust", "Is it real? Controls, guessing, power");
    let failures = outcomes::failures(study, part);
    for (said, whose) in failed(study, part) {
        section = section.with(alarm(whose_failed(part, &said, &whose, &failures)));
    }
    for prose in alarms(study, part).into_iter().chain(guessing(study, part)).chain(broken_instrument(part)) {
        section = section.with(alarm(prose));
    }
    if let Some(prose) = unread(study, part, &table) {
        section = section.with(Block::Aside(Tone::Warn, prose));
    }
    let facts = Block::List(facts(part, &table));
    section.with(facts).with(table.captioned(CAPTION))
}

/// What the table's columns are.
const CAPTION: &str = "What each run rests on. Opened: share of the questions whose block opened in the clean run; all that is said of latents \
    counts those. Clean accuracy with its Wilson 95 % interval; guess: what the most common letter of each question type gets. Changed by \
    nothing: outputs that differ after an intervention that must change none, of all such outputs. Margin: the largest change that would \
    still be called none. Detectable: the smallest change that every decisive test of all answers would show, by itself and question by \
    question, with 80 % power. Needed: questions that would decide whether what the block says is used, where that is undecided.";

fn alarm(prose: Prose) -> Block {
    Block::Aside(Tone::Alarm, prose)
}

/// The table.
pub fn table(study: &Study, part: &Part) -> Table {
    let accuracy = Column::percent("accuracy", "clean accuracy, %");
    let interval = accuracy.interval("accuracy_interval", "95 %");
    let mut table = Table::new(
        "trust",
        vec![
            Column::run(),
            Column::count("questions", "questions"),
            Column::percent("opened", "opened, %").priority(2),
            accuracy.because("no question was answered"),
            interval.because("no question was answered"),
            Column::percent("guess", "guess, %").because("the labels were not recorded"),
            Column::words("above_guess", "above guess").priority(2),
            Column::count("unparsed", "unparsed").priority(3),
            Column::count("changed_by_nothing", "changed by nothing").because("no such intervention was run"),
            Column::count("checked", "of").attached().because("no such intervention was run"),
            Column::count("clusters", "clusters").priority(3).because("each question stands by itself"),
            Column::percent("margin", "margin, points").priority(2).because("no margin was declared"),
            Column::percent("detectable", "detectable, points")
                .priority(2)
                .because("a decisive test has too few questions to show any change"),
            Column::count("needed", "needed").priority(3).because("the first question is decided, or more questions would not decide it"),
        ],
    );
    if let Some(base) = study.base.as_ref().filter(|base| base.benchmark == part.benchmark) {
        let name = RunName { style: None, label: "base model".into(), note: Some("no latent block".into()) };
        table.push(
            Row::new("base").kind(RowKind::Base).because(Some("scored only: without latents to change")).cell(Value::Run(name)).cells([
                Cell::count(base.examples),
                Cell::absent(""),
                Cell::number(base.accuracy),
                Cell::interval(base.accuracy_low, base.accuracy_high),
                Cell::number(base.type_floor),
            ]),
        );
    }
    for audit in &part.audits {
        table.push(of_run(study, part, audit));
    }
    table
}

fn of_run(study: &Study, part: &Part, audit: &Audit) -> Row {
    let (summary, clean, conclusion) = (audit.summary(), audit.clean(), audit.conclusion());
    let accuracy = clean.and_then(|c| c.accuracy).or_else(|| summary.and_then(|s| s.accuracy));
    let low = clean.and_then(|c| c.accuracy_low).or_else(|| summary.and_then(|s| s.accuracy_low));
    let high = clean.and_then(|c| c.accuracy_high).or_else(|| summary.and_then(|s| s.accuracy_high));
    let above = match (audit.guesses(), summary.and_then(|s| s.type_floor)) {
        (Some(_), _) => Cell::words("not shown", Tone::Alarm),
        (None, Some(_)) => Cell::words("yes", Tone::Plain),
        (None, None) => Cell::absent("the labels were not recorded"),
    };
    let (checked, changed) = idle(audit);
    let decisive = decisive(audit);
    // The weakest of the decisive tests; where one shows nothing, none is named.
    let detectable = decisive.iter().map(|v| v.detectable.filter(|d| d.is_finite())).collect::<Option<Vec<f64>>>();
    let detectable = detectable.and_then(|all| all.into_iter().reduce(f64::max));
    let clusters = audit.findings.verdict.iter().filter(|v| v.clustered_p.is_some()).map(|v| v.clusters).max();
    let opened = conclusion.and_then(|c| c.opened).or_else(|| clean.and_then(|c| c.opened));
    row(study, part, audit).cells([
        Cell::count(audit.examples()),
        Cell::number(opened),
        Cell::number(accuracy).strong(),
        Cell::interval(low, high),
        Cell::number(summary.and_then(|s| s.type_floor)),
        above,
        Cell::count(clean.map(|c| c.no_answer)),
        Cell::count((checked > 0).then_some(changed)),
        Cell::count((checked > 0).then_some(checked)),
        Cell::count(clusters),
        Cell::number(audit.findings.verdict.first().map(|v| v.margin)),
        if decisive.is_empty() { Cell::absent("no decisive intervention was run") } else { Cell::number(detectable) },
        Cell::count(conclusion.and_then(|c| c.needed)),
    ])
}

/// Outputs after interventions that must change none, and those of them that changed.
fn idle(audit: &Audit) -> (usize, usize) {
    let rows = audit.findings.faithfulness.iter().filter(|f| f.category == ALL && f.intervention.is_sham());
    rows.fold((0, 0), |(n, c), f| (n + f.examples, c + f.changed))
}

fn decisive(audit: &Audit) -> Vec<&VerdictFinding> {
    let Some(c) = audit.conclusion() else { return Vec::new() };
    audit.findings.verdict.iter().filter(|v| c.decisive.contains(&v.intervention)).collect()
}

/// The first row that has a value in a column.
pub fn first_with<'a>(table: &'a Table, column: &str) -> Option<&'a str> {
    let place = table.place(column)?;
    table.rows().iter().find(|row| row.cells.get(place).is_some_and(|cell| cell.reason().is_none())).map(|row| row.key.as_str())
}

/// What holds for all runs.
fn facts(part: &Part, table: &Table) -> Vec<Prose> {
    let mut all = Vec::new();
    let seeds = part.variants().into_iter().map(|v| part.of(v).count()).min().unwrap_or(0);
    all.push(match seeds {
        0 | 1 => Prose::said("One training seed a variant: what another seed would give is not known."),
        s => Prose::plain(format!("{} training seeds a variant.", capital(&count_word(s)))),
    });
    if let Some(key) = first_with(table, "margin").filter(|_| part.margin().is_some()) {
        all.push(
            Prose::said("The {margin} is ")
                .number(table, "margin", key)
                .and(" points, to be fixed before the run: for losses, for equivalence, and for the share of answers that change."),
        );
    }
    all.push(Prose::said(
        "Each run is judged by itself. Tests are adjusted ({Holm|McNemar, Holm}) within its declared content set, and within its presence set.",
    ));
    if first_with(table, "clusters").is_some() {
        all.push(Prose::said(
            "Questions that share an image, a pair or a partner are not independent: tests and bounds take their clusters whole.",
        ));
    }
    all.extend(named(part));
    if part.audits.iter().flat_map(decisive).any(|v| v.detectable.is_none_or(|d| !d.is_finite())) {
        all.push(Prose::said(
            "Some decisive tests have too few questions to show any change, as often as answers differ here (80 % power).",
        ));
    }
    let (checked, changed) = part.audits.iter().map(idle).fold((0, 0), |(n, c), (m, d)| (n + m, c + d));
    if checked > 0 && changed == 0 {
        all.push(Prose::said("Doing nothing through the same hook changed no output, as it must."));
    }
    all
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// The decisive interventions: those of every run, then those of some.
fn named(part: &Part) -> Option<Prose> {
    let mut counted: Vec<(Intervention, usize)> = Vec::new();
    for intervention in part.audits.iter().filter_map(Audit::conclusion).flat_map(|c| &c.decisive) {
        match counted.iter_mut().find(|(known, _)| known == intervention) {
            Some((_, n)) => *n += 1,
            None => counted.push((*intervention, 1)),
        }
    }
    let of = |all: bool| -> String {
        let fits = counted.iter().filter(|(_, n)| (*n == part.audits.len()) == all);
        conclusions::listed(&fits.map(|(intervention, _)| *intervention).collect::<Vec<_>>())
    };
    let (every, some) = (of(true), of(false));
    let mut prose =
        Prose::said("{Decisive|decisive} for what the block says, because they put another content in its place: ").text(every.clone());
    if !some.is_empty() {
        prose = prose.and(if every.is_empty() { "in some runs " } else { "; in some runs " }).text(some);
    }
    (!counted.is_empty()).then(|| prose.and("."))
}

/// A text about what could not be run, with its runs where not all say it.
fn whose_failed(part: &Part, said: &str, whose: &[String], failures: &Table) -> Prose {
    let prose = Prose::said("**Not every example was run.** ").spoken(&clipped(said, LONGEST), &outcomes::spoken(failures));
    if whose.len() == part.audits.len() { prose } else { prose.and(" (").text(whose.join(", ")).and(")") }
}

/// Runs whose block never opened.
fn alarms(study: &Study, part: &Part) -> Vec<Prose> {
    let silent = part.audits.iter().filter(|audit| audit.is_silent());
    let one = |audit: &Audit| {
        Prose::default().strong(format!("No latent ran in {}.", part.run_name(study, audit))).and(
            " Its block opened in no example, so every intervention on it did nothing; a change of zero says nothing about the latents.",
        )
    };
    silent.map(one).collect()
}

/// Runs that may be guessing, by name.
pub fn may_guess(study: &Study, part: &Part) -> Vec<String> {
    part.names(study, part.audits.iter().filter(|audit| audit.guesses().is_some()))
}

fn guessing(study: &Study, part: &Part) -> Option<Prose> {
    let names = may_guess(study, part);
    let (is, rest) = match names.len() {
        0 => return None,
        1 => (
            "is",
            " Its clean accuracy reaches down to what the most common letter of each question type gets. Where no loss is shown, that does not \
             say that its latents do nothing; a gain can still be shown.",
        ),
        _ => (
            "are",
            " Their clean accuracy reaches down to what the most common letter of each question type gets. Where no loss is shown, that does \
             not say that their latents do nothing; a gain can still be shown.",
        ),
    };
    let names = verdict::list(names.iter().map(String::as_str));
    Some(Prose::default().strong(format!("{names} {is} not shown to be above guessing.")).and(rest))
}

fn broken_instrument(part: &Part) -> Option<Prose> {
    part.audits.iter().any(|audit| idle(audit).1 > 0).then(|| {
        Prose::said("**Doing nothing through the same hook changed outputs: the instrument is broken here.** The table says how many, in the column `changed by nothing`.")
    })
}

/// Runs whose clean answers often cannot be parsed: those count as wrong, before any damage.
pub fn often_unread(part: &Part) -> impl Iterator<Item = &Audit> {
    let often = |audit: &&Audit| audit.clean().is_some_and(|c| c.examples > 0 && c.no_answer as f64 >= UNREAD * c.examples as f64);
    part.audits.iter().filter(often)
}

fn unread(study: &Study, part: &Part, table: &Table) -> Option<Prose> {
    let found: Vec<&Audit> = often_unread(part).collect();
    if found.is_empty() {
        return None;
    }
    let mut prose = Prose::said("**Clean answers that cannot be parsed** count as wrong, before anything is done to latents: ");
    for (place, audit) in found.into_iter().enumerate() {
        let key = row(study, part, audit).key;
        prose = prose.and(if place > 0 { "; " } else { "" }).text(part.run_name(study, audit)).and(" ").number(table, "unparsed", &key);
        prose = prose.and(" of ").number(table, "questions", &key);
    }
    Some(prose.and("."))
}
