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
        self.audit_with(&[])
    }

    fn audit_with(&self, more: &[&str]) -> Output {
        let (base, benchmark, run) = (self.text("base"), self.text("world/test.jsonl"), self.text("run"));
        let arguments = ["audit", "--checkpoint", &base, "--benchmark", &benchmark, "--out", &run, "--max-new-tokens", "24"];
        prism(&[&arguments[..], more].concat())
    }

    /// With `more` arguments the finished audit is refused, naming the `difference`, and nothing
    /// of it is touched; with --overwrite it is made anew.
    fn kept_unless_overwritten(&self, more: &[&str], difference: &str) {
        let (first, manifest) = (self.recorded(), fs::read(self.path("run/run.json")).unwrap());
        let output = self.audit_with(more);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(message.contains(difference) && message.contains("--overwrite"), "`{difference}` is not in: {message}");
        assert_eq!((self.recorded(), fs::read(self.path("run/run.json")).unwrap()), (first, manifest), "a refused run writes nothing");
        assert_eq!(self.audit_with(&[more, &["--overwrite"]].concat()).status.code(), Some(4));
        assert_ne!(self.recorded(), first, "the records are those asked for");
    }

    /// When the records were written.
    fn recorded(&self) -> std::time::SystemTime {
        fs::metadata(self.path("run/records/answers.parquet")).unwrap().modified().unwrap()
    }

    fn train_with(&self, more: &[&str]) -> Output {
        let (base, data) = (self.text("base"), self.text("world/meta.json"));
        let arguments = ["train", "--variant", "lvr", "--base", &base, "--data", &data];
        prism(&[&arguments[..], more].concat())
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
fn records_are_made_again_only_when_they_would_differ() {
    let bench = Bench::new();
    assert_eq!(bench.audit_with(&["--records-only"]).status.code(), Some(4));
    let first = bench.recorded();
    assert_eq!(bench.audit_with(&["--records-only"]).status.code(), Some(4));
    assert_eq!(bench.audit_with(&["--margin", "3"]).status.code(), Some(4));
    assert!(bench.path("run/findings/table1.parquet").exists());
    assert_eq!(bench.audit_with(&["--margin", "4"]).status.code(), Some(4));
    assert_eq!(bench.recorded(), first, "the analysis alone changed");
    for entry in fs::read_dir(bench.path("world/images/test")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = [fs::read(&path).unwrap(), b"\n".to_vec()].concat();
        fs::write(&path, bytes).unwrap();
    }
    bench.kept_unless_overwritten(&["--margin", "4"], "contents of images");
}

#[test]
fn another_run_does_not_replace_a_finished_one_unless_told_to() {
    let bench = Bench::new();
    assert_eq!(bench.audit().status.code(), Some(4));
    bench.kept_unless_overwritten(&["--dtype", "bf16"], "dtype: \"f32\" there, \"bf16\" asked for");
    let manifest = fs::read_to_string(bench.path("run/run.json")).unwrap();
    assert!(manifest.contains("\"dtype\": \"bf16\""), "{manifest}");
    // The same files in another place are the same run.
    let first = bench.recorded();
    fs::rename(bench.path("base"), bench.path("moved")).unwrap();
    let (moved, benchmark, run) = (bench.text("moved"), bench.text("world/test.jsonl"), bench.text("run"));
    let arguments = ["audit", "--checkpoint", &moved, "--benchmark", &benchmark, "--out", &run, "--max-new-tokens", "24"];
    assert_eq!(prism(&[&arguments[..], &["--dtype", "bf16", "--margin", "2"]].concat()).status.code(), Some(4));
    assert_eq!(bench.recorded(), first);
    fs::rename(bench.path("moved"), bench.path("base")).unwrap();
    bench.kept_unless_overwritten(&["--dtype", "bf16", "--limit", "3"], "limit: null there, 3 asked for");
    // Without its manifest nobody knows whose the records are; they may be replaced if that is asked for.
    let spoils: [fn(&Path); 2] = [|path| fs::remove_file(path).unwrap(), |path| fs::write(path, "{").unwrap()];
    for spoil in spoils {
        spoil(&bench.path("run/run.json"));
        assert_eq!(bench.audit_with(&[]).status.code(), Some(3));
        let output = bench.audit_with(&["--overwrite"]);
        assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // What is no run's by its files is never replaced.
    fs::create_dir_all(bench.path("mine/records")).unwrap();
    fs::write(bench.path("mine/records/taxes.txt"), "mine").unwrap();
    let (base, mine) = (bench.text("base"), bench.text("mine"));
    let arguments = ["audit", "--checkpoint", &base, "--benchmark", &benchmark, "--out", &mine, "--overwrite"];
    assert_eq!(prism(&arguments).status.code(), Some(3));
    assert_eq!(fs::read_to_string(bench.path("mine/records/taxes.txt")).unwrap(), "mine");
}

#[test]
fn a_training_run_starts_from_its_own_config_and_refuses_another_base() {
    let bench = Bench::new();
    let keys = "steps = 1\npacks_per_step = 1\nsamples_per_pack = 1\nmin_pixels = 784\nmax_pixels = 100352\n";
    fs::write(bench.path("train.toml"), keys).unwrap();
    let output = bench.train_with(&["--config", &bench.text("train.toml"), "--out", &bench.text("a")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = prism(&["train", "--config", &bench.text("a/config.toml"), "--out", &bench.text("b")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let weights = |run: &str| fs::read(bench.path(run).join("checkpoint-1/model.safetensors")).unwrap();
    assert!(weights("a") == weights("b"));

    let manifest = fs::read(bench.path("a/run.json")).unwrap();
    let path = bench.path("base/generation_config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n")).unwrap();
    let output = bench.train_with(&["--config", &bench.text("train.toml"), "--out", &bench.text("a")]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("base checkpoint"), "{message}");
    assert_eq!(fs::read(bench.path("a/run.json")).unwrap(), manifest, "a refused run writes nothing");
}

#[test]
fn a_study_refuses_other_contents_under_the_same_names() {
    let bench = Bench::new();
    let study = || {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/study-tiny.toml");
        let text = fs::read_to_string(recipe).unwrap().replace("../assets/base-tiny", "base");
        fs::write(bench.path("study.toml"), text).unwrap();
        // A world folder that is none ends the study right after its guard.
        prism(&["study", "--quick", "--out", &bench.text("study"), &bench.text("study.toml")])
    };
    fs::create_dir_all(bench.path("study/world")).unwrap();
    fs::write(bench.path("study/world/x"), b"x").unwrap();
    let message = |output: Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message(study()).contains("not a world"));
    assert!(message(study()).contains("not a world"), "the same study passes its guard");
    fs::write(bench.path("base/merges.txt"), b"").unwrap();
    let output = study();
    assert_eq!(output.status.code(), Some(3));
    assert!(message(output).contains("base/merges.txt"));
}

#[test]
fn a_wrong_flag_is_the_command_lines_fault() {
    let output = prism(&["audit", "--checkpoint"]);
    assert_eq!(output.status.code(), Some(2));
    let output = prism(&["trace", "--checkpoint", "x", "--examples", "y", "--rows", "5-2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("0-31"));
}
