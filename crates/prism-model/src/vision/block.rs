//! One block of the vision tower: attention, then SwiGLU, each behind an RMSNorm
//! and with a residual. All linear layers have biases.

use std::sync::Arc;

use super::EPS;
use crate::Result;
use crate::config::VisionConfig;
use crate::matrix::Matrix;
use crate::ops::{self, Attention, Rotary};
use crate::tensor::Tensor;
use crate::weights::{Init, Scope};

/// A weight and its bias.
type Linear = (Matrix, Tensor);

/// A block.
#[derive(Debug, Clone)]
pub struct VisionBlock {
    norm1: Tensor,
    norm2: Tensor,
    qkv: Linear,
    proj: Linear,
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
    heads: usize,
    head_dim: usize,
}

impl VisionBlock {
    pub(super) fn load(config: &VisionConfig, scope: &mut Scope<'_>) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let normal = Init::Normal(config.initializer_range);
        let norm1 = scope.get("norm1.weight", &[hidden], Init::Ones)?;
        let norm2 = scope.get("norm2.weight", &[hidden], Init::Ones)?;
        let mut linear = |name: &str, input: usize, output: usize| -> Result<Linear> {
            let weight = scope.matrix(&format!("{name}.weight"), [output, input], normal)?;
            Ok((weight, scope.get(&format!("{name}.bias"), &[output], Init::Zeros)?))
        };
        Ok(Self {
            norm1,
            norm2,
            qkv: linear("attn.qkv", hidden, 3 * hidden)?,
            proj: linear("attn.proj", hidden, hidden)?,
            gate_proj: linear("mlp.gate_proj", hidden, inner)?,
            up_proj: linear("mlp.up_proj", hidden, inner)?,
            down_proj: linear("mlp.down_proj", inner, hidden)?,
            heads: config.num_heads,
            head_dim: hidden / config.num_heads,
        })
    }

    /// x: `[patches, hidden]`; attention stays inside each pair of `bounds`.
    pub(super) fn forward(&self, x: &Tensor, bounds: &Arc<Vec<usize>>, rotary: &Rotary) -> Result<Tensor> {
        let x = (x + self.attention(&ops::rms_norm(x, &self.norm1, EPS)?, bounds, rotary)?)?;
        let y = ops::rms_norm(&x, &self.norm2, EPS)?;
        let inner = ops::swiglu(&linear(&y, &self.gate_proj)?, &linear(&y, &self.up_proj)?)?;
        Ok((&x + linear(&inner, &self.down_proj)?)?)
    }

    fn attention(&self, x: &Tensor, bounds: &Arc<Vec<usize>>, rotary: &Rotary) -> Result<Tensor> {
        let hidden = self.heads * self.head_dim;
        let qkv = linear(x, &self.qkv)?;
        let part = |i: usize| -> Result<Tensor> { Ok(qkv.narrow(1, i * hidden, hidden)?.contiguous()?) };
        let spec = Attention {
            hidden: None,
            heads: self.heads,
            kv_heads: self.heads,
            head_dim: self.head_dim,
            bounds: bounds.clone(),
            key_bounds: None,
            causal: false,
            rotary: Some(rotary.clone()),
        };
        linear(&ops::attention(&part(0)?, &part(1)?, &part(2)?, &spec)?, &self.proj)
    }
}

fn linear(x: &Tensor, (weight, bias): &Linear) -> Result<Tensor> {
    weight.linear(x, Some(bias))
}
