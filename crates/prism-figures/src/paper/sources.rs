//! Where the numbers come from: what was published, or a benchmark of a study.

use prism_audit::findings::ProbeFinding;
use prism_audit::paper::Published;
use prism_audit::paper::published::PublishedVariant;
use prism_audit::probe::row::OWN;
use prism_run::{Action, Donor, Intervention, Position};

use super::{Line, Probe, Source};
use prism_report::change::Change;
use prism_report::charts::theme::VariantStyle;
use prism_report::document::table::{FILES, KEY};
use prism_report::document::{Cell, Column, Row, Table};
use prism_report::sections::agreement;
use prism_report::study::{Part, Study};

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
        seed: None,
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
    Source {
        name: "arXiv 2606.05753, published numbers".into(),
        benchmarks: vec!["V*Bench".into(), "MMVP".into(), "BLINK".into()],
        spread: "standard error over folds",
        interventions: CORRUPTIONS.iter().map(|(_, action)| Intervention::from(*action)).collect(),
        lines: published.variants().into_iter().enumerate().map(line).collect(),
        correlations: published_correlations(published),
        margin: None,
        counted: false,
        absent: "not published",
    }
}

/// Table 2 as published.
fn published_correlations(published: &Published) -> Table {
    let r = Column::decimal("r", "r", 3);
    let interval = r.interval("bootstrap", "bootstrap 95 %").because("not published");
    let columns = vec![
        Column::words("x", "x").priority(KEY),
        Column::words("y", "y").priority(KEY),
        Column::words("given", "given").priority(KEY).because("nothing is held fixed"),
        r,
        interval,
        Column::count("digits", "digits published").priority(FILES),
    ];
    let mut table = Table::new("table-2", columns);
    for c in published.correlations() {
        let bounds = published.intervals().get(&c.name);
        let (x, y, given) = published.columns_of(&c.name).unwrap_or((&c.name, "", None));
        table.push(Row::new(&c.name).cells([
            Cell::text(x.replace('_', " ")),
            Cell::text(y.replace('_', " ")),
            Cell::maybe_text(given.map(|g| g.replace('_', " "))),
            Cell::number(c.value),
            Cell::interval(bounds.map(|[low, _]| *low), bounds.map(|[_, high]| *high)),
            Cell::count(c.decimals),
        ]));
    }
    table.captioned(
        "Correlations over the five variants, as published; 95 % percentile interval of 5000 binomial replicates where one is given.",
    )
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
                seed: audit.seed.filter(|_| part.has_seeds()),
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
        name: format!("{}, {}", part.benchmark, prism_report::sections::n_equals(part)),
        benchmarks: vec![part.benchmark.clone()],
        spread: "standard deviation over folds",
        interventions,
        lines,
        correlations: correlations(study),
        margin: part.margin(),
        counted: true,
        absent: "the study has no such number",
    }
}

/// Table 2 of a study: the page's table of correlations under the paper's name.
fn correlations(study: &Study) -> Table {
    let mut table = match &study.comparison {
        Some((_, findings)) => agreement::correlations(&findings.comparison),
        None => {
            agreement::correlations(&[]).captioned("The runs were not compared, so no correlation is given; `prism compare` makes one.")
        }
    };
    table.name = "table-2";
    table
}
