//! Faithfulness findings (method, section 7): what an intervention on the latents
//! does to the outcomes, on the same examples, by category.

use prism_run::random::Stream;
use prism_run::records::AnswerRow;
use prism_run::{Intervention, Outcome};

use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::{FaithfulnessFinding, WarningFinding};
use crate::pairs::{Branch, Pair, lost, opened, right, unparsed};
use crate::statistics::Interval;
use crate::statistics::bootstrap::{clustered_mean, clustered_mean_bca};
use crate::statistics::cluster_robust::cluster_mean;
use crate::statistics::equivalence::Discordant;
use crate::statistics::mcnemar::mcnemar_exact;
use crate::statistics::sign_flip::sign_flip;
use crate::statistics::wilson::wilson;

/// Categories that are looked at one by one, at most.
const MOST_CATEGORIES: usize = 500;
/// The category that holds every example.
pub const ALL: &str = "all";

/// One finding per intervention and category, `all` first.
pub fn faithfulness(branches: &[Branch<'_>], clusters: &Clusters, settings: &AuditSettings) -> Vec<FaithfulnessFinding> {
    let mut categories: Vec<&str> = branches.iter().flat_map(|b| b.rows.iter().filter_map(|(_, c)| *c)).collect();
    categories.sort_unstable();
    categories.dedup();
    // With more of them each holds next to nothing.
    if categories.len() < 2 || categories.len() > MOST_CATEGORIES {
        categories.clear();
    }
    let mut found = Vec::new();
    for branch in branches {
        found.push(one(branch, ALL, clusters, settings));
        found.extend(categories.iter().map(|category| one(branch, category, clusters, settings)));
    }
    found
}

fn one(branch: &Branch<'_>, category: &str, clusters: &Clusters, settings: &AuditSettings) -> FaithfulnessFinding {
    let belongs = |of: Option<&str>| category == ALL || of == Some(category);
    let rows: Vec<&AnswerRow> = branch.rows.iter().filter(|(_, c)| belongs(*c)).map(|(r, _)| *r).collect();
    let pairs: Vec<Pair<'_>> = branch.pairs.iter().filter(|p| belongs(p.category)).copied().collect();
    let n = pairs.len();
    let outcomes = |outcome: Outcome| rows.iter().filter(|r| r.outcome == outcome).count();
    let correct = pairs.iter().filter(|p| right(p.other)).count();
    let bounds = wilson(correct, n, 0.95);
    let mut finding = FaithfulnessFinding {
        intervention: branch.intervention,
        category: category.to_string(),
        examples: n,
        correct,
        accuracy: (n > 0).then(|| correct as f64 / n as f64),
        accuracy_low: bounds.map(|b| b.low),
        accuracy_high: bounds.map(|b| b.high),
        delta: None,
        delta_low: None,
        delta_high: None,
        bootstrap_low: None,
        bootstrap_high: None,
        clusters: clusters.sums(pairs.iter().map(|p| (p.clean.row, 0.0))).len(),
        clustered_by: clusters.joins().iter().map(ToString::to_string).collect(),
        clustered_low: None,
        clustered_high: None,
        gained: pairs.iter().filter(|p| !right(p.clean) && right(p.other)).count(),
        lost: pairs.iter().filter(|p| lost(p)).count(),
        lost_unparsed: pairs.iter().filter(|p| lost(p) && unparsed(p.other)).count(),
        mcnemar_p: None,
        margin_delta: None,
        margin_low: None,
        margin_high: None,
        margin_p: None,
        margin_bound: None,
        margin_equivalence_p: None,
        changed: pairs.iter().filter(|p| p.clean.generated != p.other.generated).count(),
        opened: mean(pairs.iter().map(|p| f64::from(u8::from(opened(p.other))))),
        steps_context: mean(pairs.iter().map(|p| p.other.steps_context as f64)),
        steps_target: mean(pairs.iter().map(|p| p.other.steps_target as f64)),
        latent_norm: mean(pairs.iter().filter_map(|p| p.other.latent_norm)),
        perturbation_norm: mean(pairs.iter().filter_map(|p| p.other.perturbation_norm)),
        scored: outcomes(Outcome::Scored),
        no_answer: outcomes(Outcome::NoAnswer),
        no_latents: outcomes(Outcome::NoLatents),
        error: outcomes(Outcome::Error),
        reason: None,
    };
    finding.reason = if n == 0 {
        Some("no example ran both clean and under this intervention".into())
    } else if branch.is_clean() {
        Some("the baseline itself".into())
    } else if !pairs.iter().any(|p| opened(p.clean)) {
        Some("no latents ran: the block never opened, so the intervention touched nothing and its delta would be an empty 0".into())
    } else {
        accuracies(&pairs, category, clusters, settings, &mut finding);
        margins(&pairs, category, clusters, settings, &mut finding);
        None
    };
    finding
}

/// Fills in what compares the accuracies of the two runs.
fn accuracies(pairs: &[Pair<'_>], category: &str, clusters: &Clusters, settings: &AuditSettings, finding: &mut FaithfulnessFinding) {
    let counts = Discordant { n: pairs.len(), gained: finding.gained, lost: finding.lost };
    let silent = counts.gained + counts.lost == 0;
    let delta = counts.interval(0.95);
    finding.delta = Some((counts.gained as f64 - counts.lost as f64) / counts.n as f64);
    finding.delta_low = delta.map(|i| i.low);
    finding.delta_high = delta.map(|i| i.high);
    finding.mcnemar_p = Some(mcnemar_exact(counts.gained, counts.lost));
    let score = |answer: &AnswerRow| f64::from(u8::from(right(answer)));
    let sums = clusters.sums(pairs.iter().map(|p| (p.clean.row, score(p.other) - score(p.clean))));
    if clusters.joined_by().is_some() {
        // Clusters that all agree would give [0, 0], as if nothing were uncertain.
        let robust = match silent {
            true => Discordant { n: sums.len(), gained: 0, lost: 0 }.interval(0.95),
            false => cluster_mean(&sums).and_then(|m| m.interval(0.95)).filter(Interval::has_width),
        };
        finding.clustered_low = robust.map(|i| i.low);
        finding.clustered_high = robust.map(|i| i.high);
    }
    if !silent {
        let drawn = clustered_mean(&sums, settings.replicates, 0.95, &mut redraw("correct", category, settings));
        finding.bootstrap_low = drawn.map(|i| i.low);
        finding.bootstrap_high = drawn.map(|i| i.high);
    }
}

/// Fills in what compares the gold letter's log-probability margins.
fn margins(pairs: &[Pair<'_>], category: &str, clusters: &Clusters, settings: &AuditSettings, finding: &mut FaithfulnessFinding) {
    let differences: Vec<(usize, f64)> = pairs
        .iter()
        .filter_map(|p| Some((p.clean.row, p.other.gold_margin? - p.clean.gold_margin?)))
        .filter(|(_, difference)| difference.is_finite())
        .collect();
    let sums = clusters.sums(differences.iter().copied());
    let stream = |what: &str| redraw(what, category, settings);
    let drawn = clustered_mean_bca(&sums, settings.replicates, 0.95, &mut stream("margin"))
        .or_else(|| clustered_mean(&sums, settings.replicates, 0.95, &mut stream("margin")))
        .filter(Interval::has_width);
    finding.margin_delta = mean(differences.iter().map(|(_, d)| *d));
    finding.margin_low = drawn.map(|i| i.low);
    finding.margin_high = drawn.map(|i| i.high);
    let whole: Vec<f64> = sums.iter().map(|(sum, _)| *sum).collect();
    finding.margin_p = sign_flip(&whole, settings.replicates, &mut stream("sign flips")).map(|t| t.p);
    finding.margin_bound = settings.log_odds_bound();
    finding.margin_equivalence_p = finding.margin_bound.and_then(|bound| cluster_mean(&sums)?.tost(bound, settings.alpha)).map(|t| t.p);
}

/// Named by the category alone: every intervention redraws the same examples.
fn redraw(what: &str, category: &str, settings: &AuditSettings) -> Stream {
    Stream::new(u64::from(settings.seed), "paired bootstrap", &[what, category])
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(s, n), v| (s + v, n + 1));
    (count > 0).then(|| sum / count as f64)
}

/// What a reader must know before reading the deltas.
pub fn warnings(branches: &[Branch<'_>], findings: &[FaithfulnessFinding], has_block: bool) -> Vec<WarningFinding> {
    let mut texts = Vec::new();
    let clean = branches.iter().find(|b| b.is_clean());
    let overall = |of: Intervention| findings.iter().find(|f| f.intervention == of && f.category == ALL);
    if let Some(finding) = clean.and_then(|b| overall(b.intervention)) {
        match finding.opened {
            _ if !has_block => {}
            Some(0.0) => texts.push(format!(
                "NO LATENTS RAN: the latent block opened in none of {} examples, so no intervention was tested; deltas are absent",
                finding.examples
            )),
            Some(share) if share < 1.0 => texts.push(format!(
                "the latent block opened in {:.1} % of {} examples; the others dilute every delta (verdicts leave them out)",
                100.0 * share,
                finding.examples
            )),
            _ => {}
        }
        let ran: Vec<_> = clean.into_iter().flat_map(|b| &b.pairs).filter(|p| opened(p.clean)).collect();
        let without = ran.iter().filter(|p| p.clean.steps_target == 0).count();
        if without > 0 {
            texts.push(format!(
                "the target stage never ran in {without} of the {} examples whose block opened ({:.1} %): their last latent is the context stage's",
                ran.len(),
                100.0 * without as f64 / ran.len() as f64
            ));
        }
        if finding.no_answer > 0 {
            texts.push(format!("{} clean answers could not be parsed and count as wrong", finding.no_answer));
        }
        if finding.error > 0 {
            texts.push(format!("{} examples could not be run and are left out", finding.error));
        }
    }
    let clean_pairs = clean.map_or(0, |b| b.pairs.len());
    for branch in branches.iter().filter(|b| !b.is_clean()) {
        let Some(finding) = overall(branch.intervention) else { continue };
        if finding.lost_unparsed > 0 {
            texts.push(format!(
                "{}: {} of the {} answers lost could not be parsed any more: a damaged format, not necessarily another choice",
                branch.intervention, finding.lost_unparsed, finding.lost
            ));
        }
        if finding.examples < clean_pairs {
            let missing = clean_pairs - finding.examples;
            texts.push(format!("{missing} examples of the clean run lack an outcome under {}", branch.intervention));
        }
        let ran = branch.pairs.iter().any(|p| opened(p.clean));
        if branch.is_sham() && finding.changed > 0 {
            texts.push(format!(
                "{} changed {} outputs although it replaces nothing: the hook itself is not neutral, no delta can be trusted",
                branch.intervention, finding.changed
            ));
        } else if !branch.is_sham() && ran && finding.changed == 0 {
            texts.push(format!("{} changed not one generated token in {} examples", branch.intervention, finding.examples));
        }
    }
    texts.into_iter().map(|text| WarningFinding { about: "faithfulness".into(), text }).collect()
}
