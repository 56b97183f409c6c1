//! Benchmarks whose truth is known: answers are made up under every decisive intervention, then paired and judged by the
//! audit's own code. Examples stand alone or in pairs, of which the second follows the first half of the time; donors
//! come from a shared pool of 64; a share of the answers cannot be parsed.

use std::path::Path;

use prism_audit::AuditSettings;
use prism_audit::clusters::Clusters;
use prism_audit::pairs::branches;
use prism_audit::verdict::{Judged, judge};
use prism_run::Intervention;
use prism_run::random::Stream;
use prism_run::records::{AnswerRow, ExampleRow};

use super::made;

/// The options.
pub const LETTERS: [&str; 4] = ["A", "B", "C", "D"];
/// In place of a letter: the answer cannot be parsed.
const NONE: usize = LETTERS.len();
/// Examples that donors are drawn from.
const POOL: usize = 64;
/// The declared content set but for partners, which these examples do not have.
const NAMES: [&str; 4] = ["swap:other-answer", "swap-kv:other-answer", "draw", "mean"];
/// So many of them, the first, have donors.
const EXCHANGES: usize = 2;
/// Place of the exchange that does what only one does.
const ONE: usize = 1;

/// What is true of the run.
#[derive(Clone, Copy)]
pub enum Truth {
    /// No letter changes; whether an answer can be parsed is drawn anew in every run.
    Nothing,
    /// So is it here, and under one exchange a further fifth of the answers cannot be parsed. In every run 3 % of the
    /// letters turn wrong and 3 % right.
    FormLost,
    /// The same letters; a fifth of the clean answers cannot be parsed that all other runs parse.
    Repaired,
    /// Every answer is a guess, and this share of them is guessed anew in every run.
    Guesses(f64),
    /// One exchange loses this share of all answers. There are no categories that could show it.
    Loses(f64),
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
pub struct Cell {
    /// Examples.
    pub n: usize,
    /// Whether two share an image each.
    pub pairs: bool,
    /// Share of the answers that cannot be parsed.
    pub unparsed: f64,
    /// Correlation of what an exchange does to two examples with the same donor.
    pub alike: f64,
}

impl Cell {
    /// Every kind at these sizes.
    pub fn all(sizes: &[usize]) -> Vec<Self> {
        let mut cells = Vec::new();
        for &n in sizes {
            for pairs in [false, true] {
                for unparsed in [0.0, 0.02, 0.15, 0.30] {
                    cells.extend([0.0, 0.1].map(|alike| Self { n, pairs, unparsed, alike }));
                }
            }
        }
        cells
    }

    /// In words.
    pub fn words(self) -> String {
        let pairs = if self.pairs { " in pairs" } else { "" };
        let donors = if self.alike > 0.0 { "differ" } else { "alike" };
        format!("n = {}{pairs}, {:.0} % unparsed, donors {donors}", self.n, 100.0 * self.unparsed)
    }

    /// Examples of the category that is a tenth: the first ones.
    fn tenth(self) -> usize {
        self.n.div_ceil(10)
    }
}

/// The donor of every example. Where donors differ, some do nothing, and the others do more.
pub struct Donors {
    members: Vec<usize>,
    letters: Vec<usize>,
    potencies: Vec<f64>,
    alike: f64,
}

impl Donors {
    /// Draws a pool, and from it for every example a donor with another gold letter.
    pub fn draw(s: &mut Stream, cell: Cell) -> Self {
        let pool: Vec<(usize, f64)> = (0..POOL).map(|_| (s.below(LETTERS.len()), s.uniform())).collect();
        let donor = |row: usize| {
            let first = s.below(POOL);
            (first..first + POOL).map(|at| at % POOL).find(|at| pool[*at].0 != gold(row)).unwrap_or(first)
        };
        let members: Vec<usize> = (0..cell.n).map(donor).collect();
        let (letters, potencies) = members.iter().map(|at| pool[*at]).unzip();
        Self { members, letters, potencies, alike: cell.alike }
    }

    /// The place in the pool of the donor of this example.
    pub fn member(&self, row: usize) -> usize {
        self.members[row]
    }

    /// The gold letter of the donor of this example, another than its own.
    pub fn letter(&self, row: usize) -> usize {
        self.letters[row]
    }

    /// Whether an event of probability `p` meets the example, at this uniform number. Some donors never cause it, the others
    /// so much oftener that `p` is the mean: as many of either as make `alike` the correlation of two examples of one donor.
    pub fn meets(&self, row: usize, uniform: f64, p: f64) -> bool {
        let causing = p / (self.alike + p * (1.0 - self.alike));
        self.potencies[row] < causing && uniform < p / causing
    }
}

/// The gold letter.
pub fn gold(row: usize) -> usize {
    row % LETTERS.len()
}

/// Uniform numbers of the examples; in pairs the second has the first's half of the time.
pub fn uniforms(s: &mut Stream, cell: Cell) -> Vec<f64> {
    let mut all: Vec<f64> = Vec::with_capacity(cell.n);
    for row in 0..cell.n {
        let (own, follows) = (s.uniform(), s.uniform() < 0.5);
        all.push(if cell.pairs && row % 2 == 1 && follows { all[row - 1] } else { own });
    }
    all
}

/// The letters of which this share cannot be parsed.
pub fn unparsed(s: &mut Stream, cell: Cell, donors: &Donors, share: f64, letters: &[usize]) -> Vec<usize> {
    let u = uniforms(s, cell);
    letters.iter().enumerate().map(|(row, letter)| if donors.meets(row, u[row], share) { NONE } else { *letter }).collect()
}

/// The examples of such a benchmark.
pub fn examples(cell: Cell, category: impl Fn(usize) -> &'static str) -> Vec<ExampleRow> {
    let example = |row: usize| ExampleRow {
        category: Some(category(row).into()),
        image: if cell.pairs { format!("{}.png", row / 2) } else { String::new() },
        ..made::example(row, LETTERS[gold(row)])
    };
    (0..cell.n).map(example).collect()
}

/// The answers of one run.
pub fn answers(intervention: Intervention, letters: &[usize]) -> Vec<AnswerRow> {
    let answer = |(row, letter): (usize, &usize)| made::answer(row, intervention, LETTERS.get(*letter).copied(), LETTERS[gold(row)]);
    letters.iter().enumerate().map(answer).collect()
}

/// What becomes of these letters under the intervention at this place.
fn under(s: &mut Stream, cell: Cell, donors: &Donors, (truth, at): (Truth, usize), letters: &[usize]) -> Vec<usize> {
    let (u, one) = (uniforms(s, cell), at == ONE);
    let share = |of: &dyn Fn(usize) -> bool| (0..cell.n).filter(|row| of(*row)).count().max(1) as f64 / cell.n as f64;
    let (right, parsed) = (share(&|row| letters[row] == gold(row)), share(&|row| letters[row] < NONE));
    let letter = |row: usize| {
        let (is, is_right) = (letters[row], letters[row] == gold(row));
        let other = if is_right { donors.letter(row) } else { gold(row) };
        // Shares are of all answers, and meet those among which this one is.
        let meets = |share: f64, among: f64| donors.meets(row, u[row], share / among);
        let turns = |each: f64| is < NONE && meets(each, if is_right { right } else { parsed - right });
        match truth {
            Truth::FormLost | Truth::Repaired if turns(0.03) => other,
            Truth::Guesses(share) if is < NONE && meets(share, 1.0) => s.below(LETTERS.len()),
            Truth::Loses(share) if one && is_right && meets(share, right) => other,
            Truth::Flips if one && turns(0.06) => other,
            Truth::Tenth if one && is_right && row < cell.tenth() && meets(0.2, right) => other,
            Truth::Changes | Truth::ChangesTenth if is < NONE && meets(0.01, parsed) => other,
            Truth::ChoiceAndForm if one && is_right && meets(0.07 * parsed, right) => other,
            Truth::ChoiceAndForm if one && u[row] > 0.98 => NONE,
            _ => is,
        }
    };
    (0..cell.n).map(letter).collect()
}

/// A benchmark of this kind and truth, judged.
pub fn judged(s: &mut Stream, cell: Cell, truth: Truth) -> Judged {
    let examples = examples(cell, |row| match truth {
        Truth::Loses(_) => "all",
        Truth::Tenth | Truth::ChangesTenth if row < cell.tenth() => "tenth",
        Truth::Tenth | Truth::ChangesTenth => "rest",
        // Neither knows the gold letter, so that a guess by category gets a quarter.
        _ => ["one", "other"][row / 4 % 2],
    });
    let skill = if matches!(truth, Truth::Guesses(_)) { 0.25 } else { 0.85 };
    let known = uniforms(s, cell);
    let letters: Vec<usize> =
        (0..cell.n).map(|row| if known[row] < skill { gold(row) } else { (gold(row) + 1 + s.below(3)) % LETTERS.len() }).collect();
    // Where the truth is about the form it is drawn anew in every run; else it stays, and hides no change.
    let anew = matches!(truth, Truth::Nothing | Truth::FormLost | Truth::Repaired);
    let more = |what: bool| cell.unparsed + if what { 0.2 } else { 0.0 };
    let none = Donors::draw(s, Cell { alike: 0.0, ..cell });
    let clean = unparsed(s, cell, &none, more(matches!(truth, Truth::Repaired)), &letters);
    let mut all = answers(Intervention::CLEAN, &clean);
    for (at, name) in NAMES.into_iter().enumerate() {
        let exchange = at < EXCHANGES;
        let donors = Donors::draw(s, if exchange { cell } else { Cell { alike: 0.0, ..cell } });
        let said = if anew {
            let letters = under(s, cell, &donors, (truth, at), &letters);
            unparsed(s, cell, &donors, more(matches!(truth, Truth::FormLost) && at == ONE), &letters)
        } else {
            under(s, cell, &donors, (truth, at), &clean)
        };
        let given = |answer: AnswerRow| AnswerRow { donor: exchange.then(|| donors.member(answer.row)), ..answer };
        all.extend(answers(name.parse().unwrap(), &said).into_iter().map(given));
    }
    let branches = branches(Path::new("answers.parquet"), &examples, &all).unwrap();
    judge(&branches, &examples, &Clusters::of(&examples), &AuditSettings::default())
}
