//! The norms of a tower: by the root mean square, or by mean and variance with a shift.

use crate::tensor::Tensor;
use crate::weights::{Init, Scope};
use crate::{Result, ops};

/// Added to the mean square, or to the variance.
pub const EPS: f64 = 1e-6;

/// A norm of rows.
#[derive(Debug, Clone)]
pub enum Norm {
    /// Scale `[width]`.
    Rms(Tensor),
    /// Scale and shift, `[width]` each.
    Layer(Tensor, Tensor),
}

impl Norm {
    /// Loads `name.weight`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn rms(scope: &mut Scope<'_>, name: &str, width: usize) -> Result<Self> {
        Ok(Self::Rms(scope.get(&format!("{name}.weight"), &[width], Init::Ones)?))
    }

    /// Loads `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn layer(scope: &mut Scope<'_>, name: &str, width: usize) -> Result<Self> {
        let scale = scope.get(&format!("{name}.weight"), &[width], Init::Ones)?;
        Ok(Self::Layer(scale, scope.get(&format!("{name}.bias"), &[width], Init::Zeros)?))
    }

    /// The norm of every row of `x [n, width]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Rms(scale) => ops::rms_norm(x, scale, EPS),
            Self::Layer(scale, shift) => ops::layer_norm(x, scale, shift, EPS),
        }
    }
}
