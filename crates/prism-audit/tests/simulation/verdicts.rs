//! Both errors of the verdict of a run, and its power, through the audit's own code: made-up
//! answers are paired and judged. Examples stand alone or in pairs of which the second follows
//! the first half of the time; donors are shared from a pool of 64; a share of the answers cannot
//! be parsed.

use std::path::Path;

use prism_audit::AuditSettings;
use prism_audit::clusters::Clusters;
use prism_audit::pairs::branches;
use prism_audit::responses::donors::donors;
use prism_audit::verdict::{Judged, judge};
use prism_run::random::Stream;
use prism_run::records::{AnswerRow, ExampleRow};
use prism_run::{Effect, Intervention, Verdict};

use super::Promise::{AtLeast, AtMost, Told};
use super::{Line, Promise, count, made};

const LETTERS: [&str; 4] = ["A", "B", "C", "D"];
const DONORS: usize = 64;
/// The declared content set but for partners, which these examples do not have.
const NAMES: [&str; 4] = ["swap:other-answer", "swap-kv:other-answer", "draw", "mean"];

/// What is true of the run.
#[derive(Clone, Copy)]
enum Truth {
    /// No letter changes; whether an answer can be parsed is drawn anew in every run.
    Nothing,
    /// No letter changes; under one exchange a further fifth of the answers cannot be parsed.
    FormLost,
    /// No letter changes; a fifth of the clean answers cannot be parsed that all other runs parse.
    Repaired,
    /// Every answer is a guess, and a fifth of them are guessed anew.
    Chance,
    /// One exchange loses this share of all answers; with the last number 0 every example by itself, else donors
    /// differ in how much they cost (the correlation of two examples with the same donor).
    Loses(f64, f64),
    /// One exchange makes 6 % wrong and 6 % right.
    Flips,
    /// One exchange loses 20 points in a declared category, a tenth of the questions.
    Tenth,
    /// Every intervention changes 1 % of the answers.
    Changes,
    /// That, and a tenth of the questions is a declared category.
    ChangesTenth,
    /// One exchange loses 7 points of choice, and 2 % cannot be parsed any more.
    ChoiceAndForm,
}

/// Size and kind of a benchmark.
#[derive(Clone, Copy)]
struct Cell {
    n: usize,
    pairs: bool,
    unparsed: f64,
}

impl Cell {
    fn words(self) -> String {
        let pairs = if self.pairs { ", in pairs" } else { "" };
        format!("n = {}{pairs}, {:.0} % unparsed", self.n, 100.0 * self.unparsed)
    }
}

/// Uniform numbers of the examples; in pairs the second has the first's half of the time.
fn uniforms(s: &mut Stream, cell: Cell) -> Vec<f64> {
    let mut all: Vec<f64> = Vec::with_capacity(cell.n);
    for row in 0..cell.n {
        let (own, follows) = (s.uniform(), s.uniform() < 0.5);
        all.push(if cell.pairs && row % 2 == 1 && follows { all[row - 1] } else { own });
    }
    all
}

fn gold(row: usize) -> usize {
    row % 4
}

/// Letters of a run under one intervention; 4 is none.
fn under(s: &mut Stream, cell: Cell, truth: Truth, at: usize, letters: &[usize]) -> Vec<usize> {
    let (u, exchange) = (uniforms(s, cell), at == 1);
    let wrong = |row: usize| (gold(row) + 1 + row / 4 % 3) % 4;
    let donor: Vec<usize> = (0..cell.n).map(|_| s.below(DONORS)).collect();
    let potency: Vec<f64> = (0..DONORS).map(|_| s.uniform()).collect();
    let right = letters.iter().enumerate().filter(|(row, l)| **l == gold(*row)).count().max(1) as f64 / cell.n as f64;
    let tenth = cell.n.div_ceil(10);
    (0..cell.n)
        .map(|row| {
            let (is, is_right) = (letters[row], letters[row] == gold(row));
            match truth {
                Truth::Chance if u[row] < 0.2 => s.below(4),
                // Among right answers, so that the loss is one of all answers.
                Truth::Loses(share, 0.0) if exchange && is_right && u[row] < share / right => wrong(row),
                // A donor either costs nothing or, so often that the mean is `share`, `alike` of what it meets.
                Truth::Loses(share, alike) if exchange && is_right && alike > 0.0 => {
                    let strong = share / right / (alike + share / right * (1.0 - alike));
                    let hits = potency[donor[row]] < strong && u[row] < share / right / strong;
                    if hits { wrong(row) } else { is }
                }
                Truth::Flips if exchange && is_right && u[row] < 0.06 / right => wrong(row),
                Truth::Flips if exchange && !is_right && is < 4 && u[row] < 0.06 / 0.15 => gold(row),
                Truth::Tenth if exchange && row < tenth && is_right && u[row] < 0.2 / right => wrong(row),
                Truth::Changes | Truth::ChangesTenth if is < 4 && u[row] < 0.01 / (1.0 - cell.unparsed) => {
                    if is_right {
                        wrong(row)
                    } else {
                        gold(row)
                    }
                }
                Truth::ChoiceAndForm if exchange && is_right && u[row] < 0.07 => wrong(row),
                Truth::ChoiceAndForm if exchange && u[row] > 0.98 => 4,
                _ => is,
            }
        })
        .collect()
}

fn judged(s: &mut Stream, cell: Cell, truth: Truth) -> Judged {
    let tenth = cell.n.div_ceil(10);
    let category = |row: usize| match truth {
        Truth::Tenth | Truth::ChangesTenth if row < tenth => "tenth",
        Truth::Tenth | Truth::ChangesTenth => "rest",
        // Neither knows the gold letter, so that a guess by category gets a quarter.
        _ => ["one", "other"][row / 4 % 2],
    };
    let examples: Vec<ExampleRow> = (0..cell.n)
        .map(|row| ExampleRow {
            category: Some(category(row).into()),
            image: if cell.pairs { format!("{}.png", row / 2) } else { String::new() },
            ..made::example(row, LETTERS[gold(row)])
        })
        .collect();
    let skill = if matches!(truth, Truth::Chance) { 0.25 } else { 0.85 };
    let (known, form) = (uniforms(s, cell), uniforms(s, cell));
    let letters: Vec<usize> =
        (0..cell.n).map(|row| if known[row] < skill { gold(row) } else { (gold(row) + 1 + s.below(3)) % 4 }).collect();
    // Where no letter changes the form is drawn anew in every run; where letters change it stays, and hides none.
    let anew = matches!(truth, Truth::Nothing | Truth::FormLost | Truth::Repaired | Truth::Chance);
    let shape = |letters: &[usize], form: &[f64], share: f64| -> Vec<usize> {
        letters.iter().zip(form).map(|(letter, u)| if *u < share { 4 } else { *letter }).collect()
    };
    let more = |what: bool| cell.unparsed + if what { 0.2 } else { 0.0 };
    let clean = shape(&letters, &form, more(matches!(truth, Truth::Repaired)));
    let mut answers: Vec<AnswerRow> = Vec::new();
    let mut write = |intervention: Intervention, said: &[usize]| {
        answers.extend(
            said.iter().enumerate().map(|(row, letter)| made::answer(row, intervention, LETTERS.get(*letter).copied(), LETTERS[gold(row)])),
        );
    };
    write(Intervention::CLEAN, &clean);
    for (at, name) in NAMES.into_iter().enumerate() {
        let said = match anew {
            true => {
                let form = uniforms(s, cell);
                let letters = under(s, cell, truth, at, &letters);
                shape(&letters, &form, more(matches!(truth, Truth::FormLost) && at == 1))
            }
            false => under(s, cell, truth, at, &clean),
        };
        write(name.parse().unwrap(), &said);
    }
    let branches = branches(Path::new("answers.parquet"), &examples, &answers).unwrap();
    judge(&branches, &examples, &Clusters::of(&examples), &AuditSettings::default())
}

/// The lines of this part. Few replicates take fewer benchmarks.
pub fn lines(replicates: usize) -> Vec<Line> {
    let large = replicates > 1000;
    let of = if large { replicates / 10 } else { 60 };
    let unparsed: &[f64] = if large { &[0.0, 0.02, 0.15, 0.30] } else { &[0.02] };
    let sizes: &[usize] = if large { &[191, 300, 600] } else { &[191, 300] };
    let of_size = |n: usize| [false, true].into_iter().flat_map(move |pairs| unparsed.iter().map(move |u| Cell { n, pairs, unparsed: *u }));
    let cells: Vec<Cell> = sizes.iter().copied().flat_map(of_size).collect();
    let mut lines = Vec::new();
    let mut add = |what: &'static str,
                   truth: Truth,
                   promise: Promise,
                   cells: &mut dyn Iterator<Item = &Cell>,
                   event: &(dyn Fn(&Judged) -> bool + Sync)| {
        lines.extend(cells.map(|cell| count(what, cell.words(), promise, of, |s| event(&judged(s, *cell, truth)))));
    };
    let loaded = |j: &Judged| matches!(j.conclusion.word, Verdict::LoadBearing | Verdict::Misleading);
    let bypassed = |j: &Judged| j.conclusion.word == Verdict::Bypassed;
    let all = || cells.iter();
    add("load-bearing or misleading: nothing changes", Truth::Nothing, AtMost(0.05), &mut all(), &loaded);
    add("load-bearing or misleading: form lost under one exchange", Truth::FormLost, AtMost(0.05), &mut all(), &loaded);
    add("load-bearing or misleading: parsing repaired", Truth::Repaired, AtMost(0.05), &mut all(), &loaded);
    add("load-bearing or misleading: chance accuracy", Truth::Chance, AtMost(0.05), &mut all(), &loaded);
    add("bypassed: chance accuracy", Truth::Chance, AtMost(0.05), &mut all(), &bypassed);
    add("bypassed: one exchange costs the margin", Truth::Loses(0.05, 0.0), AtMost(0.05), &mut all(), &bypassed);
    add(
        "bypassed: one exchange costs the margin, donors differ (correlation 0.1)",
        Truth::Loses(0.05, 0.1),
        DONORS_DIFFER,
        &mut all(),
        &bypassed,
    );
    add("bypassed: 12 % flip both ways", Truth::Flips, AtMost(0.05), &mut all(), &bypassed);
    add("bypassed: a tenth loses 20 points", Truth::Tenth, AtMost(0.05), &mut all(), &bypassed);
    let enough = || cells.iter().filter(|cell| cell.n >= 300);
    // The bound counts clusters: 300 examples in 150 pairs are worth 150, and fall short of the power that 300 have.
    let worth = |cell: &Cell| if cell.pairs { cell.n / 2 } else { cell.n };
    add("bypassed: 1 % changed", Truth::Changes, AtLeast(0.80), &mut enough().filter(|cell| worth(cell) >= 300), &bypassed);
    add("bypassed: 1 % changed", Truth::Changes, Told, &mut enough().filter(|cell| worth(cell) < 300), &bypassed);
    add("bypassed: 1 % changed, a tenth is a category", Truth::ChangesTenth, Told, &mut enough(), &bypassed);
    let used = |j: &Judged| j.conclusion.word == Verdict::LoadBearing;
    add("load-bearing: one exchange costs twice the margin", Truth::Loses(0.10, 0.0), AtLeast(0.90), &mut all(), &used);
    let breaks = |j: &Judged| j.verdicts.iter().any(|v| v.verdict == Effect::BreaksForm);
    let two = cells.iter().filter(|cell| cell.unparsed <= 0.02);
    add("breaks the form: the choice at -7 points, 2 % unparsed", Truth::ChoiceAndForm, AtMost(0.05), &mut { two }, &breaks);
    lines.extend(of_donors((replicates / 2).max(400)));
    lines
}

/// What is promised where donors differ in how much they cost.
const DONORS_DIFFER: Promise = AtMost(0.05);

/// Latents that nothing reads, partners that look alike: clean errors name the partner's letter.
fn of_donors(of: usize) -> Vec<Line> {
    let swap: Intervention = "swap:other-answer".parse().unwrap();
    let found = |s: &mut Stream, n: usize, unparsed: f64, redrawn: f64| {
        let examples: Vec<ExampleRow> = (0..n).map(|row| made::example(row, LETTERS[gold(row)])).collect();
        let pool: Vec<usize> = (0..DONORS).map(|_| s.below(4)).collect();
        let donor: Vec<usize> =
            (0..n).map(|row| *pool.iter().cycle().skip(s.below(DONORS)).find(|l| **l != gold(row)).unwrap_or(&0)).collect();
        let answer = |s: &mut Stream, row: usize| match s.uniform() {
            u if u < 0.7 => gold(row),
            u if u < 0.88 => donor[row],
            _ => s.below(4),
        };
        let clean: Vec<usize> = (0..n).map(|row| answer(s, row)).collect();
        let swapped: Vec<usize> = (0..n).map(|row| if s.uniform() < redrawn { answer(s, row) } else { clean[row] }).collect();
        let rows = |s: &mut Stream, intervention: Intervention, letters: &[usize]| -> Vec<AnswerRow> {
            let one = |(row, letter): (usize, &usize)| {
                let said = (s.uniform() >= unparsed).then(|| LETTERS[*letter]);
                let donor_label = (intervention == swap).then(|| LETTERS[donor[row]].to_string());
                AnswerRow { donor_label, ..made::answer(row, intervention, said, LETTERS[gold(row)]) }
            };
            letters.iter().enumerate().map(one).collect()
        };
        let answers = [rows(s, Intervention::CLEAN, &clean), rows(s, swap, &swapped)].concat();
        let branches = branches(Path::new("answers.parquet"), &examples, &answers).unwrap();
        let settings = AuditSettings { replicates: 100, ..AuditSettings::default() };
        donors(&branches, &examples, &Clusters::of(&examples), &settings).remove(0)
    };
    let mut lines = Vec::new();
    for (n, unparsed) in [(60, 0.0), (191, 0.0), (191, 0.15), (400, 0.3)] {
        let design =
            format!("n = {n}, {:.0} % unparsed in either run, a tenth answered anew, errors name the partner's letter", 100.0 * unparsed);
        lines.push(count("transfer: interval above 0", design.as_str(), AtMost(0.025), of, |s| {
            found(s, n, unparsed, 0.1).transfer_low.is_some_and(|low| low > 0.0)
        }));
        lines.push(count("lift: interval without 0", design.as_str(), AtMost(0.05), of, |s| {
            let f = found(s, n, unparsed, 0.1);
            f.lift_low.is_some_and(|low| low > 0.0) || f.lift_high.is_some_and(|high| high < 0.0)
        }));
    }
    lines
}
