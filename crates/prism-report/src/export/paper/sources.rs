//! Where the numbers come from: what was published, or a benchmark of a study.

use prism_audit::findings::ProbeFinding;
use prism_audit::paper::Published;
use prism_audit::paper::published::PublishedVariant;
use prism_audit::probe::row::OWN;
use prism_run::{Action, Donor, Intervention, Position};

use super::super::table::Table;
use super::{Line, Probe, Source};
use crate::change::Change;
use crate::charts::theme::VariantStyle;
use crate::number::{correlation, decimal, interval, p_value};
use crate::study::{Part, Study};

/// The paper's corruptions: their names in its table, and what they are.
const CORRUPTIONS: [(&str, Action); 5] = [
    ("truncate", Action::Zero),
    ("noise_0.1", Action::Noise(0.1)),
    ("noise_0.3", Action::Noise(0.3)),
    ("noise_1.0", Action::Noise(1.0)),
    ("swap", Action::Swap(Donor::Random)),
];

/// The published numbers as a source.
pub fn published_source(published: &Published) -> Source {
    let share = |percent: f64| Some(percent / 100.0);
    let line = |(place, v): (usize, &PublishedVariant)| Line {
        style: VariantStyle::new(place, &v.name, &v.name),
        label: v.name.clone(),
        cosine: Some(v.cosine),
        accuracies: vec![share(v.vstar), share(v.mmvp), share(v.blink)],
        accuracy_interval: (None, None),
        probe_a: Probe { accuracy: share(v.probe_a), spread: share(v.probe_a_se), cross_entropy: Some(v.probe_a_ce) },
        probe_b: Probe { accuracy: share(v.probe_b), spread: share(v.probe_b_se), cross_entropy: None },
        question_mean: share(v.question_mean),
        gap: share(v.probe_a - v.probe_b),
        changes: CORRUPTIONS
            .iter()
            .map(|(key, _)| v.delta.get(*key).map(|d| Change { delta: d / 100.0, low: None, high: None, gained: 0, lost: 0 }))
            .collect(),
    };
    let correlations = published
        .correlations()
        .iter()
        .map(|c| {
            let bounds = published.intervals().get(&c.name);
            let (x, y, given) = published.columns_of(&c.name).unwrap_or((&c.name, "", None));
            vec![
                x.replace('_', " "),
                y.replace('_', " "),
                given.map_or_else(|| "–".into(), |g| g.replace('_', " ")),
                decimal(Some(c.value), c.decimals),
                bounds.map_or_else(|| "–".into(), |[low, high]| interval(Some(*low), Some(*high), |v| decimal(v, 3))),
            ]
        })
        .collect();
    Source {
        name: "arXiv 2606.05753, published numbers".into(),
        benchmarks: vec!["V*Bench".into(), "MMVP".into(), "BLINK".into()],
        spread: "standard error over folds",
        interventions: CORRUPTIONS.iter().map(|(_, action)| Intervention::from(*action)).collect(),
        lines: published.variants().into_iter().enumerate().map(line).collect(),
        correlations: Table::new(
            "Correlations over the five variants, as published; 95 % percentile interval of 5000 binomial replicates where one is given.",
            &[("x", true), ("y", true), ("given", true), ("r", false), ("bootstrap 95 %", false)],
            correlations,
        ),
        margin: None,
        counted: false,
    }
}

/// A benchmark of a study as a source.
pub fn study_source(study: &Study, part: &Part) -> Source {
    // Beside the paper's figures only its own corruptions can be read; what a study ran beyond them is on its page.
    let ran = part.interventions();
    let paper = CORRUPTIONS.iter().map(|(_, action)| Intervention::from(*action));
    let interventions: Vec<Intervention> = paper.filter(|i| ran.contains(i)).collect();
    let lines = part
        .audits
        .iter()
        .map(|audit| {
            let (summary, clean) = (audit.summary(), audit.clean());
            let probe = |position: Position| {
                let own = |f: &&ProbeFinding| f.position == position.name() && f.target == "gold" && f.source == OWN && f.layer.is_none();
                audit.findings.probe.iter().find(own).map_or_else(Probe::default, |f| Probe {
                    accuracy: f.accuracy,
                    spread: f.accuracy_sd,
                    cross_entropy: f.cross_entropy,
                })
            };
            Line {
                style: study.style(audit).clone(),
                label: part.run_name(study, audit),
                cosine: summary.and_then(|s| s.cosine).filter(|c| c.is_finite()),
                accuracies: vec![clean.and_then(|c| c.accuracy).or_else(|| summary.and_then(|s| s.accuracy))],
                accuracy_interval: clean.map_or((None, None), |c| (c.accuracy_low, c.accuracy_high)),
                probe_a: probe(Position::AnswerState),
                probe_b: probe(Position::LatentLast),
                question_mean: summary.and_then(|s| s.question_mean),
                gap: summary.and_then(|s| s.gap).filter(|g| g.is_finite()),
                changes: interventions.iter().map(|i| audit.change(*i)).collect(),
            }
        })
        .collect();
    Source {
        name: format!("{}, {}", part.benchmark, crate::sections::n_equals(part)),
        benchmarks: vec![part.benchmark.clone()],
        spread: "standard deviation over folds",
        interventions,
        lines,
        correlations: correlations(study),
        margin: part.margin(),
        counted: true,
    }
}

fn correlations(study: &Study) -> Table {
    let rows = study.comparison.iter().flat_map(|(_, findings)| &findings.comparison).map(|row| {
        vec![
            row.x.replace('_', " "),
            row.y.replace('_', " "),
            row.given.as_deref().map_or_else(|| "–".into(), |g| g.replace('_', " ")),
            format!("{} {}", row.variants, if row.unit == "run" { "runs" } else { "variants" }),
            correlation(row.r),
            interval(row.low, row.high, correlation),
            interval(row.fisher_low, row.fisher_high, correlation),
            p_value(row.exact_p),
            row.reason.clone().unwrap_or_default(),
        ]
    });
    let caption = match study.comparison {
        Some(_) => "Pearson correlations across the points; p is exact, over all permutations.",
        None => "The runs were not compared, so no correlation is given; `prism compare` makes one.",
    };
    Table::new(
        caption,
        &[
            ("x", true),
            ("y", true),
            ("given", true),
            ("points", false),
            ("r", false),
            ("bootstrap 95 %", false),
            ("Fisher 95 %", false),
            ("exact p", false),
            ("why absent", true),
        ],
        rows.collect(),
    )
}
