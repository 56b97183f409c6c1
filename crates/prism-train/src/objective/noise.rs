//! N-LVR's noise on the teacher-forced inputs: N(0, sigma^2) per dimension in raw
//! units, in training only; the targets stay clean (method, section 3).

use prism_model::Error;
use prism_model::tensor::Tensor;
use prism_run::random::Stream;

use super::NoiseKey;
use crate::Result;
use crate::pack::Pack;

/// `inputs [latents, hidden]` with noise of standard deviation `sigma`, drawn per
/// sample from the stream (seed, sample, step).
///
/// # Errors
/// The tensor library refuses.
pub fn add(inputs: &Tensor, pack: &Pack, sigma: f64, key: NoiseKey) -> Result<Tensor> {
    if sigma == 0.0 {
        return Ok(inputs.clone());
    }
    let (count, width) = inputs.dims2().map_err(Error::from)?;
    let mut draws: Vec<f32> = Vec::with_capacity(count * width);
    for (sample, latents) in &pack.samples {
        let mut stream = Stream::new(key.seed, "teacher-noise", &[&sample.to_string(), &key.step.to_string()]);
        draws.extend((0..latents * width).map(|_| (sigma * stream.normal()) as f32));
    }
    let noise = Tensor::from_vec(draws, (count, width), inputs.device()).and_then(|t| t.to_dtype(inputs.dtype()));
    Ok(noise.and_then(|noise| inputs + noise).map_err(Error::from)?)
}
