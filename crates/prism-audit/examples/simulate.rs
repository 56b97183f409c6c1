//! Prints the table of simulations: `cargo run --release --workspace --example simulate -- 20000`, or with `statistics` or
//! `verdicts` at the end one part of it. Verdicts take a tenth of the replicates.

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use simulation::Promise;

fn main() {
    let replicates = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(4000);
    println!("| statistic | design | promised | simulated | replicates |\n|---|---|---|---|---|");
    for line in simulation::table(replicates, std::env::args().nth(2).as_deref()) {
        let promised = match line.promise {
            Promise::Near(p) => format!("{:.0} %", 100.0 * p),
            Promise::AtMost(p) => format!("at most {:.0} %", 100.0 * p),
            Promise::AtLeast(p) => format!("at least {:.0} %", 100.0 * p),
            Promise::Told => "none".into(),
        };
        let broken = if line.kept(3.0) { "" } else { " (BROKEN)" };
        println!("| {} | {} | {promised} | {:.1} %{broken} | {} |", line.statistic, line.design, 100.0 * line.share(), line.of);
    }
}
