//! Memory of a device that gives itself back, and stretches of it.

use std::marker::PhantomData;
use std::sync::Arc;

use prism_model::{Error, Result};

use super::Device;
use crate::kernels::Address;

/// Memory of a device.
#[derive(Debug)]
pub struct Buffer {
    device: Arc<dyn Device>,
    address: Address,
    bytes: usize,
}

impl Buffer {
    /// Memory of so many bytes, with anything in it.
    ///
    /// # Errors
    /// There is not so much memory.
    pub fn new(device: &Arc<dyn Device>, bytes: usize) -> Result<Self> {
        Ok(Self { device: device.clone(), address: device.allocate(bytes)?, bytes })
    }

    /// Bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of it.
    pub fn all(&self) -> Span<'_> {
        Span { address: self.address, bytes: self.bytes, of: PhantomData }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated by this device with so many bytes; a span cannot outlive the buffer, and the device does what it is asked
        // for in order, so that nothing asked for earlier comes after this.
        unsafe { self.device.release(self.address, self.bytes) }
    }
}

/// A stretch of a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Span<'b> {
    address: Address,
    bytes: usize,
    of: PhantomData<&'b Buffer>,
}

impl<'b> Span<'b> {
    /// Nothing: for what may be absent.
    pub const NONE: Span<'static> = Span { address: Address::NONE, bytes: 0, of: PhantomData };

    /// Where it begins.
    pub fn address(self) -> Address {
        self.address
    }

    /// Bytes.
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// Whether it is [`Span::NONE`].
    pub fn is_none(self) -> bool {
        self.address == Address::NONE
    }

    /// `bytes` of it from `start` on.
    ///
    /// # Errors
    /// It ends earlier.
    pub fn part(self, start: usize, bytes: usize) -> Result<Span<'b>> {
        let end = start.checked_add(bytes).filter(|end| *end <= self.bytes);
        let Some(_) = end else {
            let cause = format!("{bytes} bytes from {start} on were asked of {}", self.bytes);
            return Err(Error::input("device memory", cause, "report this as a bug"));
        };
        Ok(Span { address: Address(self.address.0 + start as u64), bytes, of: PhantomData })
    }

    /// The whole, if it has at least `bytes`.
    ///
    /// # Errors
    /// It is smaller, or absent.
    pub(crate) fn room(self, bytes: usize) -> Result<Address> {
        if self.is_none() && bytes > 0 {
            return Err(Error::input("device memory", "an array is absent", "report this as a bug"));
        }
        self.part(0, bytes).map(Span::address)
    }

    /// The whole, if it has at least `bytes`; what is absent has enough.
    ///
    /// # Errors
    /// It is smaller.
    pub(crate) fn holding(self, bytes: usize) -> Result<Address> {
        if self.is_none() { Ok(Address::NONE) } else { self.part(0, bytes).map(Span::address) }
    }
}
