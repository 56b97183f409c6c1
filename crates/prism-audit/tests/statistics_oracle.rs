//! Every statistic against scipy, statsmodels and numpy (`oracle/statistics_scipy.py`).

use prism_audit::statistics::adjust::{benjamini_hochberg, holm};
use prism_audit::statistics::binomial_bootstrap::{redraw_accuracies, resampled_correlations};
use prism_audit::statistics::bootstrap::paired_mean;
use prism_audit::statistics::clopper_pearson::{lower, upper};
use prism_audit::statistics::correlation::{fisher_interval, leave_one_out, partial, pearson, pick};
use prism_audit::statistics::entropy::entropy;
use prism_audit::statistics::equivalence::{Discordant, equivalence_p};
use prism_audit::statistics::mcnemar::mcnemar_exact;
use prism_audit::statistics::percentile::{percentile_interval, quantile_of_sorted};
use prism_audit::statistics::permutation::exact_p;
use prism_audit::statistics::wilson::wilson;
use prism_audit::statistics::{Interval, clusters, normal};
use prism_run::random::Stream;
use serde_json::Value;

fn expected() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../oracle/expected/statistics.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap()
}

fn reals(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
}

fn near_interval(found: Interval, expected: &[f64], tolerance: f64, what: &str) {
    near(found.low, expected[0], tolerance, what);
    near(found.high, expected[1], tolerance, what);
}

#[test]
fn shares_and_discordant_pairs() {
    let all = expected();
    for case in all["wilson"].as_array().unwrap() {
        let v = reals(case);
        near_interval(wilson(v[0] as usize, v[1] as usize, 0.95).unwrap(), &v[2..], 1e-10, "wilson");
    }
    for case in all["mcnemar"].as_array().unwrap() {
        let v = reals(case);
        near(mcnemar_exact(v[0] as usize, v[1] as usize), v[2], 1e-10, "mcnemar");
    }
    let pairs = |v: &[f64]| Discordant { gained: v[0] as usize, lost: v[1] as usize, n: v[2] as usize };
    for case in all["paired_score"].as_array().unwrap() {
        let v = reals(case);
        near_interval(pairs(&v).interval(0.9).unwrap(), &v[3..], 1e-6, "score interval");
    }
    for case in all["clopper_pearson"].as_array().unwrap() {
        let v = reals(case);
        near(upper(v[0], v[1], v[2]).unwrap(), v[3], 1e-10, "Clopper and Pearson");
        near(lower(v[1] - v[0], v[1], v[2]).unwrap(), 1.0 - v[3], 1e-10, "Clopper and Pearson, lower");
    }
    for case in all["equivalence"].as_array().unwrap() {
        let v = reals(case);
        near(equivalence_p(pairs(&v), v[3]), v[4], 2e-4, "exact equivalence");
    }
    assert_eq!((wilson(0, 0, 0.95), mcnemar_exact(0, 0)), (None, 1.0));
}

#[test]
fn correlations() {
    for case in expected()["correlation"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (x, y, z) = (reals(&case["x"]), reals(&case["y"]), reals(&case["z"]));
        let r = pearson(&x, &y).unwrap();
        near(r, case["r"].as_f64().unwrap(), 1e-12, name);
        near(partial(&x, &y, &z).unwrap(), case["partial"].as_f64().unwrap(), 1e-9, name);
        near_interval(fisher_interval(r, x.len(), 0, 0.95).unwrap(), &reals(&case["fisher"]), 1e-9, name);
        let left = leave_one_out(x.len(), |kept| pearson(&pick(&x, kept), &pick(&y, kept))).unwrap();
        near_interval(left, &reals(&case["leave_one_out"]), 1e-12, name);
        near(exact_p(&x, &y).unwrap(), case["exact_p"].as_f64().unwrap(), 1e-12, name);
        let found = clusters::split(&x).unwrap();
        let mut groups = [found.low.clone(), found.high.clone()];
        groups.iter_mut().for_each(|g| g.sort_unstable());
        let mut theirs: Vec<Vec<usize>> = serde_json::from_value(case["groups"].clone()).unwrap();
        let range = found.leave_one_out(&x, &y);
        assert_eq!(range.is_some(), !case["leave_cluster_out"].is_null(), "{name}");
        range.into_iter().for_each(|range| near_interval(range, &reals(&case["leave_cluster_out"]), 1e-12, name));
        groups.sort();
        theirs.sort();
        assert_eq!(groups.to_vec(), theirs, "{name}");
    }
    assert_eq!(pearson(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]), None);
    assert_eq!(pearson(&[1.0], &[1.0]), None);
}

#[test]
fn families_entropy_quantiles() {
    let all = expected();
    for (key, adjust) in [("holm", holm as fn(&[f64]) -> Vec<f64>), ("benjamini_hochberg", benjamini_hochberg)] {
        let found = adjust(&reals(&all[key]["p"]));
        found.iter().zip(reals(&all[key]["adjusted"])).for_each(|(f, e)| near(*f, e, 1e-12, key));
    }
    for case in all["entropy"].as_array().unwrap() {
        let counts: Vec<usize> = serde_json::from_value(case[0].clone()).unwrap();
        near(entropy(&counts), case[1].as_f64().unwrap(), 1e-12, "entropy");
    }
    let mut values = reals(&all["percentile"]["values"]);
    values.sort_by(f64::total_cmp);
    for case in all["percentile"]["at"].as_array().unwrap() {
        let v = reals(case);
        near(quantile_of_sorted(&values, v[0]).unwrap(), v[1], 1e-12, "percentile");
    }
    for case in all["normal"].as_array().unwrap() {
        let v = reals(case);
        near(normal::quantile(v[0]), v[1], 1e-9, "normal");
    }
}

#[test]
fn resampling_agrees_within_its_own_noise() {
    let all = expected();
    let differences = reals(&all["bootstrap"]["differences"]);
    let found = paired_mean(&differences, 20_000, 0.95, &mut Stream::new(1, "test", &[])).unwrap();
    near_interval(found, &reals(&all["bootstrap"]["interval"]), 0.0126, "bootstrap of a mean over 80 items");

    let case = &all["binomial_bootstrap"];
    let (x, accuracies) = (reals(&case["x"]), reals(&case["accuracies"]));
    let mut stream = Stream::new(1, "test", &[]);
    let replicates = resampled_correlations(&x, 20_000, || redraw_accuracies(&accuracies, 191, &mut stream));
    assert_eq!(replicates.len(), 20_000);
    near_interval(percentile_interval(replicates, 0.95).unwrap(), &reals(&case["interval"]), 0.01, "binomial bootstrap");
}

#[test]
fn a_resample_is_named_not_drawn_by_chance() {
    let draw = |key: &str| paired_mean(&[0.0, 1.0, 0.0, 1.0, 1.0], 500, 0.95, &mut Stream::new(3, key, &[])).unwrap();
    assert_eq!(draw("a"), draw("a"));
}
