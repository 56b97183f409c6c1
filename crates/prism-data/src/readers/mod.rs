//! From files to examples and training records.
//!
//! Every reader guarantees what [`prism_run::Example`] and
//! [`prism_run::TrainingRecord`] promise (images exist, boxes lie inside the image,
//! labels are among the options, ids are unique) or ends with a message that names
//! the file, the place, the cause and the remedy. Relative paths are relative to the
//! folder of the file that holds them and stay below it; absolute paths are taken as
//! they are.

mod benchmark;
mod checks;
mod jsonl;
mod training;
mod vstar;

pub use benchmark::{benchmark_file, benchmark_name, read_benchmark, read_partners};
pub use jsonl::JsonlRow;
pub use training::{TrainingEntry, TrainingJson, TrainingTurn, read_training, training_files};
