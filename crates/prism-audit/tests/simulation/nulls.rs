//! False positives of every test at level 0.05 on nulls, and of families of them.

use prism_audit::statistics::adjust::{benjamini_hochberg, holm};
use prism_audit::statistics::correlation::ranks;
use prism_audit::statistics::equivalence::is_equivalent;
use prism_audit::statistics::mcnemar::mcnemar_exact;
use prism_audit::statistics::permutation::exact_p;
use prism_audit::statistics::random_effects::{Between, random_effects};
use prism_audit::statistics::sign_flip::{exact_of_counts, sign_flip};
use prism_audit::statistics::tost::tost;
use prism_run::random::Stream;

use super::Promise::{AtMost, Told};
use super::{Line, clusters, count, counts};

const LEVEL: f64 = 0.05;

fn normals(s: &mut Stream, n: usize) -> Vec<f64> {
    (0..n).map(|_| s.normal()).collect()
}

/// The lines of this part.
pub fn lines(of: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (design, n, each) in [("n = 191, 5 % each way", 191, 0.05), ("n = 60, 2 % each way", 60, 0.02)] {
        lines.push(count("McNemar", design, AtMost(LEVEL), of, |s| {
            let pairs = counts(s, n, each, each);
            mcnemar_exact(pairs.gained, pairs.lost) < LEVEL
        }));
    }
    let design = "95 pairs of items, all alike, 8 % each way";
    let whole = |s: &mut Stream| -> Vec<i64> { clusters(s, 95, 1.0, 0.08, 0.08).iter().map(|(sum, _)| *sum as i64).collect() };
    lines.push(count("McNemar, clusters flipped as a whole", design, AtMost(LEVEL), of, |s| exact_of_counts(&whole(s)) < LEVEL));
    lines.push(count("McNemar that ignores the pairs", design, Told, of, |s| {
        let sums = whole(s);
        let side = |sign: i64| sums.iter().map(|v| (sign * v).max(0) as usize).sum::<usize>();
        mcnemar_exact(side(1), side(-1)) < LEVEL
    }));
    lines.push(count("sign flip of margins, exact", "n = 12, normal", AtMost(LEVEL), of, |s| {
        let values = normals(s, 12);
        sign_flip(&values, 0, s).is_some_and(|t| t.p < LEVEL)
    }));
    lines.push(count("sign flip of margins, 999 draws", "n = 60, double exponential", AtMost(LEVEL), of, |s| {
        let values: Vec<f64> = (0..60).map(|_| (1.0 - s.uniform()).ln() - (1.0 - s.uniform()).ln()).collect();
        sign_flip(&values, 999, s).is_some_and(|t| t.p < LEVEL)
    }));
    lines.push(count("permutation of r, exact", "5 variants, normal", AtMost(LEVEL), of, |s| {
        let (x, y) = (normals(s, 5), normals(s, 5));
        exact_p(&x, &y).is_some_and(|p| p < LEVEL)
    }));
    lines.push(count("permutation of rank r, exact", "6 variants, normal", AtMost(LEVEL), of, |s| {
        let (x, y) = (normals(s, 6), normals(s, 6));
        exact_p(&ranks(&x), &ranks(&y)).is_some_and(|p| p < LEVEL)
    }));
    lines.push(count("Q of the seeds", "5 seeds alike, error 0.03", AtMost(LEVEL), of, |s| {
        let effects: Vec<f64> = (0..5).map(|_| 0.03 * s.normal()).collect();
        random_effects(&effects, &[0.0009; 5], Between::PauleMandel).is_some_and(|r| r.q_p < LEVEL)
    }));
    lines.extend(of_equivalence(of));
    lines.extend(of_families(of));
    lines
}

/// At the boundary of the margin, "equivalent" is the false positive.
fn of_equivalence(of: usize) -> Vec<Line> {
    // The exact p costs thousands of terms.
    let fewer = (of / 4).max(100);
    let mut lines = Vec::new();
    for (design, gained, lost) in
        [("n = 191, true loss of 5 points, 7 % discordant", 0.01, 0.06), ("n = 191, true loss of 5 points, 15 % discordant", 0.05, 0.10)]
    {
        lines.push(count("equivalence of accuracy, exact", design, AtMost(LEVEL), fewer, |s| {
            is_equivalent(counts(s, 191, gained, lost), 0.05, LEVEL)
        }));
    }
    lines.push(count("equivalence of accuracy: power", "n = 343, no effect, 10 % discordant", Told, fewer, |s| {
        is_equivalent(counts(s, 343, 0.05, 0.05), 0.05, LEVEL)
    }));
    lines.push(count("equivalence of margins (TOST)", "n = 60, true change at the bound", AtMost(LEVEL), of, |s| {
        let values: Vec<f64> = (0..60).map(|_| 0.2 + 0.5 * s.normal()).collect();
        tost(&values, 0.2, LEVEL).is_some_and(|t| t.p < LEVEL)
    }));
    lines
}

/// Families of 25 true nulls: any finding at all is a false one.
fn of_families(of: usize) -> Vec<Line> {
    let design = "25 McNemar tests, n = 191, 5 % each way";
    let family = |s: &mut Stream| -> Vec<f64> {
        let p = |pairs: prism_audit::statistics::equivalence::Discordant| mcnemar_exact(pairs.gained, pairs.lost);
        (0..25).map(|_| p(counts(s, 191, 0.05, 0.05))).collect()
    };
    let any = |p: &[f64]| p.iter().any(|p| *p < LEVEL);
    vec![
        count("Holm: any false finding", design, AtMost(LEVEL), of, |s| any(&holm(&family(s)))),
        count("Benjamini-Hochberg: any false finding", design, AtMost(LEVEL), of, |s| any(&benjamini_hochberg(&family(s)))),
        count("no adjustment: any false finding", design, Told, of, |s| any(&family(s))),
    ]
}
