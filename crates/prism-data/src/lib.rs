//! Readers of training data and benchmarks, and the generated world.
//!
//! Everything a model is trained on or asked passes through here: files become
//! [`prism_run::TrainingRecord`]s and [`prism_run::Example`]s, and the world writes
//! the same files the readers read. A benchmark is data (`benchmarks/*.toml`) and the
//! reader of its layout; [`Benchmark::open`] finds out which. This crate knows no
//! tensors.

pub mod benchmark;
pub mod error;
pub mod prompt;
pub mod readers;
pub mod world;

pub use benchmark::{Benchmark, Inventory, Layout, read_benchmark, read_partners};
pub use error::{Error, Place, Result};
pub use readers::{Depth, ImageCheck, Images, Picture, Remark, Remarks, Unusable, read_training, training_files};
