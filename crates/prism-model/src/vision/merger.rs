//! Two linear layers with an activation between: a block's feed-forward in some families, and in all of
//! them the merger that makes one visual token of neighbouring patches.

use super::{Activation, Norm};
use crate::Result;
use crate::linear::Linear;
use crate::tensor::Tensor;
use crate::weights::{Init, Scope};

/// Linear, activation, Linear.
#[derive(Debug, Clone)]
pub struct Perceptron {
    /// The first layer.
    pub first: Linear,
    /// The second.
    pub second: Linear,
    /// What stands between them.
    pub activation: Activation,
}

impl Perceptron {
    /// Loads layers `names` of widths `[input, inner, output]`, with biases.
    ///
    /// # Errors
    /// As [`Scope::matrix`].
    pub fn load(
        scope: &mut Scope<'_>,
        names: [&str; 2],
        [input, inner, output]: [usize; 3],
        activation: Activation,
        init: Init,
    ) -> Result<Self> {
        let first = Linear::load(scope, names[0], [inner, input], true, init)?;
        Ok(Self { first, second: Linear::load(scope, names[1], [output, inner], true, init)?, activation })
    }

    /// `x [n, input]` to `[n, output]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.second.forward(&self.activation.of(&self.first.forward(x)?)?)
    }
}

/// Patches of a token, adjacent rows, to one row of the language model's width.
#[derive(Debug, Clone)]
pub struct Merger {
    /// The norm.
    pub norm: Norm,
    /// Whether the norm is of the joined patches, not of each.
    pub joins_first: bool,
    /// Numbers of the joined patches.
    pub joined: usize,
    /// What follows.
    pub mlp: Perceptron,
}

impl Merger {
    /// A merger of patches that are `joined` numbers together; `mlp` begins as wide.
    pub fn new(norm: Norm, joins_first: bool, joined: usize, mlp: Perceptron) -> Self {
        Self { norm, joins_first, joined, mlp }
    }

    /// `x [patches, hidden]` to `[tokens, out_hidden]`.
    ///
    /// # Errors
    /// The patches are no whole number of tokens.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = match self.joins_first {
            true => self.norm.forward(&x.reshape(((), self.joined))?)?,
            false => self.norm.forward(x)?.reshape(((), self.joined))?,
        };
        self.mlp.forward(&x)
    }
}
