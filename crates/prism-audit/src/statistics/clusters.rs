//! Do the points fall into two heaps? Then r mostly says how far apart the heaps are.

use super::Interval;
use super::correlation::{pearson, pick};

/// Two groups of points split at the largest gap of x (single linkage cut once).
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// Indices of the points below the gap, ascending.
    pub low: Vec<usize>,
    /// Indices of the points above it, ascending.
    pub high: Vec<usize>,
    /// Width of the gap.
    pub gap: f64,
    /// The second widest gap.
    pub next_gap: f64,
}

/// Splits the points at the largest gap of x; `None` below three points.
pub fn split(x: &[f64]) -> Option<Clusters> {
    if x.len() < 3 {
        return None;
    }
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    let gaps: Vec<f64> = order.windows(2).map(|w| x[w[1]] - x[w[0]]).collect();
    let at = (0..gaps.len()).fold(0, |best, i| if gaps[i] > gaps[best] { i } else { best });
    let next_gap = gaps.iter().enumerate().filter(|(i, _)| *i != at).fold(0.0, |m: f64, (_, g)| m.max(*g));
    let mut high = order.split_off(at + 1);
    order.sort_unstable();
    high.sort_unstable();
    Some(Clusters { low: order, high, gap: gaps[at], next_gap })
}

impl Clusters {
    /// Points cluster when the gap is at least twice the next one.
    pub fn is_marked(&self) -> bool {
        self.gap > 0.0 && self.gap >= 2.0 * self.next_gap
    }

    /// r inside each group of at least three points: (group, r).
    pub fn within(&self, x: &[f64], y: &[f64]) -> Vec<(&[usize], Option<f64>)> {
        [self.low.as_slice(), self.high.as_slice()]
            .into_iter()
            .filter(|group| group.len() >= 3)
            .map(|group| (group, pearson(&pick(x, group), &pick(y, group))))
            .collect()
    }

    /// Smallest and largest r with one group left out; `None` unless the points are marked as
    /// clustered and both groups have an r of their own, which takes three points each. With one
    /// r there is no range: it stands in the warning.
    pub fn leave_one_out(&self, x: &[f64], y: &[f64]) -> Option<Interval> {
        let left: Vec<f64> = self.within(x, y).into_iter().filter_map(|(_, r)| r).filter(|_| self.is_marked()).collect();
        match left[..] {
            [one, other] => Some(Interval { low: one.min(other), high: one.max(other) }),
            _ => None,
        }
    }

    /// The warning in words, or `None` when the points do not cluster.
    pub fn warning(&self, x: &[f64], y: &[f64], names: &[String]) -> Option<String> {
        if !self.is_marked() {
            return None;
        }
        let list = |group: &[usize]| group.iter().filter_map(|&i| names.get(i)).cloned().collect::<Vec<_>>().join(", ");
        let mut text = format!("two clusters, {{{}}} and {{{}}}", list(&self.low), list(&self.high));
        for (group, r) in self.within(x, y) {
            let r = r.map_or("undefined".to_string(), |r| format!("{r:+.2}"));
            text.push_str(&format!("; r inside {{{}}} alone is {r}", list(group)));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_of_three_is_no_range() {
        let (x, y) = ([0.1, 0.11, 0.12, 0.5, 0.51], [1.0, 2.0, 2.5, 9.0, 8.0]);
        let found = split(&x).unwrap();
        assert!(found.is_marked() && found.leave_one_out(&x, &y).is_none(), "two points have no r");
        assert!(found.warning(&x, &y, &[]).unwrap().contains("alone is +0.98"));
        let (x, y) = ([0.1, 0.11, 0.12, 0.5, 0.51, 0.52], [1.0, 2.0, 2.5, 9.0, 8.0, 7.5]);
        let range = split(&x).unwrap().leave_one_out(&x, &y).unwrap();
        assert!(range.low < -0.9 && range.high > 0.9, "{range:?}");
    }
}
