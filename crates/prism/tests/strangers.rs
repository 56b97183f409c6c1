//! What lies in a run folder and is no part of the run: `--overwrite` replaces what a run wrote and nothing else, and no run
//! is put into the parts of another.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use prism_run::lock::{Claim, Lock};
use prism_run::{Cancel, Silent};
use reference::golden;

fn audit(out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    command.args(["audit", "--quiet", "--max-new-tokens", "24", "--min-pixels", "3136", "--max-pixels", "12544", "--threads", "1"]);
    command.args(["--interventions", "zero", "--limit", "2"]).arg("--checkpoint").arg(golden().join("checkpoints/lvr"));
    command.arg("--benchmark").arg(golden().join("examples/data.json")).arg("--out").arg(out);
    command.args(more).output().unwrap()
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// That it was refused in one line, which has these words.
fn refused(output: &Output, words: &[&str]) {
    let told = message(output);
    assert_eq!((output.status.code(), told.lines().count()), (Some(3), 1), "{told}");
    words.iter().for_each(|words| assert!(told.contains(words), "`{words}` is not in: {told}"));
}

#[test]
fn overwrite_replaces_records_without_a_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for part in ["records", "findings"] {
        fs::create_dir_all(run.join(part)).unwrap();
        refused(&audit(&run, &[]), &[part, "no run.json that says whose", "--overwrite to replace it"]);
        let output = audit(&run, &["--overwrite"]);
        assert_eq!(output.status.code(), Some(0), "{part}: {}", message(&output));
        assert!(run.join("records/answers.parquet").exists() && run.join("findings/table1.parquet").exists());
        fs::remove_dir_all(&run).unwrap();
    }
}

#[test]
fn what_is_no_part_of_a_run_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let inner = run.join("records/inner");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("run.json"), "mine").unwrap();
    refused(&audit(&run, &["--overwrite"]), &["inner", "would be lost", "move it away"]);
    fs::rename(&inner, dir.path().join("kept")).unwrap();
    assert_eq!(audit(&run, &["--overwrite"]).status.code(), Some(0));
    // A manifest says that records are a run's, not that a folder in them is.
    fs::rename(dir.path().join("kept"), &inner).unwrap();
    assert_eq!(audit(&run, &[]).status.code(), Some(0), "what is finished is not replaced");
    refused(&audit(&run, &["--overwrite", "--seed", "7"]), &["inner", "would be lost"]);
    assert_eq!(fs::read_to_string(inner.join("run.json")).unwrap(), "mine");
}

#[test]
fn no_run_is_put_into_a_part_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let parts = ["records", "records/inner", "records.parts/inner", "findings/a/b"];
    let into_all = || parts.iter().for_each(|part| refused(&audit(&run.join(part), &[]), &[&part[..7], "the run in", "outside that run"]));
    // One that has just begun has its lock, and nothing else.
    let (command, since) = ("prism audit --out run", "2026-01-02T03:04:05Z");
    let claim = Claim { command, since, progress: &Silent, cancel: &Cancel::default(), alarm: |_| {} };
    let lock = Lock::take(&run, &claim).unwrap();
    into_all();
    assert_eq!(fs::read_dir(&run).unwrap().count(), 1, "what was refused left something");
    drop(lock);
    assert_eq!(audit(&run, &[]).status.code(), Some(0));
    let before = fs::read_dir(&run).unwrap().count();
    into_all();
    assert_eq!(fs::read_dir(&run).unwrap().count(), before);
    assert_eq!(audit(&run, &["--overwrite"]).status.code(), Some(0), "the run can be used as before");
}
