//! Saying "no effect": equivalence of paired shares, and what a sample can show.
//!
//! Two one-sided tests (TOST) at `alpha` hold when the `1 - 2 alpha` interval of the
//! paired difference lies inside the margin. Sizes use the normal approximation of
//! paired shares with the discordance d = (gained + lost) / n.

use super::{Interval, normal};

/// Discordant pairs of n, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discordant {
    /// Pairs.
    pub n: usize,
    /// Wrong, then right.
    pub gained: usize,
    /// Right, then wrong.
    pub lost: usize,
}

impl Discordant {
    /// Agresti and Min's interval of the paired difference: half a pair is added to
    /// each of the four cells, so that no discordance does not mean no uncertainty.
    /// `None` for n = 0.
    pub fn interval(self, level: f64) -> Option<Interval> {
        if self.n == 0 {
            return None;
        }
        let n = self.n as f64 + 2.0;
        let difference = (self.gained as f64 - self.lost as f64) / n;
        let variance = (self.rate() - difference * difference).max(0.0) / n;
        let half = normal::critical(level) * variance.sqrt();
        Some(Interval { low: difference - half, high: difference + half })
    }

    /// Discordance with half a pair added to each cell.
    pub fn rate(self) -> f64 {
        ((self.gained + self.lost) as f64 + 1.0) / (self.n as f64 + 2.0)
    }
}

/// Whether the equivalence test at `alpha` holds for this margin (a share).
pub fn is_equivalent(pairs: Discordant, margin: f64, alpha: f64) -> bool {
    pairs.interval(1.0 - 2.0 * alpha).is_some_and(|i| i.low > -margin && i.high < margin)
}

/// Pairs needed for the equivalence test to hold with probability `power` when there
/// is no effect: d (z_alpha + z_beta/2)^2 / margin^2.
pub fn needed_for_equivalence(discordance: f64, margin: f64, alpha: f64, power: f64) -> usize {
    let z = normal::quantile(1.0 - alpha) + normal::quantile(1.0 - (1.0 - power) / 2.0);
    (discordance * z * z / (margin * margin)).ceil() as usize
}

/// Smallest |difference| that McNemar's test at two-sided `alpha` shows with
/// probability `power` among n pairs at this discordance (Connor's formula); at most
/// the discordance itself, `None` when even that is not enough.
pub fn detectable_difference(n: usize, discordance: f64, alpha: f64, power: f64) -> Option<f64> {
    let (za, zb) = (normal::quantile(1.0 - alpha / 2.0), normal::quantile(power));
    let needed = |d: f64| ((za * discordance.sqrt() + zb * (discordance - d * d).max(0.0).sqrt()) / d).powi(2);
    if needed(discordance) > n as f64 {
        return None;
    }
    let (mut low, mut high) = (0.0, discordance);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if needed(middle) > n as f64 { low = middle } else { high = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_at_ten_percent_discordance() {
        assert_eq!(needed_for_equivalence(0.1, 0.05, 0.05, 0.8), 343);
        assert_eq!(needed_for_equivalence(0.1, 0.02, 0.05, 0.8), 2141);
    }

    #[test]
    fn no_discordance_in_few_pairs_is_not_proof() {
        assert!(!is_equivalent(Discordant { n: 24, gained: 0, lost: 0 }, 0.05, 0.05));
        assert!(is_equivalent(Discordant { n: 400, gained: 0, lost: 0 }, 0.05, 0.05));
    }

    #[test]
    fn more_pairs_show_less() {
        let at = |n| detectable_difference(n, 0.1, 0.05, 0.8);
        assert!(at(2000).unwrap() < at(200).unwrap());
        assert_eq!(at(10), None);
    }
}
