//! What the statistics do on data whose truth is known: how often an interval holds the
//! true value, how often a test cries wolf on a null, how often a verdict errs.
//!
//! Every replicate has a random stream of its own name, so a table is the same for any
//! thread count. `tests/simulate.rs` runs it at a small size, `examples/simulate.rs` at a
//! large one. Where one promise is made of many designs a small simulation gives each a few
//! replicates and judges them together too.

pub mod benchmarks;
pub mod coverage;
pub mod donors;
#[path = "../made/mod.rs"]
pub mod made;
pub mod nulls;
pub mod verdicts;

use prism_audit::statistics::Interval;
use prism_audit::statistics::clopper_pearson::{lower, upper};
use prism_run::random::Stream;
use rayon::prelude::*;

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which statistic.
    pub statistic: &'static str,
    /// The design it was simulated under.
    pub design: String,
    /// What it promises.
    pub promise: Promise,
    /// Replicates in which the event happened (of an interval: the truth inside).
    pub hits: usize,
    /// Replicates.
    pub of: usize,
    /// The designs it adds up, each a line; none where it is one design.
    pub cells: Vec<Line>,
}

/// What is promised of the share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Promise {
    /// The share is this, within two points.
    Near(f64),
    /// The share is not above this.
    AtMost(f64),
    /// The share is not below this.
    AtLeast(f64),
    /// It is asked not to be below this, and known to be: told with its figures.
    AskedAtLeast(f64),
    /// Nothing is asked of it, told with its figures.
    Told,
}

/// A promise is broken by a count beyond this quantile of the counts that a share at its bound gives.
const QUANTILE: f64 = 0.999;

impl Line {
    /// The share.
    pub fn share(&self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// Whether the share lies within its bound, as far as these replicates can tell: outside only where a true share at
    /// the bound gives such a count, or one farther off, in fewer than one of a thousand simulations.
    pub fn is_within(&self) -> bool {
        // At the bound of Clopper and Pearson a count this far off has just that probability.
        let (hits, of) = (self.hits as f64, self.of as f64);
        let low = lower(hits, of, QUANTILE).unwrap_or(0.0);
        let high = upper(hits, of, QUANTILE).unwrap_or(1.0);
        match self.promise {
            Promise::Near(p) => low <= p + 0.02 && high >= p - 0.02,
            Promise::AtMost(p) => low <= p,
            Promise::AtLeast(p) | Promise::AskedAtLeast(p) => high >= p,
            Promise::Told => true,
        }
    }

    /// Whether what is promised is kept. What is only asked is no promise.
    pub fn is_kept(&self) -> bool {
        matches!(self.promise, Promise::AskedAtLeast(_)) || self.is_within()
    }
}

/// Counts the event over `of` replicates, each with its own stream.
pub fn count(
    statistic: &'static str,
    design: impl Into<String>,
    promise: Promise,
    of: usize,
    event: impl Fn(&mut Stream) -> bool + Sync,
) -> Line {
    let [line] = count_all([(statistic, promise)], design, of, |s| [event(s)]);
    line
}

/// Counts several events of the same replicates, each a statistic with its promise: one line each.
pub fn count_all<const N: usize>(
    statistics: [(&'static str, Promise); N],
    design: impl Into<String>,
    of: usize,
    events: impl Fn(&mut Stream) -> [bool; N] + Sync,
) -> [Line; N] {
    let design = design.into();
    let stream = |i: usize| Stream::new(20_260_607, "simulation", &[statistics[0].0, &design, &i.to_string()]);
    let happened: Vec<[bool; N]> = (0..of).into_par_iter().map(|i| events(&mut stream(i))).collect();
    std::array::from_fn(|at| {
        let (statistic, promise) = statistics[at];
        let hits = happened.iter().filter(|events| events[at]).count();
        Line { statistic, design: design.clone(), promise, hits, of, cells: Vec::new() }
    })
}

/// Replicates of each of so many designs of one promise. A large simulation gives each a tenth of its replicates, enough
/// for a line of its own. A small one gives each so many that together they catch three times the share of errors that is
/// promised: 192 where it is 5 %.
pub fn each(replicates: usize, designs: usize, promise: Promise) -> usize {
    if replicates > 1000 {
        return replicates / 10;
    }
    let together = match promise {
        Promise::AtMost(p) => 9.6 / p,
        Promise::AtLeast(p) => 9.6 / (1.0 - p),
        _ => 60.0,
    };
    (together.round() as usize).div_ceil(designs.max(1))
}

/// Adds up the designs of which the same statistic promises the same.
pub fn pooled(cells: Vec<Line>) -> Vec<Line> {
    let mut pools: Vec<Vec<Line>> = Vec::new();
    for cell in cells {
        match pools.iter_mut().find(|pool| pool[0].statistic == cell.statistic && pool[0].promise == cell.promise) {
            Some(pool) => pool.push(cell),
            None => pools.push(vec![cell]),
        }
    }
    pools.into_iter().map(pool).collect()
}

fn pool(mut cells: Vec<Line>) -> Line {
    if cells.len() == 1 {
        return cells.remove(0);
    }
    let (statistic, promise) = (cells[0].statistic, cells[0].promise);
    let mut design = format!("{} designs together", cells.len());
    let least = matches!(promise, Promise::AtLeast(_) | Promise::AskedAtLeast(_));
    let badness = |line: &Line| if least { -line.share() } else { line.share() };
    // Of a few replicates the worst share says nothing.
    let worst = cells.iter().filter(|cell| cell.of >= 100).max_by(|a, b| badness(a).total_cmp(&badness(b)));
    if let Some(worst) = worst {
        design.push_str(&format!("; farthest off {:.1} %, {}", 100.0 * worst.share(), worst.design));
    }
    let (hits, of) = (cells.iter().map(|cell| cell.hits).sum(), cells.iter().map(|cell| cell.of).sum());
    Line { statistic, design, promise, hits, of, cells }
}

/// Whether the interval holds the value; an absent interval does not.
pub fn holds(interval: Option<Interval>, value: f64) -> bool {
    interval.is_some_and(|i| i.low <= value && value <= i.high)
}

/// -1, 0 or 1: lost, neither or gained at these probabilities.
pub fn change(stream: &mut Stream, gained: f64, lost: f64) -> f64 {
    let u = stream.uniform();
    if u < gained {
        1.0
    } else if u < gained + lost {
        -1.0
    } else {
        0.0
    }
}

/// Discordant counts of `n` pairs.
pub fn counts(stream: &mut Stream, n: usize, gained: f64, lost: f64) -> prism_audit::statistics::equivalence::Discordant {
    let changes: Vec<f64> = (0..n).map(|_| change(stream, gained, lost)).collect();
    let of = |what: f64| changes.iter().filter(|c| **c == what).count();
    prism_audit::statistics::equivalence::Discordant { n, gained: of(1.0), lost: of(-1.0) }
}

/// Pairs of items, the second like the first with probability `alike`: a cluster's sum and size.
pub fn clusters(stream: &mut Stream, pairs: usize, alike: f64, gained: f64, lost: f64) -> Vec<(f64, usize)> {
    let pair = |stream: &mut Stream| {
        let first = change(stream, gained, lost);
        let second = if stream.uniform() < alike { first } else { change(stream, gained, lost) };
        (first + second, 2)
    };
    (0..pairs).map(|_| pair(stream)).collect()
}

/// The whole table at this many replicates a line, or one part of it: `statistics`, `verdicts`.
pub fn table(replicates: usize, part: Option<&str>) -> Vec<Line> {
    let mut lines = Vec::new();
    if part != Some("verdicts") {
        lines.extend(coverage::lines(replicates));
        lines.extend(nulls::lines(replicates));
    }
    if part != Some("statistics") {
        lines.extend(verdicts::lines(replicates));
        lines.extend(donors::lines(replicates));
    }
    lines
}
