//! Single-precision kernels on slices: one pass each, no allocation that is not
//! output, vectorised for the processor found at run time.

pub mod attention;
pub mod cross_entropy;
pub mod elementwise;
pub mod matmul;
pub mod matvec;
pub mod narrow;
pub mod norm;
pub mod scratch;
pub mod simd;
