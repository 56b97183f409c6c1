//! One decoder layer: norm, attention, norm, feed-forward, each with a residual.
//!
//! What the families differ in is data of [`TextConfig`]: which linear layers have a bias, whether
//! queries and keys are normed, how wide a head is. The arithmetic is written once, in
//! [`Layer::composed`]; the fused kernels ([`super::fused_layer`], and [`super::decode`] for decoding
//! rows) are the same layer on f32 in host memory and are held against it by `text/tests.rs`.

use super::fused_layer;
use crate::Result;
use crate::config::TextConfig;
use crate::linear::Linear;
use crate::matrix::Matrix;
use crate::ops::{self, Attention, composed};
use crate::tensor::Tensor;
use crate::weights::{Init, Scope};

/// The weights of one decoder layer, named as in the checkpoint.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Layer {
    pub input_layernorm: Tensor,
    pub q_proj: Linear,
    pub k_proj: Linear,
    pub v_proj: Linear,
    /// Scales `[head_dim]` of the norms of each head's query and key, in families that have them.
    pub qk_norm: Option<(Tensor, Tensor)>,
    pub o_proj: Linear,
    pub post_attention_layernorm: Tensor,
    pub gate_proj: Matrix,
    pub up_proj: Matrix,
    pub down_proj: Matrix,
}

impl Layer {
    pub(super) fn load(config: &TextConfig, scope: &mut Scope<'_>) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let (queries, kv, d) = (config.attention_width(), config.key_value_width(), config.head_dim);
        let spread = Init::Normal(config.initializer_range);
        let input_layernorm = scope.get("input_layernorm.weight", &[width], Init::Ones)?;
        // The order in which weights are asked for is that of the optimizer's state in old checkpoints.
        let mut attn = scope.at("self_attn");
        let q_proj = Linear::load(&mut attn, "q_proj", [queries, width], config.qkv_bias, spread)?;
        let k_proj = Linear::load(&mut attn, "k_proj", [kv, width], config.qkv_bias, spread)?;
        let v_proj = Linear::load(&mut attn, "v_proj", [kv, width], config.qkv_bias, spread)?;
        let qk_norm = if config.qk_norm {
            Some((attn.get("q_norm.weight", &[d], Init::Ones)?, attn.get("k_norm.weight", &[d], Init::Ones)?))
        } else {
            None
        };
        let o_proj = Linear::load(&mut attn, "o_proj", [width, queries], config.o_bias, spread)?;
        let post_attention_layernorm = scope.get("post_attention_layernorm.weight", &[width], Init::Ones)?;
        let mut mlp = scope.at("mlp");
        Ok(Self {
            input_layernorm,
            q_proj,
            k_proj,
            v_proj,
            qk_norm,
            o_proj,
            post_attention_layernorm,
            gate_proj: mlp.matrix("gate_proj.weight", [inner, width], spread)?,
            up_proj: mlp.matrix("up_proj.weight", [inner, width], spread)?,
            down_proj: mlp.matrix("down_proj.weight", [width, inner], spread)?,
        })
    }

    /// `x [tokens, hidden]` to the layer's output.
    pub(super) fn forward(&self, x: &Tensor, spec: &Attention, config: &TextConfig) -> Result<Tensor> {
        if fused_layer::applies(self, x) {
            return fused_layer::forward(self, x, spec, config);
        }
        self.composed(x, config, &mut |q, k, v| ops::attention(&q, &k, &v, spec))
    }

    /// As [`Layer::forward`]; the turned keys and the values are appended to `kept`.
    pub(super) fn prefill(&self, x: &Tensor, spec: &Attention, config: &TextConfig, kept: &mut Vec<(Tensor, Tensor)>) -> Result<Tensor> {
        if fused_layer::applies(self, x) {
            let (y, keys, values) = fused_layer::prefill(self, x, spec, config)?;
            kept.push((keys, values));
            return Ok(y);
        }
        let y = self.composed(x, config, &mut |q, k, v| {
            let (q, k) = match &spec.rotary {
                Some(rotary) => (composed::rotate(&q, rotary)?, composed::rotate(&k, rotary)?),
                None => (q, k),
            };
            kept.push((k.detach(), v.detach()));
            ops::attention(&q, &k, &v, &Attention { rotary: None, ..spec.clone() })
        })?;
        Ok(y.detach())
    }

    /// The layer from the tensor library's operations, differentiable: the one place where its
    /// arithmetic is written in full. `attend` is given the queries `[tokens, heads * d]`, keys and
    /// values `[tokens, kv_heads * d]`, normed and not turned, and gives what the queries attended to.
    pub(super) fn composed(
        &self,
        x: &Tensor,
        config: &TextConfig,
        attend: &mut dyn FnMut(Tensor, Tensor, Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let eps = config.rms_norm_eps;
        let y = ops::rms_norm(x, &self.input_layernorm, eps)?;
        let (mut q, mut k, v) = (self.q_proj.forward(&y)?, self.k_proj.forward(&y)?, self.v_proj.forward(&y)?);
        if let Some((of_queries, of_keys)) = &self.qk_norm {
            (q, k) = (norm_heads(&q, of_queries, eps)?, norm_heads(&k, of_keys, eps)?);
        }
        let x = (x + self.o_proj.forward(&attend(q, k, v)?)?)?;
        let y = ops::rms_norm(&x, &self.post_attention_layernorm, eps)?;
        let inner = ops::swiglu(&self.gate_proj.linear(&y, None)?, &self.up_proj.linear(&y, None)?)?;
        Ok((x + self.down_proj.linear(&inner, None)?)?)
    }
}

/// The norm of each head of `x [tokens, heads * d]`, with the scale `weight [d]`.
fn norm_heads(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let heads = x.reshape(((), weight.dim(0)?))?;
    Ok(ops::rms_norm(&heads, weight, eps)?.reshape((tokens, width))?)
}
