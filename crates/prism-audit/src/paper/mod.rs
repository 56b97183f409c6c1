//! The published numbers (arXiv 2606.05753) against what their own table gives.
//!
//! [`published`] reads `data/paper.toml`, [`recompute`] computes every correlation,
//! every bootstrap interval, [`left_out`] the figures the paper leaves out, [`table`]
//! prints them.

pub mod left_out;
pub mod published;
pub mod recompute;

pub use published::{Published, published};
pub use recompute::{PaperRow, recompute, table};
