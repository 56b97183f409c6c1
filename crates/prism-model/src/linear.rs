//! A linear layer: a weight matrix and, where it has one, a bias.

use crate::Result;
use crate::matrix::Matrix;
use crate::tensor::{Tensor, host};
use crate::weights::{Init, Scope};

type Answer<T> = candle_core::Result<T>;

/// A linear layer, `[out, in]` and `[out]`.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Matrix,
    /// `[out]`.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// Loads `name.weight` of `shape [out, in]` and, with `bias`, `name.bias`, in this order.
    ///
    /// # Errors
    /// As [`Scope::matrix`].
    pub fn load(scope: &mut Scope<'_>, name: &str, shape: [usize; 2], bias: bool, init: Init) -> Result<Self> {
        let weight = scope.matrix(&format!("{name}.weight"), shape, init)?;
        let bias = if bias { Some(scope.get(&format!("{name}.bias"), &[shape[0]], Init::Zeros)?) } else { None };
        Ok(Self { weight, bias })
    }

    /// `x [n, in]` to `[n, out]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.weight.linear(x, self.bias.as_ref())
    }

    /// `y [rows, out] = x [rows, in] * weight^T + bias`, for many rows.
    pub(crate) fn product(&self, y: &mut [f32], x: &[f32], rows: usize) -> Answer<()> {
        match &self.bias {
            Some(bias) => self.weight.product(y, Some(&host(bias)?), false, x, rows),
            None => self.weight.product(y, None, false, x, rows),
        }
    }

    /// `y [rows, out] (+)= x [rows, in] * weight^T + bias`, for the few rows of a decoding step.
    pub(crate) fn decode(&self, y: &mut [f32], add: bool, x: &[f32], rows: usize) -> Answer<()> {
        match &self.bias {
            Some(bias) => self.weight.decode(y, add, x, Some(&host(bias)?), rows),
            None => self.weight.decode(y, add, x, None, rows),
        }
    }
}
