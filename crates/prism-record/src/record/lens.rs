//! Logit lens: what a state within the latent block would say, were it the last one.

use prism_model::tokenizer::Tokenizer;
use prism_model::{Engine, Result};
use prism_run::records::LensRow;

use crate::decode::Trajectory;

/// What one row of logits says.
pub(super) struct Lens {
    /// The likeliest token.
    pub token: String,
    /// Its probability.
    pub probability: f64,
    /// Over the whole vocabulary, nats.
    pub entropy: f64,
    /// Probability of the gold letter in all its spellings, where there are any.
    pub gold: Option<f64>,
}

impl Lens {
    /// Of `logits [vocab]`; `gold`: ids of the gold letter's spellings.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn of(logits: &[f32], gold: &[u32], tokenizer: &Tokenizer) -> Result<Self> {
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f64> = logits.iter().map(|l| f64::from(l - top).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let best = logits.iter().position(|l| *l == top).unwrap_or_default();
        let entropy = sum.ln() - logits.iter().zip(&weights).map(|(l, w)| f64::from(l - top) * w).sum::<f64>() / sum;
        let on_gold: f64 = gold.iter().filter_map(|id| weights.get(*id as usize)).sum();
        Ok(Self {
            token: tokenizer.decode(&[best as u32])?,
            probability: 1.0 / sum,
            entropy: entropy.max(0.0),
            gold: (!gold.is_empty()).then(|| on_gold / sum),
        })
    }
}

/// Every latent step of the clean run at the input of every layer; empty where the layers
/// were not noted.
///
/// # Errors
/// When the model or the tokenizer fails.
pub(super) fn layers(row: usize, model: &dyn Engine, tokenizer: &Tokenizer, gold: &[u32], clean: &Trajectory) -> Result<Vec<LensRow>> {
    let mut rows = Vec::new();
    for (place, forward) in clean.latent_forwards() {
        let Some(inputs) = forward.layers.as_ref().filter(|inputs| !inputs.is_empty()) else { continue };
        let logits = model.logits(&model.norm(&inputs.concat())?)?;
        for (layer, logits) in logits.chunks_exact(logits.len() / inputs.len()).enumerate() {
            let Lens { token, probability, entropy, gold } = Lens::of(logits, gold, tokenizer)?;
            rows.push(LensRow { row, stage: place.stage, step: place.step, layer, token, probability, entropy, gold });
        }
    }
    Ok(rows)
}
