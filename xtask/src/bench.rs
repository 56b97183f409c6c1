//! Speed beside PyTorch in the same run, as ratios: machines are noisy.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::steps::{capture, python, step};

/// Runs our bench and the PyTorch one alternately and prints both with their ratio.
pub fn run(without_torch: bool) -> anyhow::Result<()> {
    step("build", "cargo", &["build", "--release", "--workspace", "--examples"])?;
    let mut ours: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut theirs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..3 {
        collect(&mut ours, &capture("target/release/examples/bench_engine", &[])?)?;
        if !without_torch {
            collect(&mut theirs, &capture(&python(), &["oracle/bench_torch.py"])?)?;
        }
    }
    println!("{:<34} {:>12} {:>12} {:>8}", "measure (best of 3)", "prism", "PyTorch", "ratio");
    for (name, values) in &ours {
        let higher = name.contains("tokens/s");
        let best = |v: &[f64]| v.iter().copied().reduce(if higher { f64::max } else { f64::min }).unwrap_or(f64::NAN);
        let mine = best(values);
        match theirs.get(name) {
            Some(peer) => {
                let peer = best(peer);
                let ratio = if higher { mine / peer } else { peer / mine };
                println!("{name:<34} {mine:>12.3} {peer:>12.3} {ratio:>8.2}");
            }
            None => println!("{name:<34} {mine:>12.3} {:>12} {:>8}", "-", "-"),
        }
    }
    println!("ratio above 1: prism is faster");
    Ok(())
}

/// Reads lines `{"name": ..., "value": ...}`.
fn collect(into: &mut BTreeMap<String, Vec<f64>>, text: &str) -> anyhow::Result<()> {
    for line in text.lines().filter(|l| l.starts_with('{')) {
        let row: Value = serde_json::from_str(line)?;
        if let (Some(name), Some(value)) = (row["name"].as_str(), row["value"].as_f64()) {
            into.entry(name.to_string()).or_default().push(value);
        }
    }
    Ok(())
}
