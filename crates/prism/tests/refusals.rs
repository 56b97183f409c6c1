//! Bad input ends with a message that names what, where and the remedy, with the
//! documented exit code, and leaves no partial folder in place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/base-tiny")
}

fn prism(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_prism")).args(arguments).args(["--threads", "1"]).output().unwrap()
}

/// A folder with a copy of the base, one image and a benchmark of one question.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.path("base")).unwrap();
        for entry in fs::read_dir(base()).expect("assets/base-tiny: the shipped base model") {
            let entry = entry.unwrap();
            fs::copy(entry.path(), bench.path("base").join(entry.file_name())).unwrap();
        }
        let world =
            "image_side = 112\nobjects = 4\nsize_min = 18\nsize_max = 28\ntrain_images = 4\ntrain_questions = 8\ntest_questions = 8\n";
        fs::write(bench.path("world.toml"), world).unwrap();
        let made = prism(&["world", "--out", &bench.text("world"), "--config", &bench.text("world.toml")]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Replaces `from` by `to` in every line of the benchmark.
    fn edit(&self, from: &str, to: &str) {
        let path = self.path("world/test.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        fs::write(&path, text.replace(from, to)).unwrap();
    }

    fn audit(&self) -> Output {
        prism(&[
            "audit",
            "--checkpoint",
            &self.text("base"),
            "--benchmark",
            &self.text("world/test.jsonl"),
            "--out",
            &self.text("run"),
            "--max-new-tokens",
            "24",
        ])
    }

    /// The audit is refused as bad input, its message holds `words`, and nothing is left.
    fn refused(&self, words: &[&str]) {
        let output = self.audit();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{message}");
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
        assert!(!self.path("run").exists(), "a folder was left in place");
        assert!(!self.path("run.tmp").exists(), "a partial folder was left in place");
    }
}

#[test]
fn a_missing_benchmark() {
    let bench = Bench::new();
    fs::remove_file(bench.path("world/test.jsonl")).unwrap();
    bench.refused(&["test.jsonl"]);
}

#[test]
fn a_missing_checkpoint() {
    let bench = Bench::new();
    fs::remove_dir_all(bench.path("base")).unwrap();
    bench.refused(&["base"]);
}

#[test]
fn truncated_weights() {
    let bench = Bench::new();
    let path = bench.path("base/model.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    bench.refused(&["model.safetensors"]);
}

#[test]
fn a_tensor_of_another_shape() {
    let bench = Bench::new();
    let path = bench.path("base/config.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config["intermediate_size"] = 320.into();
    if let Some(text) = config.get_mut("text_config") {
        text["intermediate_size"] = 320.into();
    }
    fs::write(&path, config.to_string()).unwrap();
    bench.refused(&["gate_proj", "config.json"]);
}

#[test]
fn an_unknown_key_of_a_recipe() {
    let bench = Bench::new();
    fs::write(bench.path("world.toml"), "image_sight = 112\n").unwrap();
    let output = prism(&["world", "--out", &bench.text("other"), "--config", &bench.text("world.toml")]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("image_sight") && message.contains("world.toml"), "{message}");
    assert!(!bench.path("other").exists());
}

#[test]
fn an_image_that_is_not_one() {
    let bench = Bench::new();
    for entry in fs::read_dir(bench.path("world/images/test")).unwrap() {
        fs::write(entry.unwrap().path(), b"this is text").unwrap();
    }
    bench.refused(&["images/test"]);
}

#[test]
fn a_box_outside_the_image() {
    let bench = Bench::new();
    bench.edit("\"bboxes\":[[0.", "\"bboxes\":[[7.");
    bench.refused(&["test.jsonl", "box"]);
}

#[test]
fn an_empty_benchmark() {
    let bench = Bench::new();
    fs::write(bench.path("world/test.jsonl"), "").unwrap();
    bench.refused(&["test.jsonl"]);
}

#[test]
fn a_label_that_is_no_option() {
    let bench = Bench::new();
    let path = bench.path("world/test.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let edited: String = text
        .lines()
        .map(|line| {
            let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
            row["label"] = "Q".into();
            format!("{row}\n")
        })
        .collect();
    fs::write(&path, edited).unwrap();
    bench.refused(&["test.jsonl", "label"]);
}

#[test]
fn a_model_that_never_opens_the_block_is_told_loudly() {
    let bench = Bench::new();
    let output = bench.audit();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{message}");
    assert!(message.contains("never opened"), "{message}");
    assert!(bench.path("run/findings/table1.parquet").exists(), "the findings say so too");
    assert!(!bench.path("run.tmp").exists());
}

#[test]
fn a_wrong_flag_is_the_command_lines_fault() {
    let output = prism(&["audit", "--checkpoint"]);
    assert_eq!(output.status.code(), Some(2));
    let output = prism(&["trace", "--checkpoint", "x", "--examples", "y", "--rows", "5-2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("0-31"));
}
