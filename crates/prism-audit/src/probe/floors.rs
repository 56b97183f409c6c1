//! What a probe must beat (pitfall 17): the commonest label, what the question's type or
//! its number of options gives away, the question alone, another model's vectors.
//!
//! Each floor is set beside the probe on the examples both have, example by example; the
//! best floor is the one the probe beats by least.

use std::collections::BTreeMap;
use std::path::Path;

use prism_run::kept::keep_rows;
use prism_run::random::Stream;
use prism_run::records::narrow::ExampleKey;
use prism_run::records::{self, ExampleRow, files};
use prism_run::vectors::{self, Vectors};

use super::probed::Probed;
use super::resample::resample_mean;
use super::rows::{Place, QUESTION_BLIND, Rows, numbered};
use super::targets::Target;
use crate::{AuditSettings, Result};

/// How often each example is right under a floor.
#[derive(Debug, Clone)]
pub struct Floor {
    /// What it is called in the table.
    pub name: String,
    /// By the example's row.
    pub right: BTreeMap<i64, f64>,
}

impl Floor {
    /// The floor that other vectors make: `NAME` or, of the same run, the position.
    pub fn of(probed: &Probed, name: &str) -> Self {
        Self { name: name.into(), right: probed.ids.iter().copied().zip(probed.right.iter().copied()).collect() }
    }
}

/// The rule "the label that is commonest, in training, among examples with this key";
/// the commonest of all where training lacks the key. Share of repeats each row is right in.
pub fn rule(keys: &[usize], labels: &[usize], folds: &[Vec<usize>]) -> Vec<f64> {
    let mut right = vec![0.0; labels.len()];
    for fold_of in folds {
        for fold in 0..fold_of.iter().max().map_or(0, |m| m + 1) {
            let mut counts: BTreeMap<(Option<usize>, usize), usize> = BTreeMap::new();
            for row in (0..labels.len()).filter(|&row| fold_of[row] != fold) {
                *counts.entry((Some(keys[row]), labels[row])).or_default() += 1;
                *counts.entry((None, labels[row])).or_default() += 1;
            }
            // of equally common labels the first
            let commonest = |key: Option<usize>| {
                let of_key = counts.iter().filter(|((k, _), _)| *k == key);
                of_key.fold(None, |best: Option<(usize, usize)>, ((_, label), n)| match best {
                    Some((_, most)) if *n <= most => best,
                    _ => Some((*label, *n)),
                })
            };
            for row in (0..labels.len()).filter(|&row| fold_of[row] == fold) {
                let guess = commonest(Some(keys[row])).or_else(|| commonest(None));
                right[row] += f64::from(u8::from(guess.is_some_and(|(label, _)| label == labels[row])));
            }
        }
    }
    right.iter_mut().for_each(|r| *r /= folds.len().max(1) as f64);
    right
}

/// Fills the floors of one probe: the rules on its own folds, and `others`.
pub fn attach(probed: &mut Probed, rows: &Rows<'_>, target: Target, others: &[Floor], absent: &[String], settings: &AuditSettings) {
    if probed.right.is_empty() {
        return;
    }
    let same = vec![0; rows.labels.len()];
    let by = |keys: &[usize]| rule(keys, &rows.labels, &probed.folds);
    let mut floors = vec![("majority", by(&same))];
    floors.push(("category", by(&numbered(rows.questions.iter().map(|q| q.category.to_string())))));
    floors.push(("options", by(&numbered(rows.questions.iter().map(|q| q.options.to_string())))));
    if target == Target::GoldAmongErrors {
        // of two options the gold one is the one not given
        floors.push(("answer", by(&numbered(rows.questions.iter().map(|q| format!("{} {}", q.options, q.answer.unwrap_or_default()))))));
    }
    let mean = |right: &[f64]| Some(right.iter().sum::<f64>() / right.len() as f64);
    for (name, right) in &floors {
        match *name {
            "category" => probed.finding.floor_category = mean(right),
            "options" => probed.finding.floor_options = mean(right),
            "answer" => probed.finding.floor_answer = mean(right),
            _ => {}
        }
    }
    let rules = floors.into_iter().map(|(name, right)| Floor { name: name.into(), right: rows.ids.iter().copied().zip(right).collect() });
    let all: Vec<Floor> = rules.chain(others.iter().cloned()).collect();
    let besides = all.iter().filter_map(|floor| beside(probed, floor));
    let Some(best) = besides.min_by(|a, b| a.lead().total_cmp(&b.lead())) else { return };
    let mut stream = Stream::new(u64::from(settings.seed), "probe floor bootstrap", &[]);
    let interval = resample_mean(&best.clusters, &best.differences, settings.replicates, &mut stream);
    let finding = &mut probed.finding;
    finding.best_floor = Some(best.name.clone());
    finding.floor_rows = Some(best.differences.len());
    finding.floor_accuracy = Some(best.accuracy);
    finding.above_floor = Some(best.lead());
    (finding.above_floor_low, finding.above_floor_high) = (interval.map(|i| i.low), interval.map(|i| i.high));
    finding.floors_absent = (!absent.is_empty()).then(|| absent.join("; "));
}

/// A probe beside one floor on the examples both have.
struct Beside {
    name: String,
    accuracy: f64,
    differences: Vec<f64>,
    clusters: Vec<usize>,
}

impl Beside {
    fn lead(&self) -> f64 {
        self.differences.iter().sum::<f64>() / self.differences.len() as f64
    }
}

fn beside(probed: &Probed, floor: &Floor) -> Option<Beside> {
    let own = probed.ids.iter().zip(&probed.right).zip(&probed.clusters);
    let common: Vec<(f64, f64, usize)> = own.filter_map(|((id, right), cluster)| Some((*right, *floor.right.get(id)?, *cluster))).collect();
    (!common.is_empty()).then(|| Beside {
        name: floor.name.clone(),
        accuracy: common.iter().map(|c| c.1).sum::<f64>() / common.len() as f64,
        differences: common.iter().map(|c| c.0 - c.1).collect(),
        clusters: common.iter().map(|c| c.2).collect(),
    })
}

/// Vectors of another run's last layer under the rows of this run's examples, by their ids.
///
/// # Errors
/// When the run's records cannot be read, or none of its examples is one of these.
pub fn of_run(name: &str, run: &Path, examples: &[ExampleRow]) -> Result<Vec<(Place, Vectors)>> {
    let folder = records::folder(run);
    let path = folder.join(files::EXAMPLES);
    let theirs = keep_rows::<ExampleKey>(&path)?;
    let rows: BTreeMap<&str, i64> = examples.iter().map(|e| (e.id.as_str(), e.row as i64)).collect();
    let renamed: BTreeMap<i64, i64> = theirs.iter().filter_map(|e| Some((e.row as i64, *rows.get(e.id.as_str())?))).collect();
    if renamed.is_empty() {
        let cause = format!("holds none of this run's examples, and cannot be the floor `{name}`");
        return Err(prism_run::Error::content(&path, cause, "audit that model on the same benchmark").into());
    }
    let mut found = Vec::new();
    for (name, vectors) in vectors::read(&folder.join(files::LATENTS))? {
        let mut kept = Vectors { width: vectors.width, ..Vectors::default() };
        for (i, row) in vectors.rows.iter().enumerate() {
            if let Some(own) = renamed.get(row) {
                kept.push(*own, vectors.vector(i));
            }
        }
        found.push((Place::from_name(&name), kept));
    }
    Ok(found)
}

/// What is said of floors nobody gave vectors for.
pub fn absent(recorded: bool, settings: &AuditSettings) -> Vec<String> {
    let mut texts = Vec::new();
    if !recorded {
        texts.push(format!("{QUESTION_BLIND}: the records hold no such vectors"));
    }
    if settings.floors.is_empty() {
        texts.push("base and randomly initialised model: no run of theirs was named with --floor".into());
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_learns_from_the_other_folds_only() {
        let keys: Vec<usize> = (0..40).map(|i| i % 2).collect();
        let folds = vec![(0..40).map(|i| i / 8).collect::<Vec<_>>()];
        assert_eq!(rule(&keys, &keys, &folds), vec![1.0; 40], "the key is the label");
        let one_each: Vec<usize> = (0..40).collect();
        assert_eq!(rule(&one_each, &one_each, &folds), vec![0.0; 40], "no label was seen before");
        // label 1 is commonest everywhere but in key 0
        let labels: Vec<usize> = (0..40).map(|i| usize::from(i % 4 != 0)).collect();
        let same = rule(&[0; 40], &labels, &folds);
        assert_eq!(same.iter().sum::<f64>(), 30.0);
    }
}
