//! One decoding step over the rows of a [`BranchCache`].

use super::TextModel;
use crate::Result;
use crate::cache::{BranchCache, Row};
use crate::ops::{self, Rotary, composed};
use crate::tensor::{self, D, DType, Tensor};

pub(super) fn step(model: &TextModel, embeds: &Tensor, cache: &mut BranchCache) -> Result<Tensor> {
    let mut outputs = Vec::with_capacity(cache.rows());
    for (i, row) in cache.rows.iter_mut().enumerate() {
        outputs.push(composed_row(model, &embeds.narrow(0, i, 1)?.detach(), row)?);
    }
    Ok(Tensor::cat(&outputs, 0)?)
}

/// One row by the tensor library's operations, alone: invariant by construction.
fn composed_row(model: &TextModel, embed: &Tensor, row: &mut Row) -> Result<Tensor> {
    let config = &model.config;
    let rotary = Rotary::multimodal(&[[row.next_position; 3]], config.rope_theta, config.mrope_section);
    let width = config.num_key_value_heads * config.head_dim();
    let mut x = embed.clone();
    for (i, layer) in model.layers.iter().enumerate() {
        let (q, k, v) = layer.project(&x, config)?;
        let (q, k) = (composed::rotate(&q, &rotary)?, composed::rotate(&k, &rotary)?);
        let suffix = &mut row.suffix[i];
        suffix.keys.extend(tensor::values(&k)?);
        suffix.values.extend(tensor::values(&v)?);
        let held = row.held + 1;
        let own = |data: &[f32]| -> Result<Tensor> { Ok(Tensor::from_slice(data, (held, width), x.device())?.to_dtype(x.dtype())?) };
        let (prefix_keys, prefix_values) = row.prefix.layer(i);
        let keys = Tensor::cat(&[prefix_keys, &own(&suffix.keys)?], 0)?;
        let values = Tensor::cat(&[prefix_values, &own(&suffix.values)?], 0)?;
        let attended = attend(&q, &keys, &values, config.num_attention_heads, config.num_key_value_heads)?;
        x = layer.finish(&x, &attended, config)?;
    }
    row.held += 1;
    row.next_position += 1;
    Ok(ops::rms_norm(&x, &model.norm, config.rms_norm_eps)?.detach())
}

/// `q [1, heads * d]` over `keys, values [n, kv_heads * d]`.
fn attend(q: &Tensor, keys: &Tensor, values: &Tensor, heads: usize, kv_heads: usize) -> Result<Tensor> {
    let (n, width) = keys.dims2()?;
    let d = width / kv_heads;
    let split = |x: &Tensor| -> Result<Tensor> { Ok(x.reshape((n, kv_heads, d))?.transpose(0, 1)?.contiguous()?) };
    let q = q.reshape((kv_heads, heads / kv_heads, d))?;
    let scores = (q.matmul(&split(keys)?.t()?)? * (1.0 / (d as f64).sqrt()))?.to_dtype(DType::F32)?;
    let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?.to_dtype(q.dtype())?;
    Ok(weights.matmul(&split(values)?)?.reshape((1, heads * d))?)
}

pub(super) fn logits(model: &TextModel, hidden: &Tensor) -> Result<Tensor> {
    let mut outputs = Vec::with_capacity(hidden.dim(0)?);
    for i in 0..hidden.dim(0)? {
        outputs.push(model.logits(&hidden.narrow(0, i, 1)?.detach())?.detach());
    }
    Ok(Tensor::cat(&outputs, 0)?)
}
