//! What is asked of groups of arms, the training seed being the unit: does a high cosine go with a low accuracy
//! inside the group, and how do two arms differ?
//!
//! Of every seed Pearson's r over the group's arms is taken, and averaged over seeds with Student's interval. Not by
//! Fisher's z: over three arms r comes near 1 by chance, z has no bound there, and one seed would speak for all. Seeds share the corpus and the questions, not the training: the interval is about other trainings on
//! these questions.

use serde::{Deserialize, Serialize};

use crate::findings::{BudgetFinding, ContrastFinding, GroupFinding};
use crate::statistics::correlation::pearson;
use crate::statistics::student;

/// What a recipe asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Questions {
    /// Groups of arms over which cosine stands against accuracy.
    pub groups: Vec<Group>,
    /// Arms whose accuracy is compared.
    pub contrasts: Vec<Contrast>,
}

/// Arms under one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The name.
    pub name: String,
    /// Variant ids.
    pub arms: Vec<String>,
}

/// An arm against others, one by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// Variant id.
    pub arm: String,
    /// Variant ids.
    pub against: Vec<String>,
}

/// A column of [`BudgetFinding`].
type Column = fn(&BudgetFinding) -> Option<f64>;

/// The two cosines.
const COSINES: [(&str, Column); 2] = [("cosine", |f| f.cosine), ("cosine_free", |f| f.cosine_free)];

/// A mean with Student's 95 % interval.
struct Mean {
    mean: f64,
    half: Option<f64>,
    p: Option<f64>,
}

fn mean(values: &[f64]) -> Option<Mean> {
    let n = values.len() as f64;
    let mean = (n > 0.0).then(|| values.iter().sum::<f64>() / n)?;
    let error = (n > 1.0).then(|| (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt());
    // Seeds that agree to the last digit give no width, and so no certainty.
    let error = error.filter(|error| *error > 0.0);
    let half = error.and_then(|error| Some(error * student::critical(0.95, n - 1.0)?));
    let p = error.and_then(|error| Some(2.0 * student::upper_tail((mean / error).abs(), n - 1.0)?));
    Some(Mean { mean, half, p })
}

/// K in the order of first appearance, the declared one among them.
fn budgets_of(found: &[BudgetFinding]) -> Vec<Option<usize>> {
    let mut all = Vec::new();
    for f in found {
        if !all.contains(&f.k) {
            all.push(f.k);
        }
    }
    all
}

fn seeds_of(found: &[BudgetFinding]) -> Vec<Option<i64>> {
    let mut all: Vec<Option<i64>> = found.iter().map(|f| f.seed).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn at<'a>(found: &'a [BudgetFinding], arm: &str, seed: Option<i64>, k: Option<usize>) -> Option<&'a BudgetFinding> {
    found.iter().find(|f| f.variant == arm && f.seed == seed && f.k == k)
}

/// One row per group, K and cosine.
pub fn groups(found: &[BudgetFinding], asked: &[Group]) -> Vec<GroupFinding> {
    let (mut rows, found_all) = (Vec::new(), found);
    for group in asked {
        for k in budgets_of(found) {
            for (x, column) in COSINES {
                let of_seed = |seed: &Option<i64>| {
                    let arms = group.arms.iter().filter_map(|arm| at(found, arm, *seed, k));
                    let (x, y): (Vec<f64>, Vec<f64>) = arms.filter_map(|f| Some((column(f)?, f.accuracy?))).unzip();
                    (x.len() == group.arms.len() && x.len() > 2).then(|| pearson(&x, &y)).flatten()
                };
                let rs: Vec<f64> = seeds_of(found).iter().filter_map(of_seed).collect();
                let found = mean(&rs);
                let end = |sign: f64| found.as_ref().and_then(|m| Some((m.mean + sign * m.half?).clamp(-1.0, 1.0)));
                let without = seeds_of(found_all).len() - rs.len();
                let reason = match rs.len() {
                    0 => Some("in no seed have all arms both numbers, not all the same".to_string()),
                    1 => Some("one seed: no interval".to_string()),
                    _ if without > 0 => Some(format!("{without} seeds left out: an arm lacks a number, or all have the same")),
                    _ => None,
                };
                rows.push(GroupFinding {
                    group: group.name.clone(),
                    arms: group.arms.clone(),
                    k,
                    x: x.into(),
                    seeds: rs.len(),
                    r: found.as_ref().map(|m| m.mean),
                    low: end(-1.0),
                    high: end(1.0),
                    least: rs.iter().copied().reduce(f64::min),
                    greatest: rs.iter().copied().reduce(f64::max),
                    below_zero: end(1.0).map(|high| high < 0.0),
                    reason,
                });
            }
        }
    }
    rows
}

/// One row per pair of arms and K.
pub fn contrasts(found: &[BudgetFinding], asked: &[Contrast]) -> Vec<ContrastFinding> {
    let mut rows = Vec::new();
    for (contrast, against) in asked.iter().flat_map(|c| c.against.iter().map(move |against| (c, against))) {
        for k in budgets_of(found) {
            // An arm without a block has no K: it stands against every one of the other's.
            let of = |arm: &str, seed| at(found, arm, seed, k).or_else(|| at(found, arm, seed, None))?.accuracy;
            let swept = |arm: &str| found.iter().any(|f| f.variant == arm && f.k == k);
            if !swept(&contrast.arm) && !swept(against) {
                continue;
            }
            let differences: Vec<f64> =
                seeds_of(found).into_iter().filter_map(|seed| Some(of(&contrast.arm, seed)? - of(against, seed)?)).collect();
            let m = mean(&differences);
            let end = |sign: f64| m.as_ref().and_then(|m| Some(m.mean + sign * m.half?));
            rows.push(ContrastFinding {
                arm: contrast.arm.clone(),
                against: against.clone(),
                k,
                seeds: differences.len(),
                delta: m.as_ref().map(|m| m.mean),
                low: end(-1.0),
                high: end(1.0),
                p: m.as_ref().and_then(|m| m.p),
                reason: end(1.0).is_none().then(|| "fewer than two seeds have both, or all differ by the same: no interval".to_string()),
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(variant: &str, seed: i64, k: Option<usize>, cosine: f64, accuracy: f64) -> BudgetFinding {
        let rest = serde_json::json!({"variant": variant, "name": variant, "seed": seed, "k": k, "examples": 10, "cosine": cosine,
            "accuracy": accuracy, "word": "bypassed", "presence": "needed"});
        serde_json::from_value(rest).unwrap()
    }

    fn three_seeds() -> Vec<BudgetFinding> {
        let of = |seed: i64, y: [f64; 4]| {
            let x = [0.1, 0.2, 0.4, 0.5];
            ["a", "b", "c", "d"].into_iter().zip(x.into_iter().zip(y)).map(move |(arm, (x, y))| row(arm, seed, None, x, y))
        };
        of(1, [0.9, 0.8, 0.7, 0.75]).chain(of(2, [0.9, 0.85, 0.6, 0.7])).chain(of(3, [0.8, 0.9, 0.7, 0.6])).collect()
    }

    /// numpy 2.4 and scipy 1.17: np.corrcoef, scipy.stats.t.interval, scipy.stats.ttest_1samp.
    #[test]
    fn seeds_are_the_unit() {
        let asked = [Group { name: "all".into(), arms: ["a", "b", "c", "d"].map(String::from).to_vec() }];
        let found = groups(&three_seeds(), &asked);
        let near = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-6, "{a:?} {b}");
        let g = &found[0];
        assert_eq!((g.seeds, g.below_zero), (3, Some(true)));
        near(g.r, -0.855218573);
        near(g.low, -0.871816965);
        near(g.high, -0.838620181);
        assert!(found[1].r.is_none() && found[1].reason.is_some(), "no free-running cosine");
        let asked = [Contrast { arm: "d".into(), against: vec!["a".into()] }];
        let c = &contrasts(&three_seeds(), &asked)[0];
        assert_eq!(c.seeds, 3);
        near(c.delta, -0.183333333);
        near(c.low, -0.255044212);
        near(c.high, -0.111622455);
        near(c.p, 0.008163402);
    }

    #[test]
    fn an_arm_that_is_absent_in_a_seed_leaves_that_seed_out() {
        let mut found = three_seeds();
        found.retain(|f| !(f.variant == "c" && f.seed == Some(2)));
        let asked = [Group { name: "all".into(), arms: ["a", "b", "c", "d"].map(String::from).to_vec() }];
        assert_eq!(groups(&found, &asked)[0].seeds, 2);
    }
}
