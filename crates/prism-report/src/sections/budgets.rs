//! Accuracy and content effect over the step budget K, one line an arm.

use prism_audit::findings::{BudgetFinding, marked};

use super::table::{NUMBER, TEXT, Table};
use super::{Builder, styles};
use crate::charts::Run;
use crate::charts::lines::{self, Line, Look, Point};
use crate::html::escape;
use crate::number::{decimal, interval, percent, points};
use crate::study::{Part, Study};

const HEADING: &str = "Over the number of latent steps";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    // A comparison is of one benchmark.
    let found = study.comparison.as_ref().filter(|_| study.parts.len() == 1).map_or(&[][..], |(_, f)| f.budgets.as_slice());
    if !found.iter().any(|f| f.k.is_some()) {
        return builder.absent(HEADING, "the study was audited at one K; name more in the recipe\u{2019}s `audit.sweep`");
    }
    let lines = |of: fn(&BudgetFinding) -> Point| -> Vec<Line<'_>> {
        let line = |v: usize| {
            let style = &study.variants[v];
            let points = over_k(found, &style.id).into_iter().map(|(k, rows)| mean(k, &rows, of)).collect();
            Line { run: Run { style, label: style.name.clone() }, name: String::new(), points }
        };
        part.variants().into_iter().map(line).filter(|l: &Line<'_>| !l.points.is_empty()).collect()
    };
    let accuracy =
        Look { what: "Accuracy over K", x: "K", counts: true, y: "accuracy, %", scale: 100.0, digits: 1, band: None, reference: None };
    let changed = Look {
        what: "Answers changed by the exchange that changes most, over K",
        y: "answers changed, %",
        reference: Some(0.0),
        band: part.margin(),
        ..accuracy
    };
    let charts = vec![
        (lines::spec(&lines(|f| point(f.accuracy, f.accuracy_low, f.accuracy_high)), &accuracy), "Clean accuracy".to_string()),
        (lines::spec(&lines(|f| point(f.most_changed, None, f.changed_bound)), &changed), "Answers that an exchange changes".to_string()),
    ];
    let caption = format!(
        "Left: clean accuracy. Right: the largest share of answers that any exchange or resampling of the whole block changes; the bar reaches to its one-sided 95 % bound, the band is the margin below which content is not used. {} A staged variant runs K steps in its target stage and 2 K in its context stage. Only the declared K was chosen before the runs; words at another K are exploratory.",
        if part.has_seeds() {
            "Means over seeds; bars are means of the seeds\u{2019} own."
        } else {
            "One seed; bars are 95 % intervals over questions."
        }
    );
    let mut out = builder.figure("budgets", charts, &styles(study, part), &caption);
    out.push_str(&table(study, part, found, builder));
    builder.section("budgets", HEADING, &out)
}

fn point(y: Option<f64>, low: Option<f64>, high: Option<f64>) -> Point {
    Point { x: 0.0, y: y.unwrap_or(f64::NAN), low, high, key: None }
}

/// The rows of an arm by K, in the order of K.
fn over_k<'a>(found: &'a [BudgetFinding], variant: &str) -> Vec<(usize, Vec<&'a BudgetFinding>)> {
    let mut all: Vec<(usize, Vec<&BudgetFinding>)> = Vec::new();
    for f in found.iter().filter(|f| f.variant == variant) {
        let Some(k) = f.k else { continue };
        match all.iter_mut().find(|(known, _)| *known == k) {
            Some((_, rows)) => rows.push(f),
            None => all.push((k, vec![f])),
        }
    }
    all.sort_by_key(|(k, _)| *k);
    all
}

fn mean(k: usize, rows: &[&BudgetFinding], of: fn(&BudgetFinding) -> Point) -> Point {
    let points: Vec<Point> = rows.iter().map(|f| of(f)).collect();
    let average = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    Point {
        x: k as f64,
        y: average(points.iter().map(|p| p.y).filter(|y| y.is_finite()).collect()).unwrap_or(f64::NAN),
        low: average(points.iter().filter_map(|p| p.low).collect()),
        high: average(points.iter().filter_map(|p| p.high).collect()),
        key: None,
    }
}

fn table(study: &Study, part: &Part, found: &[BudgetFinding], builder: &mut Builder) -> String {
    let mut t = Table::new(&[
        (NUMBER, "K"),
        (NUMBER, "steps"),
        (TEXT, "inside the trained lengths"),
        (NUMBER, "accuracy, %"),
        (NUMBER, "95 %"),
        (NUMBER, "parsed, %"),
        (NUMBER, "cosine, free"),
        (NUMBER, "changed, %"),
        (NUMBER, "at most, %"),
        (NUMBER, "change"),
        (TEXT, "word"),
        (TEXT, "block"),
    ]);
    let dash = || "\u{2013}".to_string();
    for audit in &part.audits {
        let id = &study.style(audit).id;
        for f in found.iter().filter(|f| f.variant == *id && f.seed == audit.seed) {
            let steps = [f.steps_context, f.steps_target].into_iter().flatten().map(|n| n.to_string()).collect::<Vec<_>>().join(" + ");
            let inside = match f.inside_lengths {
                Some(true) => "yes",
                Some(false) => "no",
                None => "unknown",
            };
            let cells = [
                f.k.map_or_else(|| "declared".to_string(), |k| k.to_string()),
                steps,
                inside.to_string(),
                percent(f.accuracy),
                interval(f.accuracy_low, f.accuracy_high, percent),
                percent(f.parsed),
                decimal(f.cosine_free, 3),
                percent(f.most_changed),
                percent(f.changed_bound),
                points(f.content_delta),
                f.word.map_or_else(dash, |word| escape(&marked(word, f.qualifier.as_deref()))),
                f.presence.map_or_else(dash, |need| escape(&need.to_string())),
            ];
            t.row(study, part, audit, None, &cells, None);
        }
    }
    builder.table(
        "budgets",
        "The clean run and the exchanges that decide at every K. Steps: of the context stage, then of the target stage. Changed: the largest share of answers that an exchange or resampling changes, with the largest one-sided 95 % bound; change: accuracy under the one that moves it most, points against the clean run. A word with a star speaks of a K outside the trained lengths, or of one not declared beforehand.",
        &t.finish(),
    )
}
