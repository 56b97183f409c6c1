//! What an audit costs, on the study's first variant: 24 branches against the clean run, against
//! one full run per branch in Python, and the memory as examples are added.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use crate::steps::{capture, python, root, target};

/// Besides the clean run: those of `oracle/bench_audit.py`.
const BRANCHES: &str = "zero,noise:0.1,noise:0.3,noise:1,relative:0.5,norm-matched,mean,constant,first,reversed,shuffled,sham,swap,\
swap:same-answer,swap:other-answer,mix:0.25,mix:0.5,zero/step=0,zero/step=7,zero/steps=0-3,zero/steps=4-7,noise:1/step=0,remove";

/// Examples that both sides run.
const SIDE_BY_SIDE: usize = 8;
/// Examples of the cost and of each step of the memory.
const EXAMPLES: [usize; 3] = [100, 400, 1600];
/// Times a cost is measured; the least counts.
const REPEATS: usize = 3;

/// Where records of the bench go, in the target folder.
const OUT: &str = "bench-audit";

/// Prints all of it.
pub fn run(without_torch: bool) -> anyhow::Result<()> {
    let study = root().join("runs/study-tiny");
    let Some(checkpoint) = last_checkpoint(&study.join("seed-42/lvr")) else {
        println!("audit cost: no trained variant in {}; run the study first", study.display());
        return Ok(());
    };
    let benchmark = study.join("world/test.jsonl");
    let examples = EXAMPLES[0];
    let ways: [(&str, &[&str]); 4] = [
        ("eval", &[]),
        ("audit", &["--records-only", "--interventions", "clean"]),
        ("audit", &["--records-only", "--interventions", "zero,noise:0.1,noise:0.3,noise:1,swap"]),
        ("audit", &["--records-only", "--interventions", BRANCHES]),
    ];
    let mut least = [f64::INFINITY; 4];
    // In turn, so that a busy moment of the machine does not fall on one of them alone.
    for _ in 0..REPEATS {
        for ((verb, more), seconds) in ways.iter().zip(&mut least) {
            *seconds = seconds.min(run_prism(verb, &checkpoint, &benchmark, examples, more)?.seconds);
        }
    }
    let [eval, clean, six, all] = least;
    println!(
        "{examples} examples, best of {REPEATS}: audit with the clean run alone {clean:.2} s, six branches {six:.2} s, 24 branches {all:.2} s"
    );
    println!("24 branches cost {:.2} times the clean run (to be at most 5)", all / clean);
    println!("beside an evaluation, {eval:.2} s, which notes no vectors, attention and blind prompt: {:.2} times", all / eval);
    memory(&study, &checkpoint)?;
    if !without_torch {
        beside_python(&checkpoint, &benchmark)?;
    }
    Ok(())
}

/// Seconds and peak memory of a run.
struct Cost {
    seconds: f64,
    /// MiB, where the system tells.
    peak: Option<f64>,
}

fn run_prism(verb: &str, checkpoint: &Path, benchmark: &Path, examples: usize, more: &[&str]) -> anyhow::Result<Cost> {
    let out = target(OUT);
    let _ = std::fs::remove_dir_all(&out);
    let (limit, begun) = (examples.to_string(), Instant::now());
    let output = std::process::Command::new(target("release/prism"))
        .args([verb, "--timing", "--max-new-tokens", "64", "--steps", "8", "--limit", &limit])
        .arg("--checkpoint")
        .arg(checkpoint)
        .arg("--benchmark")
        .arg(benchmark)
        .arg("--out")
        .arg(&out)
        .args(more)
        .output()
        .context("cannot start release/prism")?;
    let seconds = begun.elapsed().as_secs_f64();
    let narration = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "prism {verb} failed: {narration}");
    Ok(Cost { seconds, peak: narration.lines().find_map(peak) })
}

/// The peak that `--timing` tells, in MiB.
fn peak(line: &str) -> Option<f64> {
    let (amount, unit) = line.strip_prefix("peak resident memory of this command: ")?.split_once(' ')?;
    let scale = if unit == "GiB" { 1024.0 } else { 1.0 };
    Some(amount.parse::<f64>().ok()? * scale)
}

/// Peak memory of records as examples are added, on a world of the study's kind.
fn memory(study: &Path, checkpoint: &Path) -> anyhow::Result<()> {
    let world = PathBuf::from(target("bench-world"));
    let most = EXAMPLES.last().copied().unwrap_or_default();
    let config = std::fs::read_to_string(study.join("world/world.toml"))?;
    let keys = [("train_images", 2), ("train_questions", 2), ("test_questions", most)];
    let line = |line: &str| match keys.iter().find(|(key, _)| line.split('=').next().is_some_and(|name| name.trim() == *key)) {
        Some((key, value)) => format!("{key} = {value}\n"),
        None => format!("{line}\n"),
    };
    let recipe = target("bench-world.toml");
    std::fs::write(&recipe, config.lines().map(line).collect::<String>())?;
    let folder = world.to_string_lossy();
    capture(&target("release/prism"), &["world", "--quiet", "--config", &recipe, "--out", &folder])?;
    for examples in EXAMPLES {
        let cost = run_prism("audit", checkpoint, &world.join("test.jsonl"), examples, &["--records-only"])?;
        let peak = cost.peak.map_or("unknown".into(), |peak| format!("{peak:.0} MiB"));
        println!("six branches of {examples} examples: peak memory {peak}, {:.1} ms an example", 1e3 * cost.seconds / examples as f64);
    }
    Ok(())
}

/// The same branches of the same examples, all shared here and one full run each there; one thread
/// on either side.
fn beside_python(checkpoint: &Path, benchmark: &Path) -> anyhow::Result<()> {
    let mut ours = f64::INFINITY;
    for _ in 0..REPEATS {
        let more = ["--records-only", "--interventions", BRANCHES, "--threads", "1"];
        ours = ours.min(run_prism("audit", checkpoint, benchmark, SIDE_BY_SIDE, &more)?.seconds);
    }
    let ours = 1e3 * ours / SIDE_BY_SIDE as f64;
    let records = target(OUT) + "/records";
    let (checkpoint, benchmark) = (checkpoint.to_string_lossy(), benchmark.to_string_lossy());
    let told = capture(&python(), &["oracle/bench_audit.py", &checkpoint, &benchmark, &SIDE_BY_SIDE.to_string(), &records])?;
    for line in told.lines().filter(|line| line.starts_with('{')) {
        let row: Value = serde_json::from_str(line)?;
        if let Some(theirs) = row["milliseconds"].as_f64() {
            println!(
                "24 branches of {SIDE_BY_SIDE} examples, ms an example: prism {ours:.1} (start and files included), {} {theirs:.1}, ratio {:.1} \
                 (to be at least 10)",
                row["engine"].as_str().unwrap_or("Python"),
                theirs / ours
            );
        }
        if let (Some(same), Some(of)) = (row["same"].as_u64(), row["of"].as_u64()) {
            println!("of {of} runs without random numbers both wrote the same in {same}");
        }
    }
    Ok(())
}

fn last_checkpoint(run: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(run).ok()?;
    let step = |p: &PathBuf| p.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse::<usize>().ok();
    entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| step(p).is_some()).max_by_key(|p| step(p))
}
