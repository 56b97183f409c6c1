//! Parameters and the optimizer over their gradients.
//!
//! Everything here works on slices in a fixed order, so that neither the number of
//! threads nor the time of day changes a byte.

pub mod adamw;
mod parameters;
mod stored;

use prism_model::tensor;
use rayon::prelude::*;

pub use adamw::AdamW;
pub use parameters::{Parameter, Parameters};

use crate::Result;
use crate::config::DecaySet;
use crate::step::Accumulator;

/// Elements one thread works on at a time.
const CHUNK: usize = 1 << 16;

/// AdamW and its state, flat and in the order of the parameters.
#[derive(Debug)]
pub struct Optimizer {
    parameters: Parameters,
    adam: AdamW,
    decays: Vec<bool>,
    steps: usize,
    first: Vec<f32>,
    second: Vec<f32>,
    /// Single-precision parameters, where the model's own are not.
    master: Option<Vec<f32>>,
}

impl Optimizer {
    /// A fresh optimizer.
    ///
    /// # Errors
    /// A parameter cannot be read.
    pub fn new(parameters: Parameters, adam: AdamW, decay: DecaySet) -> Result<Self> {
        let decays = parameters.iter().map(|p| decay.holds(&p.name, p.variable.dims().len())).collect();
        let zeros = || vec![0f32; parameters.elements()];
        let (first, second) = (zeros(), zeros());
        let fused = parameters.iter().all(|p| tensor::is_fused(&p.variable));
        let master = if fused { None } else { Some(parameters.values()?) };
        Ok(Self { parameters, adam, decays, steps: 0, first, second, master })
    }

    /// What is optimized.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Steps taken so far, those of an earlier run of the same state included.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// One step at learning rate `rate` along `scale` times the mean gradient. A
    /// parameter without a gradient stays as it is.
    ///
    /// # Errors
    /// A parameter cannot be written.
    pub fn step(&mut self, gradients: &Accumulator, rate: f64, scale: f64) -> Result<()> {
        self.steps += 1;
        let Self { parameters, adam, decays, steps, first, second, master } = self;
        let scale = scale * gradients.mean_scale();
        for (i, parameter) in parameters.iter().enumerate() {
            let Some(gradient) = gradients.sum(i) else { continue };
            let factors = adam.factors(*steps, rate, scale, decays[i]);
            let range = parameter.range();
            let (m, v) = (&mut first[range.clone()], &mut second[range.clone()]);
            match master {
                None => tensor::update(&parameter.variable, |p| chunked(factors, p, gradient, m, v))?,
                Some(master) => {
                    chunked(factors, &mut master[range.clone()], gradient, m, v);
                    parameter.set(&master[range])?;
                }
            }
        }
        Ok(())
    }
}

fn chunked(factors: adamw::Factors, parameters: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
    if parameters.len() <= CHUNK {
        return adamw::step(factors, parameters, gradients, first, second);
    }
    let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
    let chunks = parameters.par_chunks_mut(CHUNK).zip(gradients.par_chunks(CHUNK)).zip(moments);
    chunks.for_each(|((p, g), (m, v))| adamw::step(factors, p, g, m, v));
}
