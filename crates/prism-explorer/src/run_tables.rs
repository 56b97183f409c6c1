//! The tables of a run's page: it in a line, its interventions, and these by category.

use prism_audit::Findings;
use prism_audit::findings::FaithfulnessFinding;
use prism_run::View;

use super::library::{Run, Snapshot};
use super::links::behind;
use super::summary::{self, Summary};
use prism_report::change::{self, ALL, change, shown};
use prism_report::document::{Behind, Cell, Column, Did, Row, Table};
use prism_report::interventions::{described, place};

/// The tables of a run.
pub fn of(snapshot: &Snapshot, run: &Run, found: &Findings) -> [Table; 3] {
    [line(found), interventions(snapshot, run, found), categories(snapshot, run, found)]
}

/// The run in a line.
fn line(found: &Findings) -> Table {
    let summary = Summary { line: found.table1.first().cloned(), conclusion: found.conclusion.first().cloned(), reason: None };
    let mut table = Table::new("run", summary::columns());
    table.push(Row::new("run").because(Some(summary.reason())).cells(summary.cells()));
    table
}

/// A count that leads to the examples it counts.
fn counted(count: usize, behind: Behind) -> Cell {
    let cell = Cell::count(count);
    if count == 0 { cell } else { cell.behind(behind) }
}

fn interventions(snapshot: &Snapshot, run: &Run, found: &Findings) -> Table {
    let delta = Column::points("delta", "change, points");
    let interval = delta.interval("delta_interval", "95 %");
    let columns = vec![
        Column::intervention(),
        Column::words("class", "class").priority(2),
        Column::count("n", "n"),
        Column::percent("accuracy", "accuracy, %"),
        Column::decimal("strength", "strength", 2).priority(2),
        Column::count("changed_answers", "changed answers"),
        Column::percent("changed_bound", "at most, %").priority(2),
        delta,
        interval,
        Column::count("lost", "lost"),
        Column::count("gained", "gained"),
        Column::count("changed", "text changed").priority(2),
        Column::count("no_answer", "no answer").priority(2),
        Column::p("p", "*p*").priority(2),
        Column::p("holm_p", "*p*, Holm").priority(2),
        Column::p("equivalence_p", "*p*, equivalence").priority(3),
        Column::nats("margin_delta", "margin, nats").priority(3).because("no margin was recorded"),
        Column::words("shows", "what it shows"),
        Column::text("does", "what it does").priority(3),
    ];
    let mut rows: Vec<&FaithfulnessFinding> = found.faithfulness.iter().filter(|f| f.category == ALL).collect();
    rows.sort_by_key(|f| (!f.intervention.is_clean(), place(f.intervention)));
    let mut table = Table::new("interventions", columns);
    for f in rows {
        table.push(intervention(found, f, &behind(snapshot, run, f.intervention)));
    }
    table
}

/// The row of an intervention.
fn intervention(found: &Findings, f: &FaithfulnessFinding, behind: &Behind) -> Row {
    let clean = f.intervention.is_clean();
    let word = shown(found, f.intervention);
    let judged = word.filter(|v| v.examples > 0);
    let change = change(found, f.intervention).filter(|_| !clean);
    let that = |did: Did| behind.clone().that(did);
    // The examples that a link leads to are all of the run, told apart by the clean run in full view.
    let count = |of_change: Option<usize>, of_row: usize, did: Did| match of_change {
        None => Cell::absent(""),
        Some(count) if judged.is_some() && (count != of_row || f.intervention.view != View::Open) => Cell::count(count),
        Some(_) => counted(of_row, that(did)),
    };
    let why = match (clean, change::is_silent(found)) {
        (true, _) => "this is the clean run",
        (_, true) => "no latents ran",
        _ => "no word is made of it: it is a control, or the pipeline has none",
    };
    let class = if clean { Cell::absent("") } else { Cell::text(f.intervention.class().to_string()) };
    let row = Row { intervention: Some(f.intervention), ..Row::new(f.intervention.to_string()) };
    row.because(Some(why)).cells([
        Cell::intervention(f.intervention).behind(behind.clone()),
        class,
        Cell::count(f.examples),
        Cell::number(f.accuracy),
        Cell::number(judged.and_then(|v| v.strength)),
        Cell::count(judged.map(|v| v.changed_answers)),
        Cell::number(judged.and_then(|v| v.changed_bound)),
        Cell::number(change.map(|c| c.delta)),
        Cell::interval(change.and_then(|c| c.low), change.and_then(|c| c.high)),
        count(change.map(|c| c.lost), f.lost, Did::Lost),
        count(change.map(|c| c.gained), f.gained, Did::Gained),
        if clean { Cell::absent("") } else { counted(f.changed, that(Did::Changed)) },
        counted(f.no_answer, that(Did::Unparsed)),
        // A control has a test and no word.
        Cell::number(match word {
            Some(v) => judged.and(v.clustered_p.or(v.mcnemar_p)),
            None => f.mcnemar_p.filter(|_| change.is_some()),
        }),
        Cell::number(judged.and_then(|v| v.holm_p)),
        Cell::number(judged.and_then(|v| v.equivalence_p)),
        Cell::number(f.margin_delta.filter(|_| change.is_some())),
        word.map_or_else(|| Cell::absent(""), |v| Cell::word(v.verdict).note(v.reason.clone().filter(|_| change.is_none()))),
        Cell::text(described(f.intervention)),
    ])
}

fn categories(snapshot: &Snapshot, run: &Run, found: &Findings) -> Table {
    let delta = Column::points("delta", "change, points");
    let interval = delta.interval("delta_interval", "95 %");
    let columns = vec![
        Column::words("category", "category").priority(0),
        Column::intervention(),
        Column::count("n", "n"),
        Column::percent("accuracy", "accuracy, %"),
        delta,
        interval,
        Column::count("lost", "lost"),
        Column::count("gained", "gained"),
    ];
    let silent = change::is_silent(found);
    let mut table = Table::new("categories", columns);
    for f in found.faithfulness.iter().filter(|f| f.category != ALL) {
        let clean = f.intervention.is_clean();
        let of = |value: Option<f64>| value.filter(|_| !clean && !silent);
        let behind = Behind { category: Some(f.category.clone()), ..behind(snapshot, run, f.intervention) };
        let count = |count: usize, did: Did| if clean { Cell::absent("") } else { counted(count, behind.clone().that(did)) };
        table.push(
            Row { intervention: Some(f.intervention), ..Row::new(&f.category).at(f.intervention) }
                .because(Some(if clean { "this is the clean run" } else { "no latents ran, or too few examples" }))
                .cells([
                    Cell::text(f.category.replace('_', " ")),
                    Cell::intervention(f.intervention),
                    Cell::count(f.examples),
                    Cell::number(f.accuracy),
                    Cell::number(of(f.delta)),
                    Cell::interval(of(f.delta_low), of(f.delta_high)),
                    count(f.lost, Did::Lost),
                    count(f.gained, Did::Gained),
                ]),
        );
    }
    table
}
