//! Random numbers that are the same in every run (splitmix64).

use std::ops::Range;

pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, range: Range<usize>) -> usize {
        range.start + (self.next() % (range.end - range.start) as u64) as usize
    }

    /// Between -1 and 1.
    pub fn number(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn numbers(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.number()).collect()
    }

    /// Some ranges in `0..end`, rising and apart.
    pub fn ranges(&mut self, end: usize) -> Vec<Range<u32>> {
        let (mut at, mut ranges) = (self.below(0..end.max(1)), Vec::new());
        while at < end && ranges.len() < 4 {
            let to = end.min(at + self.below(1..end + 1));
            ranges.push(at as u32..to as u32);
            at = to + self.below(1..40);
        }
        ranges
    }
}
