//! Tests, intervals and summaries against scipy and statsmodels (`oracle/statistics_inference.py`).

use prism_audit::statistics::bca::bca_interval;
use prism_audit::statistics::bootstrap::{Cluster, clustered_mean, clustered_mean_bca};
use prism_audit::statistics::cluster_robust::cluster_mean;
use prism_audit::statistics::correlation::{ranks, spearman};
use prism_audit::statistics::equivalence::detectable_difference;
use prism_audit::statistics::permutation::exact_p;
use prism_audit::statistics::random_effects::{Between, random_effects};
use prism_audit::statistics::sign_flip::{exact_of_counts, sign_flip};
use prism_audit::statistics::tost::tost;
use prism_audit::statistics::two_way::two_way;
use prism_audit::statistics::{Interval, student};
use prism_run::random::Stream;
use serde_json::Value;

fn expected() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../oracle/expected/statistics_inference.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap()
}

fn cases(key: &str) -> Vec<Value> {
    expected()[key].as_array().unwrap().clone()
}

fn reals(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
}

fn near_interval(found: Interval, expected: &Value, tolerance: f64, what: &str) {
    let expected = reals(expected);
    near(found.low, expected[0], tolerance, what);
    near(found.high, expected[1], tolerance, what);
}

#[test]
fn the_corrected_bootstrap_is_scipys_on_the_same_replicates() {
    for case in cases("bca") {
        let (replicates, jackknife) = (reals(&case["replicates"]), reals(&case["jackknife"]));
        let found = bca_interval(replicates, case["estimate"].as_f64().unwrap(), &jackknife, 0.95).unwrap();
        near_interval(found, &case["interval"], 1e-10, "bca");
    }
    assert_eq!(bca_interval(vec![1.0; 50], 2.0, &[1.0, 2.0], 0.95), None, "replicates on one side correct nothing");
}

#[test]
fn clusters_are_drawn_and_left_out_as_a_whole() {
    let case = &expected()["clustered_bootstrap"];
    let clusters: Vec<Cluster> = serde_json::from_value(case["clusters"].clone()).unwrap();
    let stream = || Stream::new(1, "test", &[]);
    // Four standard errors of a bound over 20,000 replicates, at the normal density there.
    near_interval(clustered_mean(&clusters, 20_000, 0.95, &mut stream()).unwrap(), &case["percentile"], 0.0035, "percentile");
    near_interval(clustered_mean_bca(&clusters, 20_000, 0.95, &mut stream()).unwrap(), &case["bca"], 0.0035, "bca");
    for case in cases("cluster_mean") {
        let (values, groups) = (reals(&case["values"]), reals(&case["groups"]));
        let mut clusters: std::collections::BTreeMap<i64, Cluster> = Default::default();
        for (value, group) in values.iter().zip(groups) {
            let cluster = clusters.entry(group as i64).or_default();
            *cluster = (cluster.0 + value, cluster.1 + 1);
        }
        let found = cluster_mean(&clusters.into_values().collect::<Vec<_>>()).unwrap();
        near(found.mean, case["mean"].as_f64().unwrap(), 1e-12, "mean");
        near(found.error, case["error"].as_f64().unwrap(), 1e-12, "cluster-robust error");
        near_interval(found.interval(0.95).unwrap(), &case["interval"], 1e-9, "cluster-robust interval");
    }
}

#[test]
fn sign_flips_and_the_equivalence_of_means() {
    for case in cases("sign_flip") {
        let found = sign_flip(&reals(&case["values"]), 0, &mut Stream::new(1, "test", &[])).unwrap();
        assert!(found.exact);
        near(found.p, case["p"].as_f64().unwrap(), 1e-12, "sign flip");
        // Thrice the differences make random ways: the p is then within four standard errors.
        let thrice: Vec<f64> = (0..3).flat_map(|_| reals(&case["values"])).collect();
        let counts: Vec<i64> = thrice.iter().map(|v| v.round() as i64).collect();
        let drawn = sign_flip(&counts.iter().map(|c| *c as f64).collect::<Vec<_>>(), 40_000, &mut Stream::new(1, "test", &[])).unwrap();
        near(drawn.p, exact_of_counts(&counts), 4.0 * (drawn.p * (1.0 - drawn.p) / 40_000.0).sqrt() + 1e-12, "random sign flips");
    }
    for case in cases("sign_flip_counts") {
        let counts: Vec<i64> = reals(&case["values"]).iter().map(|v| *v as i64).collect();
        near(exact_of_counts(&counts), case["p"].as_f64().unwrap(), 1e-12, "sign flip of counts");
    }
    for case in cases("tost") {
        let differences: Vec<f64> = reals(&case["x"]).iter().zip(reals(&case["y"])).map(|(x, y)| x - y).collect();
        let found = tost(&differences, case["margin"].as_f64().unwrap(), 0.05).unwrap();
        near(found.p, case["p"].as_f64().unwrap(), 1e-10, "tost");
        near_interval(found.interval, &case["interval"], 1e-9, "tost interval");
    }
    assert_eq!(tost(&[0.0; 9], 0.1, 0.05), None, "no spread shows nothing");
}

#[test]
fn seeds_and_items() {
    for case in cases("two_way") {
        let values: Vec<Vec<f64>> = serde_json::from_value(case["values"].clone()).unwrap();
        let found = two_way(&values).unwrap();
        for (name, value) in [("seeds", found.seeds), ("items", found.items), ("rest", found.rest)] {
            near(value, case[name].as_f64().unwrap(), 1e-10, name);
        }
        let total = (found.seeds + found.items - found.rest).max(found.seeds).max(found.items);
        near(found.error, (total / (values.len() * values[0].len()) as f64).sqrt(), 1e-12, "error");
    }
    for case in cases("random_effects") {
        let (effects, variances) = (reals(&case["effects"]), reals(&case["variances"]));
        for (name, between) in [("dersimonian_laird", Between::DerSimonianLaird), ("paule_mandel", Between::PauleMandel)] {
            let (found, theirs) = (random_effects(&effects, &variances, between).unwrap(), &case[name]);
            let value = |key: &str| theirs[key].as_f64().unwrap();
            near(found.q, value("q"), 1e-10, "Q");
            near(found.q_p, value("q_p"), 1e-10, "p of Q");
            near(found.i2, value("i2").max(0.0), 1e-10, "I2");
            near(found.tau2, value("tau2").max(0.0), 1e-9, name);
            if value("tau2") < 0.0 {
                continue; // theirs goes on with a variance below 0
            }
            near(found.effect, value("effect"), 1e-9, name);
            near(found.error, value("error"), 1e-9, name);
            near(found.hartung_knapp_error, value("hartung_knapp_error"), 1e-9, name);
            near_interval(found.hartung_knapp(0.95).unwrap(), &theirs["hartung_knapp"], 1e-8, name);
        }
    }
    assert_eq!(random_effects(&[0.1, 0.2], &[0.1, 0.0], Between::PauleMandel), None);
}

#[test]
fn ranks_sizes_and_quantiles() {
    for case in cases("spearman") {
        let (x, y) = (reals(&case["x"]), reals(&case["y"]));
        near(spearman(&x, &y).unwrap(), case["rho"].as_f64().unwrap(), 1e-12, "spearman");
        near(exact_p(&ranks(&x), &ranks(&y)).unwrap(), case["p"].as_f64().unwrap(), 1e-12, "exact p of the ranks");
    }
    for case in cases("detectable") {
        let v = reals(&case);
        near(detectable_difference(v[0] as usize, v[1], v[2], v[3]).unwrap(), v[4], 1e-8, "detectable difference");
    }
    for case in cases("student") {
        let v = reals(&case);
        near(student::critical(1.0 - 2.0 * v[0], v[1]).unwrap(), v[2], 1e-8 * v[2], "student's critical value");
        near(student::upper_tail(1.7, v[1]).unwrap(), v[3], 1e-11, "student's tail");
    }
}
