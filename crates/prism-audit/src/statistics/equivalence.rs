//! Saying "no effect": equivalence of paired shares, and what a sample can show.
//!
//! The paired difference is (gained - lost) / n. Its interval inverts Tango's score
//! test (Statistics in Medicine 17, 1998), which stays honest when few or no pairs are
//! discordant. Two one-sided tests (TOST) read the same statistic, but their p is
//! exact: the largest probability of a statistic at least as large over the discordances
//! that the boundary of the margin allows *and* the data do not exclude, plus the risk of
//! having excluded the true one (Berger and Boos, JASA 89, 1994). The discordance is
//! excluded outside its exact interval at `1 - GAMMA`. So the test's size never exceeds
//! its level, the worst case is not looked for where no one would look for it, and
//! no discordance shows nothing at 5 points below 59 pairs.

use statrs::function::factorial::ln_factorial;

use super::clopper_pearson::{lower, upper};
use super::{Interval, normal};

/// Risk that the interval of the discordance misses the true one; part of every p.
pub const GAMMA: f64 = 0.001;

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
    /// Tango's score interval of the paired difference. `None` for n = 0.
    pub fn interval(self, level: f64) -> Option<Interval> {
        if self.n == 0 {
            return None;
        }
        let z = normal::critical(level);
        // The score falls as the supposed difference rises.
        let solve = |target: f64| {
            let (mut low, mut high) = (-1.0, 1.0);
            for _ in 0..60 {
                let middle = (low + high) / 2.0;
                if self.score(middle) > target { low = middle } else { high = middle }
            }
            (low + high) / 2.0
        };
        Some(Interval { low: solve(z), high: solve(-z) })
    }

    /// Tango's score statistic against a true difference of `supposed`, in (-1, 1):
    /// the difference seen minus the one supposed, over its standard deviation at the
    /// discordance most likely under it.
    pub fn score(self, supposed: f64) -> f64 {
        let (n, gained, lost) = (self.n as f64, self.gained as f64, self.lost as f64);
        // Share lost, at the maximum of the likelihood with share gained = share lost + supposed.
        let b = -gained - lost + (2.0 * n - gained + lost) * supposed;
        let c = -lost * supposed * (1.0 - supposed);
        let share_lost = ((b * b - 8.0 * n * c).max(0.0).sqrt() - b) / (4.0 * n);
        let variance = n * (2.0 * share_lost + supposed * (1.0 - supposed));
        let difference = gained - lost - n * supposed;
        if difference == 0.0 {
            0.0
        } else if variance > 1e-12 * n {
            difference / variance.sqrt()
        } else {
            difference.signum() * f64::INFINITY
        }
    }

    /// Discordance with half a pair added to each of the four cells, so that no
    /// discordance does not mean no uncertainty.
    pub fn rate(self) -> f64 {
        ((self.gained + self.lost) as f64 + 1.0) / (self.n as f64 + 2.0)
    }

    /// Exact interval of the discordance at `1 - GAMMA`.
    pub fn discordance(self) -> Interval {
        let (hits, n, level) = ((self.gained + self.lost) as f64, self.n as f64, 1.0 - GAMMA / 2.0);
        Interval { low: lower(hits, n, level).unwrap_or(0.0), high: upper(hits, n, level).unwrap_or(1.0) }
    }

    fn reversed(self) -> Self {
        Self { gained: self.lost, lost: self.gained, ..self }
    }
}

/// p of the equivalence test for this margin (a share): the larger of the two exact
/// one-sided p, each the worst over the interval of the discordance, plus [`GAMMA`]. 1 for n = 0.
pub fn equivalence_p(pairs: Discordant, margin: f64) -> f64 {
    if pairs.n == 0 {
        return 1.0;
    }
    // p falls as the statistic rises, so the side with the smaller one has the larger p.
    let worst = pairs.score(-margin).min(pairs.reversed().score(-margin));
    (exceedance(pairs.n, margin, worst, pairs.discordance()) + GAMMA).min(1.0)
}

/// Whether the equivalence test at `alpha` holds for this margin: its exact p is below
/// alpha, and the `1 - 2 alpha` interval lies inside the margin.
pub fn is_equivalent(pairs: Discordant, margin: f64, alpha: f64) -> bool {
    pairs.interval(1.0 - 2.0 * alpha).is_some_and(|i| i.low > -margin && i.high < margin) && equivalence_p(pairs, margin) < alpha
}

/// Largest probability, over the discordances in `within`, that the score against a difference
/// of `-margin` comes out at least at `statistic` when that is the true difference. A difference
/// takes at least its own size of discordance: 0 where `within` lies below that.
pub fn exceedance(n: usize, margin: f64, statistic: f64, within: Interval) -> f64 {
    let (least, most) = (within.low.max(margin), within.high.min(1.0));
    if least > most {
        return 0.0;
    }
    // Fewest pairs gained, for each number of discordant ones, that reach the statistic.
    let reaches = |d: usize, gained: usize| Discordant { n, gained, lost: d - gained }.score(-margin) >= statistic - 1e-9;
    let binomials = Binomials::upto(n);
    let likely = |discordance: f64| {
        let (mean, spread) = (n as f64 * discordance, (n as f64 * discordance * (1.0 - discordance)).sqrt());
        ((mean - 8.0 * spread - 8.0).max(0.0) as usize, ((mean + 8.0 * spread + 8.0) as usize).min(n))
    };
    let (first, last) = (likely(least).0, likely(most).1);
    let fewest: Vec<usize> = (0..=last)
        .map(|d| {
            let (mut low, mut high) = (0, if d < first { 0 } else { d + 1 });
            while low < high {
                let middle = (low + high) / 2;
                if reaches(d, middle) { high = middle } else { low = middle + 1 }
            }
            low
        })
        .collect();
    let probability = |discordance: f64| -> f64 {
        let gains = ((discordance - margin) / (2.0 * discordance)).clamp(0.0, 1.0);
        let (first, last) = likely(discordance);
        (first..=last)
            .filter(|&d| fewest[d] <= d)
            .map(|d| binomials.mass(n, d, discordance) * binomials.upper_tail(d, fewest[d], gains))
            .sum()
    };
    // Squares lie densely at the low end, where the probability turns fastest.
    const GRID: usize = 30;
    let at = |place: f64| probability(least + (most - least) * place * place);
    let step = 1.0 / GRID as f64;
    let (mut best, mut place) = (0.0, 0.0);
    for i in 0..=GRID {
        let found = at(i as f64 * step);
        if found > best {
            (best, place) = (found, i as f64 * step);
        }
    }
    for i in -10..=10 {
        best = f64::max(best, at((place + f64::from(i) * step / 10.0).clamp(0.0, 1.0)));
    }
    best.min(1.0)
}

/// Binomial probabilities of many counts up to one size: the logarithms of the factorials are made once.
struct Binomials(Vec<f64>);

impl Binomials {
    fn upto(n: usize) -> Self {
        Self((0..=n as u64).map(ln_factorial).collect())
    }

    /// Probability of `k` of `n`.
    fn mass(&self, n: usize, k: usize, p: f64) -> f64 {
        if p <= 0.0 || p >= 1.0 {
            return f64::from(u8::from(k == if p <= 0.0 { 0 } else { n }));
        }
        (self.0[n] - self.0[k] - self.0[n - k] + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p()).exp()
    }

    /// Probability of at least `k` of `n`.
    fn upper_tail(&self, n: usize, k: usize, p: f64) -> f64 {
        if k == 0 {
            return 1.0;
        }
        let (mut term, mut sum) = (self.mass(n, k, p), 0.0);
        for i in k..=n {
            sum += term;
            if i as f64 > n as f64 * p && term < 1e-18 {
                break;
            }
            term *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p).max(f64::MIN_POSITIVE);
        }
        sum.min(1.0)
    }
}

/// Pairs needed for the equivalence test to hold with probability `power` when there
/// is no effect: d (z_alpha + z_beta/2)^2 / margin^2 by the normal approximation, and
/// never fewer than show it without any discordance, ln(alpha) / ln(1 - margin).
pub fn needed_for_equivalence(discordance: f64, margin: f64, alpha: f64, power: f64) -> usize {
    let z = normal::quantile(1.0 - alpha) + normal::quantile(1.0 - (1.0 - power) / 2.0);
    let fewest = alpha.ln() / (-margin).ln_1p();
    (discordance * z * z / (margin * margin)).max(fewest).ceil() as usize
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

    const MARGIN: f64 = 0.05;
    const ALPHA: f64 = 0.05;

    #[test]
    fn sizes_at_ten_percent_discordance() {
        assert_eq!(needed_for_equivalence(0.1, 0.05, 0.05, 0.8), 343);
        assert_eq!(needed_for_equivalence(0.1, 0.02, 0.05, 0.8), 2141);
        assert_eq!(needed_for_equivalence(0.001, 0.05, 0.05, 0.8), 59);
    }

    #[test]
    fn no_discordance_in_few_pairs_is_not_proof() {
        let silent = |n| is_equivalent(Discordant { n, gained: 0, lost: 0 }, MARGIN, ALPHA);
        assert!((0..59).all(|n| !silent(n)));
        assert!(silent(59) && silent(400));
    }

    /// Fewest pairs gained, by the number of discordant ones, at which the test excludes a loss of the margin;
    /// one more than there are where none does. With the discordant fixed, p falls as the gained rise.
    fn excluding(n: usize) -> Vec<usize> {
        (0..=n)
            .map(|d| {
                let excludes = |gained: usize| {
                    let pairs = Discordant { n, gained, lost: d - gained };
                    let score = pairs.score(-MARGIN);
                    score >= normal::quantile(1.0 - ALPHA) && exceedance(n, MARGIN, score, pairs.discordance()) + GAMMA < ALPHA
                };
                let (mut low, mut high) = (0, d + 1);
                while low < high {
                    let middle = (low + high) / 2;
                    if excludes(middle) { high = middle } else { low = middle + 1 }
                }
                low
            })
            .collect()
    }

    /// Probability that equivalence is said at a true difference and discordance, over all outcomes.
    fn said(n: usize, difference: f64, discordance: f64, excluding: &[usize]) -> f64 {
        let (gains, binomials) = ((discordance + difference) / (2.0 * discordance), Binomials::upto(n));
        (0..=n)
            .map(|d| (d, binomials.mass(n, d, discordance)))
            .filter(|(_, m)| *m > 1e-12)
            .flat_map(|(d, m)| (0..=d).map(move |gained| (d, m, gained)))
            .filter(|(d, _, gained)| *gained >= excluding[*d] && d - gained >= excluding[*d])
            .map(|(d, m, gained)| m * binomials.mass(d, gained, gains))
            .sum()
    }

    #[test]
    fn the_size_holds_at_every_sample_and_discordance() {
        for n in [31, 59, 100, 191, 300] {
            let excluding = excluding(n);
            for difference in [-0.05, 0.05, -0.07] {
                for discordance in [0.07, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8] {
                    let size = said(n, difference, discordance, &excluding);
                    assert!(size <= ALPHA + 1e-4, "n {n}, discordance {discordance}: {size}");
                }
            }
            for discordance in [0.05, 0.051, 0.0525, 0.055, 0.06] {
                let size = said(n, -0.05, discordance, &excluding);
                assert!(size <= ALPHA + 1e-4, "n {n}, discordance {discordance}: {size}");
            }
            let power = said(n, 0.0, 0.02, &excluding);
            assert_eq!(n >= 59, power > 0.0, "n {n}: {power}");
        }
    }

    #[test]
    fn more_pairs_show_less() {
        let at = |n| detectable_difference(n, 0.1, 0.05, 0.8);
        assert!(at(2000).unwrap() < at(200).unwrap());
        assert_eq!(at(10), None);
    }
}
