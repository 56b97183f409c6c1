//! The objective of one pack, term by term and parameter by parameter: what
//! `prism trace --teacher-forced` prints and parity tests compare.

use std::path::PathBuf;

use prism_model::Model;
use prism_model::preprocess::Preprocessor;
use prism_model::prompt::TrainingSample;
use prism_run::{LatentInput, Reduction, Variant};
use serde::Serialize;

use crate::objective::{self, NoiseKey, Objective};
use crate::optimizer::Parameters;
use crate::pack::Pack;
use crate::step::Accumulator;
use crate::workers::Workers;
use crate::{Error, Result};

/// One sample of the pack: laid out, with its image files.
#[derive(Debug, Clone, Copy)]
pub struct PackSample<'a> {
    /// The sample.
    pub sample: &'a TrainingSample,
    /// Its images.
    pub images: &'a [PathBuf],
}

/// The terms of a pack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PackLosses {
    /// Rows of the samples in their corpus.
    pub rows: Vec<usize>,
    /// Cross-entropy.
    pub ce: f64,
    /// Latent loss, unweighted.
    pub latent: Option<f64>,
    /// Diversity loss, unweighted.
    pub diversity: Option<f64>,
    /// `ce + lambda * latent + w * diversity`.
    pub total: f64,
    /// Norm of the total's gradient per trainable parameter, by in-memory name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<Vec<(String, f64)>>,
    /// The gradient itself, in the order of the model's parameters.
    #[serde(skip)]
    pub gradients: Option<Vec<(String, Vec<f32>)>>,
}

/// The objective of `variant` (before its release, without noise) on one pack.
///
/// Gradients are of the parameters the model was opened to train: open it with
/// `Trainable::All` to see the vision tower's.
///
/// # Errors
/// An image cannot be read, or the samples do not fit the model.
pub fn pack_losses(
    model: &Model,
    preprocessor: &Preprocessor,
    samples: &[PackSample<'_>],
    variant: &Variant,
    reduction: Reduction,
    gradients: bool,
) -> Result<PackLosses> {
    let pack = Pack::of(samples.iter().map(|s| (s.sample, s.images)));
    let pack = if variant.latents == LatentInput::Foreign { pack.with_foreign_regions()? } else { pack };
    let objective = Objective { reduction, noise_std: 0.0, ..Objective::of(variant) };
    let loss = |pack: &Pack| {
        let pixels = pack.images.iter().map(|path| preprocessor.open(path)).collect::<Result<Vec<_>, _>>()?;
        let features = if pixels.is_empty() { None } else { Some(model.image_features(&pixels)?) };
        objective::loss(model, pack, features.as_ref(), &objective, NoiseKey { seed: 0, step: 0 })
    };
    let parameters = Parameters::new(model.parameters());
    let mut accumulator = Accumulator::new(&parameters, Workers::new(1)?);
    let terms = match gradients {
        true => accumulator.accumulate(std::slice::from_ref(&pack), loss)?.pop(),
        false => Some(loss(&pack)?.1),
    };
    let terms = terms.ok_or_else(|| Error::Record { id: "pack".into(), cause: "has no sample".into(), remedy: "name a row" })?;
    let full = || parameters.iter().enumerate().map(|(i, p)| (p.name.clone(), accumulator.sum(i).unwrap_or_default().to_vec())).collect();
    Ok(PackLosses {
        rows: samples.iter().map(|s| s.sample.row).collect(),
        ce: terms.ce,
        latent: terms.latent,
        diversity: terms.diversity,
        total: terms.total,
        grad_norm: gradients.then(|| accumulator.norms()),
        gradients: gradients.then(full),
    })
}
