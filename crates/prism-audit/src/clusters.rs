//! Which examples belong together, so that their answers are not so many independent ones.
//!
//! Examples that share a pair (MMVP), an image, or a counterfactual partner form one
//! cluster, and so do those connected through others. A cluster is drawn, left out and
//! flipped as a whole.

use std::collections::BTreeMap;

use prism_run::records::ExampleRow;
use prism_run::{Example, Outcome};

use crate::statistics::bootstrap::Cluster;

/// The cluster of every example.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clusters {
    /// Number of the cluster by row of the example.
    of: BTreeMap<usize, usize>,
    /// What joins examples here, e.g. `pair, image`; empty when nothing does.
    joined_by: String,
    /// The same as a list.
    joins: Vec<&'static str>,
}

impl Clusters {
    /// The clusters of these examples.
    pub fn of(examples: &[ExampleRow]) -> Self {
        let mut parent: Vec<usize> = (0..examples.len()).collect();
        let mut joined_by: Vec<&'static str> = Vec::new();
        let mut joined = |what: &'static str, keys: &dyn Fn(&ExampleRow) -> Vec<String>| {
            let mut first: BTreeMap<String, usize> = BTreeMap::new();
            for (i, example) in examples.iter().enumerate() {
                for key in keys(example) {
                    let other = *first.entry(key).or_insert(i);
                    let (a, b) = (root(&mut parent, i), root(&mut parent, other));
                    if i != other && !joined_by.contains(&what) {
                        joined_by.push(what);
                    }
                    // The smaller number leads, so that clusters come in the order of their first row.
                    parent[a.max(b)] = a.min(b);
                }
            }
        };
        joined("pair", &|e| e.pair.iter().cloned().collect());
        joined("image", &|e| if e.image.is_empty() { Vec::new() } else { vec![e.image.clone()] });
        // A partner's id joins it with whoever names it, and all who name the same one.
        joined("counterfactual", &|e| std::iter::once(e.id.clone()).chain(e.counterfactual.clone()).collect());
        let of = examples.iter().enumerate().map(|(i, e)| (e.row, root(&mut parent, i))).collect();
        Self { of, joined_by: joined_by.join(", "), joins: joined_by }
    }

    /// The clusters of examples that have not run yet.
    pub fn of_examples(examples: &[Example]) -> Self {
        let row = |e: &Example| ExampleRow {
            row: e.row,
            id: e.id.clone(),
            question_id: String::new(),
            category: None,
            pair: e.pair.clone(),
            counterfactual: e.counterfactual.clone(),
            prompt: String::new(),
            options: Vec::new(),
            label: String::new(),
            image: e.images.first().map(|path| path.display().to_string()).unwrap_or_default(),
            images: e.images.len(),
            boxes: String::new(),
            prompt_tokens: 0,
            visual_tokens: 0,
            outcome: Outcome::Scored,
            cause: None,
            message: None,
        };
        Self::of(&examples.iter().map(row).collect::<Vec<_>>())
    }

    /// How many independent examples these are worth: n squared over the sum of the squared cluster sizes.
    pub fn worth(&self) -> usize {
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        self.of.values().for_each(|number| *sizes.entry(*number).or_default() += 1);
        let (n, squares) = (self.of.len(), sizes.values().map(|size| size * size).sum::<usize>());
        (n * n).checked_div(squares).unwrap_or(0)
    }

    /// `n` examples, rows 0 to `n - 1`, each for itself.
    pub fn alone(n: usize) -> Self {
        Self { of: (0..n).map(|row| (row, row)).collect(), joined_by: String::new(), joins: Vec::new() }
    }

    /// What joins examples, in words; `None` when every example stands for itself.
    pub fn joined_by(&self) -> Option<&str> {
        (!self.joined_by.is_empty()).then_some(self.joined_by.as_str())
    }

    /// What joins examples, as a list.
    pub fn joins(&self) -> &[&'static str] {
        &self.joins
    }

    /// The number of an example's cluster: the same in every run of the same benchmark.
    pub fn number(&self, row: usize) -> Option<usize> {
        self.of.get(&row).copied()
    }

    /// Sums of values by cluster, in cluster order; rows that are not among the examples
    /// are left out.
    pub fn sums(&self, values: impl IntoIterator<Item = (usize, f64)>) -> Vec<Cluster> {
        let mut sums: BTreeMap<usize, Cluster> = BTreeMap::new();
        for (row, value) in values {
            if let Some(number) = self.number(row) {
                let cluster = sums.entry(number).or_default();
                *cluster = (cluster.0 + value, cluster.1 + 1);
            }
        }
        sums.into_values().collect()
    }
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An example without anything that matters here: other modules' tests start from it.
    pub fn example(row: usize, pair: Option<&str>, image: &str, partner: Option<&str>) -> ExampleRow {
        ExampleRow {
            pair: pair.map(str::to_string),
            counterfactual: partner.map(str::to_string),
            image: image.into(),
            ..crate::made::example(row, "A")
        }
    }

    #[test]
    fn pairs_images_and_partners_join_and_chains_join_through() {
        let rows = [
            example(10, Some("p"), "a.png", None),
            example(11, Some("p"), "b.png", None),
            example(12, None, "b.png", None),
            example(13, None, "c.png", Some("e14")),
            example(14, None, "d.png", None),
            example(15, None, "e.png", Some("absent")),
        ];
        let clusters = Clusters::of(&rows);
        let number = |row| clusters.number(row).unwrap();
        assert_eq!((number(10), number(11), number(12)), (0, 0, 0));
        assert_eq!((number(13), number(14), number(15)), (3, 3, 5));
        assert_eq!(clusters.joined_by(), Some("pair, image, counterfactual"));
        assert_eq!(clusters.sums([(10, 1.0), (12, 1.0), (15, -1.0), (99, 5.0)]), [(2.0, 2), (-1.0, 1)]);
    }

    #[test]
    fn strangers_stand_for_themselves() {
        let rows = [example(0, None, "", None), example(1, None, "", Some("else"))];
        let clusters = Clusters::of(&rows);
        assert_eq!((clusters.joined_by(), clusters.number(1)), (None, Some(1)));
    }
}
