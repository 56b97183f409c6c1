//! The engine on a GPU: kernels, the device that runs them, and the engine behind the seam of `prism-model`.
//!
//! The kernels are CUDA C in `kernels/`. The same source is compiled twice: for devices to the PTX that lies beside it
//! ([`ptx`]), which a driver takes as it is, and for the host as C ([`host`]), which the tests hold against double
//! precision. [`kernels`] lists them with their arguments. [`tiles`] cuts attention into pieces by a rule that does not
//! see the other rows of a batch. A [`device`] runs them; [`engine`] is the model on it.
//!
//! What is still missing is in the crate's `README.md`.

pub mod device;
pub mod engine;
pub mod hidden;
pub mod host;
pub mod kernels;
pub mod ptx;
pub mod tiles;

pub use device::{Counts, Device, Queue};
pub use engine::DeviceEngine;
pub use hidden::HiddenSets;
pub use kernels::{Address, Kernel, Kind};
pub use tiles::Tile;
