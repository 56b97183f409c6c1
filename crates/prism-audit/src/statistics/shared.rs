//! The upper bound of a share where examples were given something in common, such as a donor.
//!
//! Answers that share a donor may change together, and are then worth fewer independent ones.
//! How much they agree is seen from the answers themselves, and the exact bound is taken at the
//! number of independent answers they are worth (E. L. Korn and B. I. Graubard, Survey Methodology
//! 24, 1998).

use super::clopper_pearson::upper;
use super::student;

/// Changed answers and answers of one group.
pub type Group = (usize, usize);

/// The upper bound at `level`, and the number of independent answers that it counts.
///
/// `worth` bounds that number from above: what the answers are worth for another reason. The bound
/// is the largest over every way in which fewer of these answers could have changed, so that it
/// never rises where a changed answer is taken back.
pub fn upper_shared(groups: &[Group], worth: f64, level: f64) -> Option<(f64, f64)> {
    let n: usize = groups.iter().map(|(_, size)| size).sum();
    let hits: usize = groups.iter().map(|(hits, _)| hits).sum();
    let shared = Shared::of(groups, n, level);
    let bound = |hits: usize, worth: f64| upper(hits as f64 / n as f64 * worth, worth, level);
    let Some(shared) = shared else { return Some((bound(hits, worth)?, worth)) };
    // Fewer answers agree most where they lie in the fewest groups.
    let mut sizes: Vec<usize> = groups.iter().map(|(hits, _)| *hits).filter(|hits| *hits > 0).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let mut counted = vec![shared.worth(0, 0).min(worth)];
    let mut together = 0;
    for size in sizes {
        for place in 0..size {
            together += 2 * place;
            counted.push(shared.worth(counted.len(), together).min(worth));
        }
    }
    // From all of them down: fewer answers among no fewer give no larger bound.
    let mut best = (bound(hits, counted[hits])?, counted[hits]);
    let mut narrowest = counted[hits];
    for (fewer, &counted) in counted.iter().enumerate().rev().skip(1) {
        if counted < narrowest {
            narrowest = counted;
            let found = bound(fewer, counted)?;
            best = if found > best.0 { (found, counted) } else { best };
        }
    }
    Some(best)
}

/// How answers are spread over groups.
struct Shared {
    n: f64,
    /// Ordered pairs of answers in one group.
    pairs: f64,
    /// Mean size of the group that an answer is in.
    size: f64,
    /// What few groups know less of their agreement: the squared ratio of Student's critical values.
    few: f64,
}

impl Shared {
    /// `None` where no two answers share anything.
    fn of(groups: &[Group], n: usize, level: f64) -> Option<Self> {
        let squares: usize = groups.iter().map(|(_, size)| size * size).sum();
        if squares == n || n < 2 {
            return None;
        }
        let filled = groups.iter().filter(|(_, size)| *size > 0).count();
        // One-sided at `level`: the two-sided interval of `2 level - 1`.
        let critical = |freedom: usize| student::critical(2.0 * level - 1.0, freedom as f64);
        let few = match filled {
            0 | 1 => 0.0,
            more => (critical(n - 1)? / critical(more - 1)?).powi(2),
        };
        Some(Self { n: n as f64, pairs: (squares - n) as f64, size: squares as f64 / n as f64, few })
    }

    /// Independent answers that all are worth, with `hits` changed of which `together` ordered pairs share a group.
    fn worth(&self, hits: usize, together: usize) -> f64 {
        let share = hits as f64 / self.n;
        let spread = share * (1.0 - share);
        // Correlation of two answers of one group, not below 0.
        let agreement = if spread > 0.0 { ((together as f64 / self.pairs - share * share) / spread).clamp(0.0, 1.0) } else { 0.0 };
        let effect = 1.0 + (self.size - 1.0) * agreement;
        // One group alone tells nothing of how groups differ: it is worth one answer.
        (self.n / effect * self.few).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_share_nothing_are_counted_as_before() {
        let alone: Vec<Group> = (0..300).map(|i| (usize::from(i < 8), 1)).collect();
        assert_eq!(upper_shared(&alone, 300.0, 0.95), Some((upper(8.0, 300.0, 0.95).unwrap(), 300.0)));
        assert_eq!(upper_shared(&alone, 150.0, 0.95), Some((upper(4.0, 150.0, 0.95).unwrap(), 150.0)));
    }

    #[test]
    fn answers_that_change_together_bound_less() {
        // 60 donors of 5 examples; eight changed answers, apart or with two donors.
        let apart: Vec<Group> = (0..60).map(|i| (usize::from(i < 8), 5)).collect();
        let together: Vec<Group> = (0..60).map(|i| (if i < 2 { 4 } else { 0 }, 5)).collect();
        let (apart, together) = (upper_shared(&apart, 300.0, 0.95).unwrap(), upper_shared(&together, 300.0, 0.95).unwrap());
        assert!((apart.1 - 300.0 * Shared::of(&[(0, 5); 60], 300, 0.95).unwrap().few).abs() < 1e-9);
        // Agreement (24 / 1200 - (8/300)^2) / (8/300 * 292/300) = 0.7431, effect 1 + 4 * 0.7431.
        let few = (student::critical(0.9, 299.0).unwrap() / student::critical(0.9, 59.0).unwrap()).powi(2);
        let worth = 300.0 / (1.0 + 4.0 * 0.743_150_684_931_506_9) * few;
        assert!((together.1 - worth).abs() < 1e-6, "{together:?} {worth}");
        assert!(together.0 > 1.4 * apart.0);
    }

    #[test]
    fn a_changed_answer_taken_back_never_raises_the_bound() {
        let mut stream = prism_run::random::Stream::new(7, "shared donors", &[]);
        for _ in 0..300 {
            let mut groups: Vec<Group> = (0..20)
                .map(|_| {
                    let size = 1 + stream.below(6);
                    (if stream.uniform() < 0.3 { stream.below(size + 1) } else { 0 }, size)
                })
                .collect();
            let of = |groups: &[Group]| upper_shared(groups, groups.iter().map(|g| g.1 as f64).sum(), 0.95).unwrap().0;
            let mut before = of(&groups);
            while let Some(place) = groups.iter().position(|(hits, _)| *hits > 0) {
                let place = (place + stream.below(20)) % 20;
                if groups[place].0 == 0 {
                    continue;
                }
                groups[place].0 -= 1;
                let after = of(&groups);
                assert!(after <= before + 1e-12, "{after} after {before}: {groups:?}");
                before = after;
            }
        }
    }
}
