//! How strongly an intervention acts, judged on what it puts in and not on what answers do.
//!
//! Natural spread: per dimension, the standard deviation (n - 1) of the donor pool's clean
//! vectors at one stage and step. Strength: the mean square distance between what is put in and
//! what the same example had there in its clean run, each dimension over its spread. An exchange
//! of independent vectors comes to about 2, the mean to about 1 (its root to 1.4 and 1).

use std::sync::Arc;

use prism_run::Stage;

use super::intervention::Latents;

/// The spread of each dimension at each stage and step; 0 where there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spread {
    context: Vec<Vec<f64>>,
    target: Vec<Vec<f64>>,
}

impl Spread {
    /// Over the members of a pool, in their order; of vectors fed, or of keys and values.
    ///
    /// A step has a spread where at least two members ran it.
    pub fn of(pool: &[Arc<Latents>]) -> Self {
        let stage = |stage: Stage| {
            let at = |step: usize| pool.iter().filter_map(|member| member.stage(stage).get(step)).map(Vec::as_slice).collect::<Vec<_>>();
            (0..).map(at).take_while(|vectors| vectors.len() > 1).map(|vectors| deviations(&vectors)).collect()
        };
        Self { context: stage(Stage::Context), target: stage(Stage::Target) }
    }

    /// The spread at a step; beyond the last that has one, that one's.
    pub fn at(&self, stage: Stage, step: usize) -> Option<&[f64]> {
        let steps = match stage {
            Stage::Context => &self.context,
            Stage::Target => &self.target,
            Stage::Free => return None,
        };
        steps.get(step).or(steps.last()).map(Vec::as_slice)
    }
}

/// Standard deviation of each dimension; exactly 0 where all are equal, whatever their mean rounds to.
fn deviations(vectors: &[&[f32]]) -> Vec<f64> {
    let n = vectors.len() as f64;
    let one = |dimension: usize| {
        let values = || vectors.iter().filter_map(|vector| vector.get(dimension)).copied();
        if values().all(|value| Some(value) == values().next()) {
            return 0.0;
        }
        let mean = values().map(f64::from).sum::<f64>() / n;
        (values().map(|value| (f64::from(value) - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
    };
    (0..vectors.first().map_or(0, |first| first.len())).map(one).collect()
}

/// Mean square distances under way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Strength {
    sum: f64,
    count: usize,
}

impl Strength {
    /// Adds one step: what was put in, what the example had there when clean, and the spread.
    /// Dimensions without spread are left out.
    pub fn add(&mut self, put: &[f32], clean: &[f32], spread: &[f64]) {
        for ((put, clean), spread) in put.iter().zip(clean).zip(spread).filter(|(_, spread)| **spread > 0.0) {
            self.sum += ((f64::from(*put) - f64::from(*clean)) / spread).powi(2);
            self.count += 1;
        }
    }

    /// The mean over all steps and dimensions added; `None` of none.
    pub fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(steps: &[[f32; 3]]) -> Arc<Latents> {
        Arc::new(Latents { row: 0, context: vec![], target: steps.iter().map(|step| step.to_vec()).collect() })
    }

    #[test]
    fn spread_by_hand() {
        let pool = [member(&[[1.0, 0.1, 0.0], [5.0, 0.0, 0.0]]), member(&[[3.0, 0.1, 0.0]]), member(&[[5.0, 0.1, 3.0]])];
        let spread = Spread::of(&pool);
        let first = spread.at(Stage::Target, 0).unwrap();
        assert_eq!((first[0], first[1]), (2.0, 0.0));
        assert!((first[2] - 3f64.sqrt()).abs() < 1e-12);
        assert_eq!(spread.at(Stage::Target, 1), Some(first), "one member has no spread");
        assert_eq!(spread.at(Stage::Context, 0), None);
    }

    #[test]
    fn strength_by_hand() {
        let mut strength = Strength::default();
        assert_eq!(strength.mean(), None);
        strength.add(&[1.0, 5.0], &[1.0, 2.0], &[0.0, 0.0]);
        assert_eq!(strength.mean(), None, "no dimension has spread");
        strength.add(&[3.0, 5.0], &[1.0, 5.0], &[2.0, 7.0]);
        assert_eq!(strength.mean(), Some(0.5));
        strength.add(&[0.0, 9.0], &[6.0, 0.0], &[1.0, 0.0]);
        assert_eq!(strength.mean(), Some(37.0 / 3.0));
    }
}
