//! The kernels as operations of the tensor library, with their own backward pass.
//!
//! A backward pass computes only what somebody will read: nothing for a frozen
//! weight, and the gradient of a collected parameter goes straight into its buffer
//! ([`crate::gradient_buffers`]).

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Shape, bail};

use super::Attention;
use super::kernel::scratch::{self, Scratch};
use super::kernel::{attention as attend, cross_entropy as ce, elementwise, matmul, norm};
use crate::tensor::{Device, Tensor, host};
use crate::{Result, gradient_buffers};

type Answer<T> = candle_core::Result<T>;

/// The values behind a contiguous f32 storage.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Answer<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("a fused kernel needs contiguous f32 tensors in host memory"),
    }
}

fn store(values: Vec<f32>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (CpuStorage::F32(values), shape.into())
}

/// Computes a weight's gradient where it is wanted: in its buffer, as a tensor, or not at all.
pub(crate) fn weight_gradient(weight: &Tensor, f: impl FnOnce(&mut [f32], bool)) -> Answer<Option<Tensor>> {
    if !weight.track_op() {
        return Ok(None);
    }
    let mut f = Some(f);
    let mut run = |buffer: &mut [f32], add: bool| {
        if let Some(f) = f.take() {
            f(buffer, add);
        }
    };
    if gradient_buffers::accumulate(weight, &mut run) {
        return Ok(None);
    }
    let mut buffer = vec![0.0; weight.elem_count()];
    run(&mut buffer, false);
    Ok(Some(Tensor::from_vec(buffer, weight.shape(), &Device::Cpu)?))
}

/// An input's gradient, when the input has a graph behind it.
fn input_gradient(input: &Tensor, f: impl FnOnce(&mut [f32])) -> Answer<Option<Tensor>> {
    if !input.track_op() {
        return Ok(None);
    }
    let mut buffer = vec![0.0; input.elem_count()];
    f(&mut buffer);
    Ok(Some(Tensor::from_vec(buffer, input.shape(), &Device::Cpu)?))
}

struct Linear;

impl Linear {
    fn forward(x: &[f32], w: &[f32], b: Option<&[f32]>, lx: &Layout, lw: &Layout) -> Answer<(CpuStorage, Shape)> {
        let ((rows, input), (output, columns)) = (lx.shape().dims2()?, lw.shape().dims2()?);
        if input != columns || b.is_some_and(|b| b.len() != output) {
            bail!("linear: input {:?} and weight {:?} do not fit", lx.shape(), lw.shape());
        }
        let mut y = vec![0.0; rows * output];
        matmul::linear(&mut y, x, w, b, rows, input, output);
        Ok(store(y, (rows, output)))
    }

    fn backward(x: &Tensor, w: &Tensor, dy: &Tensor) -> Answer<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let ((rows, input), output) = (x.dims2()?, w.dim(0)?);
        let (values, dy) = (host(x)?, host(&dy)?);
        let dw = weight_gradient(w, |dw, add| matmul::linear_weight(dw, add, &dy, &values, rows, input, output))?;
        let w = host(w)?;
        let dx = input_gradient(x, |dx| matmul::linear_input(dx, false, &dy, &w, rows, input, output))?;
        Ok((dx, dw))
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Answer<(CpuStorage, Shape)> {
        Linear::forward(slice(x, lx)?, slice(w, lw)?, None, lx, lw)
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, dy: &Tensor) -> Answer<(Option<Tensor>, Option<Tensor>)> {
        Linear::backward(x, w, dy)
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Answer<(CpuStorage, Shape)> {
        Linear::forward(slice(x, lx)?, slice(w, lw)?, Some(slice(b, lb)?), lx, lw)
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, b: &Tensor, _: &Tensor, dy: &Tensor) -> Answer<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (dx, dw) = Linear::backward(x, w, &dy)?;
        let dy = host(&dy)?;
        Ok((dx, dw, weight_gradient(b, |db, add| matmul::linear_bias(db, add, &dy))?))
    }
}

pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    Ok(match bias {
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, Linear)?,
        None => x.apply_op2(&weight, Linear)?,
    })
}

struct RmsNorm(f32);

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Answer<(CpuStorage, Shape)> {
        let (x, w) = (slice(x, lx)?, slice(w, lw)?);
        if lx.shape().dims2()?.1 != w.len() {
            bail!("rms_norm: input {:?} and weight {:?} do not fit", lx.shape(), lw.shape());
        }
        let mut y = vec![0.0; x.len()];
        norm::rms_norm(&mut y, x, w, self.0);
        Ok(store(y, lx.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, dy: &Tensor) -> Answer<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (values, weights, dy) = (host(x)?, host(w)?, host(&dy)?);
        let mut dx = vec![0.0; values.len()];
        let mut partial = vec![0.0; weights.len()];
        norm::rms_norm_backward(&mut dx, &[], &mut partial, &dy, &values, &weights, self.0);
        let dw = weight_gradient(w, |dw, add| add_or_copy(dw, add, &partial))?;
        Ok((Some(Tensor::from_vec(dx, x.shape(), &Device::Cpu)?), dw))
    }
}

/// Stores a gradient that was computed beside its buffer.
pub(crate) fn add_or_copy(into: &mut [f32], add: bool, values: &[f32]) {
    match add {
        true => elementwise::add(into, values),
        false => into.copy_from_slice(values),
    }
}

pub(super) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op2(&weight.contiguous()?, RmsNorm(eps as f32))?)
}

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, gate: &CpuStorage, lg: &Layout, up: &CpuStorage, lu: &Layout) -> Answer<(CpuStorage, Shape)> {
        let (gate, up) = (slice(gate, lg)?, slice(up, lu)?);
        let mut out = vec![0.0; gate.len()];
        elementwise::swiglu(&mut out, gate, up);
        Ok(store(out, lg.shape().clone()))
    }

    fn bwd(&self, gate: &Tensor, up: &Tensor, _: &Tensor, dy: &Tensor) -> Answer<(Option<Tensor>, Option<Tensor>)> {
        let mut dup = dy.flatten_all()?.to_vec1::<f32>()?;
        let mut dgate = vec![0.0; dup.len()];
        let mut product = scratch::take(dup.len());
        elementwise::swiglu_backward(&mut dup, &mut dgate, &mut product, &host(gate)?, &host(up)?);
        let tensor = |v| Tensor::from_vec(v, gate.shape(), &Device::Cpu);
        Ok((Some(tensor(dgate)?), Some(tensor(dup)?)))
    }
}

pub(super) fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    Ok(gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)?)
}

/// Turned queries and keys and the log-sums, kept for the backward pass.
struct Kept {
    q: Scratch,
    k: Scratch,
    lse: Scratch,
}

struct AttentionOp {
    spec: Attention,
    kept: OnceLock<Kept>,
}

impl Attention {
    /// The kernels' view of the call.
    pub(crate) fn shape(&self) -> attend::Shape<'_> {
        let Attention { heads, kv_heads, head_dim, ref bounds, causal, ref hidden, .. } = *self;
        attend::Shape { heads, kv_heads, head_dim, bounds, key_bounds: self.keys(), causal, hidden: hidden.as_deref() }
    }

    /// Turns `x` of `heads` heads by the tokens' angles, back when `direction` is -1.
    pub(crate) fn turn(&self, x: &mut [f32], heads: usize, direction: f32) {
        if let Some(rotary) = &self.rotary {
            elementwise::rotate(x, &rotary.cos, &rotary.sin, rotary.half, heads, direction);
        }
    }
}

impl CustomOp3 for AttentionOp {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Answer<(CpuStorage, Shape)> {
        let spec = &self.spec;
        let copy = |x: &[f32]| {
            let mut own = scratch::take(x.len());
            own.copy_from_slice(x);
            own
        };
        let (mut q, mut k) = (copy(slice(q, lq)?), copy(slice(k, lk)?));
        spec.turn(&mut q, spec.heads, 1.0);
        spec.turn(&mut k, spec.kv_heads, 1.0);
        let mut out = vec![0.0; q.len()];
        let mut lse = scratch::take(lq.shape().dims2()?.0 * spec.heads);
        attend::forward(&mut out, &mut lse, &q, &k, slice(v, lv)?, spec.shape());
        let _ = self.kept.set(Kept { q, k, lse });
        Ok(store(out, lq.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        out: &Tensor,
        dy: &Tensor,
    ) -> Answer<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(kept) = self.kept.get() else { bail!("attention: the backward pass ran before the forward pass") };
        let spec = &self.spec;
        let dy = dy.contiguous()?;
        let zeros = |t: &Tensor| vec![0.0; t.elem_count()];
        let (mut dq, mut dk, mut dv) = (zeros(q), zeros(k), zeros(v));
        let qkv = [&*kept.q, &*kept.k, &*host(v)?];
        attend::backward([&mut dq, &mut dk, &mut dv], &host(&dy)?, &host(out)?, &kept.lse, qkv, spec.shape());
        spec.turn(&mut dq, spec.heads, -1.0);
        spec.turn(&mut dk, spec.kv_heads, -1.0);
        let tensor = |v, t: &Tensor| Tensor::from_vec(v, t.shape(), &Device::Cpu);
        Ok((Some(tensor(dq, q)?), Some(tensor(dk, k)?), Some(tensor(dv, v)?)))
    }
}

pub(super) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention) -> Result<Tensor> {
    let op = AttentionOp { spec: spec.clone(), kept: OnceLock::new() };
    Ok(q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, op)?)
}

struct Embed(Vec<u32>);

impl CustomOp1 for Embed {
    fn name(&self) -> &'static str {
        "embed"
    }

    fn cpu_fwd(&self, weight: &CpuStorage, layout: &Layout) -> Answer<(CpuStorage, Shape)> {
        let (weight, (_, width)) = (slice(weight, layout)?, layout.shape().dims2()?);
        let mut out = Vec::with_capacity(self.0.len() * width);
        for &id in &self.0 {
            out.extend_from_slice(&weight[id as usize * width..(id as usize + 1) * width]);
        }
        Ok(store(out, (self.0.len(), width)))
    }

    fn bwd(&self, weight: &Tensor, _: &Tensor, dy: &Tensor) -> Answer<Option<Tensor>> {
        let dy = dy.contiguous()?;
        let (dy, width) = (host(&dy)?, weight.dim(1)?);
        weight_gradient(weight, |dw, add| {
            if !add {
                dw.fill(0.0);
            }
            for (&id, row) in self.0.iter().zip(dy.chunks_exact(width)) {
                elementwise::add(&mut dw[id as usize * width..(id as usize + 1) * width], row);
            }
        })
    }
}

/// The caller has checked the ids.
pub(super) fn embed(weight: &Tensor, ids: &[u32]) -> Result<Tensor> {
    Ok(weight.contiguous()?.apply_op1(Embed(ids.to_vec()))?)
}

struct ReplaceRows(Vec<u32>);

impl CustomOp2 for ReplaceRows {
    fn name(&self) -> &'static str {
        "replace_rows"
    }

    fn cpu_fwd(&self, base: &CpuStorage, lb: &Layout, values: &CpuStorage, lv: &Layout) -> Answer<(CpuStorage, Shape)> {
        let width = lb.shape().dims2()?.1;
        let mut out = slice(base, lb)?.to_vec();
        for (&i, row) in self.0.iter().zip(slice(values, lv)?.chunks_exact(width)) {
            out[i as usize * width..(i as usize + 1) * width].copy_from_slice(row);
        }
        Ok(store(out, lb.shape().clone()))
    }

    fn bwd(&self, base: &Tensor, values: &Tensor, _: &Tensor, dy: &Tensor) -> Answer<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (dy, width) = (host(&dy)?, base.dim(1)?);
        let at = |i: u32| i as usize * width..(i as usize + 1) * width;
        let dbase = input_gradient(base, |d| {
            d.copy_from_slice(&dy);
            self.0.iter().for_each(|&i| d[at(i)].fill(0.0));
        })?;
        let dvalues = input_gradient(values, |d| {
            for (&i, row) in self.0.iter().zip(d.chunks_exact_mut(width)) {
                row.copy_from_slice(&dy[at(i)]);
            }
        })?;
        Ok((dbase, dvalues))
    }
}

/// The caller has checked the indices.
pub(super) fn replace_rows(base: &Tensor, indices: &[u32], values: &Tensor) -> Result<Tensor> {
    Ok(base.contiguous()?.apply_op2(&values.contiguous()?, ReplaceRows(indices.to_vec()))?)
}

struct AddRows(Vec<u32>);

impl CustomOp2 for AddRows {
    fn name(&self) -> &'static str {
        "add_rows"
    }

    fn cpu_fwd(&self, base: &CpuStorage, lb: &Layout, values: &CpuStorage, lv: &Layout) -> Answer<(CpuStorage, Shape)> {
        let width = lb.shape().dims2()?.1;
        let mut out = slice(base, lb)?.to_vec();
        for (&i, row) in self.0.iter().zip(slice(values, lv)?.chunks_exact(width)) {
            elementwise::add(&mut out[i as usize * width..(i as usize + 1) * width], row);
        }
        Ok(store(out, lb.shape().clone()))
    }

    fn bwd(&self, base: &Tensor, values: &Tensor, _: &Tensor, dy: &Tensor) -> Answer<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (values_dy, width) = (host(&dy)?, base.dim(1)?);
        let dvalues = input_gradient(values, |d| {
            for (&i, row) in self.0.iter().zip(d.chunks_exact_mut(width)) {
                row.copy_from_slice(&values_dy[i as usize * width..(i as usize + 1) * width]);
            }
        })?;
        drop(values_dy);
        Ok((base.track_op().then_some(dy), dvalues))
    }
}

/// The caller has checked the indices.
pub(super) fn add_rows(base: &Tensor, indices: &[u32], values: &Tensor) -> Result<Tensor> {
    Ok(base.contiguous()?.apply_op2(&values.contiguous()?, AddRows(indices.to_vec()))?)
}

struct CrossEntropy {
    rows: Vec<(usize, usize)>,
    lses: OnceLock<Vec<f32>>,
}

impl CustomOp2 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, hidden: &CpuStorage, lh: &Layout, weight: &CpuStorage, lw: &Layout) -> Answer<(CpuStorage, Shape)> {
        let width = lh.shape().dims2()?.1;
        let (total, lses) = ce::forward(slice(hidden, lh)?, slice(weight, lw)?, &self.rows, width);
        let _ = self.lses.set(lses);
        Ok(store(vec![total as f32], ()))
    }

    fn bwd(&self, hidden: &Tensor, weight: &Tensor, _: &Tensor, dy: &Tensor) -> Answer<(Option<Tensor>, Option<Tensor>)> {
        let Some(lses) = self.lses.get() else { bail!("cross_entropy: the backward pass ran before the forward pass") };
        let (scale, width) = (dy.to_scalar::<f32>()?, hidden.dim(1)?);
        let mut dhidden = vec![0.0; hidden.elem_count()];
        let (h, w) = (host(hidden)?, host(weight)?);
        let mut run = |dw: Option<(&mut [f32], bool)>| ce::backward(&mut dhidden, dw, scale, lses, &h, &w, &self.rows, width);
        let dw = match weight.track_op() {
            true => weight_gradient(weight, |dw, add| run(Some((dw, add))))?,
            false => {
                run(None);
                None
            }
        };
        Ok((Some(Tensor::from_vec(dhidden, hidden.shape(), &Device::Cpu)?), dw))
    }
}

/// The caller has checked shapes and labels.
pub(super) fn cross_entropy_sum(hidden: &Tensor, weight: &Tensor, labels: &[Option<u32>]) -> Result<Tensor> {
    let rows = labels.iter().enumerate().filter_map(|(i, label)| Some((i, (*label)? as usize))).collect();
    Ok(hidden.contiguous()?.apply_op2(&weight.contiguous()?, CrossEntropy { rows, lses: OnceLock::new() })?)
}
