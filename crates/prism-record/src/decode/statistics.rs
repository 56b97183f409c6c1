//! What a pool of clean runs says about latents: mean, spread and covariance at each step.
//!
//! The covariance is a step's own: how far latents lie apart differs between steps by more than an
//! order of magnitude. It is shrunk towards a multiple of the identity by the share that Ledoit and
//! Wolf (2004) derive. With far fewer latents than dimensions it is never formed: a draw is a random
//! combination of the residuals plus independent noise, which has exactly that covariance.

use std::sync::Arc;

use prism_run::Stage;
use prism_run::random::Stream;
use prism_run::shrinkage::ledoit_wolf;

use super::intervention::Latents;

/// Latents a step needs for a covariance of its own; one that fewer members took has that of the step before.
const LEAST: usize = 8;

/// How latents lie about the mean of one step.
#[derive(Debug, Clone, Default, PartialEq)]
struct About {
    /// Latents minus the mean, `[latent][hidden]`.
    residuals: Vec<Vec<f64>>,
    /// Share of the identity in the covariance, and its scale.
    shrinkage: f64,
    variance: f64,
}

/// Statistics of one stage's latents.
#[derive(Debug, Clone, Default, PartialEq)]
struct StageStatistics {
    /// Mean at each step, `[step][hidden]`.
    means: Vec<Vec<f64>>,
    /// About the mean, step by step; as many as steps that enough members took, at least one.
    about: Vec<About>,
    /// Mean over all steps and examples.
    constant: Vec<f64>,
    /// Standard deviation of each dimension about the step's mean, over all steps.
    spread: Vec<f64>,
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

    /// Standard deviation of each dimension about the step's mean, over all steps.
    pub fn spread(&self, stage: Stage) -> Option<Vec<f32>> {
        self.stage(stage).map(|found| single(&found.spread))
    }

    /// The shrinkage of a step's covariance, from 0 to 1.
    pub fn shrinkage(&self, stage: Stage, step: usize) -> Option<f64> {
        self.stage(stage)?.about(step).map(|about| about.shrinkage)
    }

    /// A draw with the mean and the shrunk covariance at the step.
    pub fn draw(&self, stage: Stage, step: usize, stream: &mut Stream) -> Option<Vec<f32>> {
        let found = self.stage(stage)?;
        let mut drawn = found.means.get(step).or(found.means.last())?.clone();
        let about = found.about(step)?;
        let scale = ((1.0 - about.shrinkage) / about.residuals.len().max(1) as f64).sqrt();
        for residual in &about.residuals {
            let weight = scale * stream.normal();
            drawn.iter_mut().zip(residual).for_each(|(x, r)| *x += weight * r);
        }
        let noise = (about.shrinkage * about.variance).sqrt();
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

impl About {
    fn of(residuals: Vec<Vec<f64>>, width: usize) -> Self {
        let squares: f64 = residuals.iter().flatten().map(|r| r * r).sum();
        let variance = squares / (residuals.len() * width).max(1) as f64;
        Self { shrinkage: ledoit_wolf(&residuals, width), variance, residuals }
    }
}

impl StageStatistics {
    fn about(&self, step: usize) -> Option<&About> {
        self.about.get(step).or(self.about.last())
    }

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
        let residuals: Vec<Vec<Vec<f64>>> = means.iter().enumerate().map(about).collect();
        let n = residuals.iter().map(Vec::len).sum::<usize>() as f64;
        let mut squares = vec![0.0f64; width];
        residuals.iter().flatten().for_each(|r| squares.iter_mut().zip(r).for_each(|(s, r)| *s += r * r));
        let constant = mean(pool.iter().flat_map(|l| l.stage(stage)).map(Vec::as_slice), width);
        let spread = squares.iter().map(|s| (s / n).sqrt()).collect();
        let enough = residuals.iter().take_while(|of| of.len() >= LEAST).count().max(1);
        let about = residuals.into_iter().take(enough).map(|of| About::of(of, width)).collect();
        Self { means, about, constant, spread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second step lies three times as far apart as the first.
    fn pool() -> Vec<Arc<Latents>> {
        let vector = |i: usize, step: usize| -> Vec<f32> {
            (0..4).map(|k| (((i * 7 + step * 3 + k * k * 5) % 11) as f32 - 4.0) * (1 + 2 * step) as f32).collect()
        };
        (0..12).map(|i| Arc::new(Latents { row: i, context: vec![], target: vec![vector(i, 0), vector(i, 1)] })).collect()
    }

    #[test]
    fn the_shrinkage_is_scikit_learns() {
        // oracle/shrinkage.py: sklearn.covariance.ledoit_wolf_shrinkage of the same rows.
        let expected =
            include_str!("../../../prism-model/tests/fixtures/shrinkage.txt").split_whitespace().map(|n| n.parse::<f64>().unwrap());
        let statistics = LatentStatistics::of(&pool());
        for (step, expected) in expected.enumerate() {
            let shrinkage = statistics.shrinkage(Stage::Target, step).unwrap();
            assert!((shrinkage - expected).abs() < 1e-12, "step {step}: {shrinkage} against {expected}");
        }
        assert_eq!(statistics.shrinkage(Stage::Target, 7), statistics.shrinkage(Stage::Target, 1), "the last step's beyond it");
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
            assert!((mean_i - found.means[1][i]).abs() < 0.3, "mean of dimension {i}");
            for j in 0..=i {
                let centred = |d: &Vec<f32>, k: usize| f64::from(d[k]) - found.means[1][k];
                let covariance = draws.iter().map(|d| centred(d, i) * centred(d, j)).sum::<f64>() / f64::from(n);
                let about = &found.about[1];
                let sample = about.residuals.iter().map(|r| r[i] * r[j]).sum::<f64>() / about.residuals.len() as f64;
                let identity = if i == j { about.shrinkage * about.variance } else { 0.0 };
                let expected = (1.0 - about.shrinkage) * sample + identity;
                assert!((covariance - expected).abs() < 4.0, "covariance {i}, {j}: {covariance} against {expected}");
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
