//! The objective of a pack (method, sections 1 and 3):
//! `total = ce + lambda * latent + w * diversity`, one file per term.

pub mod cross_entropy;
pub mod diversity;
pub mod latent;
pub mod noise;

use prism_model::tensor::{DType, Tensor};
use prism_model::{ImageFeatures, Inputs, Model, ops};
use prism_run::{LatentInput, LatentLoss, Reduction, Variant};
use serde::Serialize;

use crate::pack::Pack;
use crate::{Error, Result};

/// The weights and forms of the terms at one step of a variant's training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// What stands at the latent positions.
    pub latents: LatentInput,
    /// lambda; 0 after the release of D-LVR.
    pub latent_weight: f64,
    /// Distance between latent and teacher target.
    pub latent_loss: LatentLoss,
    /// How the latent loss of a pack is reduced.
    pub reduction: Reduction,
    /// Whether the variant has more than one stage ([`Reduction::Paper`] depends on it).
    pub staged: bool,
    /// Weight of the diversity loss.
    pub diversity_weight: f64,
    /// Standard deviation of the noise on the teacher-forced inputs.
    pub noise_std: f64,
}

impl Objective {
    /// Cross-entropy alone, for training without a latent block.
    pub const CROSS_ENTROPY: Objective = Objective {
        latents: LatentInput::Teacher,
        latent_weight: 0.0,
        latent_loss: LatentLoss::Mse,
        reduction: Reduction::Matched,
        staged: false,
        diversity_weight: 0.0,
        noise_std: 0.0,
    };

    /// The objective of `variant` before its release.
    pub fn of(variant: &Variant) -> Self {
        Self {
            latents: variant.latents,
            latent_weight: variant.latent_weight,
            latent_loss: variant.latent_loss,
            reduction: variant.reduction,
            staged: variant.stages.is_staged(),
            diversity_weight: variant.diversity_weight,
            noise_std: variant.noise_std,
        }
    }

    /// The same without its latent loss.
    pub fn released(self) -> Self {
        Self { latent_weight: 0.0, ..self }
    }
}

/// Optimizer steps of `variant` that have the latent loss, of a run of `steps`.
pub fn release_step(variant: &Variant, steps: usize) -> Option<usize> {
    variant.release.map(|share| (share * steps as f64).round() as usize)
}

/// The terms of one pack, unweighted, and the total.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Terms {
    /// Cross-entropy: mean over the pack's counted labels.
    pub ce: f64,
    /// Latent loss, if the pack has a latent.
    pub latent: Option<f64>,
    /// Diversity loss, if the pack has free tokens.
    pub diversity: Option<f64>,
    /// `ce + lambda * latent + w * diversity`.
    pub total: f64,
    /// Tokens of the pack.
    pub tokens: usize,
}

/// Names the draws of the noise: they depend on seed, sample and step alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoiseKey {
    /// The run's seed.
    pub seed: u64,
    /// Optimizer step, from 1.
    pub step: usize,
}

/// The objective of a pack: a scalar to differentiate, and its terms.
///
/// `features`: of the images of the pack in order; `None` if it has none.
///
/// # Errors
/// The pack does not fit the model, or the tensor library refuses.
pub fn loss(
    model: &Model,
    pack: &Pack,
    features: Option<&ImageFeatures>,
    objective: &Objective,
    noise: NoiseKey,
) -> Result<(Tensor, Terms)> {
    loss_feeding(model, pack, features, objective, |targets| noise::add(targets, pack, objective.noise_std, noise))
}

/// [`loss`] with the latents fed made of their targets `[latents, hidden]` by `fed`.
///
/// # Errors
/// The pack does not fit the model, `fed` fails, or the tensor library refuses.
pub fn loss_feeding(
    model: &Model,
    pack: &Pack,
    features: Option<&ImageFeatures>,
    objective: &Objective,
    fed: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Terms)> {
    let parts = parts(model, pack, features, objective, fed)?;
    combine(parts, objective, pack.ids.len()).map_err(Error::from)
}

/// The terms of a pack as scalars that can be differentiated, unweighted.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Cross-entropy.
    pub ce: Tensor,
    /// Latent loss, if the pack has a teacher target.
    pub latent: Option<Tensor>,
    /// Diversity loss, if the pack has free tokens.
    pub diversity: Option<Tensor>,
}

/// The terms of a pack; `fed` as in [`loss_feeding`].
///
/// # Errors
/// As [`loss_feeding`].
pub fn parts(
    model: &Model,
    pack: &Pack,
    features: Option<&ImageFeatures>,
    objective: &Objective,
    fed: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Parts> {
    let (hidden, targets) = states(model, pack, features, objective.latents, fed)?;
    let latent = match &targets {
        Some(targets) => Some(latent::of(model, pack, &hidden, targets, objective)?),
        None => None,
    };
    Ok(Parts { ce: cross_entropy::of(model, pack, &hidden)?, latent, diversity: diversity::of(pack, &hidden)? })
}

/// The model's states after the final norm, `[tokens, hidden]`, with images and latents fed
/// as training feeds them; and the teacher targets `[latents, hidden]`, if there are any.
///
/// # Errors
/// As [`loss_feeding`].
pub fn states(
    model: &Model,
    pack: &Pack,
    features: Option<&ImageFeatures>,
    latents: LatentInput,
    fed: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Option<Tensor>)> {
    let mut inputs = Inputs::from(&model.embed(&pack.ids)?);
    let mut targets = None;
    if let Some(features) = features {
        targets = latent::targets(pack, features.tokens())?;
        inputs = features.stand_in(&inputs.embeds, &pack.image_rows)?;
    }
    let hidden = match (latents, &targets) {
        (LatentInput::Own, _) => model.forward_feeding(inputs, &pack.layout, &pack.chains)?,
        (LatentInput::Teacher | LatentInput::Foreign, Some(targets)) => {
            inputs.embeds = ops::replace_rows(&inputs.embeds, &pack.latent_rows(), &fed(targets)?)?;
            model.forward(inputs, &pack.layout)?
        }
        // A dummy token is read as the token that stands there.
        (LatentInput::Teacher | LatentInput::Foreign, None) | (LatentInput::Token, _) => model.forward(inputs, &pack.layout)?,
    };
    Ok((hidden, targets))
}

fn combine(parts: Parts, objective: &Objective, tokens: usize) -> Result<(Tensor, Terms), prism_model::Error> {
    let Parts { ce, latent, diversity } = parts;
    let scalar = |t: &Tensor| -> Result<f64, prism_model::Error> { Ok(f64::from(t.to_scalar::<f32>()?)) };
    let mut total = ce.to_dtype(DType::F32)?;
    let mut terms = Terms { ce: scalar(&total)?, latent: None, diversity: None, total: 0.0, tokens };
    if let Some(latent) = latent {
        terms.latent = Some(scalar(&latent)?);
        if objective.latent_weight > 0.0 {
            total = (total + (latent * objective.latent_weight)?)?;
        }
    }
    if let Some(diversity) = diversity {
        terms.diversity = Some(scalar(&diversity)?);
        if objective.diversity_weight > 0.0 {
            total = (total + (diversity * objective.diversity_weight)?)?;
        }
    }
    terms.total = scalar(&total)?;
    Ok((total, terms))
}

/// Rows of `states [n, d]`, gradients flowing back to them.
pub(crate) fn rows(states: &Tensor, indices: &[u32]) -> Result<Tensor, prism_model::Error> {
    Ok(states.index_select(&Tensor::new(indices, states.device())?, 0)?)
}
