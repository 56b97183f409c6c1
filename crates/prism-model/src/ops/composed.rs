//! The same arithmetic from the tensor library's differentiable operations: the
//! path of other devices and dtypes, and what the fused kernels are tested against.

use std::ops::Range;

use super::{Attention, Rotary};
use crate::Result;
use crate::tensor::{D, DType, Tensor};

/// See [`super::linear`]. In host memory a narrow dtype is rounded once, behind the bias, as the
/// reference's fused operation does (the tensor library widens such a product there anyway).
///
/// # Errors
/// The shapes do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if x.device().is_cpu() && x.dtype() != DType::F32 && x.dtype() == weight.dtype() {
        let bias = bias.map(|bias| bias.to_dtype(DType::F32)).transpose()?;
        let wide = linear(&x.to_dtype(DType::F32)?, &weight.to_dtype(DType::F32)?, bias.as_ref())?;
        return Ok(wide.to_dtype(x.dtype())?);
    }
    let y = x.matmul(&weight.t()?)?;
    Ok(match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    })
}

/// See [`super::rms_norm`]; the norm is taken in f32, as the reference does.
///
/// # Errors
/// The shapes do not fit.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let mean_square = (wide.sqr()?.sum_keepdim(D::Minus1)? / x.dim(D::Minus1)? as f64)?;
    let unit = wide.broadcast_div(&(mean_square + eps)?.sqrt()?)?;
    Ok(unit.to_dtype(x.dtype())?.broadcast_mul(weight)?)
}

/// See [`super::layer_norm`].
///
/// # Errors
/// The shapes do not fit.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let width = x.dim(D::Minus1)? as f64;
    let centred = wide.broadcast_sub(&(wide.sum_keepdim(D::Minus1)? / width)?)?;
    let variance = (centred.sqr()?.sum_keepdim(D::Minus1)? / width)?;
    let unit = centred.broadcast_div(&(variance + eps)?.sqrt()?)?;
    Ok(unit.to_dtype(x.dtype())?.broadcast_mul(weight)?.broadcast_add(bias)?)
}

/// See [`super::swiglu`]; in f32, rounded once.
///
/// # Errors
/// The shapes differ.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let wide = (gate.to_dtype(DType::F32)?.silu()? * up.to_dtype(DType::F32)?)?;
    Ok(wide.to_dtype(gate.dtype())?)
}

/// Turns each head of `x [n, heads * d]` by the tokens' angles, in f32.
///
/// # Errors
/// The shapes do not fit.
pub fn rotate(x: &Tensor, rotary: &Rotary) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let head_dim = rotary.half * 2;
    let heads = x.to_dtype(DType::F32)?.reshape((tokens, width / head_dim, head_dim))?;
    let (cos, sin) = rotary.tensors(DType::F32, x.device())?;
    let low = heads.narrow(2, 0, rotary.half)?;
    let high = heads.narrow(2, rotary.half, rotary.half)?;
    let new_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let new_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    Ok(Tensor::cat(&[new_low, new_high], 2)?.reshape((tokens, width))?.to_dtype(x.dtype())?)
}

/// See [`super::attention`]; scores, weights and sums are f32, as the reference's fused attention keeps them.
///
/// # Errors
/// The shapes do not fit.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention) -> Result<Tensor> {
    attention_seen(q, k, v, spec, &mut |_| Ok(()))
}

/// As [`attention`]; `see` is shown each sequence's weights, `[heads, queries, keys]` in f32.
///
/// # Errors
/// The shapes do not fit, or `see` fails.
pub fn attention_seen(q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention, see: &mut dyn FnMut(&Tensor) -> Result<()>) -> Result<Tensor> {
    let dtype = v.dtype();
    let (q, k, v) = (q.to_dtype(DType::F32)?, k.to_dtype(DType::F32)?, v.to_dtype(DType::F32)?);
    let (q, k) = match &spec.rotary {
        Some(rotary) => (rotate(&q, rotary)?, rotate(&k, rotary)?),
        None => (q, k),
    };
    let mut outputs = Vec::with_capacity(spec.bounds.len());
    for (queries, keys) in spec.sequences() {
        if queries.is_empty() {
            continue;
        }
        let heads = |x: &Tensor, rows: &Range<usize>, count: usize| -> Result<Tensor> {
            let length = rows.len();
            let x = x.narrow(0, rows.start, length)?.reshape((length, count, spec.head_dim))?.transpose(0, 1)?;
            let group = spec.heads / count;
            let x = x.unsqueeze(1)?.broadcast_as((count, group, length, spec.head_dim))?;
            Ok(x.reshape((spec.heads, length, spec.head_dim))?.contiguous()?)
        };
        let (q, k, v) = (heads(&q, &queries, spec.heads)?, heads(&k, &keys, spec.kv_heads)?, heads(&v, &keys, spec.kv_heads)?);
        let mut scores = (q.matmul(&k.t()?)? * (1.0 / (spec.head_dim as f64).sqrt()))?;
        if let Some(mask) = mask(spec, &queries, keys.len()) {
            scores = scores.broadcast_add(&Tensor::from_vec(mask, (1, queries.len(), keys.len()), q.device())?)?;
        }
        let weights = softmax(&scores)?;
        see(&weights)?;
        outputs.push(weights.matmul(&v)?.transpose(0, 1)?.reshape((queries.len(), spec.heads * spec.head_dim))?);
    }
    Ok(Tensor::cat(&outputs, 0)?.to_dtype(dtype)?)
}

/// What is added to the scores of a sequence, `[queries, keys]`: nothing, or minus infinity where a key is hidden.
fn mask(spec: &Attention, queries: &Range<usize>, keys: usize) -> Option<Vec<f32>> {
    if !spec.causal && spec.hidden.is_none() {
        return None;
    }
    let earlier = keys - queries.len();
    let later = |i: usize| spec.causal && i % keys > earlier + i / keys;
    let mut mask: Vec<f32> = (0..queries.len() * keys).map(|i| if later(i) { f32::NEG_INFINITY } else { 0.0 }).collect();
    if let Some(hidden) = &spec.hidden {
        for (query, row) in mask.chunks_exact_mut(keys).enumerate() {
            for range in hidden.ranges(queries.start + query) {
                row[range.start.min(keys)..range.end.min(keys)].fill(f32::NEG_INFINITY);
            }
        }
    }
    Some(mask)
}

fn softmax(scores: &Tensor) -> Result<Tensor> {
    let largest = scores.max_keepdim(D::Minus1)?.detach();
    let weights = scores.broadcast_sub(&largest)?.exp()?;
    Ok(weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?)
}

/// See [`super::replace_rows`]; the caller has checked the indices.
///
/// # Errors
/// The tensor library refuses.
pub fn replace_rows(base: &Tensor, indices: &[u32], values: &Tensor) -> Result<Tensor> {
    let rows = base.dim(0)?;
    let mut order: Vec<u32> = (0..rows as u32).collect();
    for (i, &index) in indices.iter().enumerate() {
        order[index as usize] = (rows + i) as u32;
    }
    let all = Tensor::cat(&[base, &values.to_dtype(base.dtype())?], 0)?;
    Ok(all.index_select(&Tensor::new(order, base.device())?, 0)?)
}

/// See [`super::add_rows`]; the caller has checked the indices.
///
/// # Errors
/// The tensor library refuses.
pub fn add_rows(base: &Tensor, indices: &[u32], values: &Tensor) -> Result<Tensor> {
    Ok(base.index_add(&Tensor::new(indices, base.device())?, &values.to_dtype(base.dtype())?, 0)?)
}

/// See [`super::cross_entropy_sum`].
///
/// # Errors
/// The tensor library refuses.
pub fn cross_entropy_sum(hidden: &Tensor, weight: &Tensor, labels: &[Option<u32>]) -> Result<Tensor> {
    let rows: Vec<u32> = (0u32..).zip(labels).filter(|(_, label)| label.is_some()).map(|(i, _)| i).collect();
    let labels: Vec<u32> = labels.iter().flatten().copied().collect();
    if rows.is_empty() {
        return Ok((hidden.sum_all()?.to_dtype(DType::F32)? * 0.0)?);
    }
    let count = rows.len();
    let hidden = hidden.index_select(&Tensor::new(rows, hidden.device())?, 0)?;
    let logits = linear(&hidden, weight, None)?.to_dtype(DType::F32)?;
    let largest = logits.max_keepdim(D::Minus1)?.detach();
    let shifted = logits.broadcast_sub(&largest)?;
    let total = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let gold = shifted.gather(&Tensor::new(labels, hidden.device())?.reshape((count, 1))?, 1)?;
    Ok((total - gold)?.sum_all()?)
}
