//! The numbers of one intervention: everything its word rests on, and no word.

use std::collections::BTreeMap;

use prism_run::records::AnswerRow;
use prism_run::{Effect, Family};

use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::VerdictFinding;
use crate::lenient;
use crate::pairs::{Branch, Pair, answer_changed, gained, lost, opened, right, unparsed};
use crate::power::POWER;
use crate::statistics::cluster_robust::cluster_mean;
use crate::statistics::equivalence::{Discordant, detectable_difference, equivalence_p, needed_for_equivalence};
use crate::statistics::mcnemar::mcnemar_exact;
use crate::statistics::shared::upper_shared;
use crate::statistics::sign_flip::exact_of_counts;
use crate::statistics::{Interval, normal};

/// Discordant answers with the clusters they form: one place for what both accuracy and choice ask.
pub struct Compared {
    counts: Discordant,
    sums: Vec<(f64, usize)>,
    joined: bool,
    /// Sums by donor, where examples share any.
    by_donor: Option<Vec<(f64, usize)>>,
}

impl Compared {
    /// Of the pairs that are wanted.
    pub fn of<'a>(pairs: impl Iterator<Item = &'a Pair<'a>>, clusters: &Clusters, change: impl Fn(&Pair<'_>) -> f64) -> Self {
        let mut donors = Donors::<f64>::default();
        let changes: Vec<(usize, f64)> = pairs
            .map(|pair| {
                let change = change(pair);
                donors.add(pair, change);
                (pair.clean.row, change)
            })
            .collect();
        let count = |sign: f64| changes.iter().filter(|(_, c)| *c == sign).count();
        let counts = Discordant { n: changes.len(), gained: count(1.0), lost: count(-1.0) };
        let by_donor = donors.are_shared().then(|| donors.groups());
        Self { counts, sums: clusters.sums(changes.iter().copied()), joined: clusters.joined_by().is_some(), by_donor }
    }

    /// Exact p of a change, clusters flipped as a whole where there are any; absent without examples.
    pub fn p(&self) -> Option<f64> {
        let whole = || exact_of_counts(&self.sums.iter().map(|(sum, _)| *sum as i64).collect::<Vec<_>>());
        (self.counts.n > 0).then(|| if self.joined { whole() } else { mcnemar_exact(self.counts.gained, self.counts.lost) })
    }

    /// The mean change.
    pub fn delta(&self) -> Option<f64> {
        (self.counts.n > 0).then(|| (self.counts.gained as f64 - self.counts.lost as f64) / self.counts.n as f64)
    }

    /// Whether nothing differs in right and wrong.
    fn is_silent(&self) -> bool {
        self.counts.gained + self.counts.lost == 0
    }

    /// Clusters that all agree show what as many single examples would.
    fn silent(&self) -> Discordant {
        Discordant { n: self.sums.len(), gained: 0, lost: 0 }
    }

    /// Interval of the change: the score interval, over clusters where there are any. Clusters that
    /// give no width give no certainty: absent.
    pub fn interval(&self, level: f64) -> Option<Interval> {
        match (self.joined, self.is_silent()) {
            (false, _) => self.counts.interval(level),
            (true, true) => self.silent().interval(level),
            (true, false) => cluster_mean(&self.sums).and_then(|m| m.interval(level)).filter(Interval::has_width),
        }
    }

    /// Exact p of the equivalence test. Clusters show no more with changes than they would without any.
    fn equivalence_p(&self, margin: f64) -> Option<f64> {
        let silent = if self.joined { equivalence_p(self.silent(), margin) } else { 0.0 };
        let seen = if self.joined && self.is_silent() { silent } else { equivalence_p(self.counts, margin) };
        (self.counts.n > 0).then(|| seen.max(silent))
    }

    /// Whether the change is shown to be inside the margin: score interval, exact p, and with clusters or shared donors their interval.
    fn is_equivalent(&self, margin: f64, alpha: f64) -> bool {
        let level = 1.0 - 2.0 * alpha;
        let inside = |i: Option<Interval>| i.is_some_and(|i| i.low > -margin && i.high < margin);
        let by_donor = match &self.by_donor {
            Some(groups) if !self.is_silent() => inside(cluster_mean(groups).and_then(|m| m.interval(level))),
            _ => true,
        };
        by_donor
            && inside(self.counts.interval(level))
            && inside(self.interval(level))
            && self.equivalence_p(margin).is_some_and(|p| p < alpha)
    }
}

/// Changed answers and the upper bound of their share.
pub struct Changed {
    /// Their number.
    pub count: usize,
    /// The bound; absent without examples.
    pub bound: Option<f64>,
    /// Independent answers that it counts.
    pub worth: Option<f64>,
}

/// What changed among these pairs. Where examples form clusters, as many independent ones are counted as the
/// clusters are worth: n squared over the sum of their squared sizes. Where they share donors, no more than
/// the agreement of answers with one donor leaves ([`upper_shared`]).
pub fn changed<'a>(pairs: impl Iterator<Item = &'a Pair<'a>>, clusters: &Clusters, alpha: f64) -> Changed {
    let mut changes: Vec<(usize, f64)> = Vec::new();
    let mut donors = Donors::<usize>::default();
    for pair in pairs {
        let change = answer_changed(pair);
        changes.push((pair.clean.row, f64::from(u8::from(change))));
        donors.add(pair, usize::from(change));
    }
    let count = changes.iter().filter(|(_, c)| *c > 0.0).count();
    let n = changes.len() as f64;
    let worth = match clusters.joined_by() {
        None => n,
        Some(_) => n * n / clusters.sums(changes.iter().copied()).iter().map(|(_, size)| (size * size) as f64).sum::<f64>(),
    };
    let found = if changes.is_empty() { None } else { upper_shared(&donors.groups(), worth, 1.0 - alpha) };
    Changed { count, bound: found.map(|(bound, _)| bound), worth: found.map(|(_, worth)| worth) }
}

/// A sum over the examples of every donor; those without one stand for themselves.
#[derive(Default)]
struct Donors<T> {
    of: BTreeMap<usize, (T, usize)>,
    alone: Vec<(T, usize)>,
}

impl<T: Copy + std::ops::AddAssign + Default> Donors<T> {
    fn add(&mut self, pair: &Pair<'_>, value: T) {
        match pair.other.donor {
            None => self.alone.push((value, 1)),
            Some(donor) => {
                let (sum, size) = self.of.entry(donor).or_default();
                *sum += value;
                *size += 1;
            }
        }
    }

    fn groups(&self) -> Vec<(T, usize)> {
        self.of.values().chain(&self.alone).copied().collect()
    }

    /// Whether two examples have one donor.
    fn are_shared(&self) -> bool {
        self.of.values().any(|(_, size)| *size > 1)
    }
}

/// -1, 0 or 1: what the intervention did to a right or wrong answer.
pub fn change(pair: &Pair<'_>) -> f64 {
    f64::from(i8::from(gained(pair)) - i8::from(lost(pair)))
}

/// The numbers of a branch; its word is still `undecided`, its family still to be adjusted.
pub fn measure(branch: &Branch<'_>, clusters: &Clusters, settings: &AuditSettings) -> VerdictFinding {
    let pairs: Vec<&Pair<'_>> = branch.pairs.iter().filter(|p| opened(p.clean)).collect();
    let count = |of: &dyn Fn(&Pair<'_>) -> bool| pairs.iter().filter(|p| of(p)).count();
    let parsed = |p: &Pair<'_>| !unparsed(p.clean) && !unparsed(p.other);
    let all = Compared::of(pairs.iter().copied(), clusters, change);
    let choice = Compared::of(pairs.iter().copied().filter(|p| parsed(p)), clusters, change);
    let lenient = Compared::of(pairs.iter().copied(), clusters, lenient_change);
    let (margin, alpha) = (settings.equivalence_margin, settings.alpha);
    let counts = all.counts;
    let (interval, equivalence) = (all.interval(0.95), counts.interval(1.0 - 2.0 * alpha));
    let joined = clusters.joined_by().is_some();
    let robust = if joined { all.interval(1.0 - 2.0 * alpha) } else { None };
    let (choice_interval, lenient_interval) = (choice.interval(0.95), lenient.interval(0.95));
    let changed = changed(pairs.iter().copied(), clusters, alpha);
    let some = counts.n > 0;
    let share = |k: usize| some.then(|| k as f64 / counts.n as f64);
    VerdictFinding {
        variant: String::new(),
        seed: None,
        intervention: branch.intervention,
        class: branch.intervention.class(),
        role: branch.intervention.role(),
        family: family(branch, settings),
        baseline: true,
        examples: counts.n,
        discordant: counts.gained + counts.lost,
        gained: counts.gained,
        lost: counts.lost,
        lost_unparsed: count(&|p| lost(p) && unparsed(p.other)),
        changed_answers: changed.count,
        changed: share(changed.count),
        changed_bound: changed.bound,
        changed_worth: changed.worth,
        outputs_changed: count(&|p| p.clean.generated != p.other.generated),
        strength: strength(&pairs),
        strength_floor: settings.least_strength,
        nothing_to_exchange: nothing_to_exchange(branch, &pairs),
        relative_change: relative_change(&pairs),
        delta: all.delta(),
        delta_low: interval.map(|i| i.low),
        delta_high: interval.map(|i| i.high),
        equivalence_low: equivalence.map(|i| i.low),
        equivalence_high: equivalence.map(|i| i.high),
        equivalence_p: all.equivalence_p(margin),
        margin,
        alpha,
        mcnemar_p: some.then(|| mcnemar_exact(counts.gained, counts.lost)),
        clusters: all.sums.len(),
        clustered_p: all.p().filter(|_| joined),
        clustered_low: robust.map(|i| i.low),
        clustered_high: robust.map(|i| i.high),
        choice_examples: choice.counts.n,
        choice_delta: choice.delta(),
        choice_p: choice.p(),
        choice_low: choice_interval.map(|i| i.low),
        choice_high: choice_interval.map(|i| i.high),
        choice_equivalence_p: choice.equivalence_p(margin),
        accuracy_equivalent: all.is_equivalent(margin, alpha),
        choice_equivalent: choice.is_equivalent(margin, alpha),
        lenient_delta: lenient.delta(),
        lenient_low: lenient_interval.map(|i| i.low),
        lenient_high: lenient_interval.map(|i| i.high),
        lenient_p: lenient.p(),
        lenient_unread: count(&|p| lenient::read(p.other).is_none()),
        choice_holm_p: None,
        tests: 0,
        holm_p: None,
        benjamini_hochberg_p: None,
        across_holm_p: None,
        detectable: if some { detectable_difference(counts.n, counts.rate(), alpha, POWER) } else { None },
        needed: some.then(|| needed_for_equivalence(counts.rate(), margin, alpha, POWER)),
        verdict: Effect::Undecided,
        reason: None,
    }
}

fn family(branch: &Branch<'_>, settings: &AuditSettings) -> Family {
    if settings.content.contains(&branch.intervention) {
        Family::Content
    } else if settings.presence.contains(&branch.intervention) {
        Family::Presence
    } else {
        Family::Explanatory
    }
}

/// 1, 0 or -1: whether the intervention makes a wrong answer right or a right one wrong, both read leniently.
fn lenient_change(pair: &Pair<'_>) -> f64 {
    let is_right = |answer: &AnswerRow| match &answer.answer {
        Some(_) => right(answer),
        None => lenient::read(answer).is_some_and(|letter| pair.label == letter),
    };
    f64::from(i8::from(is_right(pair.other)) - i8::from(is_right(pair.clean)))
}

/// Root mean square over examples of what the records hold squared.
fn strength(pairs: &[&Pair<'_>]) -> Option<f64> {
    let squares: Vec<f64> = pairs.iter().filter_map(|p| p.other.strength).filter(|s| s.is_finite()).collect();
    (!squares.is_empty()).then(|| (squares.iter().sum::<f64>() / squares.len() as f64).sqrt())
}

/// Whether content was put in, and in every example it was what stood there: the latents are the same for all.
fn nothing_to_exchange(branch: &Branch<'_>, pairs: &[&Pair<'_>]) -> bool {
    let role = branch.intervention.role();
    (role.is_exchange() || role == prism_run::Role::Resamples)
        && !pairs.is_empty()
        && pairs.iter().all(|p| p.other.strength.is_none() && p.other.perturbation_norm == Some(0.0))
}

/// Norm of the change over the norm of the clean latents, both summed over the examples
/// that recorded them.
fn relative_change(pairs: &[&Pair<'_>]) -> Option<f64> {
    let norms = pairs.iter().filter_map(|p| Some((p.other.perturbation_norm?, p.clean.latent_norm?)));
    let (change, latent) = norms.fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    (latent > 0.0).then(|| change / latent).filter(|r: &f64| r.is_finite())
}

/// Lower end of the 95 % interval of the clean accuracy over examples, cluster-robust where there are clusters.
pub fn accuracy_low(pairs: &[&Pair<'_>], clusters: &Clusters) -> Option<f64> {
    let correct = pairs.iter().filter(|p| right(p.clean)).count();
    let plain = crate::statistics::wilson::wilson(correct, pairs.len(), 0.95).map(|i| i.low);
    if clusters.joined_by().is_none() {
        return plain;
    }
    let sums = clusters.sums(pairs.iter().map(|p| (p.clean.row, f64::from(u8::from(right(p.clean))))));
    let robust = cluster_mean(&sums).map(|m| m.mean - normal::critical(0.95) * m.error);
    robust.zip(plain).map(|(robust, plain)| robust.min(plain))
}
