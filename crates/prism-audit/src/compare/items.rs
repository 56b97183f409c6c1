//! The items behind the runs of a comparison, for a bootstrap that redraws them
//! jointly: the same questions in every run, pairs and other clusters as a whole.

use std::collections::BTreeMap;
use std::path::Path;

use prism_run::Intervention;
use prism_run::door::share::Share;
use prism_run::kept::keep_rows;
use prism_run::random::Stream;
use prism_run::records::{self, AnswerRow, ExampleRow, files};

use crate::Result;
use crate::clusters::Clusters;
use crate::pairs::{branches, right};

/// What one run scored on each item: by intervention, then by the item's id. `clean`
/// holds right answers (1 or 0), an intervention the change against clean (-1, 0, 1).
pub type Scores = BTreeMap<Intervention, BTreeMap<String, f64>>;

/// One run's scores, and the cluster of each item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// Scores by intervention and item.
    pub scores: Scores,
    /// Cluster by item, named by its first item ([`Clusters`]).
    pub clusters: BTreeMap<String, String>,
    /// What they hold of the memory that all tables may take: the items' ids are as long as a file has them.
    pub held: Share,
}

impl Answers {
    /// Bytes that they take in memory, about.
    fn weight(&self) -> usize {
        /// What an entry of a map takes beside its id.
        const EACH: usize = 64;
        let scores = self.scores.values().flat_map(BTreeMap::keys).map(|id| EACH + id.len());
        let clusters = self.clusters.iter().map(|(id, cluster)| EACH + id.len() + cluster.len());
        scores.chain(clusters).sum()
    }
}

/// Reads a run's answers; `None` when its records were not kept.
///
/// # Errors
/// When the records are damaged.
pub fn read(run: &Path) -> Result<Option<Answers>> {
    let folder = records::folder(run);
    let path = folder.join(files::ANSWERS);
    if !prism_run::door::stands(&path) || !prism_run::door::stands(&folder.join(files::EXAMPLES)) {
        return Ok(None);
    }
    let examples = keep_rows::<ExampleRow>(&folder.join(files::EXAMPLES))?;
    let answers = keep_rows::<AnswerRow>(&path)?;
    let mut scores = Scores::new();
    for branch in branches(&path, &examples, &answers)? {
        let share = |answer: &AnswerRow| f64::from(u8::from(right(answer)));
        let of = scores.entry(branch.intervention).or_default();
        for pair in &branch.pairs {
            let base = if branch.is_clean() { 0.0 } else { share(pair.clean) };
            of.insert(pair.clean.id.clone(), share(pair.other) - base);
        }
    }
    let clusters = Clusters::of(&examples);
    let first = |e: &ExampleRow| clusters.number(e.row).and_then(|number| examples.get(number)).unwrap_or(e).id.clone();
    let clusters = examples.iter().map(|e| (e.id.clone(), first(e))).collect();
    let mut held = examples.apart().1;
    held.add(answers.apart().1);
    let read = Answers { scores, clusters, held: Share::default() };
    // Of the rows nothing but ids is kept.
    held.shrink_to(read.weight());
    Ok(Some(Answers { held, ..read }))
}

/// One intervention's scores of several runs over shared clusters of items.
#[derive(Debug, Clone, PartialEq)]
pub struct Items {
    /// `[cluster][run]`: sum of the scores and number of items.
    clusters: Vec<Vec<(f64, usize)>>,
    runs: usize,
}

impl Items {
    /// Joins the runs on their items; `None` when a run has no such scores.
    pub fn join(runs: &[&Answers], intervention: Intervention) -> Option<Self> {
        let mut clusters: BTreeMap<&str, Vec<(f64, usize)>> = BTreeMap::new();
        for (i, run) in runs.iter().enumerate() {
            for (id, score) in run.scores.get(&intervention)? {
                let cluster = clusters.entry(run.clusters.get(id)?).or_insert_with(|| vec![(0.0, 0); runs.len()]);
                cluster[i].0 += score;
                cluster[i].1 += 1;
            }
        }
        Some(Self { clusters: clusters.into_values().collect(), runs: runs.len() })
    }

    /// Every run's mean over one joint draw of the clusters; a run that answered none
    /// of those drawn has no mean.
    pub fn redraw(&self, stream: &mut Stream) -> Vec<Option<f64>> {
        let mut totals = vec![(0.0, 0usize); self.runs];
        for _ in 0..self.clusters.len() {
            for (total, (sum, items)) in totals.iter_mut().zip(&self.clusters[stream.below(self.clusters.len())]) {
                total.0 += sum;
                total.1 += items;
            }
        }
        totals.into_iter().map(|(sum, items)| (items > 0).then(|| sum / items as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(scores: &[f64], pairs: bool) -> Answers {
        let id = |i: usize| format!("e{i}");
        Answers {
            scores: BTreeMap::from([(Intervention::CLEAN, scores.iter().enumerate().map(|(i, s)| (id(i), *s)).collect())]),
            clusters: (0..scores.len()).map(|i| (id(i), if pairs { format!("p{}", i / 2) } else { id(i) })).collect(),
            held: Share::default(),
        }
    }

    fn spread(values: impl Iterator<Item = f64>) -> f64 {
        let all: Vec<f64> = values.collect();
        crate::statistics::percentile::deviation(&all).unwrap()
    }

    #[test]
    fn runs_share_their_items_and_pairs_stay_together() {
        let scores: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i % 4 < 2))).collect();
        let (one, two) = (answers(&scores, false), answers(&scores, false));
        let items = Items::join(&[&one, &two], Intervention::CLEAN).unwrap();
        let mut stream = Stream::new(1, "test", &[]);
        let drawn: Vec<Vec<Option<f64>>> = (0..2000).map(|_| items.redraw(&mut stream)).collect();
        assert!(drawn.iter().all(|d| d[0] == d[1]), "equal runs differ in no replicate");
        let single = spread(drawn.iter().map(|d| d[0].unwrap()));
        assert!((single - 0.05).abs() < 0.004, "sqrt(0.25 / 100), {single}");
        let paired = answers(&scores, true);
        let items = Items::join(&[&paired], Intervention::CLEAN).unwrap();
        let paired = spread((0..2000).map(|_| items.redraw(&mut stream)[0].unwrap()));
        assert!((paired - 0.0707).abs() < 0.006, "pairs that agree count half, {paired}");
        assert_eq!(Items::join(&[&one], prism_run::Action::Zero.into()), None);
    }
}
