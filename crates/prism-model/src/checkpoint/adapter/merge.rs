//! The arithmetic of peft's merge, one tensor at a time, in single precision.

use super::stored::StoredAdapter;
use crate::tensor::Tensor;
use crate::{Error, Result};

/// Two matrices whose product is what is added to a weight.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// Names under which they are stored.
    pub first: String,
    pub second: String,
    /// Whether the product is turned over, as an embedding's is.
    pub turned: bool,
    pub scale: f64,
    /// Lengths of the rows (of an embedding: of the columns) of the sum.
    pub magnitude: Option<String>,
}

/// What becomes of one tensor of the base; applied in the order of the fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    /// Stored name of what stands in the base's place.
    pub whole: Option<String>,
    /// Rows, and the stored name of their values.
    pub rows: Option<(Vec<usize>, String)>,
    pub pair: Option<Pair>,
    /// Stored name of what is added to a bias, and by what it is multiplied before.
    pub bias: Option<(String, f64)>,
}

impl Change {
    /// The tensor of the merged model; `base` in single precision, `None` where the adapter brings a whole tensor that
    /// the base does not have.
    ///
    /// # Errors
    /// The tensor library refuses, or there is nothing to change.
    pub fn apply(&self, name: &str, base: Option<Tensor>, adapter: &StoredAdapter) -> Result<Tensor> {
        let start = match &self.whole {
            Some(stored) => Some(adapter.tensor(stored)?),
            None => base,
        };
        let mut tensor = start
            .ok_or_else(|| Error::input(name, "is changed by the adapter and not in its base", "give the base that it was trained on"))?;
        if let Some((rows, stored)) = &self.rows {
            tensor = with_rows(&tensor, rows, &adapter.tensor(stored)?)?;
        }
        if let Some(pair) = &self.pair {
            tensor = pair.add(&tensor, adapter)?;
        }
        if let Some((stored, scale)) = &self.bias {
            tensor = (tensor + adapter.tensor(stored)?.affine(*scale, 0.0)?)?;
        }
        Ok(tensor)
    }
}

impl Pair {
    fn add(&self, weight: &Tensor, adapter: &StoredAdapter) -> Result<Tensor> {
        let (first, second) = (adapter.tensor(&self.first)?, adapter.tensor(&self.second)?);
        let rank = first.dim(0)?;
        // Of a convolution the patch lies flat: its kernel is as large as its step.
        let (first, second) = (first.reshape((rank, ()))?, second.reshape(((), rank))?);
        let product = second.matmul(&first)?;
        let product = if self.turned { product.t()?.contiguous()? } else { product };
        let shape = weight.dims().to_vec();
        let flat = weight.reshape((weight.dim(0)?, ()))?;
        let sum = (flat + product.affine(self.scale, 0.0)?)?;
        let Some(stored) = &self.magnitude else { return Ok(sum.reshape(shape)?) };
        let (rows, columns) = sum.dims2()?;
        // Rows have lengths; of an embedding the columns.
        let (along, form) = if self.turned { (0, (1, columns)) } else { (1, (rows, 1)) };
        let length = sum.sqr()?.sum_keepdim(along)?.sqrt()?;
        let factor = adapter.tensor(stored)?.reshape(form)?.div(&length)?;
        Ok(sum.broadcast_mul(&factor)?.reshape(shape)?)
    }
}

/// The matrix with some rows in place of its own.
fn with_rows(matrix: &Tensor, rows: &[usize], values: &Tensor) -> Result<Tensor> {
    let (height, width) = matrix.dims2()?;
    let (mut all, new) = (matrix.flatten_all()?.to_vec1::<f32>()?, values.flatten_all()?.to_vec1::<f32>()?);
    for (row, values) in rows.iter().zip(new.chunks_exact(width.max(1))) {
        if let Some(place) = all.get_mut(row * width..(row + 1) * width) {
            place.copy_from_slice(values);
        }
    }
    Ok(Tensor::from_vec(all, (height, width), matrix.device())?)
}
