//! Keys hidden from queries, as the kernels read them: sets of ranges, and each row's set.

use std::ops::Range;

use crate::kernels::NONE;

/// Sets of hidden keys and who has which. Rows with the same ranges share a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HiddenSets {
    /// Per row its set, [`NONE`] where nothing is hidden.
    pub of: Vec<u32>,
    /// Where the ranges of each set begin, and the end of the last.
    pub bounds: Vec<u32>,
    /// Start and end of each range, counted among the row's keys.
    pub ranges: Vec<u32>,
}

impl HiddenSets {
    /// From the ranges hidden from each row: rising and apart, counted among the row's keys, of a decoding row
    /// first the prompt's and then the generated tokens' (an evicted token is a hidden one).
    pub fn new<'a>(rows: impl IntoIterator<Item = &'a [Range<u32>]>) -> Self {
        let mut sets: Vec<&[Range<u32>]> = Vec::new();
        let mut hidden = Self { bounds: vec![0], ..Self::default() };
        for row in rows {
            let known = sets.iter().rposition(|set| *set == row);
            let set = match (row.is_empty(), known) {
                (true, _) => NONE,
                (false, Some(set)) => set as u32,
                (false, None) => {
                    sets.push(row);
                    hidden.ranges.extend(row.iter().flat_map(|range| [range.start, range.end]));
                    hidden.bounds.push(hidden.ranges.len() as u32 / 2);
                    sets.len() as u32 - 1
                }
            };
            hidden.of.push(set);
        }
        hidden
    }

    /// Whether nothing is hidden from anyone.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_share_a_set() {
        let (one, two) = (std::iter::once(1..3).collect::<Vec<_>>(), [0..1, 4..9]);
        let hidden = HiddenSets::new([&one[..], &[], &two, &one]);
        assert_eq!((hidden.of, hidden.bounds, hidden.ranges), (vec![0, NONE, 1, 0], vec![0, 1, 3], vec![1, 3, 0, 1, 4, 9]));
        assert!(HiddenSets::new([&[][..]]).is_empty());
    }
}
