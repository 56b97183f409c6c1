//! Which sample comes when: every epoch is a permutation of the corpus, keyed by
//! seed and epoch, so that a position in it is all a checkpoint has to remember.

use prism_run::random::Stream;
use serde::{Deserialize, Serialize};

/// A place in the endless sequence of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Samples of it already used.
    pub used: usize,
}

/// The endless, shuffled sequence of indices `0..samples`.
#[derive(Debug, Clone)]
pub struct Order {
    seed: u64,
    place: Place,
    permutation: Vec<u32>,
}

impl Order {
    /// The sequence of `samples` (at least 1) indices, from `place` on.
    pub fn new(seed: u64, samples: usize, place: Place) -> Self {
        let mut order = Self { seed, place, permutation: (0..samples as u32).collect() };
        order.shuffle();
        order
    }

    fn shuffle(&mut self) {
        self.permutation.sort_unstable();
        Stream::new(self.seed, "epoch", &[&self.place.epoch.to_string()]).shuffle(&mut self.permutation);
    }

    /// Where the next index stands.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The next index, and the place behind it.
    pub fn draw(&mut self) -> (usize, Place) {
        if self.place.used >= self.permutation.len() {
            self.place = Place { epoch: self.place.epoch + 1, used: 0 };
            self.shuffle();
        }
        let index = self.permutation[self.place.used] as usize;
        self.place.used += 1;
        (index, self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_is_a_permutation_and_can_be_entered_anywhere() {
        let mut order = Order::new(3, 7, Place::default());
        let drawn: Vec<_> = (0..21).map(|_| order.draw()).collect();
        for epoch in drawn.chunks(7) {
            let mut seen: Vec<_> = epoch.iter().map(|(i, _)| *i).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..7).collect::<Vec<_>>());
        }
        assert_ne!(drawn[..7].iter().map(|d| d.0).collect::<Vec<_>>(), drawn[7..14].iter().map(|d| d.0).collect::<Vec<_>>());
        for k in [4, 7, 13] {
            let mut later = Order::new(3, 7, drawn[k - 1].1);
            assert_eq!((k..21).map(|_| later.draw()).collect::<Vec<_>>(), drawn[k..]);
        }
    }
}
