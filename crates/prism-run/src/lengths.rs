//! The lengths of latent blocks a checkpoint was trained with. They belong to it: training
//! writes them into `config.json` under [`KEY`], an audit reads them there. Where nobody wrote
//! them they are unknown.

use serde::{Deserialize, Serialize};

use crate::Stage;

/// Key of `config.json` that holds a [`TrainedLengths`].
pub const KEY: &str = "latent_lengths";

/// Lengths of one stage's blocks in training, in latent steps. Percentiles are the least
/// observed length with at least that share of blocks at or below it (nearest rank).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lengths {
    /// The least.
    pub least: usize,
    /// The 5th percentile.
    pub low: usize,
    /// The median.
    pub median: usize,
    /// The 95th percentile.
    pub high: usize,
    /// The greatest.
    pub greatest: usize,
    /// Blocks counted.
    pub blocks: usize,
}

impl Lengths {
    /// Of these lengths; `None` of none.
    pub fn of(mut lengths: Vec<usize>) -> Option<Self> {
        lengths.sort_unstable();
        let blocks = lengths.len();
        let rank = |percent: usize| lengths.get((percent * blocks).div_ceil(100).max(1) - 1).copied();
        Some(Self { least: *lengths.first()?, low: rank(5)?, median: rank(50)?, high: rank(95)?, greatest: *lengths.last()?, blocks })
    }

    /// Whether a block of `steps` lies between the 5th and the 95th percentile.
    pub fn holds(&self, steps: usize) -> bool {
        (self.low..=self.high).contains(&steps)
    }
}

/// The lengths by stage; absent for a stage the model does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedLengths {
    /// Of the context stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Lengths>,
    /// Of the target stage, the only one of a single-stage variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Lengths>,
}

impl TrainedLengths {
    /// Of one stage.
    pub fn stage(&self, stage: Stage) -> Option<Lengths> {
        match stage {
            Stage::Context => self.context,
            Stage::Free => None,
            Stage::Target => self.target,
        }
    }

    /// The stages it knows, with their lengths.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, Lengths)> {
        [(Stage::Context, self.context), (Stage::Target, self.target)].into_iter().filter_map(|(stage, l)| Some((stage, l?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_observed_lengths() {
        let lengths = Lengths::of([vec![1; 4], vec![2; 10], vec![4; 85], vec![9]].concat()).unwrap();
        assert_eq!(lengths, Lengths { least: 1, low: 2, median: 4, high: 4, greatest: 9, blocks: 100 });
        assert!(lengths.holds(2) && !lengths.holds(1) && !lengths.holds(5));
        assert_eq!(Lengths::of(vec![7]).map(|l| (l.low, l.median, l.high)), Some((7, 7, 7)));
        assert_eq!(Lengths::of(vec![]), None);
    }
}
