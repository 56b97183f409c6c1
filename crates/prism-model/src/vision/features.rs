//! What the vision tower makes of images: a row per image token, and in families with deepstack
//! features more rows of the same tokens, which are added to the states on the way up.

use std::sync::Arc;

use crate::Result;
use crate::ops;
use crate::tensor::{DType, Device, Tensor};
use crate::text::{Additions, Inputs};

/// The features of some images, end to end: whoever reorders, joins or replaces the tokens must do so
/// with all levels, so they are private.
#[derive(Debug, Clone)]
pub struct ImageFeatures {
    /// `[tokens, hidden]`: what stands in the place of the image tokens' embeddings.
    tokens: Tensor,
    /// Decoder layer, and what is added to the image tokens' states after it, `[tokens, hidden]`.
    levels: Vec<(usize, Tensor)>,
}

impl ImageFeatures {
    /// Features of images, `tokens [tokens, hidden]` and each of `levels` as large.
    pub fn new(tokens: Tensor, levels: Vec<(usize, Tensor)>) -> Self {
        Self { tokens, levels }
    }

    /// Those of no image.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn none(width: usize, dtype: DType, device: &Device) -> Result<Self> {
        Ok(Self::new(Tensor::zeros((0, width), dtype, device)?, Vec::new()))
    }

    /// The rows that stand at the image tokens, `[tokens, hidden]`.
    pub fn tokens(&self) -> &Tensor {
        &self.tokens
    }

    /// What is added to the image tokens' states: decoder layer, and the values after it.
    pub fn levels(&self) -> &[(usize, Tensor)] {
        &self.levels
    }

    /// Image tokens.
    pub fn rows(&self) -> usize {
        self.tokens.dims().first().copied().unwrap_or(0)
    }

    /// Memory of the values.
    pub fn bytes(&self) -> usize {
        let of = |values: &Tensor| values.elem_count() * values.dtype().size_in_bytes();
        of(&self.tokens) + self.levels.iter().map(|(_, values)| of(values)).sum::<usize>()
    }

    /// The same without a graph.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self::new(self.tokens.detach(), self.levels.iter().map(|(layer, values)| (*layer, values.detach())).collect())
    }

    /// The rows of several, end to end; all have the same levels.
    ///
    /// # Errors
    /// There are none, or the tensor library refuses.
    pub fn cat(parts: &[Self]) -> Result<Self> {
        let of = |values: &dyn Fn(&Self) -> Tensor| Tensor::cat(&parts.iter().map(values).collect::<Vec<_>>(), 0);
        let tokens = of(&|part| part.tokens.clone())?;
        let levels = parts.first().map_or(&[][..], |part| part.levels());
        let level = |(i, (layer, _)): (usize, &(usize, Tensor))| Ok((*layer, of(&|part| part.levels[i].1.clone())?));
        Ok(Self::new(tokens, levels.iter().enumerate().map(level).collect::<Result<_>>()?))
    }

    /// The rows `rows`, in this order.
    ///
    /// # Errors
    /// A row does not exist.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        let rows = Tensor::new(rows, self.tokens.device())?;
        let level = |(layer, values): &(usize, Tensor)| Ok((*layer, values.index_select(&rows, 0)?));
        Ok(Self::new(self.tokens.index_select(&rows, 0)?, self.levels.iter().map(level).collect::<Result<_>>()?))
    }

    /// The language model's input: `embeds [n, hidden]` with these features standing at `rows`, one
    /// row each, and their levels added there.
    ///
    /// # Errors
    /// A row repeats or lies outside, or they are not as many as there are features.
    pub fn stand_in(&self, embeds: &Tensor, rows: &[u32]) -> Result<Inputs> {
        let embeds = ops::replace_rows(embeds, rows, &self.tokens)?;
        let has_levels = !(rows.is_empty() || self.levels.is_empty());
        let added = has_levels.then(|| Additions { rows: Arc::new(rows.to_vec()), after: self.levels.clone() });
        Ok(Inputs { embeds, added })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::values;

    fn features(first: f32, rows: usize) -> ImageFeatures {
        let tensor = |from: f32| Tensor::from_vec((0..rows).map(|i| from + i as f32).collect::<Vec<_>>(), (rows, 1), &Device::Cpu).unwrap();
        ImageFeatures::new(tensor(first), vec![(0, tensor(first + 100.0)), (2, tensor(first + 200.0))])
    }

    #[test]
    fn levels_go_where_the_tokens_go() {
        let both = ImageFeatures::cat(&[features(0.0, 2), features(10.0, 1)]).unwrap();
        let chosen = both.select(&[2, 0]).unwrap();
        assert_eq!((both.rows(), both.bytes(), chosen.rows()), (3, 36, 2));
        assert_eq!(values(chosen.tokens()).unwrap(), [10.0, 0.0]);
        let levels: Vec<(usize, Vec<f32>)> = chosen.levels().iter().map(|(layer, level)| (*layer, values(level).unwrap())).collect();
        assert_eq!(levels, [(0, vec![110.0, 100.0]), (2, vec![210.0, 200.0])]);

        let embeds = Tensor::from_vec(vec![-1f32, -2.0, -3.0, -4.0], (4, 1), &Device::Cpu).unwrap();
        let inputs = chosen.stand_in(&embeds, &[3, 1]).unwrap();
        assert_eq!(values(&inputs.embeds).unwrap(), [-1.0, 0.0, -3.0, 10.0]);
        let added = inputs.added.unwrap();
        assert_eq!((&added.rows[..], added.after.len()), (&[3u32, 1][..], 2));
        assert!(features(0.0, 0).stand_in(&embeds, &[]).unwrap().added.is_none());
    }
}
