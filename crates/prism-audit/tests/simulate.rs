//! The simulations of `docs/reference/statistics.md` at a small size: no promise is broken beyond the 99.9 % quantile of
//! what chance gives at its bound. `PRISM_SIMULATIONS` sets the replicates a line; above 1,000 every design of a verdict
//! is a line of its own size.

mod simulation;

use simulation::{Line, Promise};

#[test]
fn every_promise_is_kept() {
    let replicates = std::env::var("PRISM_SIMULATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let lines = simulation::table(replicates, None);
    let name = |line: &Line| format!("{}, {}: {:.3} of {}", line.statistic, line.design, line.share(), line.of);
    // The seeds are fixed, so this is no lottery.
    let broken: Vec<String> =
        lines.iter().flat_map(|line| line.cells.iter().chain([line])).filter(|line| !line.is_kept()).map(name).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(lines.len() > 70 && lines.iter().all(|line| line.of >= 48));

    // What is told to fall short does: these designs can tell a bad statistic from a good one.
    let least = |statistic: &str| {
        let found = lines.iter().filter(|l| l.statistic == statistic).map(Line::share);
        found.reduce(f64::min).unwrap_or_else(|| panic!("no line {statistic}"))
    };
    assert!(least("score interval that ignores the pairs") < 0.93, "pairs that agree are half as many witnesses");
    assert!(least("no adjustment: any false finding") > 0.3, "25 tests find something in nothing");
    assert!(least("random effects, normal") < 0.93, "a normal interval over three seeds");
    assert!(least("McNemar that ignores the pairs") > 0.08);
}

/// Designs that are judged together are enough to catch three times the errors that they promise, nine times of ten.
#[test]
fn few_replicates_catch_three_times_the_errors() {
    for promise in [Promise::AtMost(0.05), Promise::AtMost(0.025), Promise::AtLeast(0.80), Promise::AtLeast(0.90)] {
        let of = simulation::each(1000, 1, promise);
        let line = |hits: usize| Line { statistic: "", design: String::new(), promise, hits, of, cells: Vec::new() };
        let truth = match promise {
            Promise::AtMost(p) => 3.0 * p,
            Promise::AtLeast(p) => 1.0 - 3.0 * (1.0 - p),
            _ => unreachable!("what is promised is a bound"),
        };
        // Probability of each count, from that of none on.
        let (mut probability, mut caught) = ((1.0 - truth).powi(of as i32), 0.0);
        for hits in 0..=of {
            caught += if line(hits).is_kept() { 0.0 } else { probability };
            probability *= (of - hits) as f64 / (hits + 1) as f64 * truth / (1.0 - truth);
        }
        assert!(caught > 0.9, "{promise:?} of {of}: {caught}");
    }
}
