//! The gradient of one optimizer step: the mean over its packs, each pack's
//! forward and backward on one worker, sums taken in the order of the packs.

use std::sync::Mutex;

use prism_model::Gradients;
use prism_model::tensor::Tensor;
use rayon::prelude::*;

use crate::Result;
use crate::optimizer::Parameters;
use crate::workers::{Workers, lock};

/// Gradient buffers that outlive a step: the sum, and one set per pack under way.
#[derive(Debug)]
pub struct Accumulator {
    workers: Workers,
    named: Vec<(String, prism_model::tensor::Var)>,
    sum: Gradients,
    packs: usize,
    spare: Mutex<Vec<Gradients>>,
}

impl Accumulator {
    /// Buffers for the gradient of `parameters`, filled by that many workers.
    pub fn new(parameters: &Parameters, workers: Workers) -> Self {
        let named: Vec<_> = parameters.iter().map(|p| (p.name.clone(), p.variable.clone())).collect();
        let sum = Gradients::new(&named);
        Self { workers, named, sum, packs: 0, spare: Mutex::new(Vec::new()) }
    }

    /// Takes the gradient of `loss` on every pack, and returns what `loss` reports
    /// beside each scalar, in the order of the packs. The same bytes for any number
    /// of workers: a pack's gradient is complete before it is added, in its turn.
    ///
    /// # Errors
    /// The first error of `loss` or of the backward pass.
    pub fn accumulate<P: Sync, R: Send>(&mut self, packs: &[P], loss: impl Fn(&P) -> Result<(Tensor, R)> + Sync) -> Result<Vec<R>> {
        self.packs = packs.len();
        let Self { workers, named, sum, spare, .. } = self;
        sum.clear();
        let mut reports = Vec::with_capacity(packs.len());
        let work = |pack: &P| {
            let (loss, report) = loss(pack)?;
            let mut gradients = lock(spare).pop().unwrap_or_else(|| Gradients::new(named));
            gradients.clear();
            gradients.backward(&loss)?;
            Ok((gradients, report))
        };
        workers.run(packs, work, |index, (mut gradients, report): (Gradients, R)| {
            reports.push(report);
            if index == 0 {
                std::mem::swap(sum, &mut gradients);
            } else {
                sum.add(&gradients);
            }
            lock(spare).push(gradients);
            Ok(())
        })?;
        Ok(reports)
    }

    /// Sum over the packs of the gradient of parameter `index`; `None` if no loss reached it.
    pub fn sum(&self, index: usize) -> Option<&[f32]> {
        self.sum.get(index)
    }

    /// What turns the sum into the mean.
    pub fn mean_scale(&self) -> f64 {
        1.0 / self.packs.max(1) as f64
    }

    /// Euclidean norm of the mean gradient.
    pub fn norm(&self) -> f64 {
        let square = |i: usize| self.sum(i).map_or(0.0, square_sum);
        (0..self.named.len()).map(square).sum::<f64>().sqrt() * self.mean_scale()
    }

    /// Euclidean norm of the mean gradient of each parameter, by name; 0 without a gradient.
    pub fn norms(&self) -> Vec<(String, f64)> {
        let norm = |i: usize| self.sum(i).map_or(0.0, square_sum).sqrt() * self.mean_scale();
        self.named.iter().enumerate().map(|(i, (name, _))| (name.clone(), norm(i))).collect()
    }
}

/// What gradients are multiplied by so that their norm is at most `limit`
/// (0: no limit), as PyTorch's `clip_grad_norm_` does.
pub fn clip_scale(norm: f64, limit: f64) -> f64 {
    if limit > 0.0 { (limit / (norm + 1e-6)).min(1.0) } else { 1.0 }
}

/// In double precision, in pieces of a fixed size.
fn square_sum(values: &[f32]) -> f64 {
    const PIECE: usize = 1 << 16;
    if values.len() <= PIECE {
        return piece_square_sum(values);
    }
    let sums: Vec<f64> = values.par_chunks(PIECE).map(piece_square_sum).collect();
    sums.iter().sum()
}

/// Eight sums side by side.
fn piece_square_sum(values: &[f32]) -> f64 {
    let mut lanes = [0f64; 8];
    let chunks = values.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|&v| f64::from(v).powi(2)).sum();
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(v) * f64::from(v);
        }
    }
    lanes.iter().sum::<f64>() + rest
}
