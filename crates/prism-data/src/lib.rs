//! Readers of training data and benchmarks, and the generated world.
//!
//! Everything a model is trained on or asked passes through here: files become
//! [`prism_run::TrainingRecord`]s and [`prism_run::Example`]s, and the world writes
//! the same files the readers read. This crate knows no tensors.

pub mod error;
pub mod prompt;
pub mod world;

pub use error::{Error, Place, Result};
