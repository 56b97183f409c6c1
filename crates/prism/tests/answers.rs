//! Answers read by rules, over the real binary: a run made by a rule is a run scored by it afterwards, to the byte, and
//! the first reading comes back.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use prism_run::manifest::Manifest;
use prism_run::records::{AnswerRow, ExampleRow};
use prism_run::table::read_rows;
use reference::golden;
use serde_json::Value;

fn prism(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    command.args(arguments).output().unwrap()
}

fn made(verb: &str, out: &Path, more: &[&str]) -> Output {
    let (checkpoint, benchmark) = (golden().join("checkpoints/plvr2"), golden().join("examples/data.json"));
    let fixed = ["--steps", "2", "--max-new-tokens", "24", "--min-pixels", "3136", "--max-pixels", "12544", "--limit", "9"];
    let places =
        [verb, "--checkpoint", checkpoint.to_str().unwrap(), "--benchmark", benchmark.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let output = prism(&[&places[..], &fixed, more].concat());
    assert!(output.status.success(), "{}", message(&output));
    output
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stdout)))
}

/// Every file of records and findings.
fn bytes(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = ["records", "findings"].into_iter().flat_map(|folder| fs::read_dir(run.join(folder)).unwrap());
    files
        .map(|file| file.unwrap().path())
        .map(|path| (path.strip_prefix(run).unwrap().display().to_string(), fs::read(&path).unwrap()))
        .collect()
}

fn same(one: &Path, other: &Path) {
    let (one, other) = (bytes(one), bytes(other));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, content) in &one {
        assert!(other[name] == *content, "{name} differs");
    }
}

const BRANCHES: [&str; 2] = ["--interventions", "zero,swap,clean@image-none"];

#[test]
fn a_run_scored_by_a_rule_is_the_run_made_by_it_and_the_first_reading_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let said = made("audit", &at("a"), &BRANCHES);
    assert!(
        message(&said).contains("answers: read by tagged (the first character behind the last <answer>); protocol p-lvr names none"),
        "{}",
        message(&said)
    );
    assert!(message(&said).contains("floors: read by tagged,letter"), "{}", message(&said));
    made("audit", &at("option-text"), &[&BRANCHES[..], &["--answers", "option-text"]].concat());
    made("audit", &at("release"), &[&BRANCHES[..], &["--answers", "release"]].concat());
    let as_recorded = bytes(&at("a"));
    for rule in ["option-text", "release"] {
        let output = prism(&["rescore", at("a").to_str().unwrap(), "--answers", rule, "--json"]);
        assert!(output.status.success(), "{}", message(&output));
        assert_eq!(json(&output)["answers"], rule);
        same(&at("a"), &at(rule));
        let manifest = Manifest::read(&at("a")).unwrap();
        assert_eq!((manifest.answers().to_string().as_str(), &manifest.outcomes), (rule, &Manifest::read(&at(rule)).unwrap().outcomes));
        let answers: Vec<AnswerRow> = read_rows(&at("a/records/answers.parquet")).unwrap();
        let examples: Vec<ExampleRow> = read_rows(&at("a/records/examples.parquet")).unwrap();
        for example in &examples {
            let clean = answers.iter().find(|a| a.row == example.row && a.intervention.is_clean()).unwrap();
            assert_eq!(clean.outcome, example.outcome);
            assert_eq!(clean.correct, Some(clean.answer.as_deref() == Some(example.label.as_str())));
        }
    }
    assert!(prism(&["rescore", at("a").to_str().unwrap(), "--answers", "tagged"]).status.success());
    assert!(bytes(&at("a")) == as_recorded, "the first reading comes back to the byte");
    // The same command with another rule scores what is there.
    let latents = fs::metadata(at("a/records/latents.safetensors")).unwrap().modified().unwrap();
    made("audit", &at("a"), &[&BRANCHES[..], &["--answers", "release"]].concat());
    same(&at("a"), &at("release"));
    assert_eq!(fs::metadata(at("a/records/latents.safetensors")).unwrap().modified().unwrap(), latents);
}

#[test]
fn shards_are_scored_and_joined_by_one_rule() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    made("eval", &at("whole"), &["--answers", "release"]);
    for shard in ["1/2", "2/2"] {
        made("eval", &at("run"), &["--shard", shard]);
    }
    let first = at("run/shard-1-of-2");
    assert!(prism(&["rescore", first.to_str().unwrap(), "--answers", "release"]).status.success());
    let refused = prism(&["merge", at("run").to_str().unwrap()]);
    assert!(refused.status.code() == Some(3) && message(&refused).contains("answers"), "{}", message(&refused));
    assert!(prism(&["rescore", at("run/shard-2-of-2").to_str().unwrap(), "--answers", "release"]).status.success());
    let merged = prism(&["merge", at("run").to_str().unwrap()]);
    assert!(merged.status.success(), "{}", message(&merged));
    same(&at("run"), &at("whole"));
}

#[test]
fn what_every_rule_reads_is_looked_at_without_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("e");
    made("eval", &run, &[]);
    let before = bytes(&run);
    let looked = prism(&["rescore", run.to_str().unwrap(), "--json"]);
    assert!(looked.status.success(), "{}", message(&looked));
    let told = json(&looked);
    let rules = told["rules"].as_array().unwrap();
    assert_eq!((rules.len(), &rules[0]["answers"], &rules[0]["own"]), (13, &Value::from("tagged"), &Value::from(true)));
    assert!(rules.iter().all(|rule| rule["examples"] == 9 && rule["right"].as_u64() <= rule["read"].as_u64()));
    let text = prism(&["rescore", run.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("tagged (this run's)"));
    assert!(bytes(&run) == before);
    // The counts by part are among the findings, and are said.
    let shown = json(&prism(&["show", run.to_str().unwrap(), "--json"]));
    let readings = shown["readings"].as_array().unwrap();
    assert_eq!(readings.iter().map(|reading| reading["answers"].as_u64().unwrap()).sum::<u64>(), 9);
    assert_eq!((&shown["answers"], &readings[0]["rules"]), (&Value::from("tagged"), &Value::from("tagged")));
    let shown = prism(&["show", run.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("answers, by `tagged`: "), "{}", String::from_utf8_lossy(&shown.stdout));
}

#[test]
fn what_cannot_be_scored_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("e");
    made("eval", &run, &[]);
    let scored = |rule: &str| prism(&["rescore", run.to_str().unwrap(), "--answers", rule]);
    let unknown = scored("tags");
    assert!(unknown.status.code() == Some(2) && message(&unknown).contains("option-text"), "{}", message(&unknown));
    let answers = run.join("records/answers.parquet");
    let whole = fs::read(&answers).unwrap();
    fs::write(&answers, [&whole[..], b" "].concat()).unwrap();
    let changed = scored("letter");
    assert!(
        !changed.status.success() && message(&changed).contains("changed after they were written (answers.parquet)"),
        "{}",
        message(&changed)
    );
    fs::write(&answers, &whole).unwrap();
    assert!(scored("letter").status.success());
    fs::remove_dir_all(run.join("records")).unwrap();
    let absent = scored("boxed");
    assert!(absent.status.code() == Some(3) && message(&absent).contains("not finished"), "{}", message(&absent));
    let none = prism(&["rescore", folder.path().to_str().unwrap()]);
    assert!(!none.status.success() && message(&none).contains("run.json"), "{}", message(&none));
}
