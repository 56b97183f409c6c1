//! Memory as a device has it: filled with what is no number, and with guarded zones around it.

use std::fmt::Debug;

use prism_cuda::host::{self, Order};
use prism_cuda::{Address, Kernel, Kind};

/// A number as weights and activations are kept.
pub trait Real: Copy + PartialEq + Debug + 'static {
    const KIND: Kind;
    /// The largest relative error of rounding to it.
    const STEP: f64;
    fn of(value: f64) -> Self;
    fn value(self) -> f64;
}

impl Real for f32 {
    const KIND: Kind = Kind::F32;
    const STEP: f64 = 6e-8;
    fn of(value: f64) -> Self {
        value as f32
    }
    fn value(self) -> f64 {
        f64::from(self)
    }
}

/// bf16 by its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

impl Real for Bf16 {
    const KIND: Kind = Kind::Bf16;
    const STEP: f64 = 1.0 / 256.0;
    fn of(value: f64) -> Self {
        let value = value as f32;
        if value.is_nan() {
            return Self((value.to_bits() >> 16) as u16 | 0x40);
        }
        // The nearest of the two around it; on a tie the one whose last bit is 0.
        let below = value.to_bits() & 0xffff_0000;
        let rest = value.to_bits() & 0xffff;
        let up = rest > 0x8000 || (rest == 0x8000 && below & 0x1_0000 != 0);
        Self(((below >> 16) + u32::from(up)) as u16)
    }
    fn value(self) -> f64 {
        f64::from(f32::from_bits(u32::from(self.0) << 16))
    }
}

/// Bytes of all ones: NaN in every kind, a row far away as an index.
const POISON: u8 = 0xff;
const GUARD: usize = 64;

/// An array between two zones that nobody may write to.
pub struct Array<T> {
    words: Vec<u64>,
    count: usize,
    _of: std::marker::PhantomData<T>,
}

impl<T: Copy> Array<T> {
    /// One that was not written to.
    pub fn poisoned(count: usize) -> Self {
        let bytes = count * size_of::<T>() + 2 * GUARD;
        Self { words: vec![u64::from_ne_bytes([POISON; 8]); bytes.div_ceil(8)], count, _of: std::marker::PhantomData }
    }

    pub fn of(values: &[T]) -> Self {
        let mut array = Self::poisoned(values.len());
        // SAFETY: the words are large enough for the zones and the values, which are plain numbers.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), array.words.as_mut_ptr().cast::<u8>().add(GUARD).cast(), values.len()) };
        array
    }

    pub fn address(&mut self) -> Address {
        Address(self.words.as_mut_ptr() as u64 + GUARD as u64)
    }

    /// What it holds now; the zones are whole.
    pub fn read(&self) -> Vec<T> {
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let end = GUARD + self.count * size_of::<T>();
        assert!(bytes[..GUARD].iter().chain(&bytes[end..]).all(|&byte| byte == POISON), "written outside the array");
        // SAFETY: the values were written as plain numbers, or are poison, which is a number too.
        (0..self.count).map(|i| unsafe { bytes.as_ptr().add(GUARD + i * size_of::<T>()).cast::<T>().read_unaligned() }).collect()
    }
}

impl<R: Real> Array<R> {
    pub fn values(&self) -> Vec<f64> {
        self.read().into_iter().map(Real::value).collect()
    }
}

/// One after the other.
pub fn real<R: Real>(values: &[f64]) -> Array<R> {
    Array::of(&reals::<R>(values))
}

pub fn reals<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|&value| R::of(value)).collect()
}

/// What is left of values when they are kept as `R`.
pub fn kept<R: Real>(values: &[f64]) -> Vec<f64> {
    values.iter().map(|&value| R::of(value).value()).collect()
}

pub fn run<K: Kernel>(kind: Kind, grid: [u32; 3], arguments: &K::Arguments, order: Order) {
    // SAFETY: the tests' arrays are as large as the arguments say; the guarded zones hold them to it.
    unsafe { host::launch::<K>(kind, grid, arguments, order) }
}

/// What `run` gives when the threads run in order; in the other orders it gives the same bits.
pub fn in_all_orders(run: impl Fn(Order) -> Vec<f64>) -> Vec<f64> {
    let [first, others @ ..] = Order::ALL.map(run);
    for other in others {
        assert_same(&first, &other, "threads in another order");
    }
    first
}

/// The same bits.
pub fn assert_same(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let differs = a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits());
    assert!(differs.is_none(), "{what}: number {} differs", differs.unwrap_or(0));
}

/// Each within `step` of the expected one's size, and within `slack`.
pub fn assert_close(got: &[f64], expected: &[f64], step: f64, slack: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= step * e.abs() + slack, "{what}: number {i} is {g}, expected {e}");
    }
}

#[test]
fn what_is_written_outside_shows() {
    let mut array = Array::<f32>::poisoned(3);
    let at = array.address().0 as *mut f32;
    // SAFETY: inside the words, in the zone behind the values.
    unsafe { at.add(3).write(0.0) };
    assert!(std::panic::catch_unwind(|| array.read()).is_err());
}
