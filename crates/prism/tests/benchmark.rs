//! `prism benchmark check`: what the binary says and how it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-data/tests/fixtures/benchmarks").join(name)
}

fn check(path: &Path, options: &[&str]) -> Output {
    let path = path.display().to_string();
    Command::new(env!("CARGO_BIN_EXE_prism")).args(["benchmark", "check", &path]).args(options).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_whole_benchmark_is_described() {
    let output = check(&fixture("vstar"), &["--decode"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in [
        "V*Bench (description vstar version 1, published as craigwu/vstar_bench)",
        "questions  5",
        "images     5 (a question: 1 in 5)",
        "options    a question: 2 in 2, 4 in 3",
        "labels     A 2, B 2, C 1; majority 40.0 %",
        "boxes      7",
        "relative_position",
        "note: questions: 5 here, 191 in the whole benchmark",
        "nothing is broken",
    ] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    for name in ["mmvp", "blink", "jsonl", "blink/Art_Style", "other/large.parquet"] {
        let output = check(&fixture(name), &[]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stdout(&output));
    }
}

#[test]
fn what_is_broken_is_listed_and_the_exit_code_says_so() {
    let output = check(&fixture("broken/one_choice.parquet"), &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("one_choice.parquet, row 1: there are 1 options; give two options or more"), "{text}");
    assert!(text.contains("1 broken, 1 of 2 rows can be used"), "{text}");

    let output = check(&fixture("broken/same_idx.parquet"), &["--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!((found["layout"].as_str(), found["rows"].as_u64(), found["fault_count"].as_u64()), (Some("blink"), Some(2), Some(1)));
    assert_eq!(found["faults"][0]["place"], "row 1");
    assert_eq!(found["labels"]["B"], 1);

    let nothing = tempfile::tempdir().unwrap();
    fs::write(nothing.path().join("readme.txt"), "x").unwrap();
    let output = check(nothing.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("neither test_questions.jsonl (V*Bench) nor Questions.csv (MMVP)"), "{message}");
}

#[test]
fn the_help_has_examples() {
    let output = Command::new(env!("CARGO_BIN_EXE_prism")).args(["benchmark", "check", "--help"]).output().unwrap();
    let text = stdout(&output);
    assert!(text.contains("prism benchmark check data/MMVP") && text.contains("--decode") && text.contains("--json"), "{text}");
}
