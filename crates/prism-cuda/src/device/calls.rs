//! The kernels as functions that check what they are given: every array is as long as the kernel reads and writes.
//!
//! What stands in arrays of rows (`sources`, `key_rows`, `tiles`) is not looked at here: it is made by the engine, which keeps it
//! inside the arrays it points into.

use std::sync::Arc;

use prism_model::{Error, Result};

use super::{Buffer, Device, Multiply, Span, Target};
use crate::kernels::{self, Address, Kernel, Kind};

/// A device, and what its numbers are kept in.
#[derive(Debug, Clone)]
pub struct Queue {
    device: Arc<dyn Device>,
    kind: Kind,
}

/// A result of [`Queue::product`].
#[derive(Debug, Clone, Copy)]
pub enum To<'b> {
    /// `real`, overwritten.
    Real(Span<'b>),
    /// `f32`, overwritten.
    Single(Span<'b>),
    /// `f32`, added to.
    Sum(Span<'b>),
}

/// A matrix product's operands: `x [rows, inner]`, `weight [columns, inner]`.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'b> {
    /// `real [rows, inner]`.
    pub x: Span<'b>,
    /// `real [columns, inner]`.
    pub weight: Span<'b>,
    /// Rows.
    pub rows: usize,
    /// Numbers of a row.
    pub inner: usize,
    /// Columns of the result.
    pub columns: usize,
}

impl Queue {
    /// A device whose numbers are of `kind`.
    pub fn new(device: Arc<dyn Device>, kind: Kind) -> Self {
        Self { device, kind }
    }

    /// The device.
    pub fn device(&self) -> &Arc<dyn Device> {
        &self.device
    }

    /// What its numbers are kept in.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Memory for so many numbers of the kind.
    ///
    /// # Errors
    /// There is not so much memory.
    pub fn reals(&self, count: usize) -> Result<Buffer> {
        self.bytes(count.saturating_mul(self.kind.bytes()))
    }

    /// Memory of so many bytes.
    ///
    /// # Errors
    /// There is not so much memory.
    pub fn bytes(&self, bytes: usize) -> Result<Buffer> {
        Buffer::new(&self.device, bytes)
    }

    /// Numbers of host memory to the device.
    ///
    /// # Errors
    /// They have no room, or the device fails.
    pub fn upload<T: bytemuck::NoUninit>(&self, to: Span<'_>, values: &[T]) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        if bytes.is_empty() {
            return Ok(());
        }
        let to = to.part(0, bytes.len())?.address();
        // SAFETY: the span is of a buffer that is alive.
        unsafe { self.device.upload(to, bytes) }
    }

    /// Numbers of the device, as many as `values` holds.
    ///
    /// # Errors
    /// There are fewer, or the device fails.
    pub fn download<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(&self, from: Span<'_>, values: &mut [T]) -> Result<()> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
        if bytes.is_empty() {
            return Ok(());
        }
        let from = from.part(0, bytes.len())?.address();
        // SAFETY: as in `upload`.
        unsafe { self.device.download(from, bytes) }
    }

    /// One buffer to another.
    ///
    /// # Errors
    /// They are not of one size, or the device fails.
    pub fn copy(&self, to: Span<'_>, from: Span<'_>) -> Result<()> {
        let to = to.part(0, from.bytes())?.address();
        // SAFETY: both are of buffers that are alive; the engine copies between two buffers.
        unsafe { self.device.copy(to, from.address(), from.bytes()) }
    }

    /// f32 of the host as numbers of the kind.
    ///
    /// # Errors
    /// They have no room, or the device fails.
    pub fn upload_reals(&self, to: Span<'_>, values: &[f32]) -> Result<()> {
        match self.kind {
            Kind::F32 => self.upload(to, values),
            Kind::Bf16 => self.upload(to, &values.iter().map(|value| half::bf16::from_f32(*value).to_bits()).collect::<Vec<u16>>()),
        }
    }

    /// Numbers of the kind as f32 of the host.
    ///
    /// # Errors
    /// There are fewer, or the device fails.
    pub fn download_reals(&self, from: Span<'_>, count: usize) -> Result<Vec<f32>> {
        match self.kind {
            Kind::F32 => {
                let mut values = vec![0f32; count];
                self.download(from, &mut values)?;
                Ok(values)
            }
            Kind::Bf16 => {
                let mut bits = vec![0u16; count];
                self.download(from, &mut bits)?;
                Ok(bits.into_iter().map(|bits| half::bf16::from_bits(bits).to_f32()).collect())
            }
        }
    }

    /// `x weight^T`.
    ///
    /// # Errors
    /// The shapes do not fit, or the device fails.
    pub fn product(&self, of: Operands<'_>, to: To<'_>) -> Result<()> {
        let Operands { x, weight, rows, inner, columns } = of;
        if rows == 0 || columns == 0 {
            return Ok(());
        }
        let real = self.kind.bytes();
        let product = Multiply {
            x: x.room(rows * inner * real)?,
            weight: weight.room(columns * inner * real)?,
            to: match to {
                To::Real(to) => Target::Real(to.room(rows * columns * real)?),
                To::Single(to) => Target::Single(to.room(rows * columns * 4)?),
                To::Sum(to) => Target::Sum(to.room(rows * columns * 4)?),
            },
            rows: count(rows)?,
            inner: count(inner)?,
            columns: count(columns)?,
        };
        // SAFETY: all spans are as long as the product reads and writes.
        unsafe { self.device.multiply(self.kind, &product) }
    }

    /// Runs a kernel.
    ///
    /// # Errors
    /// The device fails.
    ///
    /// # Safety
    /// The arguments point to arrays that are alive and as long as the kernel's description says.
    pub(crate) unsafe fn launch<K: Kernel>(&self, grid: [u32; 3], arguments: &K::Arguments) -> Result<()> {
        if grid.contains(&0) {
            return Ok(());
        }
        // SAFETY: the bytes of a `repr(C)` structure of addresses and numbers; what lies between them is read by nobody.
        let bytes = unsafe { std::slice::from_raw_parts(std::ptr::from_ref(arguments).cast::<u8>(), size_of::<K::Arguments>()) };
        // SAFETY: the caller's.
        unsafe { self.device.launch(&K::ENTRY, self.kind, grid, bytes) }
    }

    /// `y = norm(x) * weight`, of `rows` of the stream; with a shift it is a layer norm, else a root mean square.
    ///
    /// # Errors
    /// An array is too short, or the device fails.
    pub fn norm(&self, x: Span<'_>, [weight, shift]: [Span<'_>; 2], y: Span<'_>, [rows, width]: [usize; 2], eps: f64) -> Result<()> {
        let real = self.kind.bytes();
        let arguments = kernels::Norm {
            x: x.room(rows * width * 4)?,
            added: Address::NONE,
            added_bias: Address::NONE,
            weight: weight.room(width * real)?,
            bias: shift.holding(width * real)?,
            y: y.room(rows * width * real)?,
            width: count(width)?,
            eps: eps as f32,
        };
        let grid = [count(rows)?, 1, 1];
        // SAFETY: checked above.
        unsafe {
            match shift.is_none() {
                true => self.launch::<kernels::RmsNorm>(grid, &arguments),
                false => self.launch::<kernels::LayerNorm>(grid, &arguments),
            }
        }
    }

    /// `y [rows, inner] = silu(gate) * up`, with their bias where there is one.
    ///
    /// # Errors
    /// An array is too short, or the device fails.
    pub fn silu_times(&self, gate_up: Span<'_>, bias: Span<'_>, y: Span<'_>, [rows, inner]: [usize; 2]) -> Result<()> {
        let real = self.kind.bytes();
        let arguments = kernels::SiluTimes {
            gate_up: gate_up.room(rows * 2 * inner * real)?,
            bias: bias.holding(2 * inner * real)?,
            y: y.room(rows * inner * real)?,
            inner: count(inner)?,
        };
        // SAFETY: checked above.
        unsafe { self.launch::<kernels::SiluTimesUp>(kernels::over_rows(count(rows)?, arguments.inner), &arguments) }
    }

    /// `x = activation(x + bias)` in place.
    ///
    /// # Errors
    /// An array is too short, or the device fails.
    pub fn activate(&self, x: Span<'_>, bias: Span<'_>, [rows, width]: [usize; 2], kind: kernels::ActivationKind) -> Result<()> {
        let real = self.kind.bytes();
        let (x, bias) = (x.room(rows * width * real)?, bias.holding(width * real)?);
        let arguments = kernels::Activate { x, bias, width: count(width)?, kind };
        // SAFETY: checked above.
        unsafe { self.launch::<kernels::Activation>(kernels::over_rows(count(rows)?, arguments.width), &arguments) }
    }

    /// `x += bias`, of the stream.
    ///
    /// # Errors
    /// An array is too short, or the device fails.
    pub fn add_bias(&self, x: Span<'_>, bias: Span<'_>, [rows, width]: [usize; 2]) -> Result<()> {
        let arguments =
            kernels::AddBias { x: x.room(rows * width * 4)?, bias: bias.holding(width * self.kind.bytes())?, width: count(width)? };
        // SAFETY: checked above.
        unsafe { self.launch::<kernels::BiasAdded>(kernels::over_rows(count(rows)?, arguments.width), &arguments) }
    }

    /// Rows `at` of the stream += rows of `values`; absent: the rows in order.
    ///
    /// # Errors
    /// An array is too short, or the device fails.
    pub fn add_rows(&self, x: Span<'_>, values: Span<'_>, at: Span<'_>, [rows, width]: [usize; 2]) -> Result<()> {
        let arguments = kernels::AddRows {
            x: x.room(if at.is_none() { rows * width * 4 } else { width * 4 })?,
            values: values.room(rows * width * self.kind.bytes())?,
            rows: at.holding(rows * 4)?,
            width: count(width)?,
        };
        // SAFETY: checked above, but for the rows that `at` names, which the engine made.
        unsafe { self.launch::<kernels::RowsAdded>(kernels::over_rows(count(rows)?, arguments.width), &arguments) }
    }

    /// Rows `sources` of `table` become rows `targets` of the stream; absent: in order.
    ///
    /// # Errors
    /// An array is too short, or the device fails.
    pub fn to_stream(&self, x: Span<'_>, table: Span<'_>, [sources, targets]: [Span<'_>; 2], [rows, width]: [usize; 2]) -> Result<()> {
        let arguments = kernels::ToStream {
            x: x.room(width * 4)?,
            table: table.room(width * self.kind.bytes())?,
            sources: sources.holding(rows * 4)?,
            targets: targets.holding(rows * 4)?,
            width: count(width)?,
        };
        // SAFETY: checked above, but for the rows that the two name, which the engine made.
        unsafe { self.launch::<kernels::RowsToStream>(kernels::over_rows(count(rows)?, arguments.width), &arguments) }
    }

    /// Rows `sources` of `from` become the rows of `to`, in order.
    ///
    /// # Errors
    /// An array is too short, or the device fails.
    pub fn gather(&self, to: Span<'_>, from: Span<'_>, sources: Span<'_>, [rows, width]: [usize; 2]) -> Result<()> {
        let real = self.kind.bytes();
        let arguments = kernels::MoveRows {
            to: to.room(rows * width * real)?,
            from: from.room(width * real)?,
            sources: sources.holding(rows * 4)?,
            targets: Address::NONE,
            width: count(width)?,
            to_stride: count(width)?,
            from_stride: count(width)?,
        };
        // SAFETY: checked above, but for the rows that `sources` names, which the engine made.
        unsafe { self.launch::<kernels::RowsMoved>(kernels::over_rows(count(rows)?, arguments.width), &arguments) }
    }

    /// Cosines and sines `[tokens, half]` of positions `u32 [tokens, 3]`.
    ///
    /// # Errors
    /// An array is too short, or the device fails.
    pub fn rotary(
        &self,
        positions: Span<'_>,
        [frequencies, axes]: [Span<'_>; 2],
        [cosines, sines]: [Span<'_>; 2],
        [tokens, half]: [usize; 2],
    ) -> Result<()> {
        let arguments = kernels::RotaryTable {
            positions: positions.room(tokens * 12)?,
            frequencies: frequencies.room(half * 4)?,
            axes: axes.room(half * 4)?,
            cosines: cosines.room(tokens * half * 4)?,
            sines: sines.room(tokens * half * 4)?,
            half: count(half)?,
        };
        // SAFETY: checked above.
        unsafe { self.launch::<kernels::RotaryTables>([count(tokens)?, 1, 1], &arguments) }
    }
}

/// A size as the kernels have it.
pub(crate) fn count(size: usize) -> Result<u32> {
    u32::try_from(size)
        .map_err(|_| Error::input("device", format!("{size} is more than a kernel counts"), "give shorter prompts or smaller images"))
}
