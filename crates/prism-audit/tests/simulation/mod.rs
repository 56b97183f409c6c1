//! What the statistics do on data whose truth is known: how often an interval holds the
//! true value, how often a test cries wolf on a null, how often a verdict errs.
//!
//! Every replicate has a random stream of its own name, so a table is the same for any
//! thread count. `tests/simulate.rs` runs it at a small size, `examples/simulate.rs` at a
//! large one.

pub mod coverage;
#[path = "../made/mod.rs"]
pub mod made;
pub mod nulls;
pub mod verdicts;

use prism_audit::statistics::Interval;
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
    /// Known to fall short, told with its figures.
    Told,
}

impl Line {
    /// The share.
    pub fn share(&self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// Standard error of the share, of the promised one where there is one.
    pub fn error(&self) -> f64 {
        let p = match self.promise {
            Promise::Near(p) | Promise::AtMost(p) | Promise::AtLeast(p) => p,
            Promise::Told => self.share(),
        };
        (p * (1.0 - p) / self.of as f64).sqrt()
    }

    /// Whether the promise is kept, up to `errors` standard errors of this simulation.
    pub fn kept(&self, errors: f64) -> bool {
        let slack = errors * self.error();
        match self.promise {
            Promise::Near(p) => (self.share() - p).abs() <= 0.02 + slack,
            Promise::AtMost(p) => self.share() <= p + slack,
            Promise::AtLeast(p) => self.share() >= p - slack,
            Promise::Told => true,
        }
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
    let design = design.into();
    let hit = |i: usize| event(&mut Stream::new(20_260_607, "simulation", &[statistic, &design, &i.to_string()]));
    let hits = (0..of).into_par_iter().filter(|i| hit(*i)).count();
    Line { statistic, design, promise, hits, of }
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
    }
    lines
}
