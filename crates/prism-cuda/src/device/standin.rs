//! The stand-in for a card: its memory is the host's, kernels run as their host build, products in a fixed order. For
//! tests, and for counting what a model of any size would ask of a card.

use std::alloc::{self, Layout};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prism_model::{Error, Result};

use super::{Counts, Device, Multiply, Target};
use crate::host::{Launch, Order};
use crate::kernels::{Address, Entry, Kind};

/// Whether the work is done, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Done, with the threads of a block in this order.
    Done(Order),
    /// Counted: nothing is allocated or computed, and what comes back is zeros.
    Counted,
}

/// The stand-in.
#[derive(Debug)]
pub struct StandIn {
    work: Work,
    /// Bytes that may be held at once.
    memory: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    launches: BTreeMap<&'static str, u64>,
    /// Allocations: address and bytes.
    held: BTreeMap<u64, usize>,
    next: u64,
}

const ALIGNMENT: usize = 256;

impl StandIn {
    /// A stand-in with so many bytes of memory.
    pub fn new(work: Work, memory: usize) -> Arc<Self> {
        Arc::new(Self { work, memory, state: Mutex::new(State { next: ALIGNMENT as u64, ..State::default() }) })
    }

    /// What it was asked to do.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Launches of each kernel.
    pub fn launches(&self) -> BTreeMap<&'static str, u64> {
        self.state().launches.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That `bytes` at `address` lie inside one allocation.
    fn inside(&self, address: Address, bytes: usize) -> Result<()> {
        let state = self.state();
        let found = state.held.range(..=address.0).next_back();
        let end = address.0.checked_add(bytes as u64);
        match (found, end) {
            (Some((start, held)), Some(end)) if end <= start + *held as u64 => Ok(()),
            _ if bytes == 0 => Ok(()),
            _ => Err(Error::input("device memory", format!("{bytes} bytes at {} are not allocated", address.0), "report this as a bug")),
        }
    }

    fn layout(bytes: usize) -> Option<Layout> {
        Layout::from_size_align(bytes, ALIGNMENT).ok()
    }
}

impl Device for StandIn {
    fn name(&self) -> String {
        "stand-in".into()
    }

    fn allocate(&self, bytes: usize) -> Result<Address> {
        if bytes == 0 {
            return Ok(Address::NONE);
        }
        let mut state = self.state();
        let full = || Error::input("device memory", format!("{bytes} bytes are not free"), "give a device with more memory");
        if state.counts.held + bytes as u64 > self.memory as u64 {
            return Err(full());
        }
        let address = match self.work {
            Work::Counted => {
                let address = state.next;
                state.next += bytes.next_multiple_of(ALIGNMENT) as u64;
                address
            }
            Work::Done(_) => {
                let layout = Self::layout(bytes).ok_or_else(full)?;
                // SAFETY: of `bytes`, which are not none.
                let start = unsafe { alloc::alloc(layout) };
                if start.is_null() {
                    return Err(full());
                }
                // SAFETY: just allocated. All ones are NaN in every kind: what is read before it is written shows.
                unsafe { start.write_bytes(0xff, bytes) };
                start as u64
            }
        };
        state.held.insert(address, bytes);
        state.counts.allocations += 1;
        state.counts.held += bytes as u64;
        state.counts.peak = state.counts.peak.max(state.counts.held);
        Ok(Address(address))
    }

    unsafe fn release(&self, address: Address, bytes: usize) {
        let mut state = self.state();
        if state.held.remove(&address.0).is_none() {
            return;
        }
        state.counts.held -= bytes as u64;
        if let (Work::Done(_), Some(layout)) = (self.work, Self::layout(bytes)) {
            // SAFETY: it was in the list, so it is of `allocate`; the caller vouches for the bytes.
            unsafe { alloc::dealloc(address.0 as *mut u8, layout) }
        }
    }

    unsafe fn upload(&self, to: Address, bytes: &[u8]) -> Result<()> {
        self.inside(to, bytes.len())?;
        let mut state = self.state();
        state.counts.uploads += 1;
        state.counts.uploaded += bytes.len() as u64;
        if self.work != Work::Counted {
            // SAFETY: inside an allocation, and not the host's own memory.
            unsafe { (to.0 as *mut u8).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
        }
        Ok(())
    }

    unsafe fn download(&self, from: Address, bytes: &mut [u8]) -> Result<()> {
        self.inside(from, bytes.len())?;
        let mut state = self.state();
        state.counts.downloads += 1;
        state.counts.downloaded += bytes.len() as u64;
        match self.work {
            Work::Counted => bytes.fill(0),
            // SAFETY: as in `upload`.
            Work::Done(_) => unsafe { bytes.as_mut_ptr().copy_from_nonoverlapping(from.0 as *const u8, bytes.len()) },
        }
        Ok(())
    }

    unsafe fn copy(&self, to: Address, from: Address, bytes: usize) -> Result<()> {
        self.inside(to, bytes)?;
        self.inside(from, bytes)?;
        self.state().counts.copies += 1;
        if self.work != Work::Counted {
            // SAFETY: both lie inside allocations; the caller vouches that they do not overlap.
            unsafe { (to.0 as *mut u8).copy_from_nonoverlapping(from.0 as *const u8, bytes) }
        }
        Ok(())
    }

    unsafe fn launch(&self, entry: &Entry, kind: Kind, grid: [u32; 3], arguments: &[u8]) -> Result<()> {
        let mut state = self.state();
        state.counts.launches += 1;
        *state.launches.entry(entry.name).or_default() += 1;
        if let Work::Done(order) = self.work {
            // SAFETY: the caller vouches for the arguments and for what they point to, which is host memory here.
            unsafe { entry.host[kind as usize](&Launch { grid, order }, arguments.as_ptr().cast::<c_void>()) }
        }
        Ok(())
    }

    unsafe fn multiply(&self, kind: Kind, product: &Multiply) -> Result<()> {
        let Multiply { x, weight, to, rows, inner, columns } = *product;
        let (rows, inner, columns, size) = (rows as usize, inner as usize, columns as usize, kind.bytes());
        self.inside(x, rows * inner * size)?;
        self.inside(weight, columns * inner * size)?;
        match to {
            Target::Real(to) => self.inside(to, rows * columns * size)?,
            Target::Single(to) | Target::Sum(to) => self.inside(to, rows * columns * 4)?,
        }
        self.state().counts.products += 1;
        if self.work == Work::Counted {
            return Ok(());
        }
        // SAFETY: all three lie inside allocations of these sizes, aligned to more than a number; the result is none of the others.
        unsafe {
            match kind {
                Kind::Bf16 => {
                    let (x, weight) = (read::<u16>(x, rows * inner), read::<u16>(weight, columns * inner));
                    products(x, weight, inner, widened, |at, sum| put(to, at, sum, |sum: f32, to: *mut u16| to.write(rounded(sum))));
                }
                Kind::F32 => {
                    let (x, weight) = (read::<f32>(x, rows * inner), read::<f32>(weight, columns * inner));
                    products(x, weight, inner, |x| x, |at, sum| put(to, at, sum, |sum: f32, to: *mut f32| to.write(sum)));
                }
            }
        }
        Ok(())
    }
}

/// # Safety
/// `count` numbers lie at `address`.
unsafe fn read<'a, T>(address: Address, count: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { slice::from_raw_parts(address.0 as *const T, count) }
}

/// # Safety
/// Number `at` of the target lies inside its allocation.
unsafe fn put<T>(to: Target, at: usize, sum: f32, real: impl Fn(f32, *mut T)) {
    // SAFETY: the caller's.
    unsafe {
        match to {
            Target::Real(to) => real(sum, (to.0 as *mut T).add(at)),
            Target::Single(to) => (to.0 as *mut f32).add(at).write(sum),
            Target::Sum(to) => *(to.0 as *mut f32).add(at) += sum,
        }
    }
}

/// Every product of a row of `x` and a row of `weight`, in eight sums that are folded in pairs: an order that sees no shape but
/// `inner`.
fn products<T: Copy>(x: &[T], weight: &[T], inner: usize, wide: impl Fn(T) -> f32, put: impl Fn(usize, f32)) {
    let columns = weight.len() / inner.max(1);
    for (r, x) in x.chunks_exact(inner.max(1)).enumerate() {
        for (c, weight) in weight.chunks_exact(inner.max(1)).enumerate() {
            let mut lanes = [0f32; 8];
            for (x, weight) in x.chunks(8).zip(weight.chunks(8)) {
                for (lane, (x, weight)) in lanes.iter_mut().zip(x.iter().zip(weight)) {
                    *lane += wide(*x) * wide(*weight);
                }
            }
            let pairs = [lanes[0] + lanes[4], lanes[1] + lanes[5], lanes[2] + lanes[6], lanes[3] + lanes[7]];
            put(r * columns + c, (pairs[0] + pairs[2]) + (pairs[1] + pairs[3]));
        }
    }
}

fn widened(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

fn rounded(value: f32) -> u16 {
    half::bf16::from_f32(value).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn a_product_is_written_or_added() {
        let device = StandIn::new(Work::Done(Order::Rising), 1 << 20);
        let place = |values: &[f32]| {
            let address = device.allocate(values.len() * 4).unwrap();
            // SAFETY: just allocated.
            unsafe { device.upload(address, &numbers(values)).unwrap() };
            address
        };
        let (x, weight, sum) = (place(&[1.0, 2.0, 3.0, 4.0]), place(&[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]), place(&[10.0; 6]));
        for (to, expected) in
            [(Target::Sum(sum), [11.0, 12.0, 13.0, 13.0, 14.0, 17.0]), (Target::Single(sum), [1.0, 2.0, 3.0, 3.0, 4.0, 7.0])]
        {
            let mut bytes = [0; 24];
            // SAFETY: all are allocated with these sizes.
            unsafe {
                device.multiply(Kind::F32, &Multiply { x, weight, to, rows: 2, inner: 2, columns: 3 }).unwrap();
                device.download(sum, &mut bytes).unwrap();
            }
            assert_eq!(bytes.to_vec(), numbers(&expected));
        }
        assert_eq!(device.counts().products, 2);
    }

    #[test]
    fn what_is_not_allocated_is_refused_and_memory_is_bounded() {
        let device = StandIn::new(Work::Done(Order::Rising), 1000);
        let address = device.allocate(600).unwrap();
        assert!(device.allocate(600).is_err());
        // SAFETY: the first lies inside; the others are refused before anything is touched.
        unsafe {
            assert!(device.upload(address, &[0; 600]).is_ok());
            assert!(device.upload(address, &[0; 601]).is_err());
            assert!(device.upload(Address(8), &[0; 1]).is_err());
            device.release(address, 600);
        }
        assert_eq!((device.counts().held, device.counts().peak), (0, 600));
    }
}
