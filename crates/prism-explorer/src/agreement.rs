//! How runs agree with the first of them, example by example.

use prism_audit::statistics::mcnemar::mcnemar_exact;
use serde::Serialize;

use super::Explorer;
use super::compare::{Asked, look};
use super::home;
use super::index::{Index, Line};
use super::library::{Run, Snapshot};
use super::reply::Reply;
use prism_report::document::{Cell, Column, Row, Table};

/// How two runs agree over the examples both scored, clean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The first run.
    pub first: String,
    /// The other.
    pub other: String,
    /// Examples scored in both: same id, same gold label.
    pub shared: usize,
    /// Right in both.
    pub both_right: usize,
    /// Right in the first only.
    pub only_first: usize,
    /// Right in the other only.
    pub only_other: usize,
    /// Wrong in both.
    pub both_wrong: usize,
    /// Same letter (or none in both).
    pub same_answer: usize,
    /// Exact McNemar test, two-sided; of these two runs alone, not adjusted.
    pub mcnemar_p: Option<f64>,
}

fn agreement(first: (&Run, &Index), other: (&Run, &Index)) -> Agreement {
    let mut a = Agreement {
        first: first.0.id.clone(),
        other: other.0.id.clone(),
        shared: 0,
        both_right: 0,
        only_first: 0,
        only_other: 0,
        both_wrong: 0,
        same_answer: 0,
        mcnemar_p: None,
    };
    for (x, y) in first.1.lines.iter().filter_map(|l| Some((l, twin(l, other.1)?))) {
        let (Some(x), Some(y)) = (x.clean(), y.clean()) else { continue };
        let (Some(right), Some(also)) = (x.correct, y.correct) else { continue };
        a.shared += 1;
        a.same_answer += usize::from(x.answer == y.answer);
        let count = match (right, also) {
            (true, true) => &mut a.both_right,
            (true, false) => &mut a.only_first,
            (false, true) => &mut a.only_other,
            (false, false) => &mut a.both_wrong,
        };
        *count += 1;
    }
    if a.shared > 0 {
        a.mcnemar_p = Some(mcnemar_exact(a.only_other, a.only_first));
    }
    a
}

/// The same question in another run.
pub fn twin<'a>(line: &Line, index: &'a Index) -> Option<&'a Line> {
    index.of_id(&line.id).filter(|l| l.label == line.label)
}

/// Agreement of every run with the first, in the order of the others.
///
/// # Errors
/// The reply that says which run is not there or not readable.
pub fn agreements(explorer: &Explorer, snapshot: &Snapshot, asked: &Asked) -> Result<Vec<Agreement>, Reply> {
    let runs = look(explorer, snapshot, asked)?;
    let Some(((first, index), others)) = runs.split_first() else { return Ok(Vec::new()) };
    Ok(others.iter().map(|(run, other)| agreement((first, index), (run, other))).collect())
}

/// The same as a table.
pub fn table(snapshot: &Snapshot, agreements: &[Agreement]) -> Table {
    let columns = vec![
        Column::run(),
        Column::count("shared", "shared"),
        Column::count("both_right", "both right"),
        Column::count("only_first", "only the first"),
        Column::count("only_other", "only this one"),
        Column::count("both_wrong", "both wrong"),
        Column::percent("same_answer", "same letter, %"),
        Column::p("p", "*p*"),
    ];
    let mut table = Table::new("agreement", columns);
    for a in agreements {
        let Some(run) = snapshot.run(&a.other) else { continue };
        let same = (a.shared > 0).then(|| a.same_answer as f64 / a.shared as f64);
        table.push(Row::new(&a.other).because(Some("no example is scored in both")).cell(home::name(snapshot, run)).cells([
            Cell::count(a.shared),
            Cell::count(a.both_right),
            Cell::count(a.only_first),
            Cell::count(a.only_other),
            Cell::count(a.both_wrong),
            Cell::number(same),
            Cell::number(a.mcnemar_p),
        ]));
    }
    table
}
