//! Prints the table of simulations: `cargo run --release --workspace --example simulate -- 20000`, or with `statistics` or
//! `verdicts` after it one part. Each design of a verdict takes a tenth of the replicates; the designs of one promise are
//! added up to a line, and those outside its bound follow it, with `cells` all of them.

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use simulation::{Line, Promise};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |word: &str| words.iter().any(|given| given == word);
    let replicates = words.first().and_then(|n| n.parse().ok()).unwrap_or(4000);
    let part = ["statistics", "verdicts"].into_iter().find(|part| is_given(part));
    println!("| statistic | design | promised | simulated | replicates |\n|---|---|---|---|---|");
    for line in simulation::table(replicates, part) {
        print(&line);
        line.cells.iter().filter(|cell| is_given("cells") || !cell.is_within()).for_each(print);
    }
}

fn print(line: &Line) {
    let promised = match line.promise {
        Promise::Near(p) => format!("{:.0} %", 100.0 * p),
        Promise::AtMost(p) => format!("at most {} %", percent(p)),
        Promise::AtLeast(p) => format!("at least {} %", percent(p)),
        Promise::AskedAtLeast(p) => format!("none; at least {} % is asked", percent(p)),
        Promise::Told => "none".into(),
    };
    let found = match (line.is_kept(), line.is_within()) {
        (false, _) => " (BROKEN)",
        (true, false) => " (not reached)",
        (true, true) => "",
    };
    println!("| {} | {} | {promised} | {:.1} %{found} | {} |", line.statistic, line.design, 100.0 * line.share(), line.of);
}

/// A share in percent, with a digit after the point only where it has one.
fn percent(share: f64) -> f64 {
    (1000.0 * share).round() / 10.0
}
