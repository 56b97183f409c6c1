//! Cross-entropy of the next token, one mean over the counted labels of a pack.
//!
//! A label counts where the answers are; never at a latent or free position
//! (method, section 1). The token at a position is predicted by the state before it.

use prism_model::Model;
use prism_model::ops;
use prism_model::tensor::Tensor;

use super::rows;
use crate::Result;
use crate::pack::Pack;

/// `hidden [n, d]` after the final norm. A scalar, 0 if the pack has no counted label.
///
/// # Errors
/// A label lies outside the vocabulary.
pub fn of(model: &Model, pack: &Pack, hidden: &Tensor) -> Result<Tensor> {
    let (before, labels): (Vec<u32>, Vec<Option<u32>>) = pack.counted.iter().map(|&(row, label)| (row - 1, Some(label))).unzip();
    if before.is_empty() {
        return Ok(hidden.narrow(0, 0, 1).and_then(|h| h.sum_all()).and_then(|s| s * 0.0).map_err(prism_model::Error::from)?);
    }
    Ok(ops::cross_entropy(&rows(hidden, &before)?, model.output()?, &labels)?)
}
