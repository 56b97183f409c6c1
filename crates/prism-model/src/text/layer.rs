//! One decoder layer: norm, attention, norm, feed-forward, each with a residual.

use super::fused;
use crate::Result;
use crate::config::TextConfig;
use crate::matrix::Matrix;
use crate::ops::{self, Attention, composed};
use crate::tensor::Tensor;
use crate::weights::{Init, Scope};

/// The weights of one decoder layer, named as in the checkpoint.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Layer {
    pub input_layernorm: Tensor,
    pub q_proj: (Matrix, Tensor),
    pub k_proj: (Matrix, Tensor),
    pub v_proj: (Matrix, Tensor),
    pub o_proj: Matrix,
    pub post_attention_layernorm: Tensor,
    pub gate_proj: Matrix,
    pub up_proj: Matrix,
    pub down_proj: Matrix,
}

impl Layer {
    pub(super) fn load(config: &TextConfig, scope: &mut Scope<'_>) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let kv = config.num_key_value_heads * config.head_dim();
        let spread = Init::Normal(config.initializer_range);
        let input_layernorm = scope.get("input_layernorm.weight", &[width], Init::Ones)?;
        let mut attn = scope.at("self_attn");
        let mut biased = |name: &str, out: usize| -> Result<(Matrix, Tensor)> {
            Ok((attn.matrix(&format!("{name}.weight"), [out, width], spread)?, attn.get(&format!("{name}.bias"), &[out], Init::Zeros)?))
        };
        let (q_proj, k_proj, v_proj) = (biased("q_proj", width)?, biased("k_proj", kv)?, biased("v_proj", kv)?);
        let o_proj = attn.matrix("o_proj.weight", [width, width], spread)?;
        let post_attention_layernorm = scope.get("post_attention_layernorm.weight", &[width], Init::Ones)?;
        let mut mlp = scope.at("mlp");
        Ok(Self {
            input_layernorm,
            q_proj,
            k_proj,
            v_proj,
            o_proj,
            post_attention_layernorm,
            gate_proj: mlp.matrix("gate_proj.weight", [inner, width], spread)?,
            up_proj: mlp.matrix("up_proj.weight", [inner, width], spread)?,
            down_proj: mlp.matrix("down_proj.weight", [width, inner], spread)?,
        })
    }

    /// `x [tokens, hidden]` to the layer's output.
    pub(super) fn forward(&self, x: &Tensor, spec: &Attention, config: &TextConfig) -> Result<Tensor> {
        if fused::applies(self, x) {
            return fused::forward(self, x, spec, config);
        }
        self.forward_composed(x, spec, config)
    }

    /// As [`Layer::forward`], from separate operations.
    pub(super) fn forward_composed(&self, x: &Tensor, spec: &Attention, config: &TextConfig) -> Result<Tensor> {
        let (q, k, v) = self.project(x, config)?;
        let attended = ops::attention(&q, &k, &v, spec)?;
        self.finish(x, &attended, config)
    }

    /// As [`Layer::forward`], giving the turned keys and the values too.
    pub(super) fn prefill(&self, x: &Tensor, spec: &Attention, config: &TextConfig) -> Result<(Tensor, Tensor, Tensor)> {
        if fused::applies(self, x) {
            return fused::prefill(self, x, spec, config);
        }
        let (q, k, v) = self.project(x, config)?;
        let (q, k) = match &spec.rotary {
            Some(rotary) => (composed::rotate(&q, rotary)?, composed::rotate(&k, rotary)?),
            None => (q, k),
        };
        let turned = Attention { rotary: None, ..spec.clone() };
        let attended = ops::attention(&q, &k, &v, &turned)?;
        Ok((self.finish(x, &attended, config)?.detach(), k.detach(), v.detach()))
    }

    /// Queries, keys and values before rotation.
    pub(super) fn project(&self, x: &Tensor, config: &TextConfig) -> Result<(Tensor, Tensor, Tensor)> {
        let x = ops::rms_norm(x, &self.input_layernorm, config.rms_norm_eps)?;
        let linear = |(weight, bias): &(Matrix, Tensor)| weight.linear(&x, Some(bias));
        Ok((linear(&self.q_proj)?, linear(&self.k_proj)?, linear(&self.v_proj)?))
    }

    /// Output projection, residual, feed-forward, residual.
    pub(super) fn finish(&self, x: &Tensor, attended: &Tensor, config: &TextConfig) -> Result<Tensor> {
        let x = (x + self.o_proj.linear(attended, None)?)?;
        let y = ops::rms_norm(&x, &self.post_attention_layernorm, config.rms_norm_eps)?;
        let inner = ops::swiglu(&self.gate_proj.linear(&y, None)?, &self.up_proj.linear(&y, None)?)?;
        Ok((x + self.down_proj.linear(&inner, None)?)?)
    }
}
