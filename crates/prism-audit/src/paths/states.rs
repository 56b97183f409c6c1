//! Likeness of the states of several checkpoints, by position and layer.

use std::collections::{BTreeMap, BTreeSet};

use prism_run::Position;
use prism_run::random::Stream;
use prism_run::vectors::Vectors;
use rayon::prelude::*;

use super::cka::Kernel;
use crate::findings::CkaFinding;
use crate::probe::rows::Place;

/// Orders drawn for the floor.
const DRAWS: usize = 20;

/// One checkpoint's states, by `POSITION` or `POSITION@LAYER`.
#[derive(Debug, Clone, Default)]
pub struct States {
    /// What it is called.
    pub name: String,
    /// Its vectors.
    pub vectors: BTreeMap<String, Vectors>,
}

impl States {
    /// Those of one side of a crossing, `side` being `base` or `variant`.
    pub fn of(name: String, side: &str, all: &BTreeMap<String, Vectors>) -> Self {
        let own = all.iter().filter_map(|(name, vectors)| Some((name.strip_prefix(side)?.strip_prefix('.')?.to_owned(), vectors.clone())));
        Self { name, vectors: own.collect() }
    }
}

/// Every pair of checkpoints at every place that one of them has.
pub fn likeness(states: &[States], seed: u64) -> Vec<CkaFinding> {
    let names: BTreeSet<&str> = states.iter().flat_map(|one| one.vectors.keys().map(String::as_str)).collect();
    let mut places: Vec<Place> = names.into_iter().map(Place::from_name).collect();
    // The last layer stands behind the numbered ones.
    let order = |place: &Place| (Position::from_name(&place.position), place.layer.is_none(), place.layer);
    places.sort_by_key(order);
    let pairs: Vec<(usize, usize)> = (0..states.len()).flat_map(|i| (i + 1..states.len()).map(move |j| (i, j))).collect();
    let found: Vec<Vec<CkaFinding>> = places.par_iter().map(|place| at(place, states, &pairs, seed)).collect();
    found.into_iter().flatten().collect()
}

fn at(place: &Place, states: &[States], pairs: &[(usize, usize)], seed: u64) -> Vec<CkaFinding> {
    let by_row = |one: &States| -> BTreeMap<i64, usize> {
        let vectors = one.vectors.get(&place.name());
        vectors.map(|v| v.rows.iter().enumerate().map(|(i, row)| (*row, i)).collect()).unwrap_or_default()
    };
    let rows: Vec<BTreeMap<i64, usize>> = states.iter().map(by_row).collect();
    // Pairs mostly share their examples, so a kernel serves several of them.
    let mut kernels: BTreeMap<(usize, Vec<i64>), Kernel> = BTreeMap::new();
    let mut found = Vec::new();
    for &(i, j) in pairs {
        let shared: Vec<i64> = rows[i].keys().filter(|row| rows[j].contains_key(row)).copied().collect();
        for side in [i, j] {
            kernels.entry((side, shared.clone())).or_insert_with(|| {
                let vectors = states[side].vectors.get(&place.name());
                let of = |row: &i64| Some(vectors?.vector(*rows[side].get(row)?));
                Kernel::of(&shared.iter().filter_map(of).collect::<Vec<_>>())
            });
        }
        let (one, other) = (&kernels[&(i, shared.clone())], &kernels[&(j, shared.clone())]);
        let cka = one.cka(other);
        found.push(CkaFinding {
            one: states[i].name.clone(),
            other: states[j].name.clone(),
            position: place.position.clone(),
            layer: place.layer,
            examples: shared.len(),
            cka,
            debiased: one.debiased(other),
            shuffled: cka.and_then(|_| shuffled(one, other, shared.len(), seed)),
            reason: match (shared.len(), cka) {
                (0, _) => Some("no example has this state in both".into()),
                (_, None) => Some("the states of one do not vary over the examples".into()),
                (..=3, _) => Some("the debiased form needs four examples".into()),
                _ => None,
            },
        });
    }
    found
}

fn shuffled(one: &Kernel, other: &Kernel, n: usize, seed: u64) -> Option<f64> {
    let draw = |draw: usize| {
        let mut order: Vec<usize> = (0..n).collect();
        Stream::new(seed, "cka in another order", &[&draw.to_string()]).shuffle(&mut order);
        one.cka(&other.reordered(&order))
    };
    let drawn: Vec<f64> = (0..DRAWS).filter_map(draw).collect();
    (!drawn.is_empty()).then(|| drawn.iter().sum::<f64>() / drawn.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_compared_on_the_examples_they_share() {
        let states = |name: &str, rows: &[i64], factor: f32| {
            let mut vectors = Vectors::default();
            rows.iter().for_each(|row| vectors.push(*row, &[factor * *row as f32, (row * row) as f32 * factor, 1.0]));
            let all =
                BTreeMap::from([("variant.answer_state@2".to_string(), vectors.clone()), ("base.answer_state@2".to_string(), vectors)]);
            States::of(name.into(), "variant", &all)
        };
        let all = [states("a", &[1, 2, 3, 4, 5], 1.0), states("b", &[5, 4, 3, 2], -2.0), states("c", &[9], 1.0)];
        let found = likeness(&all, 7);
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].one.as_str(), found[0].other.as_str(), found[0].layer, found[0].examples), ("a", "b", Some(2), 4));
        assert!((found[0].cka.unwrap() - 1.0).abs() < 1e-12);
        assert!(found[0].shuffled.unwrap() < 1.0);
        assert!(found[1].cka.is_none() && found[1].reason.is_some());
        assert_eq!(found, likeness(&all, 7));
    }
}
