//! What a pool of clean runs says about latents: mean, spread and covariance at each step.
//!
//! The covariance is shrunk towards a multiple of the identity by the share that Ledoit
//! and Wolf (2004) derive, over all steps of a stage about each step's mean. With far
//! fewer latents than dimensions it is never formed: a draw is a random combination of the
//! residuals plus independent noise, which has exactly that covariance.

use std::sync::Arc;

use prism_run::Stage;
use prism_run::random::Stream;
use prism_run::shrinkage::ledoit_wolf;

use super::intervention::Latents;

/// Statistics of one stage's latents.
#[derive(Debug, Clone, Default, PartialEq)]
struct StageStatistics {
    /// Mean at each step, `[step][hidden]`.
    means: Vec<Vec<f64>>,
    /// Latents about their step's mean, `[latent][hidden]`.
    residuals: Vec<Vec<f64>>,
    /// Mean over all steps and examples.
    constant: Vec<f64>,
    /// Standard deviation of each dimension about the step's mean.
    spread: Vec<f64>,
    /// Share of the identity in the covariance, and its scale.
    shrinkage: f64,
    variance: f64,
}

/// Statistics of the latents of a pool of examples, by stage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LatentStatistics {
    context: StageStatistics,
    target: StageStatistics,
}

impl LatentStatistics {
    /// Over the members of a pool, in their order.
    pub fn of(pool: &[Arc<Latents>]) -> Self {
        Self { context: StageStatistics::of(pool, Stage::Context), target: StageStatistics::of(pool, Stage::Target) }
    }

    fn stage(&self, stage: Stage) -> Option<&StageStatistics> {
        let found = if stage == Stage::Context { &self.context } else { &self.target };
        (!found.means.is_empty()).then_some(found)
    }

    /// The mean at a step, that of the last step any member took beyond it.
    pub fn mean(&self, stage: Stage, step: usize) -> Option<Vec<f32>> {
        let found = self.stage(stage)?;
        found.means.get(step).or(found.means.last()).map(|mean| single(mean))
    }

    /// The mean over all steps of a stage.
    pub fn constant(&self, stage: Stage) -> Option<Vec<f32>> {
        self.stage(stage).map(|found| single(&found.constant))
    }

    /// Standard deviation of each dimension about the step's mean.
    pub fn spread(&self, stage: Stage) -> Option<Vec<f32>> {
        self.stage(stage).map(|found| single(&found.spread))
    }

    /// The shrinkage of a stage's covariance, from 0 to 1.
    pub fn shrinkage(&self, stage: Stage) -> Option<f64> {
        self.stage(stage).map(|found| found.shrinkage)
    }

    /// A draw with the mean at the step and the stage's shrunk covariance.
    pub fn draw(&self, stage: Stage, step: usize, stream: &mut Stream) -> Option<Vec<f32>> {
        let found = self.stage(stage)?;
        let mut drawn = found.means.get(step).or(found.means.last())?.clone();
        let scale = ((1.0 - found.shrinkage) / found.residuals.len().max(1) as f64).sqrt();
        for residual in &found.residuals {
            let weight = scale * stream.normal();
            drawn.iter_mut().zip(residual).for_each(|(x, r)| *x += weight * r);
        }
        let noise = (found.shrinkage * found.variance).sqrt();
        drawn.iter_mut().for_each(|x| *x += noise * stream.normal());
        Some(single(&drawn))
    }
}

fn single(vector: &[f64]) -> Vec<f32> {
    vector.iter().map(|&v| v as f32).collect()
}

fn mean<'a>(vectors: impl Iterator<Item = &'a [f32]>, width: usize) -> Vec<f64> {
    let mut sum = vec![0.0f64; width];
    let mut count = 0usize;
    for vector in vectors {
        sum.iter_mut().zip(vector).for_each(|(s, v)| *s += f64::from(*v));
        count += 1;
    }
    sum.iter_mut().for_each(|s| *s /= count.max(1) as f64);
    sum
}

impl StageStatistics {
    fn of(pool: &[Arc<Latents>], stage: Stage) -> Self {
        let steps = pool.iter().map(|l| l.stage(stage).len()).max().unwrap_or(0);
        let width = pool.iter().find_map(|l| l.stage(stage).first().map(Vec::len)).unwrap_or(0);
        if steps == 0 || width == 0 {
            return Self::default();
        }
        let at = |step: usize| pool.iter().filter_map(move |l| l.stage(stage).get(step).map(Vec::as_slice));
        let means: Vec<Vec<f64>> = (0..steps).map(|step| mean(at(step), width)).collect();
        let about = |(step, centre): (usize, &Vec<f64>)| -> Vec<Vec<f64>> {
            at(step).map(|v| v.iter().zip(centre).map(|(v, m)| f64::from(*v) - m).collect()).collect()
        };
        let residuals: Vec<Vec<f64>> = means.iter().enumerate().flat_map(about).collect();
        let n = residuals.len() as f64;
        let mut squares = vec![0.0f64; width];
        residuals.iter().for_each(|r| squares.iter_mut().zip(r).for_each(|(s, r)| *s += r * r));
        let constant = mean(pool.iter().flat_map(|l| l.stage(stage)).map(Vec::as_slice), width);
        let spread = squares.iter().map(|s| (s / n).sqrt()).collect();
        let variance = squares.iter().sum::<f64>() / n / width as f64;
        let shrinkage = ledoit_wolf(&residuals, width);
        Self { means, residuals, constant, spread, shrinkage, variance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Vec<Arc<Latents>> {
        let vector = |i: usize, step: usize| -> Vec<f32> { (0..4).map(|k| ((i * 7 + step * 3 + k * k * 5) % 11) as f32 - 4.0).collect() };
        (0..6).map(|i| Arc::new(Latents { row: i, context: vec![], target: vec![vector(i, 0), vector(i, 1)] })).collect()
    }

    #[test]
    fn the_shrinkage_is_scikit_learns() {
        // oracle/shrinkage.py: sklearn.covariance.ledoit_wolf_shrinkage of the same rows.
        let shrinkage = LatentStatistics::of(&pool()).shrinkage(Stage::Target).unwrap();
        let expected: f64 = include_str!("../../tests/fixtures/shrinkage.txt").trim().parse().unwrap();
        assert!((shrinkage - expected).abs() < 1e-12, "{shrinkage} against {expected}");
    }

    #[test]
    fn draws_have_the_mean_and_the_shrunk_covariance() {
        let statistics = LatentStatistics::of(&pool());
        let found = &statistics.target;
        let mut stream = Stream::new(1, "test", &[]);
        let n = 20_000;
        let draws: Vec<Vec<f32>> = (0..n).map(|_| statistics.draw(Stage::Target, 1, &mut stream).unwrap()).collect();
        for i in 0..4 {
            let mean_i = draws.iter().map(|d| f64::from(d[i])).sum::<f64>() / f64::from(n);
            assert!((mean_i - found.means[1][i]).abs() < 0.1, "mean of dimension {i}");
            for j in 0..=i {
                let about = |d: &Vec<f32>, k: usize| f64::from(d[k]) - found.means[1][k];
                let covariance = draws.iter().map(|d| about(d, i) * about(d, j)).sum::<f64>() / f64::from(n);
                let sample = found.residuals.iter().map(|r| r[i] * r[j]).sum::<f64>() / found.residuals.len() as f64;
                let identity = if i == j { found.shrinkage * found.variance } else { 0.0 };
                let expected = (1.0 - found.shrinkage) * sample + identity;
                assert!((covariance - expected).abs() < 0.4, "covariance {i}, {j}: {covariance} against {expected}");
            }
        }
    }

    #[test]
    fn a_stage_nobody_ran_has_no_statistics() {
        let statistics = LatentStatistics::of(&pool());
        assert_eq!(statistics.mean(Stage::Context, 0), None);
        assert_eq!(statistics.mean(Stage::Target, 9), statistics.mean(Stage::Target, 1));
        assert_eq!(LatentStatistics::of(&[]), LatentStatistics::default());
    }
}
