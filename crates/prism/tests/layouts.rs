//! Audits and evaluations of published layouts, made small: MMVP with its pairs and BLINK
//! with several images a question, from the files to the printed accuracy.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use prism_record::record::Records;
use prism_run::records;
use prism_run::records::AnswerRow;
use reference::golden;
use serde_json::Value;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A command whose extracted images lie in a folder of the test's own.
fn prism(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    command.env("PRISM_CACHE", folder.join("cache")).current_dir(folder).args(arguments).args(["--threads", "1"]);
    command.output().unwrap()
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_question_is_answered_as_transformers_answers_it() {
    let folder = tempfile::tempdir().unwrap();
    let expected: Value = serde_json::from_slice(&fs::read(here("tests/fixtures/layouts.json")).unwrap()).unwrap();
    let checkpoint = golden().join("checkpoints/base").display().to_string();
    for (name, most_images) in [("mmvp", 1), ("blink", 3)] {
        let benchmark = here("../prism-data/tests/fixtures/benchmarks").join(name).display().to_string();
        let new_tokens = expected["max_new_tokens"].to_string();
        let arguments = ["eval", "--checkpoint", &checkpoint, "--benchmark", &benchmark, "--out", name, "--max-new-tokens", &new_tokens];
        let output = prism(folder.path(), &arguments);
        assert!(output.status.success(), "{}", message(&output));
        let records = Records::<AnswerRow>::read(&records::folder(&folder.path().join(name))).unwrap();
        let questions = expected[name].as_array().unwrap();
        assert_eq!(records.answers.len(), questions.len());
        assert_eq!(questions.iter().filter_map(|q| q["images"].as_u64()).max(), Some(most_images), "{name}");
        for ((example, answer), question) in records.examples.iter().zip(&records.answers).zip(questions) {
            assert_eq!((example.id.as_str(), answer.id.as_str()), (question["id"].as_str().unwrap(), question["id"].as_str().unwrap()));
            assert_eq!(Some(example.prompt_tokens as u64), question["prompt_tokens"].as_u64(), "{}", example.id);
            assert_eq!(serde_json::json!(answer.generated), question["generated"], "{}: {}", example.id, answer.text);
        }
        // A line a category, and what pairs are called where there are some.
        let text = stdout(&output);
        let words: &[&str] =
            if name == "mmvp" { &["pairs, all questions right"] } else { &["Counting", "IQ_Test", "Jigsaw", "all questions"] };
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}

/// MMVP out of a generated world: a position question about a scene, and the same question
/// about its counterfactual partner, where the other answer is right.
fn mmvp(folder: &Path) -> usize {
    let world = "image_side = 112\nobjects = 4\nsize_min = 18\nsize_max = 28\ntrain_images = 2\ntrain_questions = 2\ntest_questions = 24\n";
    fs::write(folder.join("world.toml"), world).unwrap();
    let made = prism(folder, &["world", "--out", "world", "--config", "world.toml"]);
    assert!(made.status.success(), "{}", message(&made));
    let rows = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(folder.join("world").join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let partners = rows("test_counterfactual.jsonl");
    let images = folder.join("data/MMVP Images");
    fs::create_dir_all(&images).unwrap();
    let mut table = String::from("Index,Question,Options,Correct Answer\n");
    let mut index = 0;
    for row in rows("test.jsonl") {
        let options = row["options"].as_array().unwrap();
        if options.len() != 2 {
            continue;
        }
        let partner = partners.iter().find(|other| other["id"] == row["counterfactual"]).unwrap();
        assert_eq!((&partner["question"], &partner["options"]), (&row["question"], &row["options"]));
        for side in [&row, partner] {
            index += 1;
            let image = side["image"].as_str().or_else(|| side["images"][0].as_str()).unwrap();
            fs::copy(folder.join("world").join(image), images.join(format!("{index}.jpg"))).unwrap();
            let (first, second) = (options[0].as_str().unwrap(), options[1].as_str().unwrap());
            let label = side["label"].as_str().unwrap().to_lowercase();
            table += &format!("{index},\"{}\",(a) {first} (b) {second},({label})\n", side["question"].as_str().unwrap());
        }
    }
    fs::write(folder.join("data/Questions.csv"), table).unwrap();
    index
}

#[test]
fn two_checkpoints_of_ones_own_are_compared_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let benchmark = here("../prism-data/tests/fixtures/benchmarks/mmvp").display().to_string();
    let audit = |checkpoint: &str, out: &str, more: &[&str]| {
        let checkpoint = golden().join("checkpoints").join(checkpoint).display().to_string();
        let arguments =
            ["audit", "--checkpoint", &checkpoint, "--benchmark", &benchmark, "--out", out, "--steps", "2", "--max-new-tokens", "16"];
        let output = prism(folder.path(), &[&arguments[..], &["--interventions", "zero"], more].concat());
        assert!(matches!(output.status.code(), Some(0 | 4)), "{}", message(&output));
    };
    audit("lvr", "a", &[]);
    audit("nlvr", "b", &[]);
    audit("lvr", "c", &["--name", "my method"]);
    let output = prism(folder.path(), &["compare", "a", "b", "c"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{}", message(&output));
    for name in ["lvr ", "nlvr ", "my method "] {
        assert!(text.lines().any(|line| line.starts_with(name)), "`{name}` is not in:\n{text}");
    }
    // Called by another name, a run keeps its records.
    let recorded = || fs::metadata(folder.path().join("a/records/answers.parquet")).unwrap().modified().unwrap();
    let first = recorded();
    audit("lvr", "a", &["--name", "mine"]);
    assert_eq!(recorded(), first);
    let manifest: Value = serde_json::from_slice(&fs::read(folder.path().join("a/run.json")).unwrap()).unwrap();
    assert_eq!(manifest["name"], "mine");
}

#[test]
fn a_pair_counts_when_both_of_its_questions_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let questions = mmvp(folder.path());
    assert!(questions >= 12, "{questions}");
    let base = here("../../assets/base-tiny").display().to_string();
    let arguments = ["eval", "--checkpoint", &base, "--benchmark", "data", "--out", "run", "--max-new-tokens", "16"];
    let printed = stdout(&prism(folder.path(), &arguments));
    let output = prism(folder.path(), &[&arguments[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", message(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();

    let records = Records::<AnswerRow>::read(&records::folder(&folder.path().join("run"))).unwrap();
    let mut pairs: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
    for answer in &records.answers {
        let index: usize = answer.id.parse().unwrap();
        pairs.entry(index.div_ceil(2)).or_default().push(answer.correct == Some(true));
    }
    let right = pairs.values().filter(|pair| pair.iter().all(|right| *right)).count();
    let single = records.answers.iter().filter(|answer| answer.correct == Some(true)).count();
    // The shipped base sees sides: not every pair need be right, but some are, and more questions than those of whole pairs or as many.
    assert!(right > 0 && single >= 2 * right, "{right} pairs, {single} questions");
    let finding = &found["pairs"][0];
    assert_eq!((finding["pairs"].as_u64(), finding["correct"].as_u64()), (Some(pairs.len() as u64), Some(right as u64)), "{finding}");
    let share = format!("{:.1}", 100.0 * right as f64 / pairs.len() as f64);
    let line =
        printed.lines().skip_while(|line| !line.contains("pairs, all questions right")).find(|line| line.starts_with("clean")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[..4], ["clean", &pairs.len().to_string(), &right.to_string(), &share], "{printed}");
}

#[test]
fn an_audit_of_several_images_a_question_has_every_branch_and_category() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = golden().join("checkpoints/lvr").display().to_string();
    let benchmark = here("../prism-data/tests/fixtures/benchmarks/blink").display().to_string();
    let arguments = ["audit", "--checkpoint", &checkpoint, "--benchmark", &benchmark, "--out", "run", "--steps", "2"];
    let more = ["--max-new-tokens", "24", "--interventions", "zero,swap,sham", "--report", "--json"];
    let output = prism(folder.path(), &[&arguments[..], &more].concat());
    // Whether the block opens on questions that it never saw is the model's affair; that it is told is ours.
    let records = Records::<AnswerRow>::read(&records::folder(&folder.path().join("run"))).unwrap();
    let opened = records.answers.iter().filter(|a| a.intervention.is_clean() && a.steps_target > 0).count();
    assert_eq!(output.status.code(), Some(if opened > 0 { 0 } else { 4 }), "{}", message(&output));
    assert_eq!((records.examples.len(), records.answers.len()), (10, 40));
    for branch in ["clean", "zero", "swap", "sham"] {
        assert_eq!(records.answers.iter().filter(|answer| answer.intervention.to_string() == branch).count(), 10, "{branch}");
    }
    let generated = |branch: &str| -> Vec<&Vec<i64>> {
        records.answers.iter().filter(|answer| answer.intervention.to_string() == branch).map(|answer| &answer.generated).collect()
    };
    assert_eq!(generated("clean"), generated("sham"));
    let tokens = |id: &str| records.examples.iter().find(|e| e.id == id).unwrap().visual_tokens;
    assert_eq!(tokens("val_Jigsaw_1"), 3 * tokens("val_Counting_1"), "three images of one size");
    assert!(folder.path().join("run/report.html").is_file());
    // A subset is a task.
    let output = prism(folder.path(), &[&arguments[..6], &["jigsaw", "--subset", "Jigsaw", "--max-new-tokens", "8"]].concat());
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", message(&output));
    assert_eq!(Records::<AnswerRow>::read(&records::folder(&folder.path().join("jigsaw"))).unwrap().examples.len(), 2);
}
