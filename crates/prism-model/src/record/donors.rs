//! Who gives latents to whom: the declared donors of swap interventions.
//!
//! The pool is drawn once from the benchmark by the run's seed. An example's donor
//! is drawn from the pool by the same seed and the example's id: never itself,
//! never one whose block did not open, and by preference one that ran every stage
//! any member of the pool ran. All of it follows from the seed and the benchmark,
//! so neither order nor threads matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prism_run::random::Stream;
use prism_run::{Example, Intervention};

use crate::decode::Latents;

/// Members of the pool, as in the paper.
pub const POOL: usize = 64;

/// Rows whose clean latents are needed by others: the pool if any branch is a
/// swap, and every donor named by a row.
pub fn declared(examples: &[Example], branches: &[Intervention], seed: u64, pool: usize) -> BTreeSet<usize> {
    let mut rows: BTreeSet<usize> = BTreeSet::new();
    if branches.contains(&Intervention::Swap) {
        let mut all: Vec<usize> = examples.iter().map(|e| e.row).collect();
        Stream::new(seed, "donor pool", &[]).shuffle(&mut all);
        rows.extend(all.into_iter().take(pool));
    }
    rows.extend(named(branches).filter(|row| examples.iter().any(|e| e.row == *row)));
    rows
}

fn named(branches: &[Intervention]) -> impl Iterator<Item = usize> + '_ {
    branches.iter().filter_map(|b| match b {
        Intervention::SwapWith(row) => Some(*row),
        _ => None,
    })
}

/// Clean latents of the declared donors.
#[derive(Debug, Clone, Default)]
pub struct Donors {
    /// The pool of [`Intervention::Swap`], by row.
    pub pool: BTreeSet<usize>,
    /// Clean latents by row, pool and named donors.
    pub latents: BTreeMap<usize, Arc<Latents>>,
}

impl Donors {
    /// The donor of `example` under `intervention`.
    ///
    /// # Errors
    /// The reason there is none, in words for the table.
    pub fn choose(&self, example: &Example, intervention: &Intervention, seed: u64) -> Result<Arc<Latents>, String> {
        match intervention {
            Intervention::SwapWith(row) if *row == example.row => {
                Err(format!("row {row} cannot be its own donor: name another row, or use sham"))
            }
            Intervention::SwapWith(row) => match self.latents.get(row) {
                Some(latents) if !latents.is_empty() => Ok(latents.clone()),
                Some(_) => Err(format!("donor row {row} never opened the latent block")),
                None => Err(format!("donor row {row} is not in the benchmark or could not be run")),
            },
            _ => self.draw(example, seed),
        }
    }

    fn draw(&self, example: &Example, seed: u64) -> Result<Arc<Latents>, String> {
        let mut rows: Vec<usize> = self.pool.iter().copied().filter(|row| *row != example.row).collect();
        Stream::new(seed, "donor", &[&example.id]).shuffle(&mut rows);
        let mut best: Option<&Arc<Latents>> = None;
        for latents in rows.iter().filter_map(|row| self.latents.get(row)) {
            if latents.stages() > best.map_or(0, |b| b.stages()) {
                best = Some(latents);
            }
        }
        best.cloned().ok_or_else(|| "no member of the donor pool opened the latent block".to_string())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example(row: usize) -> Example {
        Example {
            id: format!("q{row}"),
            row,
            question_id: row.to_string(),
            images: vec![],
            prompt: String::new(),
            options: vec![],
            label: "A".into(),
            boxes: vec![],
            category: None,
            pair: None,
            counterfactual: None,
        }
    }

    fn donors(rows: impl Iterator<Item = usize>, opened: impl Fn(usize) -> (bool, bool)) -> Donors {
        let mut donors = Donors::default();
        for row in rows {
            let (context, target) = opened(row);
            let latents = Latents { row, context: vec![vec![1.0]; usize::from(context)], target: vec![vec![1.0]; usize::from(target)] };
            donors.pool.insert(row);
            donors.latents.insert(row, Arc::new(latents));
        }
        donors
    }

    #[test]
    fn the_pool_follows_from_the_seed_and_has_sixty_four() {
        let examples: Vec<_> = (0..200).map(example).collect();
        let pool = |seed| declared(&examples, &[Intervention::Swap], seed, POOL);
        assert_eq!(pool(1).len(), POOL);
        assert_eq!(pool(1), pool(1));
        assert_ne!(pool(1), pool(2));
        assert!(declared(&examples, &[Intervention::Zero], 1, POOL).is_empty());
        assert_eq!(declared(&examples, &[Intervention::SwapWith(7)], 1, POOL), BTreeSet::from([7]));
    }

    #[test]
    fn never_itself_and_never_one_that_did_not_open() {
        let donors = donors(0..10, |row| (false, row % 2 == 0));
        for row in 0..10 {
            let chosen = donors.choose(&example(row), &Intervention::Swap, 5).unwrap();
            assert!(chosen.row != row && chosen.row % 2 == 0);
            assert_eq!(chosen.row, donors.choose(&example(row), &Intervention::Swap, 5).unwrap().row);
        }
    }

    #[test]
    fn a_donor_that_ran_both_stages_is_preferred() {
        let donors = donors(0..10, |row| (true, row == 3));
        assert_eq!(donors.choose(&example(1), &Intervention::Swap, 5).unwrap().row, 3);
        assert_ne!(donors.choose(&example(3), &Intervention::Swap, 5).unwrap().row, 3);
    }

    #[test]
    fn without_a_donor_the_reason_is_told() {
        let donors = donors(0..4, |_| (false, false));
        assert!(donors.choose(&example(1), &Intervention::Swap, 5).unwrap_err().contains("opened"));
        assert!(donors.choose(&example(1), &Intervention::SwapWith(1), 5).unwrap_err().contains("its own donor"));
        assert!(donors.choose(&example(1), &Intervention::SwapWith(2), 5).unwrap_err().contains("row 2"));
        assert!(donors.choose(&example(1), &Intervention::SwapWith(40), 5).unwrap_err().contains("row 40"));
    }
}
