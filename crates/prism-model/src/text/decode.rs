//! One decoding step over the rows of a [`BranchCache`].
//!
//! In host memory, activations in f32, all rows go through each weight matrix together
//! ([`crate::ops::kernel::matvec`]), with sums whose order does not depend on the
//! other rows; elsewhere rows go one by one through [`Layer::composed`].

use std::sync::Arc;

use super::watch::Watcher;
use super::{Layer, TextModel, fused_layer};
use crate::Result;
use crate::cache::{BranchCache, Row};
use crate::config::TextConfig;
use crate::ops::kernel::{attention as kernel, elementwise, norm};
use crate::ops::{self, Attention, Hidden, Rotary, composed};
use crate::tensor::{self, Device, Tensor, host, is_fused};

pub(super) fn step(model: &TextModel, embeds: &Tensor, cache: &mut BranchCache, watcher: &mut dyn Watcher) -> Result<Tensor> {
    if model.layers.iter().all(|layer| fused_layer::applies(layer, embeds)) {
        return fused_rows(model, embeds, cache, watcher);
    }
    let mut outputs = Vec::with_capacity(cache.rows());
    for (i, row) in cache.rows.iter_mut().enumerate() {
        outputs.push(composed_row(model, &embeds.narrow(0, i, 1)?.detach(), (i, row), watcher)?);
    }
    Ok(Tensor::cat(&outputs, 0)?)
}

pub(super) fn logits(model: &TextModel, hidden: &Tensor) -> Result<Tensor> {
    let rows = hidden.dim(0)?;
    if is_fused(hidden) && model.lm_head.is_fused() {
        let (vocab, _) = model.lm_head.dims()?;
        let mut y = vec![0.0; rows * vocab];
        let hidden = hidden.contiguous()?;
        model.lm_head.decode(&mut y, false, &host(&hidden)?, None, rows)?;
        return Ok(Tensor::from_vec(y, (rows, vocab), &Device::Cpu)?);
    }
    let mut outputs = Vec::with_capacity(rows);
    for i in 0..rows {
        outputs.push(model.logits(&hidden.narrow(0, i, 1)?.detach())?.detach());
    }
    Ok(Tensor::cat(&outputs, 0)?)
}

fn fused_rows(model: &TextModel, embeds: &Tensor, cache: &mut BranchCache, watcher: &mut dyn Watcher) -> Result<Tensor> {
    let config = &model.config;
    let rows = cache.rows();
    let mut x = host(&embeds.contiguous()?)?.to_vec();
    let positions: Vec<[u32; 3]> = cache.rows.iter().map(|r| [r.next_position; 3]).collect();
    let rotary = model.rotary(&positions);
    let mut work = Work::new(model, rows);
    for (i, layer) in model.layers.iter().enumerate() {
        if watcher.wants_layers() {
            x.chunks_exact_mut(config.hidden_size).enumerate().for_each(|(row, x)| watcher.layer(i, row, x));
        }
        work.layer(model, (i, layer), &mut x, &rotary, cache, watcher)?;
    }
    for row in &mut cache.rows {
        row.held += 1;
        row.next_position += 1;
    }
    norm::rms_norm(&mut work.normed, &x, &host(&model.norm)?, config.rms_norm_eps as f32);
    Ok(Tensor::from_vec(work.normed, (rows, config.hidden_size), &Device::Cpu)?)
}

/// Working memory of a step, reused by every layer.
struct Work {
    rows: usize,
    normed: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    attended: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    scores: Vec<f32>,
}

impl Work {
    fn new(model: &TextModel, rows: usize) -> Self {
        let config = &model.config;
        let buffer = |width: usize| vec![0.0; rows * width];
        let (queries, kv) = (buffer(config.attention_width()), buffer(config.key_value_width()));
        let inner = buffer(config.intermediate_size);
        Self {
            rows,
            normed: buffer(config.hidden_size),
            attended: queries.clone(),
            q: queries,
            k: kv.clone(),
            v: kv,
            gate: inner.clone(),
            up: inner,
            scores: Vec::new(),
        }
    }

    fn layer(
        &mut self,
        model: &TextModel,
        (i, layer): (usize, &Layer),
        x: &mut [f32],
        rotary: &Rotary,
        cache: &mut BranchCache,
        watcher: &mut dyn Watcher,
    ) -> Result<()> {
        let config = &model.config;
        let (rows, d, eps) = (self.rows, config.head_dim, config.rms_norm_eps as f32);
        let (heads, kv_heads) = (config.num_attention_heads, config.num_key_value_heads);
        norm::rms_norm(&mut self.normed, x, &host(&layer.input_layernorm)?, eps);
        for (y, linear) in [(&mut self.q, &layer.q_proj), (&mut self.k, &layer.k_proj), (&mut self.v, &layer.v_proj)] {
            linear.decode(y, false, &self.normed, rows)?;
        }
        if let Some((of_queries, of_keys)) = &layer.qk_norm {
            norm::rms_norm_in_place(&mut self.q, &host(of_queries)?, eps);
            norm::rms_norm_in_place(&mut self.k, &host(of_keys)?, eps);
        }
        let (width, kv) = (heads * d, kv_heads * d);
        for (r, (keys, values)) in self.k.chunks_exact_mut(kv).zip(self.v.chunks_exact_mut(kv)).enumerate() {
            if watcher.wants_keys_values(r) {
                watcher.keys_values(i, r, keys, values);
            }
        }
        elementwise::rotate(&mut self.q, &rotary.cos, &rotary.sin, rotary.half, heads, 1.0);
        elementwise::rotate(&mut self.k, &rotary.cos, &rotary.sin, rotary.half, kv_heads, 1.0);
        for (r, row) in cache.rows.iter_mut().enumerate() {
            let suffix = &mut row.suffix[i];
            suffix.keys.extend_from_slice(&self.k[r * kv..(r + 1) * kv]);
            suffix.values.extend_from_slice(&self.v[r * kv..(r + 1) * kv]);
            let (keys, values) = row.prefix.layer(i);
            let (prefix_keys, prefix_values) = (host(keys)?, host(values)?);
            let context = kernel::Context {
                prefix_keys: &prefix_keys,
                prefix_values: &prefix_values,
                tokens: row.prefix.tokens(),
                keys: &suffix.keys,
                values: &suffix.values,
                stride: kv,
                hidden: &row.hidden,
            };
            let watched = watcher.wants_attention(r);
            for head in 0..heads {
                let at = r * width + head * d;
                let (q, out) = (&self.q[at..at + d], &mut self.attended[at..at + d]);
                let sum = kernel::decode_head(out, q, context, head / (heads / kv_heads) * d, &mut self.scores);
                if watched {
                    self.scores.iter_mut().for_each(|weight| *weight /= sum);
                    watcher.attention(i, r, &self.scores);
                }
            }
        }
        layer.o_proj.decode(x, true, &self.attended, rows)?;
        norm::rms_norm(&mut self.normed, x, &host(&layer.post_attention_layernorm)?, eps);
        layer.gate_proj.decode(&mut self.gate, false, &self.normed, None, rows)?;
        layer.up_proj.decode(&mut self.up, false, &self.normed, None, rows)?;
        elementwise::silu_times(&mut self.gate, &self.up);
        layer.down_proj.decode(x, true, &self.gate, None, rows)?;
        Ok(())
    }
}

/// One row by the tensor library's operations, alone: invariant by construction.
fn composed_row(model: &TextModel, embed: &Tensor, (r, row): (usize, &mut Row), watcher: &mut dyn Watcher) -> Result<Tensor> {
    let config = &model.config;
    let rotary = model.rotary(&[[row.next_position; 3]]);
    let mut x = embed.clone();
    for (i, layer) in model.layers.iter().enumerate() {
        if watcher.wants_layers() {
            let mut input = tensor::values(&x)?;
            watcher.layer(i, r, &mut input);
            x = like(input, &x)?;
        }
        x = layer.composed(&x, config, &mut |q, mut k, mut v| {
            if watcher.wants_keys_values(r) {
                let (mut keys, mut values) = (tensor::values(&k)?, tensor::values(&v)?);
                watcher.keys_values(i, r, &mut keys, &mut values);
                (k, v) = (like(keys, &k)?, like(values, &v)?);
            }
            let (q, k) = (composed::rotate(&q, &rotary)?, composed::rotate(&k, &rotary)?);
            let (keys, values) = with_earlier(i, row, &k, &v)?;
            composed::attention_seen(&q, &keys, &values, &attention(config, row, keys.dim(0)?), &mut |weights| {
                if watcher.wants_attention(r) {
                    let weights = tensor::values(weights)?;
                    weights.chunks_exact(weights.len() / config.num_attention_heads).for_each(|head| watcher.attention(i, r, head));
                }
                Ok(())
            })
        })?;
    }
    row.held += 1;
    row.next_position += 1;
    Ok(ops::rms_norm(&x, &model.norm, config.rms_norm_eps)?.detach())
}

/// Keys and values of layer `i`: the prompt's, the generated tokens', and the present token's, which stay.
fn with_earlier(i: usize, row: &mut Row, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
    let suffix = &mut row.suffix[i];
    suffix.keys.extend(tensor::values(k)?);
    suffix.values.extend(tensor::values(v)?);
    let (prefix_keys, prefix_values) = row.prefix.layer(i);
    let own = |data: &[f32]| -> Result<Tensor> {
        let shape = (row.held + 1, data.len() / (row.held + 1));
        Ok(Tensor::from_slice(data, shape, k.device())?.to_dtype(k.dtype())?)
    };
    Ok((Tensor::cat(&[prefix_keys, &own(&suffix.keys)?], 0)?, Tensor::cat(&[prefix_values, &own(&suffix.values)?], 0)?))
}

/// One query over `keys` keys, the last its own.
fn attention(config: &TextConfig, row: &Row, keys: usize) -> Attention {
    let hidden = Hidden { sets: vec![row.hidden.to_vec()], of: vec![Some(0)] };
    Attention {
        heads: config.num_attention_heads,
        kv_heads: config.num_key_value_heads,
        head_dim: config.head_dim,
        bounds: Arc::new(vec![0, 1]),
        key_bounds: Some(Arc::new(vec![0, keys])),
        causal: false,
        hidden: (!row.hidden.is_empty()).then(|| Arc::new(hidden)),
        rotary: None,
    }
}

/// `values` as a tensor of `x`'s shape, dtype and device.
fn like(values: Vec<f32>, x: &Tensor) -> Result<Tensor> {
    Ok(Tensor::from_vec(values, x.shape(), x.device())?.to_dtype(x.dtype())?)
}
