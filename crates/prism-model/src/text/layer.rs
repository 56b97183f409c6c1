//! One decoder layer: norm, attention, norm, feed-forward, each with a residual.

use super::fused;
use crate::Result;
use crate::config::TextConfig;
use crate::ops::{self, Attention, composed};
use crate::tensor::Tensor;
use crate::weights::{Init, Scope};

/// The weights of one decoder layer, named as in the checkpoint.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Layer {
    pub input_layernorm: Tensor,
    pub q_proj: (Tensor, Tensor),
    pub k_proj: (Tensor, Tensor),
    pub v_proj: (Tensor, Tensor),
    pub o_proj: Tensor,
    pub post_attention_layernorm: Tensor,
    pub gate_proj: Tensor,
    pub up_proj: Tensor,
    pub down_proj: Tensor,
}

impl Layer {
    pub(super) fn load(config: &TextConfig, scope: &mut Scope<'_>) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let kv = config.num_key_value_heads * config.head_dim();
        let spread = Init::Normal(config.initializer_range);
        let input_layernorm = scope.get("input_layernorm.weight", &[width], Init::Ones)?;
        let mut attn = scope.at("self_attn");
        let mut biased = |name: &str, out: usize| -> Result<(Tensor, Tensor)> {
            Ok((attn.get(&format!("{name}.weight"), &[out, width], spread)?, attn.get(&format!("{name}.bias"), &[out], Init::Zeros)?))
        };
        let (q_proj, k_proj, v_proj) = (biased("q_proj", width)?, biased("k_proj", kv)?, biased("v_proj", kv)?);
        let o_proj = attn.get("o_proj.weight", &[width, width], spread)?;
        let post_attention_layernorm = scope.get("post_attention_layernorm.weight", &[width], Init::Ones)?;
        let mut mlp = scope.at("mlp");
        Ok(Self {
            input_layernorm,
            q_proj,
            k_proj,
            v_proj,
            o_proj,
            post_attention_layernorm,
            gate_proj: mlp.get("gate_proj.weight", &[inner, width], spread)?,
            up_proj: mlp.get("up_proj.weight", &[inner, width], spread)?,
            down_proj: mlp.get("down_proj.weight", &[width, inner], spread)?,
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
        let linear = |(weight, bias): &(Tensor, Tensor)| ops::linear(&x, weight, Some(bias));
        Ok((linear(&self.q_proj)?, linear(&self.k_proj)?, linear(&self.v_proj)?))
    }

    /// Output projection, residual, feed-forward, residual.
    pub(super) fn finish(&self, x: &Tensor, attended: &Tensor, config: &TextConfig) -> Result<Tensor> {
        let x = (x + ops::linear(attended, &self.o_proj, None)?)?;
        let y = ops::rms_norm(&x, &self.post_attention_layernorm, config.rms_norm_eps)?;
        let inner = ops::swiglu(&ops::linear(&y, &self.gate_proj, None)?, &ops::linear(&y, &self.up_proj, None)?)?;
        Ok((x + ops::linear(&inner, &self.down_proj, None)?)?)
    }
}
