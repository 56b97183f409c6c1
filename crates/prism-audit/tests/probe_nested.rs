//! The default probe against scikit-learn (`oracle/probe_nested.py`): folds by cluster, the
//! choice of C, out-of-fold probabilities, control labels and their p, the code length.

use prism_audit::probe::Matrix;
use prism_audit::probe::cluster_folds::cluster_folds;
use prism_audit::probe::control::{exchanged, permutation_p};
use prism_audit::probe::description_length::code_length;
use prism_audit::probe::nested::{Divided, Search, nested};
use prism_run::random::Stream;
use serde::Deserialize;

#[derive(Deserialize)]
struct Oracle {
    grid: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    columns: usize,
    classes: usize,
    x: Vec<f64>,
    labels: Vec<usize>,
    clusters: Vec<usize>,
    types: Vec<usize>,
    outer: Vec<usize>,
    c: Vec<f64>,
    accuracy: f64,
    cross_entropy: f64,
    log_p: Vec<f64>,
    controls: Vec<f64>,
    permutation_p: f64,
    ends: Vec<usize>,
    code_length: f64,
}

const SEED: u64 = 7;

fn oracle() -> Oracle {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../oracle/expected/probe_nested.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn nested_probes_and_their_controls_are_scikit_learns() {
    let oracle = oracle();
    assert_eq!(oracle.cases.len(), 4);
    for case in &oracle.cases {
        let x = Matrix { rows: case.labels.len(), columns: case.columns, values: case.x.clone() };
        let fold_of = cluster_folds(&case.labels, &case.clusters, 4, &mut Stream::new(SEED, "probe folds", &["0"]));
        assert_eq!(fold_of, case.outer, "{}", case.name);
        let mut labellings = vec![case.labels.clone()];
        for draw in 0..case.controls.len() {
            let mut stream = Stream::new(SEED, "control labels", &[&draw.to_string()]);
            labellings.push(exchanged(&case.labels, &case.types, &fold_of, &mut stream));
        }
        let divided = Divided { x: &x, clusters: &case.clusters, fold_of: &fold_of, folds: 4 };
        let search = Search { grid: &oracle.grid, folds: 3, seed: SEED, repeat: 0 };
        let found = nested(divided, &labellings, search).unwrap();
        let (real, controls) = found.split_first().unwrap();
        assert_eq!(real.c, case.c, "{}", case.name);
        assert!(real.converged, "{}", case.name);
        assert_eq!(real.accuracy(&case.labels), case.accuracy, "{}", case.name);
        for (row, (found, expected)) in real.log_p.iter().zip(&case.log_p).enumerate() {
            assert!((found - expected).abs() < 1e-5, "{} row {row}: {found} is not {expected}", case.name);
        }
        let cross_entropy = -real.log_p.iter().sum::<f64>() / case.labels.len() as f64;
        assert!((cross_entropy - case.cross_entropy).abs() < 1e-7, "{}: {cross_entropy} is not {}", case.name, case.cross_entropy);
        let controls: Vec<f64> = controls.iter().zip(&labellings[1..]).map(|(found, labels)| found.accuracy(labels)).collect();
        assert_eq!(controls, case.controls, "{}", case.name);
        assert_eq!(permutation_p(case.accuracy, &controls), Some(case.permutation_p), "{}", case.name);
    }
    let p = |name: &str| oracle.cases.iter().find(|c| c.name == name).unwrap().permutation_p;
    assert!(p("fewer rows than columns") <= 0.05 && p("nothing to find") > 0.1, "the cases tell something from nothing");
}

#[test]
fn code_lengths_are_those_of_scikit_learns_probes() {
    let oracle = oracle();
    for case in &oracle.cases {
        let x = Matrix { rows: case.labels.len(), columns: case.columns, values: case.x.clone() };
        let found = code_length(&x, &case.labels, case.classes, &case.ends, &oracle.grid).unwrap();
        assert!((found - case.code_length).abs() < 1e-6, "{}: {found} is not {}", case.name, case.code_length);
    }
}

#[test]
fn one_thread_finds_what_two_find() {
    let oracle = oracle();
    let case = &oracle.cases[1];
    let x = Matrix { rows: case.labels.len(), columns: case.columns, values: case.x.clone() };
    let divided = Divided { x: &x, clusters: &case.clusters, fold_of: &case.outer, folds: 4 };
    let labellings: Vec<Vec<usize>> = (0..20)
        .map(|draw: usize| exchanged(&case.labels, &case.types, &case.outer, &mut Stream::new(1, "test", &[&draw.to_string()])))
        .collect();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| nested(divided, &labellings, Search { grid: &oracle.grid, folds: 3, seed: SEED, repeat: 0 }).unwrap())
    };
    assert_eq!(run(1), run(2));
}
