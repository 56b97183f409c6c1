//! Whatever a run is killed at, or whichever write fails, the same command goes on and ends with the same bytes.
//!
//! A handful of kills by default; `PRISM_KILLS=100` makes a hundred.
#![cfg(target_os = "linux")]

#[path = "../../../tests/golden.rs"]
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reference::golden;

/// Files by their path below a folder.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What is killed: the command of a kind on a folder, and which shard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audit,
    Shard(usize),
    Merge,
    Study,
}

const SHARDS: usize = 2;

fn prism() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Kind {
    fn command(self, out: &Path) -> Command {
        let mut command = prism();
        match self {
            Kind::Merge => {
                command.args(["merge", "--quiet"]).arg(out);
            }
            Kind::Study => {
                let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/study-tiny.toml");
                command.args(["study", "--quick", "--quiet", "--out"]).arg(out).arg(recipe);
            }
            Kind::Audit | Kind::Shard(_) => {
                command.args(["audit", "--quiet", "--max-new-tokens", "24", "--min-pixels", "3136", "--max-pixels", "12544"]);
                command.args(["--interventions", "zero,swap", "--limit", "40", "--threads", "1"]);
                command.arg("--checkpoint").arg(golden().join("checkpoints/lvr"));
                command.arg("--benchmark").arg(golden().join("examples/data.json")).arg("--out").arg(out);
                if let Kind::Shard(number) = self {
                    command.args(["--shard", &format!("{number}/{SHARDS}")]);
                }
            }
        }
        command
    }
}

/// The commands that make a whole run of this kind.
fn plan(kind: Kind) -> Vec<Kind> {
    match kind {
        Kind::Audit | Kind::Study => vec![kind],
        Kind::Shard(_) | Kind::Merge => (1..=SHARDS).map(Kind::Shard).chain([Kind::Merge]).collect(),
    }
}

fn finish(step: Kind, out: &Path) -> Duration {
    let begun = Instant::now();
    let ended = step.command(out).output().unwrap();
    // 4 where no block opens in so short a training: complete all the same.
    assert!(matches!(ended.status.code(), Some(0 | 4)), "{step:?}: {}", String::from_utf8_lossy(&ended.stderr));
    begun.elapsed()
}

/// Every table and every tensor below a folder, shards apart: what no clock has a part in.
fn bytes(out: &Path) -> Files {
    let mut found = BTreeMap::new();
    let mut folders = vec![out.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!name.ends_with(".tmp") && !name.contains(".lock") && name != "records.parts", "left behind: {}", path.display());
            if path.is_dir() && !name.starts_with("shard-") {
                folders.push(path);
            } else if (name.ends_with(".parquet") && name != "timing.parquet") || name.ends_with(".safetensors") {
                found.insert(path.strip_prefix(out).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// A number that differs from run to run: what does not hold for all of them should show one day.
fn random(most: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    (now ^ (now >> 17)).wrapping_mul(0x9e37_79b9_7f4a_7c15) % most.max(1)
}

fn assert_same(found: &Path, wanted: &Files, what: &str) {
    let found = bytes(found);
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{what}");
    for (name, content) in wanted {
        assert!(found[name] == *content, "{what}: {} differs", name.display());
    }
}

#[test]
fn a_run_killed_at_any_moment_is_finished_by_the_same_command() {
    let kills: usize = std::env::var("PRISM_KILLS").map_or(9, |text| text.parse().unwrap());
    let room = tempfile::tempdir().unwrap();
    // One folder for all: a study's records name the pictures of the world inside it.
    let out = room.path().join("run");
    let kinds = [Kind::Audit, Kind::Merge, Kind::Study];
    let whole: Vec<(Files, Vec<Duration>)> = kinds
        .iter()
        .map(|&kind| {
            let took = plan(kind).into_iter().map(|step| finish(step, &out)).collect();
            let files = bytes(&out);
            fs::remove_dir_all(&out).unwrap();
            (files, took)
        })
        .collect();
    let (mut killed, mut round) = (0, 0);
    while killed < kills {
        let (kind, (wanted, took)) = (kinds[round % kinds.len()], &whole[round % kinds.len()]);
        let mut told = Vec::new();
        for (step, took) in plan(kind).into_iter().zip(took) {
            for _ in 0..2 {
                let moment = Duration::from_micros(random(took.as_micros() as u64));
                let mut child = step.command(&out).stderr(Stdio::null()).spawn().unwrap();
                std::thread::sleep(moment);
                // Where it has ended already there was nothing to kill.
                if child.try_wait().unwrap().is_none() {
                    child.kill().unwrap();
                    killed += 1;
                    told.push((step, moment));
                }
                child.wait().unwrap();
            }
            finish(step, &out);
        }
        assert_same(&out, wanted, &format!("killed at {told:?}"));
        fs::remove_dir_all(&out).unwrap();
        round += 1;
    }
    println!("{killed} kills in {round} runs");
}

#[test]
fn a_disk_that_fails_at_any_write_loses_nothing() {
    let room = tempfile::tempdir().unwrap();
    let shim = room.path().join("fail.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kills/fail.c");
    // A C compiler is needed to build the project too.
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&shim).arg(source).arg("-ldl").status().unwrap();
    assert!(built.success());
    let trials: usize = std::env::var("PRISM_KILLS").map_or(3, |text| text.parse::<usize>().unwrap() / 6);
    for kind in [Kind::Audit, Kind::Merge] {
        let whole = room.path().join(format!("{kind:?}"));
        for step in plan(kind) {
            finish(step, &whole);
        }
        let wanted = bytes(&whole);
        for (call, most) in [("write", 400), ("rename", 24), ("fsync", 24)] {
            let mut failed = 0;
            for trial in 0..trials {
                let out = room.path().join(format!("{kind:?}-{call}-{trial}"));
                let at = if trial == 0 { 0 } else { random(most) };
                for step in plan(kind) {
                    let mut command = step.command(&out);
                    let ended = command.env("LD_PRELOAD", &shim).env("FAIL_CALL", call).env("FAIL_AT", at.to_string()).output().unwrap();
                    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
                    // Either it was done before the disk failed, or the disk is named and not the input.
                    match ended.status.code() {
                        Some(0) => {}
                        Some(1) => {
                            failed += 1;
                            assert!(
                                told.contains("No space left") || told.contains("Input/output error"),
                                "{call} {at} of {step:?}: {told}"
                            );
                        }
                        code => panic!("{call} {at} of {step:?}: {code:?} {told}"),
                    }
                    finish(step, &out);
                }
                assert_same(&out, &wanted, &format!("{call} failing from {at} on"));
            }
            assert!(failed > 0, "no {call} of {kind:?} failed: the test tests nothing");
        }
    }
}
