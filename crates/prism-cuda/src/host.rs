//! Kernels on the host: the same source, compiled as C. Slow, and exact about what it reads and writes; for tests and
//! for a stand-in of the driver.

use std::ffi::c_void;

use crate::kernels::{Kernel, Kind};

/// A kernel's host build.
pub type Function = unsafe extern "C" fn(*const Launch, *const c_void);

/// The order in which a block's threads run between two barriers. A kernel without races gives the same bytes in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Order {
    /// From the first to the last.
    Rising = 0,
    /// From the last to the first.
    Falling = 1,
    /// Scattered.
    Scattered = 2,
}

impl Order {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rising, Self::Falling, Self::Scattered];
}

/// What the host build is told of a launch.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Launch {
    /// Blocks in each direction.
    pub grid: [u32; 3],
    /// Order of the threads.
    pub order: Order,
}

/// Runs a kernel over `grid` and comes back when it is done.
///
/// # Safety
/// The addresses in `arguments` are of host memory as large as the kernel's description says, aligned, and what it writes
/// is borrowed by nobody else.
pub unsafe fn launch<K: Kernel>(kind: Kind, grid: [u32; 3], arguments: &K::Arguments, order: Order) {
    let function = K::HOST[kind as usize];
    // SAFETY: the structure is the C one (the tests compare the sizes), and the caller vouches for what it points to.
    unsafe { function(&Launch { grid, order }, std::ptr::from_ref(arguments).cast()) }
}
