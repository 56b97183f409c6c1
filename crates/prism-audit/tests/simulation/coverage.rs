//! Coverage of every interval at nominal 95 % (90 % where an equivalence test reads it).

use prism_audit::statistics::Interval;
use prism_audit::statistics::binomial_bootstrap::binomial;
use prism_audit::statistics::bootstrap::{clustered_mean, clustered_mean_bca, item_and_seed_replicates};
use prism_audit::statistics::cluster_robust::cluster_mean;
use prism_audit::statistics::correlation::{fisher_interval, pearson};
use prism_audit::statistics::percentile::percentile_interval;
use prism_audit::statistics::random_effects::{Between, random_effects};
use prism_audit::statistics::tost::tost;
use prism_audit::statistics::two_way::two_way;
use prism_audit::statistics::wilson::wilson;
use prism_run::random::Stream;

use super::Promise::{AtLeast, Near, Told};
use super::{Line, clusters, count, counts, holds};

/// Bootstrap replicates inside a replicate.
const DRAWS: usize = 600;

/// Values that are singles: clusters of one.
fn singles(values: &[f64]) -> Vec<(f64, usize)> {
    values.iter().map(|v| (*v, 1)).collect()
}

/// A skewed change of a margin with mean 0: exponential minus 1.
fn skewed(stream: &mut Stream, n: usize) -> Vec<f64> {
    (0..n).map(|_| -(1.0 - stream.uniform()).ln() - 1.0).collect()
}

/// The lines of this part.
pub fn lines(of: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (design, p) in [("n = 191, p = 0.70", 0.70), ("n = 191, p = 0.97", 0.97)] {
        lines.push(count("Wilson", design, Near(0.95), of, |s| holds(wilson(binomial(s, 191, p), 191, 0.95), p)));
    }
    for (design, n, gained, lost) in [
        ("n = 191, 4 % gained, 6 % lost", 191, 0.04, 0.06),
        ("n = 60, 5 % gained, 15 % lost", 60, 0.05, 0.15),
        ("n = 191, 1 % gained, 1 % lost", 191, 0.01, 0.01),
    ] {
        lines.push(count("score interval of a paired difference", design, Near(0.95), of, |s| {
            holds(counts(s, n, gained, lost).interval(0.95), gained - lost)
        }));
        lines.push(count("percentile bootstrap of a paired difference", design, Told, of, |s| {
            let values: Vec<f64> = (0..n).map(|_| super::change(s, gained, lost)).collect();
            holds(clustered_mean(&singles(&values), DRAWS, 0.95, s), gained - lost)
        }));
    }
    lines.push(count("score interval, 90 %", "n = 191, 4 % gained, 6 % lost", Near(0.90), of, |s| {
        holds(counts(s, 191, 0.04, 0.06).interval(0.90), -0.02)
    }));
    lines.extend(of_margins(of));
    lines.extend(of_clusters(of));
    lines.extend(of_seeds(of));
    lines.push(count("Fisher", "5 variants, normal, rho = 0.6", Near(0.95), of, |s| holds(fisher(s, 5, 0.6), 0.6)));
    lines.push(count("Fisher", "12 variants, normal, rho = 0.6", Near(0.95), of, |s| holds(fisher(s, 12, 0.6), 0.6)));
    lines
}

fn of_margins(of: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (design, n) in [("n = 191, skewed", 191), ("n = 30, skewed", 30)] {
        let promise = if n > 100 { Near(0.95) } else { Told };
        lines.push(count("percentile bootstrap of a mean", design, promise, of, |s| {
            let values = skewed(s, n);
            holds(clustered_mean(&singles(&values), DRAWS, 0.95, s), 0.0)
        }));
        lines.push(count("corrected bootstrap (BCa) of a mean", design, promise, of, |s| {
            let values = skewed(s, n);
            holds(clustered_mean_bca(&singles(&values), DRAWS, 0.95, s), 0.0)
        }));
    }
    lines.push(count("t interval of TOST, 90 %", "n = 60, normal", Near(0.90), of, |s| {
        let values: Vec<f64> = (0..60).map(|_| 0.1 + s.normal()).collect();
        holds(tost(&values, 0.2, 0.05).map(|t| t.interval), 0.1)
    }));
    lines
}

fn of_clusters(of: usize) -> Vec<Line> {
    let design = "95 pairs of items, half alike, 6 % gained, 10 % lost";
    let draw = |s: &mut Stream| clusters(s, 95, 0.5, 0.06, 0.10);
    vec![
        count("cluster-robust interval", design, Near(0.95), of, |s| holds(cluster_mean(&draw(s)).and_then(|m| m.interval(0.95)), -0.04)),
        count("cluster-robust interval", "20 pairs of items, half alike, 15 % gained, 25 % lost", Near(0.95), of, |s| {
            holds(cluster_mean(&clusters(s, 20, 0.5, 0.15, 0.25)).and_then(|m| m.interval(0.95)), -0.10)
        }),
        count("clustered bootstrap, percentile", design, Near(0.95), of, |s| {
            let drawn = draw(s);
            holds(clustered_mean(&drawn, DRAWS, 0.95, s), -0.04)
        }),
        count("score interval that ignores the pairs", design, Told, of, |s| {
            let drawn = clusters(s, 95, 0.5, 0.06, 0.10);
            let (gained, lost) = drawn.iter().fold((0, 0), |(g, l), (sum, _)| (g + sum.max(0.0) as usize, l + (-sum).max(0.0) as usize));
            holds(prism_audit::statistics::equivalence::Discordant { n: 190, gained, lost }.interval(0.95), -0.04)
        }),
    ]
}

/// A seed x item table with mean -0.1: seeds of deviation `between`, items of 0.3, cells of 0.4.
fn table(s: &mut Stream, seeds: usize, items: usize, between: f64) -> Vec<Vec<f64>> {
    let of_item: Vec<f64> = (0..items).map(|_| 0.3 * s.normal()).collect();
    (0..seeds)
        .map(|_| {
            let of_seed = between * s.normal();
            of_item.iter().map(|item| -0.1 + of_seed + item + 0.4 * s.normal()).collect()
        })
        .collect()
}

fn bootstrapped(s: &mut Stream, values: &[Vec<f64>]) -> Option<Interval> {
    let sizes = vec![1; values.first().map_or(0, Vec::len)];
    percentile_interval(item_and_seed_replicates(values, &sizes, DRAWS, s), 0.95)
}

fn of_seeds(of: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (design, seeds, between) in [
        ("5 seeds x 100 items, seeds' sd 0.05", 5, 0.05),
        ("3 seeds x 100 items, seeds' sd 0.05", 3, 0.05),
        ("5 seeds x 100 items, seeds' sd 0.2", 5, 0.2),
        ("5 seeds x 100 items, seeds alike", 5, 0.0),
    ] {
        lines.push(count("two-way interval over seeds and items", design, Near(0.95), of, |s| {
            holds(two_way(&table(s, seeds, 100, between)).and_then(|t| t.interval(0.95)), -0.1)
        }));
        lines.push(count("item-and-seed bootstrap, percentile", design, Told, of, |s| {
            let values = table(s, seeds, 100, between);
            let interval = bootstrapped(s, &values);
            holds(interval, -0.1)
        }));
    }
    lines.push(count("item-and-seed bootstrap, percentile", "20 seeds x 100 items, seeds' sd 0.05", Near(0.95), of, |s| {
        let values = table(s, 20, 100, 0.05);
        let interval = bootstrapped(s, &values);
        holds(interval, -0.1)
    }));
    lines.extend(of_summaries(of));
    lines
}

/// Random effects: seeds that are independent, and seeds that answer the same items.
fn of_summaries(of: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (design, k, tau) in [("5 seeds, tau = 0.05", 5, 0.05), ("3 seeds, tau = 0.05", 3, 0.05), ("5 seeds, tau = 0", 5, 0.0)] {
        // Each seed's own error is 0.02 to 0.04.
        let draw = move |s: &mut Stream| -> (Vec<f64>, Vec<f64>) {
            (0..k)
                .map(|_| {
                    let error = 0.02 + 0.02 * s.uniform();
                    (tau * s.normal() + error * s.normal(), error * error)
                })
                .unzip()
        };
        let summary = move |s: &mut Stream, between: Between| {
            let (effects, variances) = draw(s);
            random_effects(&effects, &variances, between)
        };
        use Between::{DerSimonianLaird, PauleMandel};
        lines.push(count("random effects, Hartung-Knapp", design, Near(0.95), of, move |s| {
            holds(summary(s, PauleMandel).and_then(|r| r.hartung_knapp(0.95)), 0.0)
        }));
        lines.push(count("random effects, Hartung-Knapp from DerSimonian-Laird", design, Near(0.95), of, move |s| {
            holds(summary(s, DerSimonianLaird).and_then(|r| r.hartung_knapp(0.95)), 0.0)
        }));
        lines.push(count("random effects, Hartung-Knapp not below classical", design, AtLeast(0.95), of, move |s| {
            holds(summary(s, PauleMandel).and_then(|r| r.cautious(0.95)), 0.0)
        }));
        lines.push(count("random effects, normal", design, Told, of, move |s| {
            holds(summary(s, PauleMandel).map(|r| r.interval(0.95)), 0.0)
        }));
    }
    for (design, seeds) in [("5 seeds on the same 100 items", 5), ("20 seeds on the same 100 items", 20)] {
        let summary = move |s: &mut Stream| {
            let each = table(s, seeds, 100, 0.05).into_iter().filter_map(|row| cluster_mean(&singles(&row)));
            let (effects, variances): (Vec<f64>, Vec<f64>) = each.map(|m| (m.mean, m.error.powi(2))).unzip();
            random_effects(&effects, &variances, Between::PauleMandel)
        };
        lines.push(count("random effects, Hartung-Knapp", design, Told, of, move |s| {
            holds(summary(s).and_then(|r| r.hartung_knapp(0.95)), -0.1)
        }));
        lines.push(count("random effects, Hartung-Knapp not below classical", design, Told, of, move |s| {
            holds(summary(s).and_then(|r| r.cautious(0.95)), -0.1)
        }));
    }
    lines
}

fn fisher(s: &mut Stream, n: usize, rho: f64) -> Option<Interval> {
    let x: Vec<f64> = (0..n).map(|_| s.normal()).collect();
    let y: Vec<f64> = x.iter().map(|x| rho * x + (1.0 - rho * rho).sqrt() * s.normal()).collect();
    fisher_interval(pearson(&x, &y)?, n, 0, 0.95)
}
