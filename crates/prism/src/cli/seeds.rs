//! `--seeds`: which trainings of a study are run here.

use std::str::FromStr;

/// Training seeds, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedChoice {
    /// The recipe's first seed and those that follow it, so many in all.
    Count(u64),
    /// From one seed to another, both included: a part of a study that several machines share.
    Range {
        /// First.
        first: u64,
        /// Last.
        last: u64,
    },
}

/// Most seeds of one study.
const MOST: u64 = 10_000;

impl SeedChoice {
    /// First seed and number of seeds, where a recipe's first is `first`.
    pub fn from(self, first: u64) -> (u64, u64) {
        match self {
            Self::Count(count) => (first, count),
            Self::Range { first, last } => (first, last - first + 1),
        }
    }
}

impl FromStr for SeedChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse::<u64>().map_err(|_| format!("`{part}` is not a whole number; write 5, or 100-104"));
        let choice = match text.split_once('-') {
            None => Self::Count(number(text)?),
            Some((first, last)) => Self::Range { first: number(first)?, last: number(last)? },
        };
        let count = match choice {
            Self::Count(count) => count,
            Self::Range { first, last } => last.checked_sub(first).map_or(0, |more| more.saturating_add(1)),
        };
        match count {
            1..=MOST => Ok(choice),
            0 => Err("there is no seed in it; write 5 for the first five, or 100-104 with the smaller first".into()),
            _ => Err(format!("at most {MOST} seeds")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_and_a_range_are_told_apart() {
        assert_eq!("5".parse(), Ok(SeedChoice::Count(5)));
        assert_eq!("100-104".parse(), Ok(SeedChoice::Range { first: 100, last: 104 }));
        assert_eq!("7-7".parse(), Ok(SeedChoice::Range { first: 7, last: 7 }));
        for wrong in ["0", "", "5-4", "-3", "1-", "a", "0-18446744073709551615", "20000"] {
            assert!(wrong.parse::<SeedChoice>().is_err(), "{wrong}");
        }
    }
}
