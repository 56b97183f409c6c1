//! Who gives latents to whom: the declared donors.
//!
//! The pool is drawn once from the benchmark by the run's seed. An example's donor is
//! drawn by the same seed and the example's id among those its kind allows: never
//! itself, never one whose block did not open, and by preference one that ran every
//! stage any of them ran. All of it follows from the seed and the benchmark, so neither
//! order nor threads matter; where nobody qualifies, the reason is told and nothing else
//! takes its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use prism_run::random::Stream;
use prism_run::{Donor, Example, Intervention};

use crate::decode::{LatentStatistics, Latents, Spread};

/// Members of the pool, as in the paper.
pub const POOL: usize = 64;

/// Who may give what to whom, as the benchmark and the seed have it.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// The pool, by row.
    pub pool: BTreeSet<usize>,
    /// Every row whose clean latents others need.
    pub rows: BTreeSet<usize>,
    /// Gold letter and number of options of every example, by row.
    facts: BTreeMap<usize, (String, usize)>,
    /// Candidates of [`Donor::SameImage`], by row.
    same_image: BTreeMap<usize, usize>,
    /// The counterfactual partner, by row.
    partner: BTreeMap<usize, usize>,
    seed: u64,
}

impl Declared {
    /// What the branches of a run need, drawn from the whole benchmark.
    pub fn new(examples: &[Example], branches: &[Intervention], seed: u64, pool: usize) -> Self {
        let mut all: Vec<usize> = examples.iter().map(|e| e.row).collect();
        Stream::new(seed, "donor pool", &[]).shuffle(&mut all);
        let mut declared = Self {
            pool: all.into_iter().take(pool).collect(),
            facts: examples.iter().map(|e| (e.row, (e.label.clone(), e.options.len()))).collect(),
            seed,
            ..Self::default()
        };
        let asked = |donor: Donor| branches.iter().any(|b| b.action.donor() == Some(donor));
        if asked(Donor::SameImage) {
            declared.same_image = same_image(examples, seed);
            declared.rows.extend(declared.same_image.values());
        }
        if asked(Donor::Counterfactual) {
            let by_id: BTreeMap<&str, usize> = examples.iter().map(|e| (e.id.as_str(), e.row)).collect();
            let partner = |e: &Example| Some((e.row, *by_id.get(e.counterfactual.as_deref()?)?));
            declared.partner = examples.iter().filter_map(partner).filter(|(row, partner)| row != partner).collect();
            declared.rows.extend(declared.partner.values());
        }
        // The pool gives latents, and the spread against which whatever is put in is measured.
        if branches.iter().any(|b| b.action.replaces() && b.scope.layer.is_none()) {
            declared.rows.extend(&declared.pool);
        }
        declared.rows.extend(branches.iter().filter_map(|b| match b.action.donor() {
            Some(Donor::Row(row)) => declared.facts.contains_key(&row).then_some(row),
            _ => None,
        }));
        declared
    }
}

/// For every example another question about the same first image, drawn where there are several.
fn same_image(examples: &[Example], seed: u64) -> BTreeMap<usize, usize> {
    let mut by_image: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for example in examples {
        if let Some(image) = example.images.first() {
            by_image.entry(image).or_default().push(example.row);
        }
    }
    let drawn = |example: &Example| {
        let rows = by_image.get(example.images.first()?)?;
        let others: Vec<usize> = rows.iter().copied().filter(|row| *row != example.row).collect();
        let at = (!others.is_empty()).then(|| Stream::new(seed, "same image", &[&example.id]).below(others.len()))?;
        others.get(at).map(|other| (example.row, *other))
    };
    examples.iter().filter_map(drawn).collect()
}

/// What clean runs leave for others, by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CleanRuns {
    /// The vectors they were fed.
    pub latents: BTreeMap<usize, Arc<Latents>>,
    /// Keys and values of their latent positions; of nobody where no branch exchanges them.
    pub keys_values: BTreeMap<usize, Arc<Latents>>,
}

/// Clean runs of the declared donors.
#[derive(Debug, Default)]
pub struct Donors {
    /// Who may give.
    declared: Arc<Declared>,
    clean: CleanRuns,
    statistics: OnceLock<Arc<LatentStatistics>>,
    spread: OnceLock<Spread>,
    keys_values_spread: OnceLock<Spread>,
}

impl Donors {
    /// The donors, their latents known.
    pub fn new(declared: Arc<Declared>, clean: CleanRuns) -> Self {
        Self { declared, clean, ..Self::default() }
    }

    /// The pool's members among clean runs, in the order of their rows.
    fn of_pool(&self, runs: &BTreeMap<usize, Arc<Latents>>) -> Vec<Arc<Latents>> {
        self.declared.pool.iter().filter_map(|row| runs.get(row).cloned()).collect()
    }

    /// What the pool's latents are like.
    pub fn statistics(&self) -> Arc<LatentStatistics> {
        self.statistics.get_or_init(|| Arc::new(LatentStatistics::of(&self.of_pool(&self.clean.latents)))).clone()
    }

    /// How much the vectors fed vary over the pool.
    pub fn spread(&self) -> &Spread {
        self.spread.get_or_init(|| Spread::of(&self.of_pool(&self.clean.latents)))
    }

    /// How much keys and values vary over the pool.
    pub fn keys_values_spread(&self) -> &Spread {
        self.keys_values_spread.get_or_init(|| Spread::of(&self.of_pool(&self.clean.keys_values)))
    }

    /// Clean keys and values of the donor at `row`.
    pub fn keys_values(&self, row: usize) -> Option<&Arc<Latents>> {
        self.clean.keys_values.get(&row)
    }

    /// Gold letter of the example at `row`.
    pub fn label(&self, row: usize) -> Option<&str> {
        self.declared.facts.get(&row).map(|(label, _)| label.as_str())
    }

    /// The donor of `example`.
    ///
    /// # Errors
    /// The reason there is none, in words for the table.
    pub fn choose(&self, example: &Example, donor: Donor) -> Result<Arc<Latents>, String> {
        let facts = |row: usize| self.declared.facts.get(&row);
        let own = facts(example.row);
        let alike = |row: usize| facts(row).zip(own).is_some_and(|((_, n), (_, of))| n == of);
        let same = |row: usize| facts(row).zip(own).is_some_and(|((label, _), (gold, _))| label == gold);
        match donor {
            Donor::Itself => Err("a swap with itself needs the example's own clean run".into()),
            Donor::Row(row) if row == example.row => Err(format!("row {row} cannot be its own donor: name another row, or use sham")),
            Donor::Row(row) => self.named(row, "donor"),
            Donor::Random => self.draw(example, "no member of the donor pool", |_| true),
            Donor::SameAnswer => self.draw(example, "no other member of the donor pool with the same answer", |r| alike(r) && same(r)),
            Donor::OtherAnswer => self.draw(example, "no member of the donor pool with another answer", |r| alike(r) && !same(r)),
            Donor::SameImage => match self.declared.same_image.get(&example.row) {
                Some(row) => self.named(*row, "the question on the same image,"),
                None => Err("there is no other question about the same image".into()),
            },
            Donor::Counterfactual => match self.declared.partner.get(&example.row) {
                Some(row) => self.named(*row, "the counterfactual partner,"),
                None => Err("the example has no counterfactual partner in the benchmark".into()),
            },
        }
    }

    fn named(&self, row: usize, what: &str) -> Result<Arc<Latents>, String> {
        match self.clean.latents.get(&row) {
            Some(latents) if !latents.is_empty() => Ok(latents.clone()),
            Some(_) => Err(format!("{what} row {row}, never opened the latent block")),
            None => Err(format!("{what} row {row}, is not in the benchmark or could not be run")),
        }
    }

    fn draw(&self, example: &Example, nobody: &str, allowed: impl Fn(usize) -> bool) -> Result<Arc<Latents>, String> {
        let mut rows: Vec<usize> = self.declared.pool.iter().copied().filter(|row| *row != example.row && allowed(*row)).collect();
        Stream::new(self.declared.seed, "donor", &[&example.id]).shuffle(&mut rows);
        let mut best: Option<&Arc<Latents>> = None;
        for latents in rows.iter().filter_map(|row| self.clean.latents.get(row)) {
            if latents.stages() > best.map_or(0, |b| b.stages()) {
                best = Some(latents);
            }
        }
        best.cloned().ok_or_else(|| format!("{nobody} opened the latent block"))
    }
}

#[cfg(test)]
mod tests {
    use prism_run::Action;

    use super::*;

    fn example(row: usize) -> Example {
        Example {
            id: format!("q{row}"),
            row,
            question_id: row.to_string(),
            images: vec![format!("{}.png", row / 2).into()],
            prompt: String::new(),
            options: vec!["x".into(); 2],
            label: if row.is_multiple_of(3) { "A".into() } else { "B".into() },
            boxes: vec![],
            category: None,
            pair: None,
            counterfactual: (row < 8).then(|| format!("q{}", row ^ 1)),
        }
    }

    fn swap(donor: Donor) -> Intervention {
        Action::Swap(donor).into()
    }

    fn donors(count: usize, kinds: &[Donor], opened: impl Fn(usize) -> (bool, bool)) -> Donors {
        let examples: Vec<_> = (0..count).map(example).collect();
        let branches: Vec<_> = kinds.iter().map(|donor| swap(*donor)).collect();
        let declared = Declared::new(&examples, &branches, 5, POOL);
        let latents = |row: &usize| {
            let (context, target) = opened(*row);
            let latents =
                Latents { row: *row, context: vec![vec![1.0]; usize::from(context)], target: vec![vec![1.0]; usize::from(target)] };
            (*row, Arc::new(latents))
        };
        let latents = declared.rows.iter().map(latents).collect();
        Donors::new(Arc::new(declared), CleanRuns { latents, ..CleanRuns::default() })
    }

    #[test]
    fn the_pool_follows_from_the_seed_and_has_sixty_four() {
        let examples: Vec<_> = (0..200).map(example).collect();
        let rows = |branch: Intervention, seed| Declared::new(&examples, &[branch], seed, POOL).rows;
        let swap = swap(Donor::Random);
        assert_eq!(rows(swap, 1).len(), POOL);
        assert_eq!(rows(swap, 1), rows(swap, 1));
        assert_ne!(rows(swap, 1), rows(swap, 2));
        assert_eq!(rows(Action::Mean.into(), 1), rows(swap, 1));
        // Whatever puts something in is measured against the pool's spread.
        assert_eq!(rows(Action::Zero.into(), 1), rows(swap, 1));
        let pool = rows(swap, 1);
        let outside = (0..200).find(|row| !pool.contains(row)).unwrap();
        let with = rows(self::swap(Donor::Row(outside)), 1);
        assert!(with.len() == POOL + 1 && with.contains(&outside));
        for text in ["clean", "remove", "evict", "zero/layer=1", "clean@image-none"] {
            assert!(rows(text.parse().unwrap(), 1).is_empty(), "{text}");
        }
    }

    #[test]
    fn never_itself_and_never_one_that_did_not_open() {
        let donors = donors(10, &[Donor::Random], |row| (false, row % 2 == 0));
        for row in 0..10 {
            let chosen = donors.choose(&example(row), Donor::Random).unwrap();
            assert!(chosen.row != row && chosen.row % 2 == 0);
            assert_eq!(chosen.row, donors.choose(&example(row), Donor::Random).unwrap().row);
        }
    }

    #[test]
    fn a_donor_that_ran_both_stages_is_preferred() {
        let donors = donors(10, &[Donor::Random], |row| (true, row == 3));
        assert_eq!(donors.choose(&example(1), Donor::Random).unwrap().row, 3);
        assert_ne!(donors.choose(&example(3), Donor::Random).unwrap().row, 3);
    }

    #[test]
    fn every_kind_keeps_its_word() {
        let kinds = [Donor::SameAnswer, Donor::OtherAnswer, Donor::SameImage, Donor::Counterfactual];
        let donors = donors(12, &kinds, |_| (false, true));
        for row in 0..12 {
            let own = example(row);
            assert_eq!(example(donors.choose(&own, Donor::SameAnswer).unwrap().row).label, own.label);
            assert_ne!(example(donors.choose(&own, Donor::OtherAnswer).unwrap().row).label, own.label);
            assert_eq!(donors.choose(&own, Donor::SameImage).unwrap().row, row ^ 1);
            let partner = donors.choose(&own, Donor::Counterfactual);
            assert_eq!(partner.map(|l| l.row).ok(), (row < 8).then_some(row ^ 1));
        }
    }

    #[test]
    fn without_a_donor_the_reason_is_told() {
        let donors = donors(4, &[Donor::Random, Donor::Counterfactual], |_| (false, false));
        let why = |donor| donors.choose(&example(1), donor).unwrap_err();
        assert!(why(Donor::Random).contains("opened"));
        assert!(why(Donor::Row(1)).contains("its own donor"));
        assert!(why(Donor::Row(2)).contains("row 2"));
        assert!(why(Donor::Row(40)).contains("row 40"));
        assert!(why(Donor::Counterfactual).contains("partner"));
        assert!(why(Donor::SameImage).contains("same image"));
    }
}
