//! The latent head: maps a hidden state to the next latent input, for models that
//! have one (`lvr_head`, or CoLT's `prj`). Without one the hidden state itself is fed back.

use crate::Result;
use crate::config::{Config, HeadKind};
use crate::linear::Linear;
use crate::ops;
use crate::tensor::Tensor;
use crate::weights::{Init, Loader};

/// CoLT's projector, whose parts have these numbers in its file.
const PROJECTOR: &str = "prj";
/// What stands beside it in the file and is there for training only.
const OF_TRAINING: [&str; 4] = ["latent_predictor", "alpha", "latent_to_decoder_scale", "decoders"];

/// The forms of head.
#[derive(Debug, Clone)]
pub enum LatentHead {
    /// LayerNorm (1e-6), Linear, GELU, Linear.
    Simple {
        /// Scale and shift of the norm.
        norm: (Tensor, Tensor),
        /// First linear layer.
        first: Linear,
        /// Second linear layer.
        second: Linear,
    },
    /// Linear, GELU, Linear, LayerNorm (1e-5); half as wide inside.
    Projector {
        /// First linear layer.
        first: Linear,
        /// Second linear layer.
        second: Linear,
        /// Scale and shift of the norm.
        norm: (Tensor, Tensor),
    },
    /// `down(silu(gate(x)) * up(x))`.
    Glu {
        /// Gate projection.
        gate: Linear,
        /// Up projection.
        up: Linear,
        /// Down projection.
        down: Linear,
    },
}

impl LatentHead {
    /// Loads the head under `lvr_head`, if the configuration names one; else the projector, if the files
    /// have one.
    ///
    /// # Errors
    /// As [`Loader::get`].
    pub fn load(config: &Config, loader: &mut Loader) -> Result<Option<Self>> {
        let Some(kind) = config.latent.head else { return Self::projector(config, loader) };
        let width = config.text.hidden_size;
        let inner = config.text.intermediate_size;
        let spread = Init::Normal(config.text.initializer_range);
        let mut scope = loader.at("lvr_head");
        let mut linear = |name: &str, out: usize, input: usize| Linear::load(&mut scope, name, [out, input], true, spread);
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

    fn projector(config: &Config, loader: &mut Loader) -> Result<Option<Self>> {
        if !loader.is_stored() || !loader.has(&format!("{PROJECTOR}.1.weight")) {
            return Ok(None);
        }
        OF_TRAINING.iter().for_each(|name| loader.ignore_below(name));
        let width = config.text.hidden_size;
        let spread = Init::Normal(config.text.initializer_range);
        let mut scope = loader.at(PROJECTOR);
        let first = Linear::load(&mut scope, "1", [width / 2, width], true, spread)?;
        let second = Linear::load(&mut scope, "3", [width, width / 2], true, spread)?;
        let norm = (scope.get("4.weight", &[width], Init::Ones)?, scope.get("4.bias", &[width], Init::Zeros)?);
        Ok(Some(Self::Projector { first, second, norm }))
    }

    /// `h [n, hidden]` to `[n, hidden]`.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn forward(&self, h: &Tensor) -> Result<Tensor> {
        match self {
            Self::Simple { norm, first, second } => {
                let x = ops::layer_norm(h, &norm.0, &norm.1, 1e-6)?;
                second.forward(&ops::gelu(&first.forward(&x)?)?)
            }
            Self::Projector { first, second, norm } => {
                let x = second.forward(&ops::gelu(&first.forward(h)?)?)?;
                ops::layer_norm(&x, &norm.0, &norm.1, 1e-5)
            }
            Self::Glu { gate, up, down } => down.forward(&ops::swiglu(&gate.forward(h)?, &up.forward(h)?)?),
        }
    }
}
