//! Does a change of the image that changes the answer arrive in the latents? Examples and
//! their counterfactual partners, place by place: image, question, latent steps, answer.

use std::collections::BTreeMap;

use prism_run::random::Stream;
use prism_run::records::{AnswerRow, ExampleRow};
use prism_run::{ArrivesAt, Cloud};

use super::{mean, share};
use crate::AuditSettings;
use crate::findings::CounterfactualFinding;
use crate::latents::geometry::inter_example_cosine;
use crate::latents::retrieval::squared_distance;
use crate::latents::sets::{Named, matrix, norm, sets};
use crate::probe::matrix::{Matrix, dot};
use crate::statistics::Interval;
use crate::statistics::percentile::percentile_interval;

/// One finding per place, in the order of a decode; empty where no partner is among the examples.
pub fn counterfactuals(
    vectors: &Named,
    examples: &[ExampleRow],
    answers: &[AnswerRow],
    settings: &AuditSettings,
) -> Vec<CounterfactualFinding> {
    let partners = partners(examples);
    if partners.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let single = |place: ArrivesAt| vectors.get(place.name()).map(|v| (place, None, v.rows.clone(), matrix(v)));
    let before = [ArrivesAt::Visual, ArrivesAt::Question].into_iter().filter_map(single);
    let steps = sets(vectors, Cloud::FreeRunning).into_iter().map(|set| (ArrivesAt::from(set.stage), Some(set.step), set.rows, set.matrix));
    for (place, step, rows, values) in before.chain(steps).chain(single(ArrivesAt::AnswerState)) {
        found.push(at(place, step, &rows, &values, &partners, settings));
    }
    found.push(of_answers(&partners, examples, answers));
    found
}

/// Rows of partners, each pair once, the lower row first.
fn partners(examples: &[ExampleRow]) -> Vec<(i64, i64)> {
    let of_id: BTreeMap<&str, usize> = examples.iter().map(|e| (e.id.as_str(), e.row)).collect();
    let pair = |e: &ExampleRow| {
        let other = *of_id.get(e.counterfactual.as_deref()?)?;
        (other != e.row).then_some((e.row.min(other) as i64, e.row.max(other) as i64))
    };
    let mut found: Vec<(i64, i64)> = examples.iter().filter_map(pair).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn empty(place: ArrivesAt, step: Option<usize>, pairs: usize) -> CounterfactualFinding {
    CounterfactualFinding {
        place,
        step,
        pairs,
        cosine: None,
        cosine_strangers: None,
        change: None,
        change_low: None,
        change_high: None,
        answers_differ: None,
        both_right: None,
        reason: None,
    }
}

fn at(
    place: ArrivesAt,
    step: Option<usize>,
    rows: &[i64],
    values: &Matrix,
    partners: &[(i64, i64)],
    settings: &AuditSettings,
) -> CounterfactualFinding {
    let of_row: BTreeMap<i64, usize> = rows.iter().enumerate().map(|(i, row)| (*row, i)).collect();
    let known: Vec<(usize, usize)> = partners.iter().filter_map(|(a, b)| Some((*of_row.get(a)?, *of_row.get(b)?))).collect();
    let mut finding = empty(place, step, known.len());
    if known.len() < 2 {
        finding.reason = Some("fewer than two pairs of partners have a vector here".into());
        return finding;
    }
    // Strangers are the other examples of the same pairs, so that both are of the same kind.
    let members: Vec<usize> = known.iter().flat_map(|(a, b)| [*a, *b]).collect();
    let cloud = values.select(&members);
    let n = cloud.rows as f64;
    let distances: Vec<f64> = known.iter().map(|(a, b)| squared_distance(values.row(*a), values.row(*b)).max(0.0)).collect();
    let of_partners: f64 = distances.iter().sum();
    // All ordered pairs at once: 2 n sum |x|^2 - 2 |sum x|^2.
    let squares: f64 = cloud.values.iter().map(|v| v * v).sum();
    let mut sum = vec![0.0; cloud.columns];
    (0..cloud.rows).for_each(|i| sum.iter_mut().zip(cloud.row(i)).for_each(|(s, v)| *s += v));
    let all = 2.0 * n * squares - 2.0 * dot(&sum, &sum);
    let strangers = (all - 2.0 * of_partners) / (n * (n - 2.0));
    if strangers > 0.0 {
        let change: Vec<f64> = distances.iter().map(|d| d / strangers).collect();
        finding.change = mean(change.iter().copied());
        let mut stream = Stream::new(u64::from(settings.seed), "counterfactual pairs", &[]);
        let drawn: Vec<f64> = (0..settings.replicates)
            .map(|_| (0..change.len()).map(|_| change[stream.below(change.len())]).sum::<f64>() / change.len() as f64)
            .collect();
        let interval = percentile_interval(drawn, 0.95).filter(Interval::has_width);
        finding.change_low = interval.map(|i| i.low);
        finding.change_high = interval.map(|i| i.high);
    } else {
        finding.reason = Some("all examples have the same vector here".into());
    }
    let cosine = |(a, b): &(usize, usize)| {
        let lengths = norm(values.row(*a)) * norm(values.row(*b));
        (lengths > 0.0).then(|| dot(values.row(*a), values.row(*b)) / lengths)
    };
    let cosines: Vec<f64> = known.iter().filter_map(cosine).collect();
    finding.cosine = mean(cosines.iter().copied());
    let pairs = known.len() as f64;
    finding.cosine_strangers =
        inter_example_cosine(&cloud).map(|all| (all * n * (n - 1.0) - 2.0 * cosines.iter().sum::<f64>()) / (n * (n - 1.0) - 2.0 * pairs));
    finding
}

/// What becomes of the change in the end.
fn of_answers(partners: &[(i64, i64)], examples: &[ExampleRow], answers: &[AnswerRow]) -> CounterfactualFinding {
    let labels: BTreeMap<i64, &str> = examples.iter().map(|e| (e.row as i64, e.label.as_str())).collect();
    let clean = answers.iter().filter(|a| a.intervention.is_clean() && a.outcome != prism_run::Outcome::Error);
    let letters: BTreeMap<i64, Option<&str>> = clean.map(|a| (a.row as i64, a.answer.as_deref())).collect();
    let ran: Vec<[(Option<&str>, &str); 2]> = partners
        .iter()
        .filter_map(|(a, b)| {
            let one = |row: &i64| Some((*letters.get(row)?, *labels.get(row)?));
            Some([one(a)?, one(b)?])
        })
        .collect();
    let mut finding = empty(ArrivesAt::Answer, None, ran.len());
    // An answer that is missing is no other letter.
    finding.answers_differ = share(ran.iter().filter_map(|[(a, _), (b, _)]| Some(a.as_ref()? != b.as_ref()?)));
    finding.both_right = share(ran.iter().map(|pair| pair.iter().all(|(letter, gold)| *letter == Some(*gold))));
    if ran.is_empty() {
        finding.reason = Some("no pair of partners ran".into());
    }
    finding
}
