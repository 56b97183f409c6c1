//! What computes: memory, copies, launches and products, done in the order in which they are asked for.
//!
//! There are two: a card behind its driver (`driver.rs`), and a stand-in whose memory is the host's (`standin.rs`), which
//! runs the kernels' host build, counts what is done, and can count without doing it.

mod buffer;
mod calls;
mod counts;
pub mod standin;

use std::fmt::Debug;

pub use buffer::{Buffer, Span};
pub(crate) use calls::count;
pub use calls::{Operands, Queue, To};
pub use counts::Counts;
use prism_model::Result;

use crate::kernels::{Address, Entry, Kind};

/// A device.
///
/// Addresses are of its own memory. The functions that take them are unsafe: the caller vouches that what is read and
/// written lies inside allocations that are alive. [`Queue`] and [`Buffer`] are the safe way to it.
pub trait Device: Send + Sync + Debug {
    /// What it is, for people: `NVIDIA H200`.
    fn name(&self) -> String;

    /// Memory of so many bytes, aligned to 256; of none there is none.
    ///
    /// # Errors
    /// There is not so much memory.
    fn allocate(&self, bytes: usize) -> Result<Address>;

    /// Gives it back.
    ///
    /// # Safety
    /// It was allocated here with so many bytes, and is not used again.
    unsafe fn release(&self, address: Address, bytes: usize);

    /// Host memory to the device.
    ///
    /// # Safety
    /// See the trait.
    ///
    /// # Errors
    /// The device fails.
    unsafe fn upload(&self, to: Address, bytes: &[u8]) -> Result<()>;

    /// The device's memory to the host; what was asked for before is done first.
    ///
    /// # Safety
    /// See the trait.
    ///
    /// # Errors
    /// The device fails.
    unsafe fn download(&self, from: Address, bytes: &mut [u8]) -> Result<()>;

    /// From one place on the device to another; they do not overlap.
    ///
    /// # Safety
    /// See the trait.
    ///
    /// # Errors
    /// The device fails.
    unsafe fn copy(&self, to: Address, from: Address, bytes: usize) -> Result<()>;

    /// Runs a kernel over a grid of blocks. `arguments` are the bytes of its structure.
    ///
    /// # Safety
    /// See the trait; the arguments are those of the kernel.
    ///
    /// # Errors
    /// The device fails.
    unsafe fn launch(&self, entry: &Entry, kind: Kind, grid: [u32; 3], arguments: &[u8]) -> Result<()>;

    /// A matrix product.
    ///
    /// # Safety
    /// See the trait.
    ///
    /// # Errors
    /// The device fails.
    unsafe fn multiply(&self, kind: Kind, product: &Multiply) -> Result<()>;
}

/// `x weight^T`, with sums in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multiply {
    /// `real [rows, inner]`.
    pub x: Address,
    /// `real [columns, inner]`.
    pub weight: Address,
    /// Where the result goes, `[rows, columns]`.
    pub to: Target,
    /// Rows of `x`.
    pub rows: u32,
    /// Numbers of a row of both.
    pub inner: u32,
    /// Rows of the weight.
    pub columns: u32,
}

/// Where a product goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `real`, overwritten.
    Real(Address),
    /// `f32`, overwritten.
    Single(Address),
    /// `f32`, added to.
    Sum(Address),
}
