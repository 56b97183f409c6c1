//! `prism paths` over the golden checkpoints: the tables, the same bytes with other threads, and
//! what is refused.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reference::golden;
use serde_json::Value;

fn checkpoint(name: &str) -> PathBuf {
    golden().join("checkpoints").join(name)
}

fn paths(base: &Path, variants: &[&Path], out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    command.args(["paths", "--steps", "4", "--limit", "6", "--min-pixels", "3136", "--max-pixels", "50176"]);
    if !more.contains(&"--max-new-tokens") {
        command.args(["--max-new-tokens", "64"]);
    }
    command.arg("--base").arg(base).arg("--benchmark").arg(golden().join("examples/data.json")).arg("--out").arg(out);
    variants.iter().for_each(|variant| {
        command.arg("--variant").arg(variant);
    });
    command.args(more).output().unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(output: &Output, words: &[&str]) {
    assert_eq!(output.status.code(), Some(3), "{}", error(output));
    words.iter().for_each(|word| assert!(error(output).contains(word), "`{word}` is not in: {}", error(output)));
}

/// A copy of a checkpoint, with one file edited.
fn edited(name: &str, into: &Path, file: &str, edit: impl Fn(&str) -> String) {
    fs::create_dir_all(into).unwrap();
    for entry in fs::read_dir(checkpoint(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), into.join(entry.file_name())).unwrap();
    }
    let path = into.join(file);
    fs::write(&path, edit(&fs::read_to_string(&path).unwrap())).unwrap();
}

#[test]
fn tables_are_written_and_the_same_with_other_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let variants = [checkpoint("lvr"), checkpoint("plvr2")];
    let variants: Vec<&Path> = variants.iter().map(PathBuf::as_path).collect();
    let output = paths(&checkpoint("base"), &variants, &one, &["--json", "--threads", "1"]);
    assert!(output.status.success(), "{}", error(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = found["paths"].as_array().unwrap();
    assert_eq!(cells.len(), 24);
    for check in cells.iter().filter(|cell| !cell["replays_changed"].is_null()) {
        assert_eq!(check["replays_changed"], 0);
    }
    let effects = found["effects"].as_array().unwrap();
    let delta = |at: usize| effects[at]["delta"].as_f64().unwrap();
    assert!((delta(0) - delta(1) - delta(2) - delta(3) - delta(4)).abs() < 1e-12, "the four steps add up to the gain");
    assert!(found["drift"].as_array().unwrap().iter().any(|row| row["module"] == "q" && row["relative"].as_f64().unwrap() > 0.0));
    assert!(found["gradient_cosine"].as_array().unwrap().iter().all(|row| row["reason"].as_str().unwrap().contains("training's folder")));
    // Three checkpoints make three pairs at every place.
    let final_answer = |row: &&Value| row["position"] == "answer_state" && row["layer"].is_null();
    assert_eq!(found["cka"].as_array().unwrap().iter().filter(final_answer).count(), 3);

    let output = paths(&checkpoint("base"), &variants, &two, &["--threads", "2"]);
    assert!(output.status.success(), "{}", error(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("no latents") && text.contains("0 of") && text.contains("answer_state"), "{text}");
    for file in ["paths.parquet", "effects.parquet", "drift.parquet", "gradient_cosine.parquet", "cka.parquet"] {
        let read = |run: &Path| fs::read(run.join("findings").join(file)).unwrap();
        assert!(read(&one) == read(&two), "{file}");
    }

    // Given again it is read, not made; with another limit the folder is another run's.
    let before = fs::metadata(one.join("findings/paths.parquet")).unwrap().modified().unwrap();
    assert!(paths(&checkpoint("base"), &variants, &one, &[]).status.success());
    assert_eq!(fs::metadata(one.join("findings/paths.parquet")).unwrap().modified().unwrap(), before);
    refused(&paths(&checkpoint("base"), &variants, &one, &["--max-new-tokens", "32"]), &["max_new_tokens", "--overwrite"]);
}

#[test]
fn checkpoints_that_cannot_be_crossed_are_refused_and_leave_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let gone = folder.path().join("gone");
    refused(&paths(&gone, &[&checkpoint("lvr")], &out, &[]), &["gone"]);
    refused(&paths(&checkpoint("base"), &[&gone], &out, &[]), &["gone"]);
    // The shipped base has another size and another tokenizer than the golden ones.
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/base-tiny");
    refused(&paths(&shipped, &[&checkpoint("lvr")], &out, &[]), &["hidden_size", "base"]);
    let renamed = folder.path().join("renamed");
    edited("base", &renamed, "tokenizer_config.json", |text| text.replace("<|box_start|>", "<|box_begin|>"));
    refused(&paths(&renamed, &[&checkpoint("lvr")], &out, &[]), &["box_begin", "base"]);
    refused(&paths(&checkpoint("base"), &[&checkpoint("lvr"), &checkpoint("lvr")], &out, &[]), &["lvr"]);
    assert!(!out.exists());
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine.txt"), "mine").unwrap();
    refused(&paths(&checkpoint("base"), &[&checkpoint("lvr")], &out, &[]), &["run.json"]);
    let no_study = Command::new(env!("CARGO_BIN_EXE_prism")).arg("paths").arg(&out).output().unwrap();
    refused(&no_study, &["run.json"]);
}
