//! The engine on a GPU, as far as it stands: the kernels, what they are given, and how work is cut for them.
//!
//! The kernels are CUDA C in `kernels/`. The same source is compiled twice: for devices to the PTX that lies beside it
//! ([`ptx`]), which a driver takes as it is, and for the host as C ([`host`]), which the tests hold against double
//! precision. [`kernels`] lists them with their arguments. [`tiles`] cuts attention into pieces by a rule that does not
//! see the other rows of a batch.
//!
//! What follows (driver, buffers, engine) is planned in the crate's `README.md`.

pub mod hidden;
pub mod host;
pub mod kernels;
pub mod ptx;
pub mod tiles;

pub use hidden::HiddenSets;
pub use kernels::{Address, Kernel, Kind};
pub use tiles::Tile;
