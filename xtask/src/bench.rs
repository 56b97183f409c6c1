//! Speed beside PyTorch and scikit-learn in the same run, as ratios: machines are noisy.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::audit_cost;
use crate::steps::{capture, python, step, target};

/// Runs our benches and the PyTorch ones alternately and prints all with their ratio; or what
/// an audit costs, alone.
pub fn run(without_torch: bool, audit_only: bool) -> anyhow::Result<()> {
    step("build", "cargo", &["build", "--release", "--workspace", "--examples"])?;
    if audit_only {
        return audit_cost::run(without_torch);
    }
    let example = |name: &str| target(&format!("release/examples/{name}"));
    let photo = target("bench-preprocess");
    let mut ours: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut theirs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..3 {
        collect(&mut ours, &capture(&example("bench_engine"), &[])?)?;
        collect(&mut ours, &capture(&example("bench_probe"), &[])?)?;
        if !without_torch {
            collect(&mut theirs, &capture(&python(), &["oracle/bench_torch.py"])?)?;
            collect(&mut theirs, &capture(&python(), &["oracle/bench_probe.py"])?)?;
            // Its script makes the photo that both read.
            collect(&mut theirs, &capture(&python(), &["oracle/bench_preprocess.py", &photo])?)?;
            collect(&mut ours, &capture(&example("bench_preprocess"), &[&photo])?)?;
        }
    }
    collect(&mut ours, &capture(&example("bench_probe"), &["all"])?)?;
    println!("{:<34} {:>12} {:>12} {:>8}", "measure (best of 3)", "prism", "Python", "ratio");
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
    audit_cost::run(without_torch)
}

/// Reads lines `{"size": "S", "what": "train", "tokens_per_second": 1e4}`.
fn collect(into: &mut BTreeMap<String, Vec<f64>>, text: &str) -> anyhow::Result<()> {
    for line in text.lines().filter(|l| l.starts_with('{')) {
        let row: Value = serde_json::from_str(line)?;
        let (Some(size), Some(what)) = (row["size"].as_str(), row["what"].as_str()) else { continue };
        let batch = row["batch"].as_u64().map_or(String::new(), |b| format!(" batch {b}"));
        for (key, unit) in [("tokens_per_second", "tokens/s"), ("milliseconds", "ms")] {
            if let Some(value) = row[key].as_f64() {
                into.entry(format!("{size} {what}{batch}, {unit}")).or_default().push(value);
            }
        }
    }
    Ok(())
}
