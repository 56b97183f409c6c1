//! The model's arithmetic. Each function runs a fused kernel with its own backward
//! pass on f32 in host memory, and differentiable compositions of the tensor
//! library's operations everywhere else ([`composed`]).
//!
//! Activations are two-dimensional, `[tokens, features]`; sequences lie end to end.
//! Weights stay `[out, in]`, as in the checkpoint.

mod attention;
pub mod composed;
pub(crate) mod fused;
pub(crate) mod kernel;

pub use attention::{Attention, Hidden, Rotary};
pub use kernel::matmul::{threads, with_threads};

use crate::tensor::{DType, Tensor, is_fused};
use crate::{Error, Result};

/// What the fused kernels were found to run on: `AVX-512`, `AVX2 + FMA`, or `portable`.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    match kernel::simd::level() {
        kernel::simd::Level::Avx512 => return "AVX-512",
        kernel::simd::Level::Avx2 => return "AVX2 + FMA",
        kernel::simd::Level::Portable => {}
    }
    "portable"
}

/// Matrices the fused kernels can read.
fn fusible(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|t| is_fused(t) && t.rank() == 2)
}

/// `x [n, in] * weight^T + bias`, `weight [out, in]`, giving `[n, out]`.
///
/// # Errors
/// The shapes do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match fusible(&[x, weight]) && bias.is_none_or(is_fused) {
        true => fused::linear(x, weight, bias),
        false => composed::linear(x, weight, bias),
    }
}

/// Root-mean-square norm of each row, scaled by `weight [features]`.
///
/// # Errors
/// The shapes do not fit.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    match fusible(&[x]) && is_fused(weight) {
        true => fused::rms_norm(x, weight, eps),
        false => composed::rms_norm(x, weight, eps),
    }
}

/// Mean and variance norm of each row, scaled and shifted.
///
/// # Errors
/// The shapes do not fit.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    composed::layer_norm(x, weight, bias, eps)
}

/// `silu(gate) * up`.
///
/// # Errors
/// The shapes differ.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    match fusible(&[gate, up]) && gate.dims() == up.dims() {
        true => fused::swiglu(gate, up),
        false => composed::swiglu(gate, up),
    }
}

/// Gaussian error linear unit, the exact form (error function).
///
/// # Errors
/// The tensor library refuses.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    Ok(x.gelu_erf()?)
}

/// As [`gelu`], by the hyperbolic tangent; in f32, rounded once.
///
/// # Errors
/// The tensor library refuses.
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    Ok(x.to_dtype(DType::F32)?.gelu()?.to_dtype(x.dtype())?)
}

/// `x * sigmoid(1.702 x)`; in f32, rounded once.
///
/// # Errors
/// The tensor library refuses.
pub fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    let wide = ((x.to_dtype(DType::F32)? * 1.702)?.silu()? / 1.702)?;
    Ok(wide.to_dtype(x.dtype())?)
}

/// Attention of `q [n, heads * d]` over `k, v [n, kv_heads * d]` inside each sequence.
///
/// # Errors
/// The shapes do not fit `spec`.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention) -> Result<Tensor> {
    spec.check(q, k, v)?;
    match fusible(&[q, k, v]) {
        true => fused::attention(q, k, v, spec),
        false => composed::attention(q, k, v, spec),
    }
}

/// Rows `ids` of `weight [vocab, hidden]`.
///
/// # Errors
/// An id lies outside the vocabulary.
pub fn embed(weight: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let vocab = weight.dim(0)?;
    if let Some(id) = ids.iter().find(|&&id| id as usize >= vocab) {
        return Err(Error::input("token id", format!("{id} lies outside the vocabulary of {vocab}"), "use the checkpoint's own tokenizer"));
    }
    match fusible(&[weight]) {
        true => fused::embed(weight, ids),
        false => Ok(weight.index_select(&Tensor::new(ids, weight.device())?, 0)?),
    }
}

/// `base [n, d]` with row `indices[i]` replaced by row `i` of `values [m, d]`;
/// gradients flow to the rows kept and to the values.
///
/// # Errors
/// An index repeats or lies outside `base`, or the shapes do not fit.
pub fn replace_rows(base: &Tensor, indices: &[u32], values: &Tensor) -> Result<Tensor> {
    check_rows("replace_rows", base, indices, values)?;
    if indices.is_empty() {
        return Ok(base.clone());
    }
    match fusible(&[base, values]) {
        true => fused::replace_rows(base, indices, values),
        false => composed::replace_rows(base, indices, values),
    }
}

/// `base [n, d]` with row `i` of `values [m, d]` added to row `indices[i]`; gradients flow to both.
///
/// # Errors
/// An index repeats or lies outside `base`, or the shapes do not fit.
pub fn add_rows(base: &Tensor, indices: &[u32], values: &Tensor) -> Result<Tensor> {
    check_rows("add_rows", base, indices, values)?;
    if indices.is_empty() {
        return Ok(base.clone());
    }
    match fusible(&[base, values]) {
        true => fused::add_rows(base, indices, values),
        false => composed::add_rows(base, indices, values),
    }
}

/// Whether `values` has one row for each of `indices`, distinct rows of `base`.
fn check_rows(what: &str, base: &Tensor, indices: &[u32], values: &Tensor) -> Result<()> {
    let (rows, width) = base.dims2()?;
    if values.dims() != [indices.len(), width] {
        let cause = format!("{} indices and values {:?} for rows of {width}", indices.len(), values.dims());
        return Err(Error::input(what, cause, "give one row of values per index"));
    }
    let mut seen = vec![false; rows];
    for &index in indices {
        match seen.get_mut(index as usize) {
            Some(taken) if !*taken => *taken = true,
            _ => {
                let cause = format!("index {index} repeats or lies outside {rows} rows");
                return Err(Error::input(what, cause, "give each row at most once"));
            }
        }
    }
    Ok(())
}

/// Mean negative log-likelihood of the labels that are `Some`, with logits
/// `hidden [n, d] * weight^T`, `weight [vocab, d]`; a scalar. Zero when no label counts.
///
/// # Errors
/// The shapes do not fit, or a label lies outside the vocabulary.
pub fn cross_entropy(hidden: &Tensor, weight: &Tensor, labels: &[Option<u32>]) -> Result<Tensor> {
    let counted = labels.iter().flatten().count().max(1);
    Ok((cross_entropy_sum(hidden, weight, labels)? / counted as f64)?)
}

/// As [`cross_entropy`], summed instead of averaged: what packs of one batch add up.
///
/// # Errors
/// As [`cross_entropy`].
pub fn cross_entropy_sum(hidden: &Tensor, weight: &Tensor, labels: &[Option<u32>]) -> Result<Tensor> {
    let (rows, width) = hidden.dims2()?;
    let (vocab, columns) = weight.dims2()?;
    if rows != labels.len() || width != columns {
        let cause = format!("hidden [{rows}, {width}], weight [{vocab}, {columns}], {} labels", labels.len());
        return Err(Error::input("cross_entropy", cause, "give one label per row and matching widths"));
    }
    if let Some(label) = labels.iter().flatten().find(|&&label| label as usize >= vocab) {
        return Err(Error::input("label", format!("{label} lies outside the vocabulary of {vocab}"), "use the checkpoint's own tokenizer"));
    }
    match fusible(&[hidden, weight]) {
        true => fused::cross_entropy_sum(hidden, weight, labels),
        false => composed::cross_entropy_sum(hidden, weight, labels),
    }
}
