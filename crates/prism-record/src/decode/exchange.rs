//! Exchange of keys and values (`swap-kv`): what a latent position offers to attention, in
//! every layer, is another run's.
//!
//! The keys and values of one latent step are kept as one vector: layer by layer the keys, as
//! the projection and, in families that have one, their norm give them and *before* the rotary
//! turn, then the values, `[layers * 2 * kv_heads * head_dim]`. So [`Latents`] holds them by
//! stage and step as it holds the vectors that were fed.
//!
//! They are put in within the recipient's own forward, after its projection and before its
//! rotary turn: the ordinary code turns them to the recipient's position and writes them to
//! its cache. The query of that same position, later latents and all that follows attend to
//! the donor's keys and values; what is fed, and the query, stay the recipient's own. A run's
//! own keys and values come out of the same arithmetic as they went in, so a run that is its
//! own donor does not change in one bit.

use std::sync::Arc;

use prism_run::{Scope, Stage};

use super::block_begin_end::Place;
use super::intervention::Latents;
use super::site::Refusal;

/// Where in the vector of one step the keys and the values of a layer lie.
fn layer(vector: &[f32], layer: usize, width: usize) -> Option<(&[f32], &[f32])> {
    Some(vector.get(2 * layer * width..2 * (layer + 1) * width)?.split_at(width))
}

/// Puts another run's keys and values in the place of a branch's own.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The donor's clean keys and values.
    pub donor: Arc<Latents>,
    /// Where.
    pub scope: Scope,
}

impl Exchange {
    /// Whether it acts at `place`.
    pub fn holds(&self, place: Place) -> bool {
        self.scope.holds(place.stage, place.step)
    }

    /// Replaces `keys` and `values`, `[kv_heads * head_dim]` each, of one layer at `place`; gives
    /// the sum of squares of what changed. The donor's step is the same of the same stage, its
    /// last one if it ran shorter.
    ///
    /// # Errors
    /// When the donor never ran the stage, or is of another model.
    pub fn put(&self, place: Place, at: usize, keys: &mut [f32], values: &mut [f32]) -> Result<f64, Refusal> {
        let row = self.donor.row;
        let vector = self.donor.at(place.stage, place.step).ok_or_else(|| missing(row, place.stage))?;
        let (new_keys, new_values) = layer(vector, at, keys.len()).filter(|(_, new)| new.len() == values.len()).ok_or_else(|| {
            Refusal(format!("donor row {row} has keys and values of {} numbers a step: they are of another model", vector.len()))
        })?;
        let square = |old: &[f32], new: &[f32]| old.iter().zip(new).map(|(a, b)| f64::from(b - a).powi(2)).sum::<f64>();
        let moved = square(keys, new_keys) + square(values, new_values);
        keys.copy_from_slice(new_keys);
        values.copy_from_slice(new_values);
        Ok(moved)
    }
}

fn missing(row: usize, stage: Stage) -> Refusal {
    Refusal(format!("donor row {row} never ran the {} stage: no keys and values to put in", stage.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(stage: Stage, step: usize) -> Place {
        Place { stage, block: 0, step, block_step: step }
    }

    #[test]
    fn a_layer_gets_the_donors_of_that_layer_and_the_last_step_where_it_ran_shorter() {
        // Two layers of two keys and two values.
        let step = |base: f32| (0..8).map(|i| base + i as f32).collect::<Vec<f32>>();
        let donor = Arc::new(Latents { row: 4, context: vec![], target: vec![step(0.0), step(10.0)] });
        let exchange = Exchange { donor, scope: Scope::default() };
        let (mut keys, mut values) = ([0.0f32; 2], [0.0f32; 2]);
        let moved = exchange.put(place(Stage::Target, 0), 0, &mut keys, &mut values).unwrap();
        assert_eq!((keys, values, moved), ([0.0, 1.0], [2.0, 3.0], 14.0));
        exchange.put(place(Stage::Target, 7), 1, &mut keys, &mut values).unwrap();
        assert_eq!((keys, values), ([14.0, 15.0], [16.0, 17.0]));
        assert_eq!(exchange.put(place(Stage::Target, 1), 1, &mut keys, &mut values), Ok(0.0), "what is there already");
        let refusal = exchange.put(place(Stage::Context, 0), 0, &mut keys, &mut values).unwrap_err();
        assert!(refusal.0.contains("row 4") && refusal.0.contains("context"));
        assert!(exchange.put(place(Stage::Target, 0), 2, &mut keys, &mut values).unwrap_err().0.contains("another model"));
    }
}
