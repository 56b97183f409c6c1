//! Vectors joined with labels and clusters: the rows of one probe.

use std::collections::BTreeMap;

use prism_run::Position;
use prism_run::vectors::Vectors;

use super::Matrix;
use super::targets::{Question, Target};
use crate::clusters::Clusters;

/// Name of the vectors a model that was not shown the image has of the question.
pub const QUESTION_BLIND: &str = "question_blind";

/// Where vectors were read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Place in the order tables list positions.
    order: usize,
    /// Layer, 0 the input embeddings; `None` is the last, after the final norm.
    pub layer: Option<usize>,
    /// Probe position.
    pub position: String,
}

impl Place {
    /// The place that `NAME` or `NAME@LAYER` stands for.
    pub fn from_name(name: &str) -> Self {
        let suffixed = name.rsplit_once('@').and_then(|(position, layer)| Some((position, layer.parse().ok()?)));
        let (position, layer) = suffixed.map_or((name, None), |(position, layer)| (position, Some(layer)));
        let order = Position::ALL.iter().position(|p| p.name() == position).unwrap_or(Position::ALL.len());
        Self { order, layer, position: position.to_string() }
    }

    /// Whether it is one of the positions that are probed in full: after the last layer, and
    /// not a single latent step.
    pub fn is_whole(&self) -> bool {
        self.layer.is_none() && (self.position == QUESTION_BLIND || Position::from_name(&self.position).is_some())
    }

    /// The name in the file of vectors.
    pub fn name(&self) -> String {
        self.layer.map_or_else(|| self.position.clone(), |layer| format!("{}@{layer}", self.position))
    }
}

/// The rows of one probe, in the order of the examples.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    /// Row of each example.
    pub ids: Vec<i64>,
    /// Their vectors.
    pub x: Matrix,
    /// Label of each, as an index in `classes`.
    pub labels: Vec<usize>,
    /// The labels that occur, sorted.
    pub classes: Vec<&'a str>,
    /// Group of each.
    pub clusters: Vec<usize>,
    /// What each question shows by itself.
    pub questions: Vec<&'a Question<'a>>,
    /// Examples left out because their label occurs in one cluster only.
    pub left_out: usize,
}

impl<'a> Rows<'a> {
    /// The vectors whose example is among the target's. Examples whose label occurs in
    /// fewer than `least` clusters are left out: it could not be in training and test.
    pub fn join(vectors: &Vectors, questions: &'a BTreeMap<i64, Question<'a>>, clusters: &Clusters, target: Target, least: usize) -> Self {
        let mut known: Vec<(i64, usize, &Question<'_>, &str)> = vectors
            .rows
            .iter()
            .enumerate()
            .filter_map(|(i, row)| {
                let question = questions.get(row)?;
                Some((*row, i, question, question.label(target)?))
            })
            .collect();
        known.sort_unstable_by_key(|(row, i, ..)| (*row, *i));
        let cluster = |row: i64| usize::try_from(row).ok().and_then(|row| clusters.number(row)).unwrap_or_default();
        let mut of_label: BTreeMap<&str, std::collections::BTreeSet<usize>> = BTreeMap::new();
        for (row, _, _, label) in &known {
            of_label.entry(label).or_default().insert(cluster(*row));
        }
        let before = known.len();
        known.retain(|(_, _, _, label)| of_label.get(label).is_some_and(|clusters| clusters.len() >= least));
        let mut classes: Vec<&str> = known.iter().map(|k| k.3).collect();
        classes.sort_unstable();
        classes.dedup();
        let mut x = Matrix { rows: known.len(), columns: vectors.width, values: Vec::with_capacity(known.len() * vectors.width) };
        known.iter().for_each(|(_, i, ..)| x.values.extend(vectors.vector(*i).iter().map(|v| f64::from(*v))));
        Self {
            ids: known.iter().map(|k| k.0).collect(),
            x,
            labels: known.iter().map(|k| classes.partition_point(|c| *c < k.3)).collect(),
            clusters: known.iter().map(|k| cluster(k.0)).collect(),
            questions: known.iter().map(|k| k.2).collect(),
            left_out: before - known.len(),
            classes,
        }
    }

    /// Rows of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.labels.iter().for_each(|&l| counts[l] += 1);
        counts
    }

    /// Label names, row by row.
    pub fn names(&self) -> Vec<&'a str> {
        self.labels.iter().map(|&l| self.classes[l]).collect()
    }
}

/// Numbers for words, equal words the same number.
pub fn numbered(words: impl Iterator<Item = String>) -> Vec<usize> {
    let words: Vec<String> = words.collect();
    let mut known = words.clone();
    known.sort_unstable();
    known.dedup();
    words.iter().map(|w| known.partition_point(|k| k < w)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_position_and_a_layer() {
        let place = |name: &str| {
            let place = Place::from_name(name);
            assert_eq!(place.name(), name);
            (place.position, place.layer)
        };
        assert_eq!(place("latent_last"), ("latent_last".into(), None));
        assert_eq!(place("latent_last@0"), ("latent_last".into(), Some(0)));
        assert_eq!(place("odd@name"), ("odd@name".into(), None));
        assert!(Place::from_name("answer_state@35") < Place::from_name("latent_last"));
        assert!(Place::from_name("visual_mean") < Place::from_name(QUESTION_BLIND));
    }
}
