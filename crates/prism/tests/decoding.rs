//! Protocols, exits and sweeps from the command line, on the golden checkpoints.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reference::golden;
use serde_json::Value;

fn prism(verb: &str, variant: &str, more: &[&str]) -> Output {
    let data = if verb == "trace" { "--examples" } else { "--benchmark" };
    Command::new(env!("CARGO_BIN_EXE_prism"))
        .args([verb, "--min-pixels", "3136", "--max-pixels", "50176", "--threads", "1", "--max-new-tokens", "48", "--checkpoint"])
        .arg(golden().join("checkpoints").join(variant))
        .arg(data)
        .arg(golden().join("examples/data.json"))
        .args(more)
        .output()
        .unwrap()
}

fn audit(out: &Path, more: &[&str]) -> Output {
    let shared = ["--limit", "12", "--interventions", "zero,swap", "--out", out.to_str().unwrap()];
    prism("audit", "lvr", &[&shared[..], more].concat())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// The published pipeline has changes of accuracy and no words: on no surface, in no file.
#[test]
fn a_run_as_the_paper_made_it_has_no_words() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let run = out.to_str().unwrap();
    let made = prism("audit", "lvr", &["--limit", "12", "--compat", "paper", "--json", "--out", run]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let again = |verb: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_prism")).args(verb).arg(run).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for table in ["verdict", "categories", "conclusion"] {
        assert!(!out.join(format!("findings/{table}.parquet")).exists(), "{table}");
    }
    let told: Value = serde_json::from_slice(&made.stdout).unwrap();
    let shown: Value = serde_json::from_str(&again(&["show", "--json"])).unwrap();
    let changes = told["interventions"].as_array().unwrap();
    assert!(changes.len() >= 5 && changes.iter().all(|c| c["delta"].is_number() && c.get("verdict").is_none()), "{told}");
    for object in [&told, &shown] {
        for word in ["word", "presence", "sentence", "content"] {
            assert!(object.get(word).is_none(), "{word}: {object}");
            assert!(object["table1"][0].get(word).is_none_or(Value::is_null), "{word}: {object}");
        }
    }
    let texts = [
        String::from_utf8_lossy(&prism("audit", "lvr", &["--limit", "12", "--compat", "paper", "--out", run]).stdout).into_owned(),
        again(&["show"]),
        again(&["compare"]),
    ];
    for text in texts {
        for word in ["bypassed", "undecided", "load-bearing", "not tested", "unchanged", "loses"] {
            assert!(!text.contains(word), "`{word}` in {text}");
        }
    }
    assert!(again(&["show"]).contains("No verdict: the published pipeline"), "why there is none");
}

#[test]
fn a_sweep_is_a_whole_audit_per_k() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let swept = audit(&at("sweep"), &["--steps", "4,8"]);
    assert!(swept.status.success(), "{}", String::from_utf8_lossy(&swept.stderr));
    let told = String::from_utf8_lossy(&swept.stderr).into_owned();
    assert!(told.contains("12 prefills"));
    let sizes = told.lines().position(|line| line.starts_with("12 examples: too few for `bypassed` (124 would do"));
    assert!(sizes < told.lines().position(|line| line.contains("12 prefills")) && sizes.is_some(), "before the run: {told}");
    let said = String::from_utf8_lossy(&swept.stdout).into_owned();
    let lines = |start: &str| said.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("undecided*; block "), lines("undecided; block ")), (1, 1), "a line a K, a star where K was not declared: {said}");
    for (k, name) in [("4", "k4"), ("8", "k8")] {
        assert!(audit(&at(name), &["--steps", k]).status.success());
        for file in ["answers.parquet", "examples.parquet", "alignment.parquet", "latents.safetensors"] {
            let bytes = |run: PathBuf| std::fs::read(run.join("records").join(file)).unwrap();
            assert!(bytes(at("sweep").join(name)) == bytes(at(name)), "{name} {file}");
        }
        let (mut one, other) = (json(&at("sweep").join(name).join("run.json")), json(&at(name).join("run.json")));
        // The lengths of training are unknown: the protocol's own K, 8, is the one that counts as declared.
        let exploratory = one["settings"].as_object_mut().unwrap().remove("exploratory");
        assert_eq!(exploratory, (k == "4").then_some(Value::Bool(true)), "{name}");
        assert_eq!((&one["settings"], &one["inputs"]), (&other["settings"], &other["inputs"]));
        assert_eq!((one["settings"]["protocol"].as_str(), one["settings"]["exit"]["kind"].as_str()), (Some("lvr"), Some("steps")));
        assert!(one["ended"].is_string());
    }
    let compared = Command::new(env!("CARGO_BIN_EXE_prism")).arg("compare").arg(at("sweep").join("k4")).output().unwrap();
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stderr));
}

#[test]
fn records_of_another_exit_or_protocol_are_not_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let hash = |key: &str| json(&out.join("run.json"))["inputs"][key].clone();
    let answers = || std::fs::metadata(out.join("records/answers.parquet")).unwrap().modified().unwrap();
    assert!(audit(&out, &[]).status.success());
    let (first, protocol) = (answers(), hash("protocol"));
    assert!(audit(&out, &["--protocol", "lvr", "--steps", "8"]).status.success());
    assert_eq!(answers(), first, "named or detected, it is the same");
    let refused = audit(&out, &["--exit", "token", "--cap", "6"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("exit"), "{}", String::from_utf8_lossy(&refused.stderr));
    assert!(audit(&out, &["--exit", "token", "--cap", "6", "--overwrite"]).status.success());
    assert_ne!(answers(), first, "another exit");
    assert_eq!(json(&out.join("run.json"))["settings"]["exit"], serde_json::json!({"kind": "token", "cap": 6}));

    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocols/lvr.toml")).unwrap();
    let own = folder.path().join("own.toml");
    std::fs::write(&own, text.replace("times = 1", "times = 2")).unwrap();
    let second = answers();
    assert!(audit(&out, &["--protocol", own.to_str().unwrap(), "--overwrite"]).status.success());
    assert_ne!((answers(), hash("protocol")), (second, protocol), "another protocol of the same id");
}

#[test]
fn what_does_not_go_with_the_checkpoint_is_refused() {
    for (verb, variant, more, words) in [
        ("trace", "lvr", &["--protocol", "monet"][..], &["<abs_vis_token>", "monet"][..]),
        ("trace", "lvr", &["--protocol", "coconut"], &["coconut", "lvr, p-lvr"]),
        ("trace", "lvr", &["--exit", "latent"], &["lvr_latent_end_emb"]),
        ("trace", "lvr", &["--cap", "4"], &["cap"]),
        ("trace", "lvr", &["--exit", "token", "--exit-threshold", "0.1"], &["distance"]),
        ("trace", "base", &["--exit", "token"], &["--protocol"]),
        ("audit", "lvr", &["--exit", "latent"], &["lvr_latent_end_emb"]),
        ("audit", "lvr", &["--steps", "4,4"], &["--steps", "twice"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let place: &[&str] = if verb == "trace" { &["--rows", "0"] } else { &["--out", out.to_str().unwrap()] };
        let output = prism(verb, variant, &[place, more].concat());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{more:?}: {message}");
        assert!(words.iter().all(|word| message.contains(word)), "{more:?}: {message}");
        assert!(!out.exists(), "{more:?} left a folder");
    }
}

#[test]
fn a_checkpoint_without_a_protocol_is_audited_as_its_clean_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = prism("audit", "base", &["--limit", "6", "--interventions", "zero", "--out", out.to_str().unwrap()]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{message}");
    assert!(message.contains("no latent protocol") && message.contains("--protocol"), "{message}");
    assert!(json(&out.join("run.json"))["settings"]["protocol"].is_null());
}
