//! One part of a benchmark, run as a job of its own.
//!
//! Shard `2/8` records the second of every eight examples. What is drawn from the
//! whole benchmark (donors, the alignment sample) is drawn from the whole benchmark in
//! every shard, so that the shards together are the unsharded run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::door::limits::{Limit, RAISE};
use crate::{Error, Result};

/// The word for no sharding at all.
const ALL: &str = "all";

/// Part `number` of `count`, numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    number: usize,
    count: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { number: 1, count: 1 };

    /// The shard of a Slurm array's task; `None` outside an array.
    ///
    /// # Errors
    /// When the array's variables do not say which part of how many the task is.
    pub fn of_slurm(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let Some(id) = variable("SLURM_ARRAY_TASK_ID") else { return Ok(None) };
        let number = |name: &str, default: usize| match variable(name) {
            None => Ok(default),
            Some(text) => text.trim().parse::<usize>().map_err(|_| refused(name, &text, "is not a whole number")),
        };
        let id = id.trim().parse::<usize>().map_err(|_| refused("SLURM_ARRAY_TASK_ID", &id, "is not a whole number"))?;
        let (first, step) = (number("SLURM_ARRAY_TASK_MIN", 0)?, number("SLURM_ARRAY_TASK_STEP", 1)?.max(1));
        let count = number("SLURM_ARRAY_TASK_COUNT", 1)?;
        let place = id.checked_sub(first).filter(|behind| behind.is_multiple_of(step)).map(|behind| behind / step);
        match place.filter(|place| *place < count) {
            Some(place) => Ok(Some(Self { number: place + 1, count })),
            None => {
                let cause = format!("is not one of {count} tasks numbered from {first} in steps of {step}");
                Err(refused("SLURM_ARRAY_TASK_ID", &id.to_string(), &cause))
            }
        }
    }

    /// Whether it is everything.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }

    /// Which part, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// How many parts there are.
    pub fn count(self) -> usize {
        self.count
    }

    /// Whether the example at this place of the benchmark, from 0, belongs to it.
    pub fn holds(self, place: usize) -> bool {
        place % self.count == self.number - 1
    }

    /// The name of its run folder, below the run's: `shard-2-of-8`.
    pub fn folder(self) -> String {
        format!("shard-{}-of-{}", self.number, self.count)
    }
}

fn refused(name: &str, value: &str, cause: &str) -> Error {
    let remedy = "give --shard NUMBER/COUNT, e.g. 2/8, or --shard all".into();
    Error::Value { what: "shard", value: format!("{name}={value}"), cause: cause.into(), remedy }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole() { f.write_str(ALL) } else { write!(f, "{}/{}", self.number, self.count) }
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == ALL {
            return Ok(Self::WHOLE);
        }
        let parts = text.split_once('/').and_then(|(number, count)| Some((number.parse().ok()?, count.parse::<usize>().ok()?)));
        match parts {
            Some((_, count)) if count > Limit::Shards.size() => {
                Err(Error::Value { what: "shard", value: text.into(), cause: Limit::Shards.cause(), remedy: RAISE.into() })
            }
            Some((number, count)) if (1..=count).contains(&number) => Ok(Self { number, count }),
            _ => Err(Error::Value {
                what: "shard",
                value: text.into(),
                cause: "is not a part of a whole".into(),
                remedy: "give NUMBER/COUNT with 1 <= NUMBER <= COUNT, e.g. 2/8, or all".into(),
            }),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_in_exactly_one_shard() {
        for count in 1..6 {
            let shards: Vec<Shard> = (1..=count).map(|number| format!("{number}/{count}").parse().unwrap()).collect();
            for place in 0..40 {
                assert_eq!(shards.iter().filter(|shard| shard.holds(place)).count(), 1);
            }
        }
        assert_eq!("1/1".parse::<Shard>().unwrap(), Shard::WHOLE);
        assert_eq!("all".parse::<Shard>().unwrap().to_string(), "all");
        assert!("1/4000000000".parse::<Shard>().unwrap_err().to_string().contains("shards of a run"));
        for bad in ["", "2", "0/4", "5/4", "1/0", "a/b", "-1/2", "1/2/3"] {
            assert!(bad.parse::<Shard>().unwrap_err().to_string().contains("2/8"), "{bad}");
        }
    }

    #[test]
    fn a_slurm_task_is_its_place_in_the_array() {
        let of = |variables: &[(&str, &str)]| {
            Shard::of_slurm(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_string()))
        };
        let task = |id, first, step, count| {
            of(&[
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", first),
                ("SLURM_ARRAY_TASK_STEP", step),
                ("SLURM_ARRAY_TASK_COUNT", count),
            ])
        };
        assert_eq!(of(&[]).unwrap(), None);
        assert_eq!(task("0", "0", "1", "8").unwrap().unwrap().to_string(), "1/8");
        assert_eq!(task("4", "1", "1", "4").unwrap().unwrap().to_string(), "4/4");
        assert_eq!(task("6", "0", "2", "5").unwrap().unwrap().to_string(), "4/5");
        for (id, first, step, count) in [("7", "1", "1", "3"), ("0", "1", "1", "3"), ("3", "0", "2", "5"), ("x", "0", "1", "2")] {
            assert!(task(id, first, step, count).unwrap_err().to_string().contains("--shard"), "{id}");
        }
    }
}
