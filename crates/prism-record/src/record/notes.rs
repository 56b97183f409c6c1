//! What is written down of latents and attention: one row per latent step and branch, one
//! per noted forward and layer of the clean run, and the vectors a later statistic needs.

use std::collections::BTreeSet;

use prism_model::tokenizer::Tokenizer;
use prism_model::{Engine, Result};
use prism_run::records::{AttentionRow, LatentRow};
use prism_run::{Intervention, NotedAt, Position, Stage};

use super::Records;
use super::lens::Lens;
use crate::decode::trajectory::norm;
use crate::decode::{Forward, Place, Prefix, Trajectory};

/// What the notes of an example are read with.
pub(super) struct Reader<'a> {
    pub row: usize,
    pub model: &'a dyn Engine,
    pub tokenizer: &'a Tokenizer,
    /// End token of each stage's block, where there is one.
    pub ends: &'a [(Stage, u32)],
    /// Ids of the gold letter's spellings.
    pub gold: &'a [u32],
}

impl Reader<'_> {
    /// The latent steps of one branch; `clean` is absent for the clean run itself.
    ///
    /// # Errors
    /// When the tokenizer or the model fails.
    pub fn steps(&self, intervention: Intervention, branch: &Trajectory, clean: Option<&Trajectory>) -> Result<Vec<LatentRow>> {
        let mut rows = Vec::new();
        let mut before: Option<(Stage, &[f32])> = None;
        for (place, forward) in branch.latent_forwards() {
            let Some(fed) = forward.fed.as_deref() else { continue };
            let twin = clean.and_then(|clean| {
                let here = |(p, _): &(Place, &Forward)| (p.stage, p.step) == (place.stage, place.step);
                clean.latent_forwards().find(here)?.1.fed.as_deref()
            });
            let previous = before.filter(|(stage, _)| *stage == place.stage).map(|(_, fed)| fed);
            before = Some((place.stage, fed));
            let lens = forward.logits.as_deref().map(|logits| Lens::of(logits, self.gold, self.tokenizer)).transpose()?;
            let (lens_token, lens_probability, lens_entropy, lens_gold) = match lens {
                Some(Lens { token, probability, entropy, gold }) => (Some(token), Some(probability), Some(entropy), gold),
                None => (None, None, None, None),
            };
            rows.push(LatentRow {
                row: self.row,
                intervention,
                stage: place.stage,
                step: place.step,
                norm: norm(fed),
                clean_cosine: twin.and_then(|twin| cosine(fed, twin)),
                previous_cosine: previous.and_then(|previous| cosine(fed, previous)),
                end_cosine: self.end(place.stage)?.and_then(|end| cosine(fed, &end)),
                lens_token,
                lens_probability,
                lens_entropy,
                lens_gold,
            });
        }
        Ok(rows)
    }

    fn end(&self, stage: Stage) -> Result<Option<Vec<f32>>> {
        let end = self.ends.iter().find(|(of, _)| *of == stage);
        end.map(|(_, id)| self.model.embed(&[*id])).transpose()
    }
}

/// Cosine; a zero vector has no direction.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let norms = norm(a) * norm(b);
    (norms > 0.0).then(|| dot / norms)
}

/// Where the clean run looks: at its latent forwards and the one that produces the answer,
/// layer by layer. `region`: the boxes' rows among the visual tokens, where there are boxes.
pub(super) fn attention(row: usize, prefix: &Prefix, clean: &Trajectory, region: Option<&BTreeSet<usize>>) -> Vec<AttentionRow> {
    let image: Vec<usize> = prefix.image_ranges.iter().flat_map(|range| range.clone()).collect();
    let boxed: Option<Vec<usize>> = region.map(|rows| rows.iter().filter_map(|visual| image.get(*visual).copied()).collect());
    let prompt = prefix.prompt_ids.len();
    let mut rows = Vec::new();
    for (i, forward) in clean.forwards.iter().enumerate() {
        let (place, step) = match forward.place {
            Some(place) => (NotedAt::from(place.stage), Some(place.step)),
            None if clean.answer_forward == Some(i) => (NotedAt::Answer, None),
            None => continue,
        };
        let Some(seen) = &forward.attention else { continue };
        let is_latent = |key: &usize| clean.forwards.get(*key).is_some_and(|f| f.place.is_some()) && *key != i;
        let held = seen.keys.iter().enumerate().map(|(k, key)| (prompt + k, is_latent(key)));
        let (looked_back, others): (Vec<_>, Vec<_>) = held.partition(|(_, is_latent)| *is_latent);
        let [looked_back, others] = [looked_back, others].map(|keys| keys.into_iter().map(|(k, _)| k).collect::<Vec<usize>>());
        for (layer, weights) in seen.layers.iter().enumerate() {
            let on = |indices: &[usize]| indices.iter().filter_map(|k| weights.get(*k)).map(|w| f64::from(*w)).sum::<f64>();
            let (on_prompt, on_image) = (weights.iter().take(prompt).map(|w| f64::from(*w)).sum::<f64>(), on(&image));
            let (latents, generated) = (on(&looked_back), on(&others));
            rows.push(AttentionRow {
                row,
                place,
                step,
                layer,
                image: on_image,
                region: boxed.as_deref().map(on),
                region_share: boxed.as_ref().map(|boxed| boxed.len() as f64 / image.len().max(1) as f64),
                text: on_prompt - on_image,
                latents,
                generated,
                image_entropy: entropy(&image, |k| weights.get(*k)),
                latent_entropy: entropy(&looked_back, |k| weights.get(*k)),
            });
        }
    }
    rows
}

/// Entropy of the weights of some keys, made to add up to 1 (nats).
fn entropy<'w>(keys: &[usize], weight: impl Fn(&usize) -> Option<&'w f32>) -> Option<f64> {
    let weights: Vec<f64> = keys.iter().filter_map(weight).map(|w| f64::from(*w)).filter(|w| *w > 0.0).collect();
    let sum: f64 = weights.iter().sum();
    (sum > 0.0).then(|| -weights.iter().map(|w| w / sum * (w / sum).ln()).sum::<f64>())
}

/// Adds the probe positions' vectors of the clean run, at the last layer and, where they
/// were noted, at the input of every layer; and the vectors fed back.
pub(super) fn vectors(records: &mut Records, row: usize, prefix: &Prefix, blind: Option<&Prefix>, clean: &Trajectory) {
    for position in Position::ALL {
        if let Some(vector) = prefix.probe(position).or_else(|| clean.probe(position)) {
            records.push_vector(position.name(), row, &vector);
        }
        let layers = prefix.layers.len().max(clean.forwards.iter().find_map(|f| f.layers.as_ref()).map_or(0, Vec::len));
        for layer in 0..layers {
            if let Some(vector) = prefix.probe_at(position, layer).or_else(|| clean.probe_at(position, layer)) {
                records.push_vector(&format!("{}@{layer}", position.name()), row, &vector);
            }
        }
    }
    if let Some(vector) = blind.and_then(|prefix| prefix.question_mean.as_deref()) {
        records.push_vector("question_blind", row, vector);
    }
    for (place, forward) in clean.latent_forwards() {
        if let Some(fed) = &forward.fed {
            records.push_vector(&format!("fed.{}.{}", place.stage.name(), place.step), row, fed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_vector_has_no_direction() {
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), None);
        assert!((cosine(&[3.0, 4.0], &[3.0, 0.0]).unwrap() - 0.6).abs() < 1e-12);
    }
}
