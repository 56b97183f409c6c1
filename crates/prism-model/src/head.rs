//! The latent head: maps a hidden state to the next latent input, for models that
//! have one (`lvr_head`). Without one the hidden state itself is fed back.

use crate::Result;
use crate::config::{Config, HeadKind};
use crate::matrix::Matrix;
use crate::ops;
use crate::tensor::Tensor;
use crate::weights::{Init, Loader};

/// The two forms of head.
#[derive(Debug, Clone)]
pub enum LatentHead {
    /// LayerNorm (1e-6), Linear, GELU, Linear.
    Simple {
        /// Scale and shift of the norm.
        norm: (Tensor, Tensor),
        /// First linear layer.
        first: (Matrix, Tensor),
        /// Second linear layer.
        second: (Matrix, Tensor),
    },
    /// `down(silu(gate(x)) * up(x))`.
    Glu {
        /// Gate projection.
        gate: (Matrix, Tensor),
        /// Up projection.
        up: (Matrix, Tensor),
        /// Down projection.
        down: (Matrix, Tensor),
    },
}

impl LatentHead {
    /// Loads the head under `lvr_head`, if the configuration names one.
    ///
    /// # Errors
    /// As [`Loader::get`].
    pub fn load(config: &Config, loader: &mut Loader) -> Result<Option<Self>> {
        let Some(kind) = config.latent.head else { return Ok(None) };
        let width = config.text.hidden_size;
        let inner = config.text.intermediate_size;
        let spread = Init::Normal(config.text.initializer_range);
        let mut scope = loader.at("lvr_head");
        let mut linear = |name: &str, out: usize, input: usize| -> Result<(Matrix, Tensor)> {
            Ok((scope.matrix(&format!("{name}.weight"), [out, input], spread)?, scope.get(&format!("{name}.bias"), &[out], Init::Zeros)?))
        };
        Ok(Some(match kind {
            HeadKind::Simple => {
                let (first, second) = (linear("mlp.0", width, width)?, linear("mlp.2", width, width)?);
                let norm = (scope.get("ln_q.weight", &[width], Init::Ones)?, scope.get("ln_q.bias", &[width], Init::Zeros)?);
                Self::Simple { norm, first, second }
            }
            HeadKind::Glu => Self::Glu {
                gate: linear("gate_proj", inner, width)?,
                up: linear("up_proj", inner, width)?,
                down: linear("down_proj", width, inner)?,
            },
        }))
    }

    /// `h [n, hidden]` to `[n, hidden]`.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn forward(&self, h: &Tensor) -> Result<Tensor> {
        let linear = |x: &Tensor, (w, b): &(Matrix, Tensor)| w.linear(x, Some(b));
        match self {
            Self::Simple { norm, first, second } => {
                let x = ops::layer_norm(h, &norm.0, &norm.1, 1e-6)?;
                linear(&ops::gelu(&linear(&x, first)?)?, second)
            }
            Self::Glu { gate, up, down } => linear(&ops::swiglu(&linear(h, gate)?, &linear(h, up)?)?, down),
        }
    }
}
