//! What a device was asked to do.

/// Counts since the device was made, or between two of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Kernels launched.
    pub launches: u64,
    /// Matrix products.
    pub products: u64,
    /// Copies from the host.
    pub uploads: u64,
    /// Their bytes.
    pub uploaded: u64,
    /// Copies to the host.
    pub downloads: u64,
    /// Their bytes.
    pub downloaded: u64,
    /// Copies inside the device.
    pub copies: u64,
    /// Allocations.
    pub allocations: u64,
    /// Bytes allocated now.
    pub held: u64,
    /// Most bytes allocated at once.
    pub peak: u64,
}

impl Counts {
    /// What came after `earlier`; memory is told as it is now.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            launches: self.launches - earlier.launches,
            products: self.products - earlier.products,
            uploads: self.uploads - earlier.uploads,
            uploaded: self.uploaded - earlier.uploaded,
            downloads: self.downloads - earlier.downloads,
            downloaded: self.downloaded - earlier.downloaded,
            copies: self.copies - earlier.copies,
            allocations: self.allocations - earlier.allocations,
            ..self
        }
    }
}
