//! Speed beside PyTorch and scikit-learn in the same run, as ratios: machines are noisy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::steps::{capture, python, root, step};

/// Folder of the preprocessing bench, below the root.
const PHOTO: &str = "target/bench-preprocess";

/// Runs our benches and the PyTorch ones alternately and prints all with their ratio.
pub fn run(without_torch: bool) -> anyhow::Result<()> {
    step("build", "cargo", &["build", "--release", "--workspace", "--examples"])?;
    let mut ours: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut theirs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..3 {
        collect(&mut ours, &capture("target/release/examples/bench_engine", &[])?)?;
        collect(&mut ours, &capture("target/release/examples/bench_probe", &[])?)?;
        if !without_torch {
            collect(&mut theirs, &capture(&python(), &["oracle/bench_torch.py"])?)?;
            collect(&mut theirs, &capture(&python(), &["oracle/bench_probe.py"])?)?;
            // Its script makes the photo that both read.
            collect(&mut theirs, &capture(&python(), &["oracle/bench_preprocess.py", PHOTO])?)?;
            collect(&mut ours, &capture("target/release/examples/bench_preprocess", &[PHOTO])?)?;
        }
    }
    collect(&mut ours, &capture("target/release/examples/bench_probe", &["all"])?)?;
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
    audit_cost()
}

/// Wall time of an audit with the paper's six branches over one with the clean run
/// alone, on the study's first variant.
fn audit_cost() -> anyhow::Result<()> {
    let run = root().join("runs/study-tiny/seed-42/lvr");
    let (Some(checkpoint), benchmark) = (last_checkpoint(&run), root().join("runs/study-tiny/world/test.jsonl")) else {
        println!("audit cost: no trained variant in {}; run the study first", run.display());
        return Ok(());
    };
    let seconds = |interventions: &str| -> anyhow::Result<f64> {
        let out = root().join("target/bench-audit");
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            let _ = std::fs::remove_dir_all(&out);
            let (checkpoint, benchmark, out) = (checkpoint.to_string_lossy(), benchmark.to_string_lossy(), out.to_string_lossy());
            let begun = Instant::now();
            let arguments = ["audit", "--quiet", "--checkpoint", &checkpoint, "--benchmark", &benchmark, "--out", &out];
            capture(
                "target/release/prism",
                &[&arguments[..], &["--max-new-tokens", "64", "--records-only", "--interventions", interventions]].concat(),
            )?;
            best = best.min(begun.elapsed().as_secs_f64());
        }
        Ok(best)
    };
    let (clean, six) = (seconds("clean")?, seconds("zero,noise:0.1,noise:0.3,noise:1,swap")?);
    println!("audit: clean alone {clean:.2} s, six branches {six:.2} s, ratio {:.2} (best of 3)", six / clean);
    Ok(())
}

fn last_checkpoint(run: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(run).ok()?;
    let step = |p: &PathBuf| p.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse::<usize>().ok();
    entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| step(p).is_some()).max_by_key(|p| step(p))
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
