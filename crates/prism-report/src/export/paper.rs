//! The source paper's figures and tables, from any study or from its published
//! numbers: Figure 1 (cosine against accuracy), Figure 4 (change under each
//! corruption), Figure 5 (decodability gap against the response), Table 1
//! (variants side by side), Table 2 (correlations), Table 3 (probes), Table 4
//! (corruption).

use std::path::Path;

use prism_audit::findings::ProbeFinding;
use prism_audit::paper::Published;
use prism_audit::probe::finding::OWN;
use serde_json::Value;

use super::figure::alone;
use super::table::Table;
use super::{Figure, Written, write_figures, write_tables};
use crate::charts::theme::VariantStyle;
use crate::charts::{Run, corruption, cosine_accuracy, gap_response};
use crate::number::{correlation, decimal, interval, p_value, percent, points};
use crate::study::{Change, Part, Study, intervention_label};
use crate::{Error, ReportInputs};

/// One line of the tables: a run, or a published variant. Shares, not percent.
#[derive(Debug, Clone)]
pub struct Line {
    /// The variant's look.
    pub style: VariantStyle,
    /// Variant and, if needed, seed.
    pub label: String,
    /// Teacher-forced, target stage.
    pub cosine: Option<f64>,
    /// Accuracy on each benchmark of [`Source::benchmarks`].
    pub accuracies: Vec<Option<f64>>,
    /// Interval of the first of them.
    pub accuracy_interval: (Option<f64>, Option<f64>),
    /// Probe at (a).
    pub probe_a: Probe,
    /// Probe at (b).
    pub probe_b: Probe,
    /// Probe accuracy at the question mean.
    pub question_mean: Option<f64>,
    /// Probe accuracy at (a) minus that at (b).
    pub gap: Option<f64>,
    /// Change under each of [`Source::interventions`].
    pub changes: Vec<Option<Change>>,
}

/// A probe as Table 3 prints it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Probe {
    /// Accuracy.
    pub accuracy: Option<f64>,
    /// Its spread over folds, see [`Source::spread`].
    pub spread: Option<f64>,
    /// Cross-entropy, nats.
    pub cross_entropy: Option<f64>,
}

/// What the figures and tables are drawn from.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is, for captions.
    pub name: String,
    /// Benchmarks of the accuracies; everything else is of the first.
    pub benchmarks: Vec<String>,
    /// What spread the probes are given with, e.g. `standard error`.
    pub spread: &'static str,
    /// Interventions, as they are printed.
    pub interventions: Vec<String>,
    /// Lines in order.
    pub lines: Vec<Line>,
    /// Table 2.
    pub correlations: Table,
    /// Half-width of the equivalence band, where one was declared.
    pub margin: Option<f64>,
    /// Whether the answers gained and lost are known.
    pub counted: bool,
}

/// Writes the preset from the published numbers.
///
/// # Errors
/// When the built-in table cannot be read, a figure not drawn or a file not written.
pub fn write_published(folder: &Path) -> Result<Written, Error> {
    let published = prism_audit::paper::published()?;
    let mut written = Written::default();
    write_source(&published_source(&published), folder, "", &mut written)?;
    Ok(written)
}

/// Writes the preset from a study; of several benchmarks, each into a folder of its name.
///
/// # Errors
/// As [`super::write`].
pub fn write_study(inputs: &ReportInputs, folder: &Path) -> Result<Written, Error> {
    let mut left_out = Vec::new();
    let study = Study::read(inputs, &mut left_out)?;
    let mut written = Written::default();
    for (place, part) in study.parts.iter().enumerate() {
        let prefix = if study.parts.len() > 1 { format!("benchmark-{}-", place + 1) } else { String::new() };
        write_source(&study_source(&study, part), folder, &prefix, &mut written)?;
    }
    Ok(written)
}

fn write_source(source: &Source, folder: &Path, prefix: &str, written: &mut Written) -> Result<(), Error> {
    let figures: Vec<Figure> = source.figures().into_iter().map(|f| Figure { stem: format!("{prefix}{}", f.stem), ..f }).collect();
    let drawn = |stem: &str| figures.iter().any(|f| f.stem.starts_with(&format!("{prefix}{stem}")));
    for stem in ["figure-1", "figure-4", "figure-5"].into_iter().filter(|stem| !drawn(stem)) {
        written.notes.push(format!("{prefix}{stem}: not drawn, {} has no numbers for it", source.name));
    }
    write_figures(&figures, folder, written)?;
    let tables: Vec<(String, Table)> = source.tables().into_iter().map(|(stem, t)| (format!("{prefix}{stem}"), t)).collect();
    write_tables(&tables, folder, written)
}

/// The published numbers as a source.
pub fn published_source(published: &Published) -> Source {
    const CORRUPTIONS: [(&str, &str); 5] =
        [("truncate", "zero"), ("noise_0.1", "noise σ 0.1"), ("noise_0.3", "noise σ 0.3"), ("noise_1.0", "noise σ 1"), ("swap", "swap")];
    let share = |percent: f64| Some(percent / 100.0);
    let line = |(place, v): (usize, &prism_audit::paper::published::PublishedVariant)| Line {
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
        interventions: CORRUPTIONS.iter().map(|(_, label)| (*label).to_string()).collect(),
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
    let interventions: Vec<String> = part.interventions().into_iter().filter(|i| i != "sham").collect();
    let lines = part
        .audits
        .iter()
        .map(|audit| {
            let (summary, clean) = (audit.summary(), audit.effect("clean"));
            let probe = |position: &str| {
                let own = |f: &&ProbeFinding| f.position == position && f.target == "gold" && f.source == OWN && f.layer.is_none();
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
                probe_a: probe("answer_state"),
                probe_b: probe("latent_last"),
                question_mean: summary.and_then(|s| s.question_mean),
                gap: summary.and_then(|s| s.gap).filter(|g| g.is_finite()),
                changes: interventions.iter().map(|i| audit.change(i)).collect(),
            }
        })
        .collect();
    Source {
        name: part.benchmark.clone(),
        benchmarks: vec![part.benchmark.clone()],
        spread: "standard deviation over folds",
        interventions: interventions.iter().map(|i| intervention_label(i)).collect(),
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

impl Source {
    fn run(line: &Line) -> Run<'_> {
        Run { style: &line.style, label: line.label.clone() }
    }

    fn variants(&self) -> usize {
        let mut names: Vec<&str> = self.lines.iter().map(|l| l.style.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }

    /// Figures 1, 4 and 5; what has no numbers is not among them.
    pub fn figures(&self) -> Vec<Figure> {
        let first = self.benchmarks.first().map_or("", String::as_str);
        let mut out = Vec::new();
        let mut add = |stem: String, spec: Option<Value>, caption: String| {
            if let Some(spec) = spec {
                let spec = if self.counted { spec } else { without_counts(spec) };
                out.push(Figure { stem, specification: alone(&spec, "", self.variants()), caption: format!("{caption} {}.", self.name) });
            }
        };
        let scatter: Vec<cosine_accuracy::Point<'_>> = self
            .lines
            .iter()
            .filter_map(|l| {
                Some(cosine_accuracy::Point {
                    run: Self::run(l),
                    cosine: l.cosine?,
                    accuracy: l.accuracies.first().copied().flatten()?,
                    low: l.accuracy_interval.0,
                    high: l.accuracy_interval.1,
                })
            })
            .collect();
        add(
            "figure-1".into(),
            cosine_accuracy::spec(&scatter, "cosine, teacher-forced, target stage"),
            format!("Cosine against accuracy on {first}."),
        );
        let effects: Vec<corruption::Effect<'_>> = self
            .interventions
            .iter()
            .enumerate()
            .flat_map(|(place, intervention)| {
                self.lines.iter().filter_map(move |l| {
                    let change = l.changes.get(place).copied().flatten()?;
                    Some(corruption::Effect {
                        run: Self::run(l),
                        intervention: intervention.clone(),
                        delta: change.delta,
                        low: change.low,
                        high: change.high,
                        gained: change.gained,
                        lost: change.lost,
                    })
                })
            })
            .collect();
        add(
            "figure-4".into(),
            corruption::spec(&effects, self.margin),
            format!("Change of accuracy on {first} under each corruption, per variant."),
        );
        for (place, intervention) in self.interventions.iter().enumerate().filter(|(_, i)| ["zero", "noise σ 0.1"].contains(&i.as_str())) {
            let gaps: Vec<gap_response::Point<'_>> = self
                .lines
                .iter()
                .filter_map(|l| {
                    let change = l.changes.get(place).copied().flatten()?;
                    Some(gap_response::Point { run: Self::run(l), gap: l.gap?, delta: change.delta, low: change.low, high: change.high })
                })
                .collect();
            let stem = format!("figure-5-{}", intervention.replace("noise σ ", "noise-").replace(' ', "-"));
            add(
                stem,
                gap_response::spec(&gaps, intervention),
                format!("Change of accuracy on {first} under {intervention} against the decodability gap."),
            );
        }
        out
    }

    /// Tables 1 to 4.
    pub fn tables(&self) -> Vec<(String, Table)> {
        let first = self.benchmarks.first().map_or("", String::as_str);
        let accuracies: Vec<String> = self.benchmarks.iter().map(|b| format!("accuracy on {b}, %")).collect();
        let mut columns: Vec<(&str, bool)> = vec![("variant", true), ("cosine", false)];
        columns.extend(accuracies.iter().map(|a| (a.as_str(), false)));
        columns.extend([("probe (a), %", false), ("probe (b), %", false), ("gap G, points", false)]);
        let body = |row: &dyn Fn(&Line) -> Vec<String>| self.lines.iter().map(row).collect::<Vec<_>>();
        let variants = body(&|l| {
            let mut row = vec![l.label.clone(), decimal(l.cosine, 3)];
            row.extend(l.accuracies.iter().map(|a| percent(*a)));
            row.extend([percent(l.probe_a.accuracy), percent(l.probe_b.accuracy), points(l.gap)]);
            row
        });
        let probes = body(&|l| {
            vec![
                l.label.clone(),
                percent(l.probe_a.accuracy),
                percent(l.probe_a.spread),
                decimal(l.probe_a.cross_entropy, 3),
                percent(l.probe_b.accuracy),
                percent(l.probe_b.spread),
                decimal(l.probe_b.cross_entropy, 3),
                percent(l.question_mean),
            ]
        });
        let mut damage: Vec<(&str, bool)> = vec![("variant", true)];
        damage.extend(self.interventions.iter().map(|i| (i.as_str(), false)));
        let changes = body(&|l| {
            let cell = |change: &Option<Change>| match change {
                Some(c) if c.low.is_some() && c.high.is_some() => format!("{} {}", points(Some(c.delta)), interval(c.low, c.high, points)),
                change => points(change.map(|c| c.delta)),
            };
            std::iter::once(l.label.clone()).chain(l.changes.iter().map(cell)).collect()
        });
        let probe_columns = [
            ("variant", true),
            ("(a) accuracy, %", false),
            ("(a) spread", false),
            ("(a) cross-entropy, nats", false),
            ("(b) accuracy, %", false),
            ("(b) spread", false),
            ("(b) cross-entropy, nats", false),
            ("question mean, %", false),
        ];
        vec![
            ("table-1".into(), Table::new(&format!("Variants side by side. {}.", self.name), &columns, variants)),
            ("table-2".into(), self.correlations.clone()),
            (
                "table-3".into(),
                Table::new(
                    &format!("Linear probes for the gold letter on {first}; spread: {}. {}.", self.spread, self.name),
                    &probe_columns,
                    probes,
                ),
            ),
            (
                "table-4".into(),
                Table::new(&format!("Change of accuracy on {first} under each corruption, points. {}.", self.name), &damage, changes),
            ),
        ]
    }
}

/// Takes out the answers gained and lost, which no one published.
fn without_counts(mut spec: Value) -> Value {
    const COUNTS: [&str; 2] = ["gained", "lost"];
    fn strip(node: &mut Value) {
        match node {
            Value::Object(object) => {
                COUNTS.iter().for_each(|key| drop(object.remove(*key)));
                object.values_mut().for_each(strip);
            }
            Value::Array(items) => {
                items.retain(|item| !COUNTS.iter().any(|key| item["field"] == *key));
                items.iter_mut().for_each(strip);
            }
            _ => {}
        }
    }
    strip(&mut spec);
    spec
}
