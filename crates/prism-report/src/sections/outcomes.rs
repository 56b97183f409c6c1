//! How every example ended, and whether the interventions did anything at all.

use super::{Builder, behind, row};
use crate::change::ALL;
use crate::document::table::KEY;
use crate::document::{Cell, Column, Did, Prose, Row, Section, Spoken, Table, Tone};
use crate::html::clipped;
use crate::study::{Part, Study};

/// Longest id and longest message printed, in characters.
const LONGEST_ID: usize = 80;
const LONGEST_MESSAGE: usize = 500;
/// Longest text about what could not be run, in characters.
const LONGEST_FAILED: usize = 2000;

/// What the table of outcomes has in its columns.
const CAPTION: &str = "Every example ends in exactly one outcome. *No answer* counts as wrong; *no latents*: the block never opened, so the \
    intervention did nothing there; *error*: left out of n. Outputs changed: examples whose generated tokens differ from the clean \
    run\u{2019}s. |latent| is the mean norm of the vectors fed back, |change| that of what the intervention did to them.";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Section {
    let (failures, categories) = (failures(study, part), categories(study, part));
    if !failures.is_empty() {
        note(part, &failures, builder);
    }
    let failures = (!failures.is_empty())
        .then(|| failures.captioned("Examples that could not be run, by cause, with the first of each; they are in no other number."));
    let categories = (!categories.is_empty()).then(|| {
        categories.captioned("Clean accuracy by category, in percent, with its Wilson 95 % interval; n is the number of questions.")
    });
    Section::new("outcomes", "How the examples ended").with(table(study, part).captioned(CAPTION)).maybe(failures).maybe(categories)
}

fn columns() -> Vec<Column> {
    let ended = |name: &'static str, heading: &'static str| Column::count(name, heading).group("examples");
    let steps = |name: &'static str, heading: &'static str| {
        Column::decimal(name, heading, 1).group("mean steps").priority(2).because("no example ran both clean and under the intervention")
    };
    vec![
        Column::run(),
        Column::intervention(),
        ended("scored", "scored"),
        ended("no_answer", "no answer"),
        ended("no_latents", "no latents"),
        ended("error", "error"),
        Column::percent("opened", "opened, %").priority(2).because("no example ran both clean and under the intervention"),
        steps("steps_context", "context"),
        steps("steps_target", "target"),
        Column::count("changed", "outputs changed").priority(2).because("the clean run is what others are compared with"),
        Column::decimal("latent_norm", "|latent|", 2).priority(3).because("no latents, or their norm was not recorded"),
        Column::decimal("perturbation_norm", "|change|", 2).priority(3).because("nothing was changed, or its size was not recorded"),
    ]
}

/// A row for every run and intervention, the clean run among them.
pub fn table(study: &Study, part: &Part) -> Table {
    let mut table = Table::new("outcomes", columns());
    for audit in &part.audits {
        for f in audit.findings.faithfulness.iter().filter(|f| f.category == ALL) {
            let clean = f.intervention.is_clean();
            let start = row(study, part, audit);
            // The clean run is of every intervention: the page does not hide it when it shows one alone.
            let start = if clean { start.at(f.intervention) } else { start.under(f.intervention) };
            let named = if clean { Cell::words("clean", Tone::Plain) } else { Cell::intervention(f.intervention) };
            let loud = |count: usize| if count > 0 { Cell::count(count).strong() } else { Cell::count(count) };
            let leads = |cell: Cell, did: Did, same: bool| {
                if same && !clean { cell.behind(behind(study, audit, f.intervention).that(did)) } else { cell }
            };
            table.push(start.cells([
                named,
                Cell::count(f.scored),
                // Where a block stayed shut an answer may be missing, too: the link would count it.
                leads(loud(f.no_answer), Did::Unparsed, f.no_latents == 0),
                loud(f.no_latents),
                loud(f.error),
                Cell::number(f.opened),
                Cell::number(f.steps_context),
                Cell::number(f.steps_target),
                leads(Cell::count(Some(f.changed).filter(|_| !clean)), Did::Changed, true),
                Cell::number(f.latent_norm),
                Cell::number(f.perturbation_norm),
            ]));
        }
    }
    table
}

/// What could not be run, by cause; without rows where everything ran.
pub fn failures(study: &Study, part: &Part) -> Table {
    let mut table = Table::new(
        "failures",
        vec![
            Column::run(),
            Column::words("cause", "cause").priority(KEY),
            Column::count("examples", "examples"),
            Column::count("of", "of").attached(),
            Column::words("first", "the first").priority(2),
            Column::text("message", "what is said of it").priority(2).because("its record says nothing more"),
        ],
    );
    for audit in &part.audits {
        for failure in &audit.findings.failures {
            table.push(row(study, part, audit).at(failure.cause).cells([
                Cell::words(failure.cause.name().replace('_', " "), Tone::Plain),
                Cell::count(failure.examples).strong(),
                Cell::count(failure.of),
                Cell::text(clipped(&failure.id, LONGEST_ID)),
                Cell::maybe_text(failure.message.as_deref().map(|message| clipped(message, LONGEST_MESSAGE))),
            ]));
        }
    }
    table
}

/// The cells that a sentence about what could not be run speaks of.
pub fn spoken(failures: &Table) -> Vec<Spoken<'_>> {
    let of = |row: &Row| ["examples", "of"].map(|column| Spoken { table: failures, column, row: row.key.clone() });
    failures.rows().iter().flat_map(of).collect()
}

/// Lists what could not be run among what is not on the page, each text once.
fn note(part: &Part, failures: &Table, builder: &mut Builder) {
    let mut said: Vec<String> = Vec::new();
    for failed in part.audits.iter().filter_map(|audit| audit.findings.failed()) {
        if !said.contains(&failed) {
            said.push(failed);
        }
    }
    let cells = spoken(failures);
    let told = |failed: &String| Prose::default().spoken(&clipped(failed, LONGEST_FAILED), &cells);
    let entries = said.iter().map(|failed| ("Examples that could not be run".to_string(), told(failed)));
    builder.not_measured.extend(entries);
}

/// Clean accuracy by category; without rows where the benchmark has none.
pub fn categories(study: &Study, part: &Part) -> Table {
    let accuracy = Column::percent("accuracy", "accuracy, %").because("no example of the category ran");
    let interval = accuracy.interval("accuracy_interval", "95 %").because("no example of the category ran");
    let mut table = Table::new(
        "categories",
        vec![
            Column::run(),
            Column::words("category", "category").priority(KEY),
            Column::count("examples", "n").priority(2),
            accuracy,
            interval,
        ],
    );
    for audit in &part.audits {
        for f in audit.findings.faithfulness.iter().filter(|f| f.category != ALL && f.intervention.is_clean()) {
            table.push(row(study, part, audit).at(&f.category).cells([
                Cell::text(clipped(&f.category.replace('_', " "), LONGEST_ID)),
                Cell::count(f.examples),
                Cell::number(f.accuracy),
                Cell::interval(f.accuracy_low, f.accuracy_high),
            ]));
        }
    }
    table
}
