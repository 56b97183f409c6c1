//! Which examples must not be told apart by training and test: those that show the
//! same image, counterfactual partners (one scene, another answer) and the members of
//! a pair. A probe that saw one of them has seen the others.

use std::collections::BTreeMap;

use prism_run::records::ExampleRow;

/// A group for every example's row, numbered in order of first appearance.
pub fn groups(examples: &[ExampleRow]) -> BTreeMap<i64, usize> {
    let mut parents: Vec<usize> = (0..examples.len()).collect();
    let mut first: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (i, example) in examples.iter().enumerate() {
        let id = Some(("id", example.id.as_str()));
        let image = (!example.image.is_empty()).then_some(("image", example.image.as_str()));
        let partner = example.counterfactual.as_deref().map(|id| ("id", id));
        let pair = example.pair.as_deref().map(|pair| ("pair", pair));
        for key in [id, image, partner, pair].into_iter().flatten() {
            let other = *first.entry(key).or_insert(i);
            let (a, b) = (root(&parents, i), root(&parents, other));
            parents[a.max(b)] = a.min(b);
        }
    }
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let mut of_row = BTreeMap::new();
    for (i, example) in examples.iter().enumerate() {
        let next = numbers.len();
        of_row.insert(example.row as i64, *numbers.entry(root(&parents, i)).or_insert(next));
    }
    of_row
}

fn root(parents: &[usize], mut i: usize) -> usize {
    while parents[i] != i {
        i = parents[i];
    }
    i
}
