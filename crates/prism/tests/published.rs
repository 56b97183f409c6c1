//! `prism trace` on a published method: what its runner did comes out of the command, settings and samples
//! are as they are said to be.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::path::Path;
use std::process::{Command, Output};

use reference::golden;
use serde_json::{Value, json};

/// The examples of a method as a file of bare questions.
fn questions(method: &str, folder: &Path) -> (std::path::PathBuf, Value) {
    let here = golden().join("methods").join(method).canonicalize().unwrap();
    let expected: Value = serde_json::from_slice(&std::fs::read(here.join("expected.json")).unwrap()).unwrap();
    let bare = |example: &Value| {
        let images: Vec<_> = example["images"].as_array().unwrap().iter().map(|i| here.join(i.as_str().unwrap())).collect();
        json!({"id": example["id"], "images": images, "question": example["question"], "label": example["label"]})
    };
    let all: Vec<Value> = expected["examples"].as_array().unwrap().iter().map(bare).collect();
    let path = folder.join("examples.json");
    std::fs::write(&path, Value::Array(all).to_string()).unwrap();
    (path, expected)
}

fn trace(method: &str, examples: &Path, more: &[&str]) -> Output {
    let checkpoint = golden().join("methods").join(method).join("checkpoint");
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    command.args(["trace", "--max-new-tokens", "48", "--threads", "1", "--rows", "0-3"]);
    command.arg("--checkpoint").arg(checkpoint).arg("--examples").arg(examples).args(more).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn runs(found: &[Value], expected: &Value, run: &str) {
    for (found, expected) in found.iter().zip(expected["examples"].as_array().unwrap()) {
        let wanted = &expected["runs"][run];
        assert_eq!((&found["prompt_ids"], &found["generated_ids"]), (&expected["prompt_ids"], &wanted["generated_ids"]), "{run}");
        let blocks = |all: &Value| {
            let all = all.as_array().unwrap();
            all.iter().map(|b| json!([b["first"], b["n"], b["end"]])).collect::<Vec<_>>()
        };
        assert_eq!(blocks(&found["blocks"]), blocks(&wanted["blocks"]), "{run}");
        for (step, wanted) in found["steps"].as_array().unwrap().iter().zip(wanted["steps"].as_array().unwrap()) {
            assert_eq!((&step["read"], &step["token"]), (&wanted["read"], wanted.get("token").unwrap_or(&Value::Null)), "{run}");
        }
    }
}

#[test]
fn the_command_does_what_the_runner_did() {
    for method in ["monet", "mirage"] {
        let folder = tempfile::tempdir().unwrap();
        let (examples, expected) = questions(method, folder.path());
        let greedy = trace(method, &examples, &["--protocol", method, "--generation", "plain", "--json"]);
        runs(&lines(&greedy), &expected, "greedy");
        let penalty = if method == "monet" { "1.01" } else { "1.05" };
        let penalised = trace(method, &examples, &["--protocol", method, "--repetition-penalty", penalty, "--json"]);
        runs(&lines(&penalised), &expected, "greedy_rp");
    }
}

#[test]
fn samples_are_keyed_and_their_accuracy_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (examples, _) = questions("monet", folder.path());
    let sampled = |more: &[&str]| {
        let named = ["--protocol", "monet", "--set", "generation.temperature=1.5", "--set", "generation.top_p=1.0", "--json"];
        lines(&trace("monet", &examples, &[&named[..], more].concat()))
    };
    let (two, again, other) = (sampled(&["--samples", "2"]), sampled(&["--samples", "2"]), sampled(&["--samples", "2", "--seed", "7"]));
    assert_eq!(two, again);
    assert_ne!(two, other);
    let told = two.last().unwrap();
    assert_eq!((two.len(), &told["rows"], &told["samples"]), (9, &json!(4), &json!(2)));
    assert!(told["accuracy"].is_number() && told["low"].is_number() && told["high"].is_number(), "{told}");
    assert_eq!(two.iter().map(|line| line["sample"].clone()).take(3).collect::<Vec<_>>(), [json!(0), json!(1), json!(0)]);
    // One more sample leaves the others as they are.
    let three = sampled(&["--samples", "3"]);
    assert_eq!((&three[0], &three[1], &three[3]), (&two[0], &two[1], &two[2]));
}

#[test]
fn what_is_used_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (examples, _) = questions("monet", folder.path());
    let said = |more: &[&str]| String::from_utf8_lossy(&trace("monet", &examples, more).stderr).into_owned();
    let published = said(&[]);
    for words in ["found by the token <abs_vis_token>", "repetition penalty 1.01", "temperature 0.1, top-k 50, top-p 0.8", "200704"] {
        assert!(published.contains(words), "{words}: {published}");
    }
    assert!(!said(&["--generation", "plain"]).contains("penalty"));
    assert!(said(&["--protocol", "monet", "--force-open"]).contains("opened by force"));
    for (more, words) in [
        (&["--set", "steps=3"][..], "--protocol"),
        (&["--protocol", "monet", "--set", "step=3"], "step"),
        (&["--repetition-penalty", "0"], "above 0"),
        (&["--generation", "mine"], "published"),
        (&["--samples", "0"], "--samples"),
    ] {
        let output = trace("monet", &examples, more);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(words), "{more:?}: {message}");
    }
    // Mirage's tokens are ILVR's too.
    let (examples, _) = questions("mirage", folder.path());
    let asked = String::from_utf8_lossy(&trace("mirage", &examples, &[]).stderr).into_owned();
    assert!(asked.contains("mirage, ilvr") && asked.contains("--protocol NAME"), "{asked}");
}

#[test]
fn a_run_says_how_tokens_were_chosen_and_what_a_penalty_saw() {
    let folder = tempfile::tempdir().unwrap();
    let (examples, _) = questions("monet", folder.path());
    let out = folder.path().join("run");
    let audit = Command::new(env!("CARGO_BIN_EXE_prism"))
        .args(["audit", "--max-new-tokens", "16", "--threads", "1", "--interventions", "zero,sham", "--checkpoint"])
        .arg(golden().join("methods/monet/checkpoint"))
        .arg("--benchmark")
        .arg(&examples)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&audit.stderr).into_owned();
    assert!(message.contains("it sees the clean run's"), "{message}");
    let run: Value = serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    let noted = &run["settings"]["generation"];
    assert_eq!((&noted["source"], &noted["settings"]["repetition_penalty"]), (&json!("published"), &json!(1.01)), "{noted}");
    assert!(noted["block_tokens"].as_str().unwrap().contains("clean run"));
}
