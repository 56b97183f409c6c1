//! A whole decoder layer as one operation with its own backward pass, on f32 in host
//! memory: no intermediate gradient is a tensor, weights' gradients go straight into
//! their buffers, and what is cheap (norms, SwiGLU) is computed again instead of kept.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, bail};

use super::Layer;
use crate::config::TextConfig;
use crate::linear::Linear;
use crate::matrix::Matrix;
use crate::ops::Attention;
use crate::ops::fused::{add_or_copy, weight_gradient};
use crate::ops::kernel::scratch::{self, Scratch};
use crate::ops::kernel::{attention, elementwise, matmul, norm};
use crate::tensor::{Device, Tensor, host, is_fused};
use crate::{Result, gradient_buffers};

type Answer<T> = candle_core::Result<T>;

/// What the backward pass needs again. `q` and `k` are normed and turned.
struct Kept {
    q: Scratch,
    k: Scratch,
    v: Scratch,
    attended: Scratch,
    lse: Scratch,
    middle: Scratch,
    gate: Scratch,
    up: Scratch,
    /// Queries and keys before their norms, where they have one.
    raw: Option<[Scratch; 2]>,
}

/// A layer's keys and values in one piece of a pack, and their gradients from later pieces.
#[derive(Default)]
pub(super) struct Link {
    kept: OnceLock<Kept>,
    later: Mutex<Option<[Vec<f32>; 2]>>,
}

impl Link {
    /// Adds to the gradients of rows of its keys and values.
    fn add(&self, rows: Range<usize>, width: usize, dk: &[f32], dv: &[f32]) {
        let Some(kept) = self.kept.get() else { return };
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        let sums = later.get_or_insert_with(|| [vec![0.0; kept.k.len()], vec![0.0; kept.v.len()]]);
        for (sum, d) in sums.iter_mut().zip([dk, dv]) {
            elementwise::add(&mut sum[rows.start * width..rows.end * width], d);
        }
    }
}

/// What the queries of a piece attend to ([`super::pieces`]).
pub(super) struct Context {
    /// Bounds of each sequence's keys.
    pub key_bounds: Arc<Vec<usize>>,
    /// The keys' origin in order: piece and rows in it; the piece behind the earlier ones is its own.
    pub sources: Arc<Vec<(usize, Range<usize>)>>,
    /// The layer in the earlier pieces.
    pub earlier: Vec<Arc<Link>>,
}

impl Context {
    /// Keys or values of all pieces, `own` the piece's own.
    fn gather(&self, width: usize, own: &[f32], of: impl Fn(&Kept) -> &[f32]) -> Answer<Scratch> {
        let mut all = scratch::take(self.key_bounds.last().map_or(0, |end| end * width));
        let mut at = 0;
        for (piece, rows) in self.sources.iter() {
            let values = match self.earlier.get(*piece).map(|link| link.kept.get()) {
                Some(Some(kept)) => of(kept),
                Some(None) => bail!("decoder_layer: a piece ran before the piece before it"),
                None => own,
            };
            let values = &values[rows.start * width..rows.end * width];
            all[at..at + values.len()].copy_from_slice(values);
            at += values.len();
        }
        Ok(all)
    }

    /// Deals the gradients of all keys and values out to the pieces; the piece's own go to `own`.
    fn scatter(&self, width: usize, dk: &[f32], dv: &[f32], own: [&mut [f32]; 2]) {
        let [own_k, own_v] = own;
        let mut at = 0;
        for (piece, rows) in self.sources.iter() {
            let here = at * width..(at + rows.len()) * width;
            match self.earlier.get(*piece) {
                Some(link) => link.add(rows.clone(), width, &dk[here.clone()], &dv[here]),
                None => {
                    own_k[rows.start * width..rows.end * width].copy_from_slice(&dk[here.clone()]);
                    own_v[rows.start * width..rows.end * width].copy_from_slice(&dv[here]);
                }
            }
            at += rows.len();
        }
    }
}

struct LayerOp {
    layer: Layer,
    spec: Attention,
    eps: f32,
    link: Arc<Link>,
    context: Option<Context>,
}

/// Rows, width, query width, key and value width, feed-forward width.
struct Sizes {
    rows: usize,
    width: usize,
    queries: usize,
    kv: usize,
    inner: usize,
}

impl LayerOp {
    fn sizes(&self, elements: usize) -> Answer<Sizes> {
        let (inner, width) = self.layer.gate_proj.dims()?;
        let (queries, kv) = (self.layer.q_proj.weight.dims()?.0, self.layer.k_proj.weight.dims()?.0);
        Ok(Sizes { rows: elements / width, width, queries, kv, inner })
    }

    /// The kernels' view of queries that attend to earlier pieces too.
    fn shape<'a>(&'a self, context: &'a Context) -> attention::Shape<'a> {
        attention::Shape { key_bounds: &context.key_bounds, ..self.spec.shape() }
    }

    /// The layer's output; `kept` is filled on the way.
    fn run(&self, x: &[f32]) -> Answer<(Vec<f32>, Kept)> {
        let layer = &self.layer;
        let Sizes { rows, width, queries, kv, inner } = self.sizes(x.len())?;
        let mut normed = scratch::take(x.len());
        norm::rms_norm(&mut normed, x, &host(&layer.input_layernorm)?, self.eps);
        let project = |linear: &Linear, output: usize| -> Answer<Scratch> {
            let mut y = scratch::take(rows * output);
            linear.product(&mut y, &normed, rows)?;
            Ok(y)
        };
        let (mut q, mut k, v) = (project(&layer.q_proj, queries)?, project(&layer.k_proj, kv)?, project(&layer.v_proj, kv)?);
        let mut raw = None;
        if let Some((of_queries, of_keys)) = &layer.qk_norm {
            let before = [std::mem::replace(&mut q, scratch::take(rows * queries)), std::mem::replace(&mut k, scratch::take(rows * kv))];
            norm::rms_norm(&mut q, &before[0], &host(of_queries)?, self.eps);
            norm::rms_norm(&mut k, &before[1], &host(of_keys)?, self.eps);
            raw = Some(before);
        }
        self.spec.turn(&mut q, self.spec.heads, 1.0);
        self.spec.turn(&mut k, self.spec.kv_heads, 1.0);
        let mut attended = scratch::take(rows * queries);
        let mut lse = scratch::take(rows * self.spec.heads);
        match &self.context {
            None => attention::forward(&mut attended, &mut lse, &q, &k, &v, self.spec.shape()),
            Some(context) => {
                let (keys, values) = (context.gather(kv, &k, |kept| &kept.k)?, context.gather(kv, &v, |kept| &kept.v)?);
                attention::forward(&mut attended, &mut lse, &q, &keys, &values, self.shape(context));
            }
        }
        let mut middle = scratch::take(rows * width);
        middle.copy_from_slice(x);
        layer.o_proj.weight.product(&mut middle, None, true, &attended, rows)?;
        if let Some(bias) = &layer.o_proj.bias {
            elementwise::add_to_rows(&mut middle, &host(bias)?);
        }
        norm::rms_norm(&mut normed, &middle, &host(&layer.post_attention_layernorm)?, self.eps);
        let (mut gate, mut up, mut product) = (scratch::take(rows * inner), scratch::take(rows * inner), scratch::take(rows * inner));
        layer.gate_proj.product(&mut gate, None, false, &normed, rows)?;
        layer.up_proj.product(&mut up, None, false, &normed, rows)?;
        elementwise::swiglu(&mut product, &gate, &up);
        let mut y = middle.to_vec();
        layer.down_proj.product(&mut y, None, true, &product, rows)?;
        Ok((y, Kept { q, k, v, attended, lse, middle, gate, up, raw }))
    }

    /// The gradient of the input from `dy`, the gradient of the output.
    fn backward(&self, kept: &Kept, x: &[f32], dy: &[f32]) -> Answer<Vec<f32>> {
        let layer = &self.layer;
        let Sizes { rows, width, queries, kv, inner } = self.sizes(x.len())?;
        let weight = |w: &Matrix, dy: &[f32], x: &[f32], input: usize, output: usize| -> Answer<()> {
            weight_gradient(w.tensor()?, |dw, add| matmul::linear_weight(dw, add, dy, x, rows, input, output)).map(drop)
        };
        let norm_weight = |w: &Tensor, partial: &[f32]| weight_gradient(w, |dw, add| add_or_copy(dw, add, partial)).map(drop);
        let mut normed = scratch::take(rows * width);
        let mut dnormed = scratch::take(rows * width);
        let mut partial = scratch::take(width);

        // Feed-forward: `du` starts as the gradient of the product.
        let (mut du, mut dg, mut product) = (scratch::take(rows * inner), scratch::take(rows * inner), scratch::take(rows * inner));
        matmul::linear_input(&mut du, false, dy, &host(layer.down_proj.tensor()?)?, rows, inner, width);
        elementwise::swiglu_backward(&mut du, &mut dg, &mut product, &kept.gate, &kept.up);
        weight(&layer.down_proj, dy, &product, inner, width)?;
        drop(product);
        norm::rms_norm(&mut normed, &kept.middle, &host(&layer.post_attention_layernorm)?, self.eps);
        weight(&layer.gate_proj, &dg, &normed, width, inner)?;
        weight(&layer.up_proj, &du, &normed, width, inner)?;
        matmul::linear_input(&mut dnormed, false, &dg, &host(layer.gate_proj.tensor()?)?, rows, width, inner);
        matmul::linear_input(&mut dnormed, true, &du, &host(layer.up_proj.tensor()?)?, rows, width, inner);
        drop((du, dg));
        let mut dmiddle = scratch::take(rows * width);
        partial.fill(0.0);
        let scale = host(&layer.post_attention_layernorm)?;
        norm::rms_norm_backward(&mut dmiddle, dy, &mut partial, &dnormed, &kept.middle, &scale, self.eps);
        norm_weight(&layer.post_attention_layernorm, &partial)?;

        // Attention.
        let mut dattended = scratch::take(rows * queries);
        matmul::linear_input(&mut dattended, false, &dmiddle, &host(layer.o_proj.weight.tensor()?)?, rows, queries, width);
        weight(&layer.o_proj.weight, &dmiddle, &kept.attended, queries, width)?;
        if let Some(bias) = &layer.o_proj.bias {
            weight_gradient(bias, |db, add| matmul::linear_bias(db, add, &dmiddle))?;
        }
        let (mut dq, mut dk, mut dv) = (scratch::take(rows * queries), scratch::take(rows * kv), scratch::take(rows * kv));
        match &self.context {
            None => {
                let qkv = [&*kept.q, &*kept.k, &*kept.v];
                attention::backward([&mut dq, &mut dk, &mut dv], &dattended, &kept.attended, &kept.lse, qkv, self.spec.shape());
            }
            Some(context) => {
                let (keys, values) = (context.gather(kv, &kept.k, |kept| &kept.k)?, context.gather(kv, &kept.v, |kept| &kept.v)?);
                let (mut dkeys, mut dvalues) = (scratch::take(keys.len()), scratch::take(values.len()));
                let grads = [&mut dq[..], &mut dkeys, &mut dvalues];
                attention::backward(grads, &dattended, &kept.attended, &kept.lse, [&kept.q, &keys, &values], self.shape(context));
                context.scatter(kv, &dkeys, &dvalues, [&mut dk, &mut dv]);
            }
        }
        if let Some([later_k, later_v]) = self.link.later.lock().unwrap_or_else(PoisonError::into_inner).take() {
            elementwise::add(&mut dk, &later_k);
            elementwise::add(&mut dv, &later_v);
        }
        self.spec.turn(&mut dq, self.spec.heads, -1.0);
        self.spec.turn(&mut dk, self.spec.kv_heads, -1.0);
        if let (Some((of_queries, of_keys)), Some([raw_q, raw_k])) = (&layer.qk_norm, &kept.raw) {
            for (d, raw, scale) in [(&mut dq, raw_q, of_queries), (&mut dk, raw_k, of_keys)] {
                let dnormed = std::mem::replace(d, scratch::take(raw.len()));
                let mut partial = scratch::take(self.spec.head_dim);
                partial.fill(0.0);
                norm::rms_norm_backward(d, &[], &mut partial, &dnormed, raw, &host(scale)?, self.eps);
                norm_weight(scale, &partial)?;
            }
        }
        norm::rms_norm(&mut normed, x, &host(&layer.input_layernorm)?, self.eps);
        for (i, (linear, d, output)) in
            [(&layer.q_proj, &dq, queries), (&layer.k_proj, &dk, kv), (&layer.v_proj, &dv, kv)].into_iter().enumerate()
        {
            weight(&linear.weight, d, &normed, width, output)?;
            if let Some(bias) = &linear.bias {
                weight_gradient(bias, |db, add| matmul::linear_bias(db, add, d))?;
            }
            matmul::linear_input(&mut dnormed, i > 0, d, &host(linear.weight.tensor()?)?, rows, width, output);
        }
        let mut dx = vec![0.0; rows * width];
        partial.fill(0.0);
        norm::rms_norm_backward(&mut dx, &dmiddle, &mut partial, &dnormed, x, &host(&layer.input_layernorm)?, self.eps);
        norm_weight(&layer.input_layernorm, &partial)?;
        Ok(dx)
    }
}

impl CustomOp2 for LayerOp {
    fn name(&self) -> &'static str {
        "decoder_layer"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout, _: &CpuStorage, _: &Layout) -> Answer<(CpuStorage, Shape)> {
        let (CpuStorage::F32(values), Some((start, end))) = (x, layout.contiguous_offsets()) else {
            bail!("a fused layer needs contiguous f32 tensors in host memory");
        };
        let (y, kept) = self.run(&values[start..end])?;
        let _ = self.link.kept.set(kept);
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, anchor: &Tensor, _: &Tensor, dy: &Tensor) -> Answer<(Option<Tensor>, Option<Tensor>)> {
        if anchor.is_variable() && !gradient_buffers::is_active() {
            bail!("a fused layer collects its weights' gradients in Gradients: call Gradients::backward, not Tensor::backward");
        }
        let Some(kept) = self.link.kept.get() else { bail!("decoder_layer: the backward pass ran before the forward pass") };
        let dy = dy.contiguous()?;
        let dx = self.backward(kept, &host(x)?, &host(&dy)?)?;
        Ok((x.track_op().then(|| Tensor::from_vec(dx, x.shape(), &Device::Cpu)).transpose()?, None))
    }
}

/// Whether the fused layer applies to `x` and the layer's weights.
pub(super) fn applies(layer: &Layer, x: &Tensor) -> bool {
    is_fused(x) && x.rank() == 2 && is_fused(&layer.input_layernorm)
}

/// See [`Layer::forward`].
pub(super) fn forward(layer: &Layer, x: &Tensor, spec: &Attention, config: &TextConfig) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op2(&layer.input_layernorm, op(layer, spec, config, Arc::default(), None))?)
}

/// As [`forward`], for one piece of a pack; `link` is what later pieces attend to. Of every
/// piece some row must be computed from the piece before it: that orders the backward passes.
pub(super) fn forward_piece(
    layer: &Layer,
    x: &Tensor,
    spec: &Attention,
    config: &TextConfig,
    context: Context,
    link: Arc<Link>,
) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op2(&layer.input_layernorm, op(layer, spec, config, link, Some(context)))?)
}

fn op(layer: &Layer, spec: &Attention, config: &TextConfig, link: Arc<Link>, context: Option<Context>) -> LayerOp {
    LayerOp { layer: layer.clone(), spec: spec.clone(), eps: config.rms_norm_eps as f32, link, context }
}

/// See [`Layer::prefill`]; the keys come out transposed, `[kv_heads * head_dim, tokens]`, as decoding reads them.
pub(super) fn prefill(layer: &Layer, x: &Tensor, spec: &Attention, config: &TextConfig) -> Result<(Tensor, Tensor, Tensor)> {
    let op = op(layer, spec, config, Arc::default(), None);
    let x = x.contiguous()?;
    let (y, kept) = op.run(&host(&x)?)?;
    let rows = x.dim(0)?;
    let matrix = |values: &[f32]| Tensor::from_slice(values, (rows, values.len() / rows), &Device::Cpu);
    Ok((Tensor::from_vec(y, x.shape(), &Device::Cpu)?, matrix(&kept.k)?.t()?.contiguous()?, matrix(&kept.v)?))
}
