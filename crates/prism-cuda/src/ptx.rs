//! The kernels as PTX, made by `cargo xtask ptx` and part of the binary: ISA 8.4 for compute capability 8.0, which every
//! driver since 550 (CUDA 12.4) takes for every card since the A100.

use crate::kernels::Kind;

/// The text that a driver compiles.
pub fn text(kind: Kind) -> &'static str {
    match kind {
        Kind::Bf16 => include_str!("../kernels/bf16.ptx"),
        Kind::F32 => include_str!("../kernels/f32.ptx"),
    }
}

/// The hash of the sources that it was made of.
pub fn made_of(text: &str) -> Option<&str> {
    text.lines().nth(1)?.strip_prefix("// sources ")
}

/// Names of its kernels.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix(".visible .entry ")).map(|rest| rest.trim_end_matches(['(', ')']))
}
