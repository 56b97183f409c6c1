//! Where on the image: how alike each latent of the clean run is to every image token, and
//! how much each noted forward attends to it.

use prism_model::Result;
use prism_run::NotedAt;
use prism_run::records::MapRow;

use super::notes::cosine;
use crate::decode::{Forward, Prefix, Trajectory};

/// One row per noted forward and image. `merge`: patches along a side of an image token.
///
/// # Errors
/// When the features cannot be read.
pub(super) fn maps(row: usize, prefix: &Prefix, merge: usize, clean: &Trajectory) -> Result<Vec<MapRow>> {
    let features = prefix.features.values()?;
    let tokens = prefix.visual_tokens();
    let Some(width) = features.len().checked_div(tokens).filter(|width| *width > 0) else { return Ok(Vec::new()) };
    let features: Vec<&[f32]> = features.chunks_exact(width).collect();
    let in_prompt: Vec<usize> = prefix.image_ranges.iter().flat_map(|range| range.clone()).collect();
    let mut rows = Vec::new();
    for (i, forward) in clean.forwards.iter().enumerate() {
        let (place, step) = match forward.place {
            Some(place) => (NotedAt::from(place.stage), Some(place.step)),
            None if clean.answer_forward == Some(i) => (NotedAt::Answer, None),
            None => continue,
        };
        let mut start = 0;
        for (image, grid) in prefix.grids.iter().enumerate() {
            // Of a video the frames lie below each other.
            let (height, width) = (grid.t * (grid.h / merge), grid.w / merge);
            let here = start..start + height * width;
            start = here.end;
            let (Some(features), Some(in_prompt)) = (features.get(here.clone()), in_prompt.get(here)) else { continue };
            let fed = forward.fed.as_deref().filter(|_| forward.place.is_some());
            let cosine = fed.and_then(|fed| features.iter().map(|feature| cosine(fed, feature)).collect());
            rows.push(MapRow { row, place, step, image, height, width, cosine, attention: attention(forward, in_prompt) });
        }
    }
    Ok(rows)
}

/// Attention on some keys, mean over layers.
fn attention(forward: &Forward, keys: &[usize]) -> Option<Vec<f64>> {
    let seen = forward.attention.as_ref().filter(|seen| !seen.layers.is_empty())?;
    let layers = seen.layers.len() as f64;
    let on = |key: &usize| seen.layers.iter().filter_map(|weights| weights.get(*key)).map(|w| f64::from(*w)).sum::<f64>() / layers;
    Some(keys.iter().map(on).collect())
}
