//! Alignment of latents and teacher targets (method, section 5).
//!
//! *Teacher-forced*: the training sequence with the targets as inputs; the state
//! before each latent position against the target at it. *Free-running*: the vectors
//! the model fed back in its own clean run against the same targets: the `i`-th
//! latent forward of the `b`-th block of a stage against the `i`-th target of region
//! `b`, for as long as both last. Stages stay apart.

use std::collections::BTreeSet;

use prism_model::engine::Passage;
use prism_model::prompt::{BlockLayout, LatentPosition, Prompter, TrainingSample};
use prism_model::{Engine, PackLayout, Result};
use prism_run::records::AlignmentRow;
use prism_run::{Example, Mode, Stage};

use crate::decode::trajectory::norm;
use crate::decode::{Latents, Prefix, Trajectory};

/// One teacher-forced latent with its target.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Stage.
    pub stage: Stage,
    /// Position within stage and region.
    pub step: usize,
    /// The state before the position, `[hidden]`.
    pub latent: Vec<f32>,
    /// The teacher target, `[hidden]`.
    pub target: Vec<f32>,
}

/// An example's latent positions and teacher targets.
pub struct Targets {
    row: usize,
    sample: TrainingSample,
    /// Position within stage and region, one per latent position.
    steps: Vec<usize>,
    /// `[visual tokens, hidden]`, row-major.
    features: Vec<f32>,
    hidden: usize,
}

impl Targets {
    /// Lays out the training sample of an example whose images are in `prefix`.
    ///
    /// # Errors
    /// When boxes, images and the model's tokens do not fit together.
    pub fn new(prompter: &Prompter, layout: &BlockLayout, example: &Example, prefix: &Prefix) -> Result<Self> {
        let sample = prompter.teacher_forced(example, &prefix.grids, layout)?;
        let mut steps = Vec::with_capacity(sample.latents.len());
        let mut before: Option<&LatentPosition> = None;
        for latent in &sample.latents {
            let goes_on = before.is_some_and(|b| (b.region, b.stage) == (latent.region, latent.stage));
            steps.push(if goes_on { steps.last().map_or(0, |s| s + 1) } else { 0 });
            before = Some(latent);
        }
        let hidden = prefix.last_state.len();
        Ok(Self { row: example.row, sample, steps, features: prefix.features.values()?, hidden })
    }

    /// Row of the example.
    pub fn row(&self) -> usize {
        self.row
    }

    fn target(&self, latent: &LatentPosition) -> Option<&[f32]> {
        self.features.get(latent.visual * self.hidden..(latent.visual + 1) * self.hidden)
    }

    fn positions(&self) -> impl Iterator<Item = (usize, &LatentPosition)> {
        self.steps.iter().copied().zip(&self.sample.latents)
    }

    /// Teacher-forced rows, one per latent position, and the vectors of the first region:
    /// one forward over the whole sample.
    ///
    /// # Errors
    /// When the model fails.
    pub fn teacher_forced(&self, model: &dyn Engine, prefix: &Prefix) -> Result<(Vec<AlignmentRow>, Vec<Pair>)> {
        let sample = &self.sample;
        let layout = PackLayout::single(sample.positions.clone()).with_hidden(sample.hidden.clone());
        let latents: Vec<(usize, usize)> = sample.latents.iter().map(|latent| (latent.at, latent.visual)).collect();
        let (ids, image_tokens) = (&sample.ids, &sample.image_tokens);
        let states = model.states(Passage { ids, layout: &layout, image_tokens, features: &*prefix.features, latents: &latents })?;
        let state = |at: usize| states.get(at * self.hidden..(at + 1) * self.hidden);
        let rows = self.positions().filter_map(|(step, latent)| {
            let before = latent.at.checked_sub(1).and_then(state)?;
            Some(row(self.row, Mode::TeacherForced, latent, step, before, self.target(latent)?))
        });
        let rows: Vec<AlignmentRow> = rows.collect();
        let first = self.sample.latents.first().map(|latent| latent.region);
        let pairs = self.positions().filter(|(_, latent)| Some(latent.region) == first).filter_map(|(step, latent)| {
            let (latent_vector, target) = (latent.at.checked_sub(1).and_then(state)?.to_vec(), self.target(latent)?.to_vec());
            Some(Pair { stage: latent.stage, step, latent: latent_vector, target })
        });
        Ok((rows, pairs.collect()))
    }

    /// Rows of the visual tokens that the target regions cover.
    pub fn region(&self) -> BTreeSet<usize> {
        self.sample.latents.iter().filter(|latent| latent.stage == Stage::Target).map(|latent| latent.visual).collect()
    }

    /// The targets as latents to feed back, in the order of training: of every region the
    /// first `steps(stage)`, its last one again where it has fewer.
    pub fn latents(&self, steps: impl Fn(Stage) -> usize) -> Latents {
        let mut latents = Latents { row: self.row, ..Latents::default() };
        for stage in [Stage::Context, Stage::Target] {
            let regions: BTreeSet<usize> = self.sample.latents.iter().filter(|l| l.stage == stage).map(|l| l.region).collect();
            for region in regions {
                let of_region = |l: &&LatentPosition| l.stage == stage && l.region == region;
                let targets: Vec<&[f32]> = self.sample.latents.iter().filter(of_region).filter_map(|l| self.target(l)).collect();
                let fed = (0..steps(stage)).filter_map(|step| targets.get(step).or(targets.last())).map(|v| v.to_vec());
                match stage {
                    Stage::Context => latents.context.extend(fed),
                    _ => latents.target.extend(fed),
                }
            }
        }
        latents
    }

    /// Free-running rows: the clean run's fed-back vectors against the targets.
    pub fn free_running(&self, clean: &Trajectory) -> Vec<AlignmentRow> {
        let rows = self.positions().filter_map(|(step, latent)| {
            let here = |p: &crate::decode::Place| (p.stage, p.block, p.block_step) == (latent.stage, latent.region, step);
            let (_, forward) = clean.latent_forwards().find(|(p, _)| here(p))?;
            Some(row(self.row, Mode::FreeRunning, latent, step, forward.fed.as_deref()?, self.target(latent)?))
        });
        rows.collect()
    }
}

/// One latent against one target, both `[hidden]`.
fn row(row: usize, mode: Mode, at: &LatentPosition, step: usize, latent: &[f32], target: &[f32]) -> AlignmentRow {
    let difference: Vec<f32> = latent.iter().zip(target).map(|(h, v)| h - v).collect();
    let (latent_norm, target_norm, l2) = (norm(latent), norm(target), norm(&difference));
    let dot: f64 = latent.iter().zip(target).map(|(h, v)| f64::from(*h) * f64::from(*v)).sum();
    AlignmentRow {
        row,
        mode,
        stage: at.stage,
        region: at.region,
        step,
        // A zero vector has no direction: 0, as torch's cosine_similarity has it.
        cosine: dot / (latent_norm * target_norm).max(1e-8),
        mse: l2 * l2 / target.len().max(1) as f64,
        l2,
        latent_norm,
        target_norm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_position_by_hand() {
        let at = LatentPosition { at: 9, region: 1, stage: Stage::Target, visual: 0 };
        let r = row(3, Mode::TeacherForced, &at, 2, &[3.0, 4.0], &[3.0, 0.0]);
        assert_eq!((r.row, r.region, r.step, r.stage), (3, 1, 2, Stage::Target));
        assert!((r.cosine - 0.6).abs() < 1e-12 && r.mse == 8.0 && r.l2 == 4.0 && r.latent_norm == 5.0 && r.target_norm == 3.0);
        assert_eq!(row(3, Mode::FreeRunning, &at, 0, &[0.0, 0.0], &[3.0, 0.0]).cosine, 0.0);
    }
}
