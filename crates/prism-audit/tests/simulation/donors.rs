//! Donors' transfer and lift where latents are not read: partners look alike, so clean errors name the partner's letter,
//! and a tenth of the examples is answered anew under the exchange, in the same way.

use std::path::Path;

use prism_audit::AuditSettings;
use prism_audit::clusters::Clusters;
use prism_audit::findings::DonorFinding;
use prism_audit::pairs::branches;
use prism_audit::responses::donors::donors;
use prism_run::Intervention;
use prism_run::random::Stream;
use prism_run::records::AnswerRow;

use super::Promise::AtMost;
use super::benchmarks::{Cell, Donors, LETTERS, answers, examples, gold, uniforms, unparsed};
use super::{Line, count_all, each, pooled};

/// The sizes of the verdict's errors, and one at which hardly an answer changes.
const SIZES: [usize; 4] = [60, 191, 300, 600];
const CORRECT: f64 = 0.7;
/// Of the other answers this share names the donor's letter, the rest any letter.
const NAMES_DONOR: f64 = 0.6;
const ANEW: f64 = 0.1;

fn found(s: &mut Stream, cell: Cell) -> DonorFinding {
    let swap: Intervention = "swap:other-answer".parse().unwrap();
    let pool = Donors::draw(s, cell);
    let answered = |s: &mut Stream| -> Vec<usize> {
        let (known, named) = (uniforms(s, cell), uniforms(s, cell));
        let letter = |row: usize| {
            if known[row] < CORRECT {
                gold(row)
            } else if pool.meets(row, named[row], NAMES_DONOR) {
                pool.letter(row)
            } else {
                s.below(LETTERS.len())
            }
        };
        (0..cell.n).map(letter).collect()
    };
    let (clean, again, moved) = (answered(s), answered(s), uniforms(s, cell));
    let swapped: Vec<usize> = (0..cell.n).map(|row| if moved[row] < ANEW { again[row] } else { clean[row] }).collect();
    // Whether an answer can be parsed has nothing to do with its donor, nor with the other run.
    let form = Cell { alike: 0.0, ..cell };
    let none = Donors::draw(s, form);
    let mut all = answers(Intervention::CLEAN, &unparsed(s, form, &none, cell.unparsed, &clean));
    let under = answers(swap, &unparsed(s, form, &none, cell.unparsed, &swapped));
    let labelled = |answer: AnswerRow| AnswerRow {
        donor: Some(pool.member(answer.row)),
        donor_label: Some(LETTERS[pool.letter(answer.row)].into()),
        ..answer
    };
    all.extend(under.into_iter().map(labelled));
    let examples = examples(cell, |_| "all");
    let branches = branches(Path::new("answers.parquet"), &examples, &all).unwrap();
    let settings = AuditSettings { replicates: 100, ..AuditSettings::default() };
    donors(&branches, &examples, &Clusters::of(&examples), &settings).remove(0)
}

/// The lines of this part.
pub fn lines(replicates: usize) -> Vec<Line> {
    let above = |low: Option<f64>| low.is_some_and(|low| low > 0.0);
    let below = |high: Option<f64>| high.is_some_and(|high| high < 0.0);
    let statistics = [
        ("transfer of donors: interval above 0, latents not read", AtMost(0.025)),
        ("lift of donors: interval without 0, latents not read", AtMost(0.05)),
    ];
    let cells = Cell::all(&SIZES);
    // The rarer of the two asks for more replicates.
    let of = each(replicates, cells.len(), statistics[0].1);
    let of_cell = |cell: &Cell| {
        count_all(statistics, cell.words(), of, |s| {
            let found = found(s, *cell);
            [above(found.transfer_low), above(found.lift_low) || below(found.lift_high)]
        })
    };
    pooled(cells.iter().flat_map(of_cell).collect())
}
