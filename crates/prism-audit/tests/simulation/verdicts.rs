//! Both errors of the verdict of a run, and its power: every line that the rule is asked to keep, at every size and kind of
//! benchmark. [`super::benchmarks`] makes the answers and has them judged.

use prism_audit::verdict::Judged;
use prism_run::{Effect, Verdict};

use super::Promise::{AskedAtLeast, AtLeast, AtMost, Told};
use super::benchmarks::{Cell, Truth, judged};
use super::{Line, Promise, count, each, pooled};

/// One statistic, over all designs that are asked for.
struct Row {
    statistic: &'static str,
    truth: Truth,
    event: fn(&Judged) -> bool,
    sizes: &'static [usize],
    /// What is promised of a design; nothing of one that is not asked for.
    promise: fn(Cell) -> Option<Promise>,
}

/// The sizes of every error.
const SIZES: &[usize] = &[191, 300, 600];

const ROWS: [Row; 13] = [
    Row { statistic: "load-bearing or misleading: nothing changes", truth: Truth::Nothing, event: loaded, sizes: SIZES, promise: rarely },
    Row {
        statistic: "load-bearing or misleading: a fifth lose their form under one exchange, 3 % turn each way in every run",
        truth: Truth::FormLost,
        event: loaded,
        sizes: SIZES,
        promise: rarely,
    },
    Row {
        statistic: "load-bearing or misleading: every run parses a fifth that the clean run does not, 3 % turn each way",
        truth: Truth::Repaired,
        event: loaded,
        sizes: SIZES,
        promise: rarely,
    },
    Row {
        statistic: "load-bearing or misleading: chance accuracy, a fifth guessed anew",
        truth: Truth::Guesses(0.2),
        event: loaded,
        sizes: SIZES,
        promise: rarely,
    },
    Row {
        statistic: "bypassed: chance accuracy, 1 % guessed anew",
        truth: Truth::Guesses(0.01),
        event: bypassed,
        sizes: SIZES,
        promise: rarely,
    },
    Row {
        statistic: "bypassed: one exchange costs exactly the margin",
        truth: Truth::Loses(0.05),
        event: bypassed,
        sizes: SIZES,
        promise: rarely,
    },
    Row { statistic: "bypassed: 12 % flip both ways", truth: Truth::Flips, event: bypassed, sizes: SIZES, promise: rarely },
    Row {
        statistic: "bypassed: a tenth of the questions loses 20 points",
        truth: Truth::Tenth,
        event: bypassed,
        sizes: SIZES,
        promise: rarely,
    },
    Row {
        statistic: "bypassed: 1 % changed, 300 examples alone, 400 in pairs, or more",
        truth: Truth::Changes,
        event: bypassed,
        sizes: &[300, 400, 600],
        promise: |cell| (worth(cell) >= 200 && (cell.pairs || cell.n != 400)).then_some(AtLeast(0.80)),
    },
    Row {
        statistic: "bypassed: 1 % changed, 300 examples in 150 pairs (400 in 200 pairs meet it)",
        truth: Truth::Changes,
        event: bypassed,
        sizes: &[300],
        promise: |cell| cell.pairs.then_some(AskedAtLeast(0.80)),
    },
    Row {
        statistic: "bypassed: 1 % changed, a tenth of the questions is a category",
        truth: Truth::ChangesTenth,
        event: bypassed,
        sizes: &[300, 600],
        // The bound of 30 examples in 15 pairs is below the category's margin only where none of them changes.
        promise: |cell| Some(if worth(cell) >= 300 { AtLeast(0.80) } else { Told }),
    },
    Row {
        statistic: "load-bearing: one exchange costs twice the margin",
        truth: Truth::Loses(0.10),
        event: |judged| judged.conclusion.word == Verdict::LoadBearing,
        sizes: SIZES,
        promise: |_| Some(AtLeast(0.90)),
    },
    Row {
        statistic: "breaks the form: the choice at -7 points, 2 % lose their form",
        truth: Truth::ChoiceAndForm,
        event: |judged| judged.verdicts.iter().any(|v| v.verdict == Effect::BreaksForm),
        sizes: SIZES,
        promise: |cell| if cell.unparsed <= 0.02 { rarely(cell) } else { None },
    },
];

fn loaded(judged: &Judged) -> bool {
    matches!(judged.conclusion.word, Verdict::LoadBearing | Verdict::Misleading)
}

fn bypassed(judged: &Judged) -> bool {
    judged.conclusion.word == Verdict::Bypassed
}

/// What is asked of every error.
fn rarely(_: Cell) -> Option<Promise> {
    Some(AtMost(0.05))
}

/// Independent examples these count as in the bound on changed answers: as many as there are clusters.
fn worth(cell: Cell) -> usize {
    if cell.pairs { cell.n / 2 } else { cell.n }
}

/// The lines of this part.
pub fn lines(replicates: usize) -> Vec<Line> {
    ROWS.iter().flat_map(|row| of_row(row, replicates)).collect()
}

fn of_row(row: &Row, replicates: usize) -> Vec<Line> {
    let promise = |cell: Cell| Some((cell, (row.promise)(cell)?));
    let asked: Vec<(Cell, Promise)> = Cell::all(row.sizes).into_iter().filter_map(promise).collect();
    let line = |&(cell, promise): &(Cell, Promise)| {
        let designs = asked.iter().filter(|(_, other)| *other == promise).count();
        let of = each(replicates, designs, promise);
        count(row.statistic, cell.words(), promise, of, |s| (row.event)(&judged(s, cell, row.truth)))
    };
    pooled(asked.iter().map(line).collect())
}
