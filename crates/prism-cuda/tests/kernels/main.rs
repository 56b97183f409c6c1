//! Every kernel's host build against double precision, on random shapes: odd sizes, single rows, hidden and evicted keys.
//!
//! What a kernel writes lies in memory filled with NaN between guarded zones ([`memory`]), each launch runs with the threads
//! of a block in three orders that must give the same bytes, and rows are run alone and among others.

mod attention;
mod elementwise;
mod heads;
mod logits;
mod memory;
mod norms;
mod product;
mod ptx;
mod random;
mod watched;

/// Runs a test's body for weights in bf16 and in f32.
macro_rules! for_both_kinds {
    ($($name:ident)*) => {
        $(mod $name {
            #[test]
            fn bf16() {
                super::$name::<crate::memory::Bf16>();
            }
            #[test]
            fn f32() {
                super::$name::<f32>();
            }
        })*
    };
}
pub(crate) use for_both_kinds;
