//! A weight matrix `[out, in]`: a tensor, or for inference in host memory the
//! checkpoint's own bfloat16, read where it lies.
//!
//! A model opened in bfloat16 on the CPU keeps its matrices narrow, straight from the
//! mapped file: opening costs no copy, and memory is what the file takes. Activations,
//! norms and biases are in single precision, and each matrix is widened a few rows at a
//! time where it is used; bfloat16 to single is exact, so the only rounding is the
//! checkpoint's. Narrow matrices have no gradient.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memmap2::Mmap;

use crate::ops;
use crate::ops::kernel::{matmul, matvec, narrow};
use crate::tensor::{DType, Device, Tensor, host, is_fused};
use crate::{Error, Result};

type Answer<T> = candle_core::Result<T>;

/// A weight matrix `[out, in]`.
#[derive(Debug, Clone)]
pub enum Matrix {
    /// On any device, of any dtype, trainable or not.
    Tensor(Tensor),
    /// bfloat16 in host memory, for inference.
    Narrow(Narrow),
}

/// bfloat16 values of a matrix, in a mapped file or in memory of their own.
#[derive(Clone)]
pub struct Narrow {
    bits: Bits,
    output: usize,
    input: usize,
}

#[derive(Clone)]
enum Bits {
    Mapped { map: Arc<Mmap>, range: Range<usize> },
    Owned(Arc<[u16]>),
}

impl fmt::Debug for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Narrow [{}, {}]", self.output, self.input)
    }
}

impl Narrow {
    /// The bytes `range` of a mapped file as a matrix; `None` when they lie outside it or
    /// are not `output * input` aligned values.
    pub(crate) fn mapped(map: &Arc<Mmap>, range: Range<usize>, output: usize, input: usize) -> Option<Self> {
        let values: &[u16] = bytemuck::try_cast_slice(map.get(range.clone())?).ok()?;
        let fits = output.checked_mul(input)? == values.len();
        fits.then(|| Self { bits: Bits::Mapped { map: map.clone(), range }, output, input })
    }

    /// The values of `tensor [out, in]`, rounded to bfloat16 if they are not.
    pub(crate) fn of(tensor: &Tensor) -> Result<Self> {
        let (output, input) = tensor.dims2()?;
        let values = tensor.to_dtype(DType::BF16)?.flatten_all()?.to_vec1::<half::bf16>()?;
        Ok(Self { bits: Bits::Owned(values.into_iter().map(half::bf16::to_bits).collect()), output, input })
    }

    fn values(&self) -> &[u16] {
        match &self.bits {
            // Checked when it was made; a map does not shrink.
            Bits::Mapped { map, range } => map.get(range.clone()).and_then(|b| bytemuck::try_cast_slice(b).ok()).unwrap_or_default(),
            Bits::Owned(values) => values,
        }
    }
}

impl Matrix {
    /// `(out, in)`.
    ///
    /// # Errors
    /// The tensor is no matrix.
    pub fn dims(&self) -> Answer<(usize, usize)> {
        match self {
            Matrix::Tensor(tensor) => tensor.dims2(),
            Matrix::Narrow(narrow) => Ok((narrow.output, narrow.input)),
        }
    }

    /// The tensor, for what only tensors can do.
    ///
    /// # Errors
    /// The matrix is narrow.
    pub fn tensor(&self) -> Answer<&Tensor> {
        match self {
            Matrix::Tensor(tensor) => Ok(tensor),
            Matrix::Narrow(_) => candle_core::bail!("weights kept in bfloat16 are for inference; open the checkpoint with --dtype f32"),
        }
    }

    /// The values, row after row, as the bits of bfloat16; rounded where they are not.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn to_bf16(&self) -> Result<Cow<'_, [u16]>> {
        match self {
            Matrix::Narrow(narrow) => Ok(Cow::Borrowed(narrow.values())),
            Matrix::Tensor(tensor) => Ok(Cow::Owned(Narrow::of(tensor)?.values().to_vec())),
        }
    }

    /// The values, row after row, in single precision.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn to_f32(&self) -> Result<Vec<f32>> {
        match self {
            Matrix::Narrow(narrow) => Ok(narrow.values().iter().map(|bits| half::bf16::from_bits(*bits).to_f32()).collect()),
            Matrix::Tensor(tensor) => crate::tensor::values(tensor),
        }
    }

    /// Whether the fused kernels can read it.
    pub(crate) fn is_fused(&self) -> bool {
        match self {
            Matrix::Tensor(tensor) => is_fused(tensor),
            Matrix::Narrow(_) => true,
        }
    }

    /// `x [n, in] * self^T + bias`, `[n, out]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn linear(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let Matrix::Narrow(narrow) = self else { return ops::linear(x, self.tensor()?, bias) };
        let (rows, input) = x.dims2()?;
        if input != narrow.input || bias.is_some_and(|b| b.dims() != [narrow.output]) {
            let cause = format!("{:?} for a matrix [{}, {}]", x.dims(), narrow.output, narrow.input);
            return Err(Error::input("linear", cause, "give rows as wide as the matrix"));
        }
        let x = x.contiguous()?;
        let mut y = vec![0.0; rows * narrow.output];
        match bias {
            Some(bias) => self.product(&mut y, Some(&host(&bias.contiguous()?)?), false, &host(&x)?, rows)?,
            None => self.product(&mut y, None, false, &host(&x)?, rows)?,
        }
        Ok(Tensor::from_vec(y, (rows, narrow.output), &Device::Cpu)?)
    }

    /// `y [rows, out] (+)= x [rows, in] * self^T + bias` for many rows; the bias stands alone
    /// or not at all where `add` keeps what `y` holds.
    pub(crate) fn product(&self, y: &mut [f32], bias: Option<&[f32]>, add: bool, x: &[f32], rows: usize) -> Answer<()> {
        let (output, input) = self.dims()?;
        if let Some(bias) = bias {
            y.chunks_exact_mut(output).for_each(|row| row.copy_from_slice(bias));
        }
        let add = add || bias.is_some();
        match self {
            Matrix::Tensor(tensor) => {
                let weight = host(tensor)?;
                let (x, weight) = (matmul::Matrix::new(x, rows, input), matmul::Matrix::new(&weight, output, input));
                matmul::multiply(y, output, add, 1.0, x, weight.t());
            }
            Matrix::Narrow(narrow) => narrow::multiply(y, add, x, narrow.values(), rows, input, output),
        }
        Ok(())
    }

    /// `y [rows, out] (+)= x [rows, in] * self^T + bias` for the few rows of a decoding step: a
    /// row's result does not depend on the others.
    pub(crate) fn decode(&self, y: &mut [f32], add: bool, x: &[f32], bias: Option<&[f32]>, rows: usize) -> Answer<()> {
        match self {
            Matrix::Tensor(tensor) => matvec::linear(y, add, x, matvec::Rows::Wide(&host(tensor)?), bias, rows),
            Matrix::Narrow(narrow) => matvec::linear(y, add, x, matvec::Rows::Narrow(narrow.values()), bias, rows),
        }
        Ok(())
    }

    /// Rows `ids`, as [`ops::embed`].
    ///
    /// # Errors
    /// An id lies outside the matrix.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let Matrix::Narrow(narrow) = self else { return ops::embed(self.tensor()?, ids) };
        let mut rows = vec![0.0; ids.len() * narrow.input];
        for (row, &id) in rows.chunks_exact_mut(narrow.input.max(1)).zip(ids) {
            let at = id as usize * narrow.input;
            let Some(values) = narrow.values().get(at..at + narrow.input) else {
                let cause = format!("{id} lies outside the vocabulary of {}", narrow.output);
                return Err(Error::input("token id", cause, "use the checkpoint's own tokenizer"));
            };
            narrow::widen(row, values);
        }
        Ok(Tensor::from_vec(rows, (ids.len(), narrow.input), &Device::Cpu)?)
    }
}
