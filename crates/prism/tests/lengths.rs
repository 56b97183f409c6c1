//! The lengths a checkpoint was trained with, and the K of a run: told, taken as the default,
//! and refused, on copies of the golden checkpoints.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::path::Path;
use std::process::{Command, Output};

use prism_run::records::AnswerRow;
use prism_run::table::read_rows;
use reference::golden;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A copy of a golden checkpoint whose `config.json` says with what lengths it was trained.
fn trained(name: &str, lengths: &Value) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden().join("checkpoints").join(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let path = copy.path().join("config.json");
    let mut config = read(&path);
    config["latent_lengths"] = lengths.clone();
    std::fs::write(path, config.to_string()).unwrap();
    copy
}

fn staged() -> Value {
    json!({
        "context": {"least": 2, "low": 2, "median": 3, "high": 9, "greatest": 12, "blocks": 8000},
        "target": {"least": 1, "low": 1, "median": 2, "high": 4, "greatest": 4, "blocks": 8000},
    })
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

fn prism(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_prism")).args(arguments).args(["--threads", "1"]).output().unwrap()
}

fn audit(checkpoint: &Path, out: &Path, more: &[&str]) -> Output {
    let data = golden().join("examples/data.json");
    let fixed = ["audit", "--limit", "4", "--interventions", "zero", "--max-new-tokens", "48", "--min-pixels", "3136"];
    let inputs = ["--max-pixels", "50176", "--checkpoint", checkpoint.to_str().unwrap(), "--benchmark", data.to_str().unwrap()];
    prism(&[&fixed[..], &inputs, &["--out", out.to_str().unwrap()], more].concat())
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_steps_a_staged_checkpoint_runs_its_medians_stage_by_stage() {
    let (checkpoint, folder) = (trained("plvr2", &staged()), tempfile::tempdir().unwrap());
    let out = folder.path().join("run");
    let output = audit(checkpoint.path(), &out, &[]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("K is the median length of training (context 3, target 2)"), "{}", told(&output));
    let settings = read(&out.join("run.json"))["settings"].clone();
    assert_eq!((&settings["steps"], &settings["steps_by_stage"]), (&json!("trained"), &json!({"context": 3, "target": 2})));
    assert_eq!(settings["trained_lengths"], staged());
    assert!(settings.get("outside_trained_lengths").is_none() && settings.get("exploratory").is_none(), "{settings}");
    let answers: Vec<AnswerRow> = read_rows(&out.join("records/answers.parquet")).unwrap();
    let ran: Vec<(usize, usize)> = answers.iter().map(|row| (row.steps_context, row.steps_target)).collect();
    assert!(ran.iter().all(|(context, target)| context % 3 == 0 && target % 2 == 0), "whole blocks: {ran:?}");
    assert!(ran.iter().any(|(context, target)| *context > 0 && *target > 0), "{ran:?}");

    // Asked for or not, it is the same run.
    let again = audit(checkpoint.path(), &out, &["--steps", "trained"]);
    assert!(again.status.success(), "{}", told(&again));
    assert_eq!(read(&out.join("run.json"))["settings"], settings);
}

#[test]
fn a_run_outside_the_lengths_of_training_says_so_before_it_starts() {
    let (checkpoint, folder) = (trained("plvr2", &staged()), tempfile::tempdir().unwrap());
    let out = folder.path().join("sweep");
    let output = audit(checkpoint.path(), &out, &["--steps", "trained,2,8"]);
    assert!(output.status.success(), "{}", told(&output));
    let sentence = "K = 8 lies outside the lengths of training (context, 16 steps: 2 to 9; target: 1 to 4, 90 % of blocks)";
    let words = told(&output);
    let (warned, ran) = (words.find(sentence), words.find("prefills"));
    assert!(warned.is_some() && warned < ran, "{words}");
    assert!(words.contains("K = 2 lies inside the lengths of training"), "{words}");
    let settings = |k: &str| read(&out.join(k).join("run.json"))["settings"].clone();
    assert_eq!(settings("k8")["outside_trained_lengths"], json!(sentence));
    assert_eq!((&settings("k8")["exploratory"], &settings("k2")["exploratory"]), (&json!(true), &json!(true)));
    assert!(settings("k-trained").get("exploratory").is_none() && settings("k2").get("outside_trained_lengths").is_none());
    assert_eq!((&settings("k8")["steps"], &settings("k8")["steps_by_stage"]), (&json!(8), &json!({"context": 16, "target": 8})));
}

#[test]
fn where_the_lengths_are_unknown_the_protocols_k_is_taken_and_trained_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, out) = (golden().join("checkpoints/lvr"), folder.path().join("run"));
    let refused = audit(&checkpoint, &out, &["--steps", "trained"]);
    assert_eq!(refused.status.code(), Some(3), "{}", told(&refused));
    for words in ["--steps", "does not say how long its target blocks were", "latent_lengths", "--steps 8"] {
        assert!(told(&refused).contains(words), "`{words}` is not in: {}", told(&refused));
    }
    assert!(!out.exists(), "a folder was left in place");
    let output = audit(&checkpoint, &out, &[]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("does not say with what lengths it was trained; it is the protocol's own K"), "{}", told(&output));
    let settings = read(&out.join("run.json"))["settings"].clone();
    assert_eq!((&settings["steps"], &settings["steps_by_stage"]), (&json!(8), &json!({"target": 8})));
    assert!(settings.get("trained_lengths").is_none(), "{settings}");
    // A model without a block has no lengths either.
    let refused = audit(&golden().join("checkpoints/base"), &folder.path().join("base"), &["--steps", "trained"]);
    assert_eq!(refused.status.code(), Some(3), "{}", told(&refused));
    assert!(told(&refused).contains("no known latent tokens"), "{}", told(&refused));
}

#[test]
fn inspect_and_doctor_tell_the_lengths() {
    let known = trained("plvr2", &staged());
    let target = "target 1 to 4 latents (5 % 1, median 2, 95 % 4; 8,000 blocks)";
    for verb in ["inspect", "doctor"] {
        let text = |folder: &Path| String::from_utf8(prism(&[verb, folder.to_str().unwrap()]).stdout).unwrap();
        let found =
            |folder: &Path| -> Value { serde_json::from_slice(&prism(&[verb, "--json", folder.to_str().unwrap()]).stdout).unwrap() };
        let line = text(known.path()).lines().find(|line| line.starts_with("trained")).unwrap_or_default().to_string();
        assert!(line.contains("block lengths: context 2 to 12 latents (") && line.ends_with(target), "{verb}: {line}");
        assert_eq!(found(known.path())["trained_lengths"], staged(), "{verb}");
        let unknown = golden().join("checkpoints/lvr");
        assert!(text(&unknown).contains("block lengths: unknown: the checkpoint does not say"), "{verb}");
        assert!(found(&unknown)["trained_lengths"].is_null(), "{verb}");
    }
}

#[test]
fn lengths_that_cannot_be_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let with = |key: &str, value: Value| {
        let mut lengths = staged();
        lengths["target"][key] = value;
        lengths
    };
    for (lengths, words) in [
        (with("least", json!(3)), "the lengths of the target stage do not rise"),
        (with("greatest", json!(1u64 << 40)), "no block has more"),
        (with("median", json!("many")), "is no table of lengths"),
        (json!([1, 2]), "is no table of lengths"),
        (json!({}), "names no stage"),
    ] {
        let checkpoint = trained("plvr2", &lengths);
        let doctor = prism(&["doctor", checkpoint.path().to_str().unwrap()]);
        let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert_eq!(doctor.status.code(), Some(3), "{text}");
        assert!(text.contains("`latent_lengths`") && text.contains(words), "`{words}` is not in: {text}");
        let out = folder.path().join("run");
        let refused = audit(checkpoint.path(), &out, &["--steps", "8"]);
        assert_eq!(refused.status.code(), Some(3), "{}", told(&refused));
        assert!(told(&refused).contains(words) && !out.exists(), "{}", told(&refused));
    }
}
