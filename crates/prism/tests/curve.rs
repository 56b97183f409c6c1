//! `prism curve` over a sweep, and the untrained model that is a floor.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::path::Path;
use std::process::{Command, Output};

use reference::golden;
use serde_json::Value;

fn prism(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    command.args(arguments).output().unwrap()
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_sweep_over_k_is_a_curve() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (checkpoint, benchmark) = (golden().join("checkpoints/lvr"), golden().join("examples/data.json"));
    let audit = |steps: &str, limit: &str, out: &str| {
        let fixed = ["audit", "--max-new-tokens", "24", "--min-pixels", "3136", "--max-pixels", "12544", "--interventions", "zero"];
        let inputs = ["--checkpoint", checkpoint.to_str().unwrap(), "--benchmark", benchmark.to_str().unwrap()];
        prism(&[&fixed[..], &inputs, &["--steps", steps, "--limit", limit, "--out", out]].concat())
    };
    let output = audit("0,2,4", "8", &at("sweep"));
    assert!(output.status.success(), "{}", message(&output));
    let runs = ["sweep/k0", "sweep/k2", "sweep/k4"].map(at);
    let output = prism(&["curve", "--json", &runs[0], &runs[1], &runs[2], "--out", &at("curve")]);
    assert!(output.status.success(), "{}", message(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = found.as_array().unwrap();
    let of = |key: &str| rows.iter().map(|row| row[key].as_f64()).collect::<Vec<_>>();
    assert_eq!(of("steps"), [Some(0.0), Some(2.0), Some(4.0)]);
    assert_eq!(of("opened"), [Some(0.0), Some(1.0), Some(1.0)]);
    assert_eq!((of("delta")[0], of("gained")[0], of("lost")[0]), (None, None, None));
    for (i, accuracy) in of("accuracy").into_iter().enumerate().skip(1) {
        let change = accuracy.unwrap() - of("accuracy")[0].unwrap();
        assert!((of("delta")[i].unwrap() - change).abs() < 1e-12, "{}", rows[i]);
        assert!(of("effective_rank")[i].is_some() && of("end_cosine")[i].is_some() && of("cosine_free")[i].is_some());
    }
    assert!(Path::new(&at("curve/curve.parquet")).is_file());

    // Other questions are another curve.
    let output = audit("2", "5", &at("other"));
    assert!(output.status.success(), "{}", message(&output));
    let output = prism(&["curve", &runs[1], &at("other")]);
    assert!(!output.status.success() && message(&output).contains("`limit`"), "{}", message(&output));
}

#[test]
fn an_untrained_model_is_the_same_twice_and_opens() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/base-tiny.toml");
    for name in ["one", "two"] {
        let output = prism(&["base", "--untrained", "--recipe", recipe.to_str().unwrap(), "--out", at(name).to_str().unwrap()]);
        assert!(output.status.success(), "{}", message(&output));
    }
    let weights = |name: &str| std::fs::read(at(name).join("model.safetensors")).unwrap();
    assert!(weights("one") == weights("two"));
    let output = prism(&["doctor", at("one").to_str().unwrap()]);
    assert!(output.status.success(), "{}", message(&output));
}
