//! Readers of training data and benchmarks, and the generated world.
//!
//! Everything a model is trained on or asked passes through here: files become
//! [`prism_run::TrainingRecord`]s and [`prism_run::Example`]s, and the world writes
//! the same files the readers read. This crate knows no tensors.

pub mod error;
pub mod prompt;
pub mod readers;
pub mod world;

pub use error::{Error, Place, Result};
pub use readers::{benchmark_file, benchmark_name, read_benchmark, read_partners, read_training, training_files};
