//! The probe against scikit-learn and the release's probe script: golden folds,
//! accuracies and cross-entropies; iterations and tight fits from `oracle/probe.py`.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::path::PathBuf;

use prism_audit::AuditSettings;
use prism_audit::probe::paper::probe;
use prism_audit::probe::{Matrix, stratified_folds};
use serde_json::Value;

/// The expected numbers of the reference data.
fn golden() -> PathBuf {
    reference::golden().join("expected")
}

fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(golden().join(name)).unwrap()).unwrap()
}

#[test]
fn folds_are_scikit_learns() {
    let folds = json("probe_folds.json");
    let cases = folds["cases"].as_object().unwrap();
    assert!(cases.len() >= 5);
    for (name, case) in cases {
        let labels: Vec<usize> = case["labels"].as_str().unwrap().bytes().map(usize::from).collect();
        let seed = case["seed"].as_u64().unwrap_or(42) as u32;
        let expected: Vec<usize> = case["folds"].as_array().unwrap().iter().map(|f| f.as_u64().unwrap() as usize).collect();
        assert_eq!(stratified_folds(&labels, case["k"].as_u64().unwrap() as usize, seed), expected, "{name}");
    }
}

#[test]
fn probes_are_the_releases() {
    let folds = json("probe_folds.json");
    let all = prism_run::vectors::read(&golden().join("probe_features.safetensors")).unwrap();
    let oracle = concat!(env!("CARGO_MANIFEST_DIR"), "/../../oracle/expected/probe.json");
    let oracle: Value = serde_json::from_str(&std::fs::read_to_string(oracle).unwrap()).unwrap();
    for expected in json("probe_results.json")["results"].as_array().unwrap() {
        let case = expected["variant"].as_str().unwrap();
        let position = expected["position"].as_str().unwrap();
        let labels: Vec<String> = folds["cases"][case]["labels"].as_str().unwrap().chars().map(String::from).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let features = &all[&format!("{case}.hidden_{position}")];
        let x =
            Matrix { rows: features.rows.len(), columns: features.width, values: features.values.iter().map(|v| f64::from(*v)).collect() };
        let found = probe(position, &x, &labels, &AuditSettings { control_draws: 1, ..Default::default() }).unwrap();
        let near = |found: Option<f64>, key: &str, tolerance: f64| {
            let (found, expected) = (found.unwrap(), expected[key].as_f64().unwrap());
            assert!((found - expected).abs() <= tolerance, "{case} {position} {key}: {found} is not {expected}");
        };
        near(found.accuracy, "accuracy_mean", 1e-12);
        near(found.accuracy_sd, "accuracy_std", 1e-12);
        // the release keeps single-precision probabilities
        near(found.cross_entropy, "cross_entropy", 2e-5);
        near(found.label_entropy, "label_entropy_empirical", 1e-12);
        near(found.mi_clamped, "mi_lower_bound_nats", 2e-5);
        near(found.mi_uniform, "mi_lower_bound_uniform", 2e-5);
        assert_eq!(found.rows as u64, expected["n_total"].as_u64().unwrap());
        assert_eq!(found.folds as u64, expected["k_fold_effective"].as_u64().unwrap());
        assert_eq!(found.classes as u64, expected["n_classes"].as_u64().unwrap());
        assert_eq!(found.converged, Some(true));
        let oracle = &oracle["cases"][format!("{case}.hidden_{position}")];
        assert_eq!(found.iterations_max.unwrap() as u64, oracle["iterations_max"].as_u64().unwrap(), "{case} {position}");
        let double = oracle["cross_entropy"].as_f64().unwrap();
        assert!((found.cross_entropy.unwrap() - double).abs() < 1e-7, "{case} {position}: {found:?} is not {double}");
        let tight = oracle["tight_cross_entropy"].as_f64().unwrap();
        assert!((found.tight_cross_entropy.unwrap() - tight).abs() < 1e-6, "{case} {position}: {found:?} is not {tight}");
        assert!(found.gradient_max.unwrap() <= 1e-4, "{case} {position}: {:?}", found.gradient_max);
    }
}
