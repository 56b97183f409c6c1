//! `prism eval`, shards and `prism merge`: the shards together are the run, byte for
//! byte, and the evaluation is what the reference decoded.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reference::golden;
use serde_json::Value;

fn prism(verb: &str, variant: &str, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    command.arg(verb).arg("--checkpoint").arg(golden().join("checkpoints").join(variant));
    command.arg("--benchmark").arg(golden().join("examples/data.json")).arg("--out").arg(out);
    command.args(["--min-pixels", "3136"]).args(more);
    command
}

fn merge(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_prism")).arg("merge").args(arguments).output().unwrap()
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file of the records and findings, but for what names the plan.
fn bytes(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = ["records", "findings"].into_iter().flat_map(|folder| fs::read_dir(run.join(folder)).unwrap());
    files.map(|file| file.unwrap().path()).map(|path| (path.strip_prefix(run).unwrap().to_path_buf(), fs::read(&path).unwrap())).collect()
}

const SMALL: [&str; 8] =
    ["--steps", "2", "--max-new-tokens", "24", "--max-pixels", "12544", "--interventions", "zero,noise:0.3,swap,swap:3,sham"];

#[test]
fn the_shards_together_are_the_unsharded_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let small = [&SMALL[..], &["--limit", "11"]].concat();
    let whole = prism("audit", "plvr2", &at("whole"), &small).output().unwrap();
    assert!(whole.status.success(), "{}", message(&whole));
    for number in ["1", "2"] {
        let shard = format!("{number}/3");
        let output = prism("audit", "plvr2", &at("run"), &[&small[..], &["--shard", &shard]].concat()).output().unwrap();
        assert!(output.status.success(), "{}", message(&output));
        assert!(!at("run").join(format!("shard-{number}-of-3/findings")).exists());
    }
    let output = merge(&[&at("run")]);
    assert_eq!(output.status.code(), Some(3));
    assert!(message(&output).contains("shards 3/3 of this run are missing"), "{}", message(&output));

    // The third as Slurm would run it, numbered from 5 in steps of 2.
    let slurm = [("ID", "9"), ("COUNT", "3"), ("MIN", "5"), ("STEP", "2")];
    let slurm = slurm.map(|(name, value)| (format!("SLURM_ARRAY_TASK_{name}"), value));
    let output = prism("audit", "plvr2", &at("run"), &[&small[..], &["--timing"]].concat()).envs(slurm).output().unwrap();
    assert!(output.status.success() && message(&output).contains("shard 3/3, from SLURM_ARRAY_TASK_ID"), "{}", message(&output));
    assert!(at("run/shard-3-of-3/timing.parquet").is_file() && !at("run/shard-1-of-3/timing.parquet").exists());

    let merged = merge(&[&at("run"), Path::new("--report")]);
    assert!(merged.status.success(), "{}", message(&merged));
    // What is printed differs only in where it lies.
    let found = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let end = ["\npage    ", "\ntables  "].iter().filter_map(|place| text.find(place)).min().unwrap();
        text[..end].to_string()
    };
    assert_eq!(found(&merged), found(&whole));
    let page = format!("\npage    {}\n", at("run/report.html").display());
    assert!(String::from_utf8_lossy(&merged.stdout).contains(&page));
    assert!(at("run/report.html").is_file());
    let (wanted, found) = (bytes(&at("whole")), bytes(&at("run")));
    assert_eq!(wanted.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    for (name, content) in &wanted {
        assert!(found[name] == *content, "{} differs", name.display());
    }

    // The joined folder is that run: the same command without shards finds it finished.
    let made = fs::metadata(at("run/records/answers.parquet")).unwrap().modified().unwrap();
    assert!(prism("audit", "plvr2", &at("run"), &small).output().unwrap().status.success());
    assert_eq!(fs::metadata(at("run/records/answers.parquet")).unwrap().modified().unwrap(), made);

    // A shard makes no page, and says so before it runs.
    let output = prism("audit", "plvr2", &at("page"), &[&small[..], &["--shard", "1/3", "--report"]].concat()).output().unwrap();
    assert!(output.status.code() == Some(3) && message(&output).contains("prism merge") && !at("page").exists(), "{}", message(&output));

    // Shards of another run, the same one twice, and folders that are none are refused.
    let other = [&SMALL[..], &["--limit", "11", "--seed", "7", "--shard", "3/3"]].concat();
    assert!(prism("audit", "plvr2", &at("other"), &other).output().unwrap().status.success());
    let shard = |number: usize| at("run").join(format!("shard-{number}-of-3"));
    for (arguments, words) in [
        (vec![at("new"), shard(1), shard(2), at("other/shard-3-of-3")], "is of another run"),
        (vec![at("new"), shard(1), shard(2), shard(3), shard(2)], "are the same shard"),
        (vec![at("new"), at("whole")], "is no shard"),
        (vec![at("whole")], "holds no shard"),
    ] {
        let output = merge(&arguments.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(3), "{}", message(&output));
        assert!(message(&output).contains(words), "`{words}` is not in: {}", message(&output));
        assert!(!at("new").exists());
    }
}

#[test]
fn an_evaluation_is_what_the_reference_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--steps", "4", "--max-new-tokens", "48", "--max-pixels", "50176", "--limit", "32", "--json", "--timing"];
    let output = prism("eval", "lvr", &folder.path().join("run"), &options).output().unwrap();
    assert!(output.status.success(), "{}", message(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = fs::read(golden().join("expected/decode_lvr_k4.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let rows = expected["rows"].as_array().unwrap();
    let data: Value = serde_json::from_slice(&fs::read(golden().join("examples/data.json")).unwrap()).unwrap();
    let right = rows.iter().zip(data.as_array().unwrap()).filter(|(row, example)| row["predicted_letter"] == example["label"]).count();
    let clean = &found["faithfulness"][0];
    assert_eq!((clean["category"].as_str(), clean["examples"].as_u64()), (Some("all"), Some(32)));
    assert_eq!(clean["correct"].as_u64(), Some(right as u64), "{clean}");
    assert!(found["probe"].as_array().unwrap().is_empty() && found["alignment"].as_array().unwrap().is_empty());
    assert!(found["faithfulness"].as_array().unwrap().iter().all(|f| f["intervention"] == "clean"));
    for words in ["vision", "prefill", "decode", "32 examples", "peak resident memory"] {
        assert!(message(&output).contains(words), "`{words}` is not in: {}", message(&output));
    }

    // It is the audit's clean run.
    let audit = [&options[..9], &["--interventions", "zero"]].concat();
    let output = prism("audit", "lvr", &folder.path().join("audit"), &audit).output().unwrap();
    let audited: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(audited["faithfulness"][0], *clean);
    assert!(!audited["probe"].as_array().unwrap().is_empty());
}

#[test]
fn a_subset_is_a_category_and_its_first_examples() {
    let folder = tempfile::tempdir().unwrap();
    let world = "image_side = 112\nobjects = 4\nsize_min = 18\nsize_max = 28\ntrain_images = 2\ntrain_questions = 2\ntest_questions = 12\n";
    fs::write(folder.path().join("world.toml"), world).unwrap();
    let run = |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_prism")).current_dir(folder.path()).args(arguments).output().unwrap();
    assert!(run(&["world", "--out", "world", "--config", "world.toml"]).status.success());
    let questions = fs::read_to_string(folder.path().join("world/test.jsonl")).unwrap();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for line in questions.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        *count.entry(row["category"].as_str().unwrap().into()).or_default() += 1;
    }
    let (category, n) = count.iter().next().unwrap();
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/base-tiny").display().to_string();
    let eval = |out: &str, more: &[&str]| {
        let arguments = ["eval", "--checkpoint", &base, "--benchmark", "world/test.jsonl", "--max-new-tokens", "8", "--out", out, "--json"];
        run(&[&arguments[..], more].concat())
    };
    let examples = |output: &Output| -> u64 {
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        found["faithfulness"][0]["examples"].as_u64().unwrap()
    };
    // A base model has no latents; it has an accuracy all the same.
    let output = eval("a", &["--subset", category]);
    assert_eq!((output.status.code(), examples(&output)), (Some(0), *n as u64), "{}", message(&output));
    assert_eq!(examples(&eval("b", &["--subset", category, "--limit", "2"])), 2);
    let output = eval("c", &["--subset", "nonsense"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(message(&output).contains("no such category") && message(&output).contains(category), "{}", message(&output));
    assert!(!folder.path().join("c").exists());
    let output = eval("d", &["--limit", "2", "--shard", "3/3"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(message(&output).contains("at most as many shards as examples") && !folder.path().join("d").exists());
    assert_eq!(eval("e", &["--shard", "4/3"]).status.code(), Some(2));
}
