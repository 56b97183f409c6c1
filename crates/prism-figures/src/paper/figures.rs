//! Figures 1, 4 and 5.

use prism_run::Action;
use serde_json::Value;

use super::{Line, Source};
use crate::Figure;
use crate::alone::alone;
use prism_report::charts::{Run, corruption, cosine_accuracy, gap_response};

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
                    cell: None,
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
            .flat_map(|(place, &intervention)| {
                self.lines.iter().filter_map(move |l| {
                    let change = l.changes.get(place).copied().flatten()?;
                    Some(corruption::Effect {
                        run: Self::run(l),
                        intervention,
                        delta: change.delta,
                        low: change.low,
                        high: change.high,
                        gained: change.gained,
                        lost: change.lost,
                        cell: None,
                    })
                })
            })
            .collect();
        add(
            "figure-4".into(),
            corruption::spec(&effects, self.margin),
            format!("Change of accuracy on {first} under each corruption, per variant."),
        );
        for (place, &intervention) in self.interventions.iter().enumerate() {
            if !matches!(intervention.action, Action::Zero | Action::Noise(0.1)) {
                continue;
            }
            let gaps: Vec<gap_response::Point<'_>> = self
                .lines
                .iter()
                .filter_map(|l| {
                    let change = l.changes.get(place).copied().flatten()?;
                    Some(gap_response::Point { run: Self::run(l), gap: l.gap?, delta: change.delta, low: change.low, high: change.high })
                })
                .collect();
            let stem = format!("figure-5-{}", intervention.to_string().replace(':', "-"));
            add(
                stem,
                gap_response::spec(&gaps, intervention),
                format!("Change of accuracy on {first} under {intervention} against the decodability gap."),
            );
        }
        out
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
