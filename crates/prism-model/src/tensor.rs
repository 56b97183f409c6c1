//! The tensor library's names, in one place, and access to a tensor's values.
//!
//! Every other module and crate takes its tensors from here, so that the library
//! behind them is a decision of one file.

pub use candle_core::{D, DType, Device, IndexOp, Shape, Tensor, Var};

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage};

use crate::{Error, Result};

/// Which weights record a graph and receive gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trainable {
    /// None: plain tensors, no graph is recorded.
    No,
    /// The language model and the latent head; the vision tower is frozen.
    Text,
    /// Everything, the vision tower included.
    All,
}

/// Whether the fused kernels apply: single precision in host memory.
pub fn is_fused(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

/// Runs `f` over the values of a contiguous f32 tensor in host memory, without a copy.
///
/// # Errors
/// The tensor is on another device, of another dtype, or strided.
pub fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(f(&values[start..end])),
        _ => Err(Error::input(
            "tensor",
            "is not contiguous f32 in host memory",
            "convert it with to_dtype(F32), to_device(Cpu), contiguous()",
        )),
    }
}

/// The values of a contiguous f32 tensor in host memory, without a copy, for as long as the
/// returned guard lives.
///
/// # Errors
/// The tensor is on another device, of another dtype, or strided.
pub(crate) fn host(tensor: &Tensor) -> candle_core::Result<impl std::ops::Deref<Target = [f32]> + '_> {
    struct Host<G> {
        storage: G,
        start: usize,
        end: usize,
    }
    impl<G: std::ops::Deref<Target = Storage>> std::ops::Deref for Host<G> {
        type Target = [f32];

        fn deref(&self) -> &[f32] {
            match &*self.storage {
                Storage::Cpu(CpuStorage::F32(values)) => &values[self.start..self.end],
                _ => &[],
            }
        }
    }
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(_)), Some((start, end))) => Ok(Host { storage, start, end }),
        _ => candle_core::bail!("a fused kernel needs contiguous f32 tensors in host memory"),
    }
}

/// The values of any float tensor as f32, row-major (copies).
///
/// # Errors
/// The tensor library refuses the conversion.
pub fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?)
}

/// Changes the values of a contiguous f32 variable in host memory in place.
/// The closure sees exactly the variable's elements, row-major.
///
/// # Errors
/// The variable is on another device, of another dtype, or strided.
pub fn update(variable: &Var, f: impl FnMut(&mut [f32])) -> Result<()> {
    Ok(variable.inplace_op1(&Update(std::cell::RefCell::new(f)))?)
}

struct Update<F>(std::cell::RefCell<F>);

impl<F: FnMut(&mut [f32])> InplaceOp1 for Update<F> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(values), Some((start, end))) => (self.0.borrow_mut())(&mut values[start..end]),
            _ => candle_core::bail!("an in-place update needs a contiguous f32 variable in host memory"),
        }
        Ok(())
    }
}
