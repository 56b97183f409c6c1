//! Do the cross-entropy and the latent loss pull the weights the same way? The cosine
//! between their gradients, layer by layer, measured during training.
//!
//! Two more backward passes on the packs of a measured step; the training itself is not
//! changed by a bit. A cosine near 0 is no proof of independence: thousands of
//! directions are nearly orthogonal by themselves.

use std::collections::BTreeMap;

use crate::Result;
use crate::optimizer::Parameters;
use crate::step::Accumulator;
use crate::task::Task;
use crate::workers::Workers;

/// Buffers of the two gradients.
#[derive(Debug)]
pub struct GradientCosine {
    every: usize,
    groups: Vec<String>,
    ce: Accumulator,
    latent: Accumulator,
}

impl GradientCosine {
    /// Measures every `every` steps, and the first.
    pub fn new(every: usize, parameters: &Parameters, workers: &Workers) -> Self {
        let groups = parameters.iter().map(|p| group(&p.name)).collect();
        let buffers = || Accumulator::new(parameters, workers.clone());
        Self { every, groups, ce: buffers(), latent: buffers() }
    }

    /// Whether a step (from 1) is measured.
    pub fn is_due(&self, step: usize) -> bool {
        step == 1 || step.is_multiple_of(self.every)
    }

    /// Cosine per layer over the packs of a step; nothing for a layer that one of the losses
    /// does not reach, and nothing at all when the task has no latent loss.
    ///
    /// # Errors
    /// As [`Task::parts`].
    pub fn measure<T: Task>(&mut self, task: &T, step: usize, packs: &[T::Pack]) -> Result<Option<BTreeMap<String, f64>>> {
        let part = |accumulator: &mut Accumulator, latent: bool| -> Result<bool> {
            let there = accumulator.accumulate(packs, |pack| {
                let parts = task.parts(step, pack)?;
                let chosen = if latent { parts.latent } else { Some(parts.ce.clone()) };
                let there = chosen.is_some();
                let nothing = || (parts.ce * 0.0).map_err(prism_model::Error::from);
                Ok((chosen.map_or_else(nothing, Ok)?, there))
            })?;
            Ok(there.contains(&true))
        };
        if !part(&mut self.latent, true)? {
            return Ok(None);
        }
        part(&mut self.ce, false)?;
        let mut sums: BTreeMap<&str, [f64; 3]> = BTreeMap::new();
        for (i, group) in self.groups.iter().enumerate() {
            let (Some(a), Some(b)) = (self.ce.sum(i), self.latent.sum(i)) else { continue };
            let product = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
            let sum = sums.entry(group).or_default();
            for (sum, value) in sum.iter_mut().zip([product(a, b), product(a, a), product(b, b)]) {
                *sum += value;
            }
        }
        let cosine = |[ab, aa, bb]: [f64; 3]| (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt());
        Ok(Some(sums.into_iter().filter_map(|(group, sums)| Some((group.to_owned(), cosine(sums)?))).collect()))
    }
}

/// The layer a parameter belongs to, named so that layers sort in order.
fn group(name: &str) -> String {
    let layer = name.strip_prefix("model.language_model.layers.").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
    match layer {
        Some(layer) => format!("layer-{layer:02}"),
        None if name.contains("embed_tokens") => "embedding".into(),
        None if name.starts_with("lm_head") => "output".into(),
        None if name.starts_with("model.language_model.norm") => "final-norm".into(),
        None if name.contains("visual") => "vision".into(),
        None => "head".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_find_their_layer() {
        assert_eq!(group("model.language_model.layers.11.mlp.up_proj.weight"), "layer-11");
        assert_eq!(group("model.language_model.embed_tokens.weight"), "embedding");
        assert_eq!(group("model.language_model.norm.weight"), "final-norm");
        assert_eq!(group("model.visual.blocks.0.norm1.weight"), "vision");
    }
}
