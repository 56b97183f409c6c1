//! The lengths of latent blocks a checkpoint was trained with. They belong to it: training
//! writes them into `config.json` under [`KEY`], an audit reads them there. Where nobody wrote
//! them they are unknown.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Stage;

/// Key of `config.json` that holds a [`TrainedLengths`].
pub const KEY: &str = "latent_lengths";

/// Longest block that is believed: an image has at most a few thousand visual tokens. A file
/// that says more is damaged or hostile, and decoding by it would not end.
pub const MOST: usize = 1 << 16;

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

    /// The lengths of nine blocks in ten, e.g. `1 to 4`, or `4` where they are all alike.
    pub fn range(&self) -> String {
        span(self.low, self.high)
    }

    /// What is wrong with these numbers, if they cannot be lengths.
    fn fault(&self) -> Option<String> {
        let rising = [self.least, self.low, self.median, self.high, self.greatest];
        if !rising.is_sorted() {
            return Some("do not rise from `least` over `low`, `median` and `high` to `greatest`".into());
        }
        if self.greatest > MOST {
            return Some(format!("reach {}; no block has more than {MOST} latents", self.greatest));
        }
        (self.blocks == 0).then(|| "are of no blocks (`blocks` is 0)".into())
    }
}

/// `1 to 4`, or `4`.
fn span(first: usize, last: usize) -> String {
    if first == last { last.to_string() } else { format!("{first} to {last}") }
}

/// 8000 as `8,000`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let lead = digits.len() % 3;
    let mut text = digits[..lead].to_string();
    for at in (lead..digits.len()).step_by(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&digits[at..at + 3]);
    }
    text
}

impl fmt::Display for Lengths {
    /// `1 to 4 latents (5 % 1, median 2, 95 % 4; 8,000 blocks)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, low, median, high, greatest, blocks } = *self;
        let latents = if greatest == 1 { "latent" } else { "latents" };
        let counted = if blocks == 1 { "1 block".into() } else { format!("{} blocks", grouped(blocks)) };
        write!(f, "{} {latents} (5 % {low}, median {median}, 95 % {high}; {counted})", span(least, greatest))
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

    /// Of every block's stage and length; `None` where there is no block.
    pub fn of(blocks: impl IntoIterator<Item = (Stage, usize)>) -> Option<Self> {
        let (mut context, mut target) = (Vec::new(), Vec::new());
        for (stage, length) in blocks {
            match stage {
                Stage::Context => context.push(length),
                Stage::Free => {}
                Stage::Target => target.push(length),
            }
        }
        Some(Self { context: Lengths::of(context), target: Lengths::of(target) }).filter(|found| *found != Self::default())
    }

    /// Reads them as a file has them.
    ///
    /// # Errors
    /// What is wrong, in words that follow the name of the key.
    pub fn read(value: &serde_json::Value) -> std::result::Result<Self, String> {
        let found = Self::deserialize(value).map_err(|e| format!("is no table of lengths: {e}"))?;
        if let Some((stage, fault)) = found.stages().find_map(|(stage, lengths)| Some((stage, lengths.fault()?))) {
            return Err(format!("is not possible: the lengths of the {stage} stage {fault}"));
        }
        if found == Self::default() {
            return Err("names no stage".into());
        }
        Ok(found)
    }
}

/// What a checkpoint says of them, in one line.
pub fn in_words(trained: Option<&TrainedLengths>) -> String {
    trained.map_or_else(|| "unknown: the checkpoint does not say".into(), ToString::to_string)
}

impl fmt::Display for TrainedLengths {
    /// `context 3 to 9 latents (...), target 1 to 4 latents (...)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<String> = self.stages().map(|(stage, lengths)| format!("{stage} {lengths}")).collect();
        f.write_str(&each.join(", "))
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

    #[test]
    fn they_are_told_in_one_line() {
        let target = Lengths { least: 1, low: 1, median: 2, high: 4, greatest: 4, blocks: 8000 };
        assert_eq!(target.to_string(), "1 to 4 latents (5 % 1, median 2, 95 % 4; 8,000 blocks)");
        let one = Lengths { least: 1, low: 1, median: 1, high: 1, greatest: 1, blocks: 1 };
        assert_eq!(one.to_string(), "1 latent (5 % 1, median 1, 95 % 1; 1 block)");
        let blocks = [(Stage::Target, 1), (Stage::Context, 6), (Stage::Free, 9), (Stage::Target, 2)];
        let both = TrainedLengths::of(blocks).unwrap();
        assert!(both.to_string().starts_with("context 6 latents (") && both.to_string().contains(", target 1 to 2 latents ("));
        assert_eq!(TrainedLengths::of([(Stage::Free, 6)]), None);
        assert!(in_words(None).starts_with("unknown"));
        for (n, text) in [(7, "7"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let good = serde_json::json!({"target": {"least": 1, "low": 1, "median": 2, "high": 4, "greatest": 4, "blocks": 9}});
        let read = TrainedLengths::read(&good).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), good);
        let with = |key: &str, value: serde_json::Value| {
            let mut bad = good.clone();
            bad["target"][key] = value;
            TrainedLengths::read(&bad).unwrap_err()
        };
        assert!(with("least", 3.into()).contains("target stage do not rise"));
        assert!(with("greatest", (1usize << 40).into()).contains("no block has more"));
        assert!(with("blocks", 0.into()).contains("no blocks"));
        for (key, value) in [("median", serde_json::json!(-1)), ("median", serde_json::json!(1.5)), ("mean", serde_json::json!(2))] {
            assert!(with(key, value).contains("is no table of lengths"), "{key}");
        }
        for bad in ["null", "[]", "7", "\"trained\"", "{\"target\": {}}", "{\"free\": null}"] {
            assert!(TrainedLengths::read(&serde_json::from_str(bad).unwrap()).is_err(), "{bad}");
        }
        assert!(TrainedLengths::read(&serde_json::json!({})).unwrap_err().contains("no stage"));
    }
}
