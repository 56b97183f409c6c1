//! One row of Table 2.

use prism_run::random::Stream;

use super::points::{Point, Run, Unit, items, points};
use crate::AuditSettings;
use crate::findings::ComparisonFinding;
use crate::statistics::Interval;
use crate::statistics::correlation::{fisher_interval, partial, pearson, pick, ranks, spearman};
use crate::statistics::percentile::percentile_interval;
use crate::statistics::{clusters, permutation};

/// Columns of the points that have them all.
struct Columns<'a> {
    points: Vec<&'a Point>,
    x: Vec<f64>,
    y: Vec<f64>,
    z: Option<Vec<f64>>,
}

impl Columns<'_> {
    fn r(&self, y: &[f64], kept: &[usize]) -> Option<f64> {
        let (x, y) = (pick(&self.x, kept), pick(y, kept));
        match &self.z {
            None => pearson(&x, &y),
            Some(z) => partial(&x, &y, &pick(z, kept)),
        }
    }
}

/// The correlation of two columns of Table 1 over the points that have both (and the
/// column held fixed).
///
/// The bootstrap interval redraws y and keeps x: the items jointly over all runs, in
/// their clusters, or as [`Point::redraw`] says where a run's records are absent;
/// replicates without an r are left out. Leave-one-out leaves out one variant, with all its
/// seeds. The exact p is for plain correlations over at most nine variants: seeds of
/// a variant cannot be exchanged with those of another.
pub fn correlate(runs: &[Run], unit: Unit, x: &str, y: &str, given: Option<&str>, settings: &AuditSettings) -> ComparisonFinding {
    let all = points(runs, unit);
    let mut columns = Columns { points: Vec::new(), x: Vec::new(), y: Vec::new(), z: given.map(|_| Vec::new()) };
    let mut missing = Vec::new();
    for point in &all {
        let z = given.map(|column| point.mean(runs, column));
        match (point.mean(runs, x), point.mean(runs, y), z) {
            (Some(a), Some(b), None) => columns.push(point, a, b, None),
            (Some(a), Some(b), Some(Some(c))) => columns.push(point, a, b, Some(c)),
            _ => missing.push(point.name.as_str()),
        }
    }
    let n = columns.points.len();
    let everyone: Vec<usize> = (0..n).collect();
    let r = if n >= 3 { columns.r(&columns.y, &everyone) } else { None };
    let mut reasons = Vec::new();
    if !missing.is_empty() {
        reasons.push(format!("without {}: a column is absent", missing.join(", ")));
    }
    if n < 3 {
        reasons.push(format!("{n} points are fewer than 3"));
    } else if r.is_none() {
        reasons.push("a column does not vary, or is determined by the one held fixed".into());
    }
    let exchangeable = r.is_some() && given.is_none() && unit == Unit::SeedMean;
    let exact_p = if exchangeable { permutation::exact_p(&columns.x, &columns.y) } else { None };
    let spearman_p = if exchangeable { permutation::exact_p(&ranks(&columns.x), &ranks(&columns.y)) } else { None };
    let heaps = r.and_then(|_| clusters::split(&columns.x));
    let without_heap = heaps.as_ref().filter(|_| given.is_none()).and_then(|h| h.leave_one_out(&columns.x, &columns.y));
    if r.is_some() && exact_p.is_none() {
        reasons.push("exact p only for plain correlations over 3 to 9 variants".into());
    }
    if without_heap.is_none() && given.is_none() && heaps.as_ref().is_some_and(clusters::Clusters::is_marked) {
        reasons.push("no range without a cluster: one of the two has fewer than 3 points".into());
    }
    let interval = r.and_then(|_| bootstrap(runs, &columns, unit, y, &everyone, settings));
    let fisher = if unit == Unit::SeedMean { r.and_then(|r| fisher_interval(r, n, usize::from(given.is_some()), 0.95)) } else { None };
    let left = r.and_then(|_| leave_one_variant_out(&columns));
    let names: Vec<String> = columns.points.iter().map(|p| p.name.clone()).collect();
    ComparisonFinding {
        unit: unit.name().into(),
        x: x.into(),
        y: y.into(),
        given: given.map(str::to_string),
        variants: n,
        r,
        low: interval.map(|i| i.low),
        high: interval.map(|i| i.high),
        exact_p,
        spearman: r.filter(|_| given.is_none()).and_then(|_| spearman(&columns.x, &columns.y)),
        spearman_p,
        fisher_low: fisher.map(|i| i.low),
        fisher_high: fisher.map(|i| i.high),
        leave_one_out_low: left.map(|i| i.low),
        leave_one_out_high: left.map(|i| i.high),
        leave_cluster_out_low: without_heap.map(|i| i.low),
        leave_cluster_out_high: without_heap.map(|i| i.high),
        cluster_warning: heaps.and_then(|h| h.warning(&columns.x, &columns.y, &names)),
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
    }
}

impl<'a> Columns<'a> {
    fn push(&mut self, point: &'a Point, x: f64, y: f64, z: Option<f64>) {
        self.points.push(point);
        self.x.push(x);
        self.y.push(y);
        if let (Some(column), Some(value)) = (&mut self.z, z) {
            column.push(value);
        }
    }
}

fn bootstrap(runs: &[Run], columns: &Columns<'_>, unit: Unit, y: &str, kept: &[usize], settings: &AuditSettings) -> Option<Interval> {
    // Named without x: every x meets the same replicates of y.
    let items = items(runs, y);
    let purpose = if items.is_some() { "item bootstrap" } else { "binomial bootstrap" };
    let mut stream = Stream::new(u64::from(settings.seed), purpose, &[unit.name(), y]);
    let replicates: Vec<f64> = (0..settings.replicates)
        .filter_map(|_| {
            let drawn = items.as_ref().map(|i| i.redraw(&mut stream));
            let point = |p: &&Point| match &drawn {
                Some(values) => p.drawn(values),
                None => p.redraw(runs, y, &mut stream),
            };
            let redrawn: Vec<f64> = columns.points.iter().map(point).collect::<Option<_>>()?;
            columns.r(&redrawn, kept)
        })
        .collect();
    percentile_interval(replicates, 0.95)
}

fn leave_one_variant_out(columns: &Columns<'_>) -> Option<Interval> {
    let mut variants: Vec<&str> = columns.points.iter().map(|p| p.variant.as_str()).collect();
    variants.sort_unstable();
    variants.dedup();
    let mut range: Option<Interval> = None;
    for out in variants {
        let kept: Vec<usize> = (0..columns.points.len()).filter(|&i| columns.points[i].variant != out).collect();
        let r = columns.r(&columns.y, &kept)?;
        let Interval { low, high } = range.unwrap_or(Interval { low: r, high: r });
        range = Some(Interval { low: low.min(r), high: high.max(r) });
    }
    range
}
