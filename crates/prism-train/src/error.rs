//! What can go wrong while training.

use std::path::Path;

use prism_run::shown;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a training run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the run.
    #[error(transparent)]
    Run(#[from] prism_run::Error),
    /// The model, its checkpoint or its input.
    #[error(transparent)]
    Model(#[from] prism_model::Error),
    /// A key of the training configuration is out of range.
    #[error("training configuration: `{key}` = {value}: {cause}; {remedy}")]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        cause: &'static str,
        /// What would be accepted.
        remedy: &'static str,
    },
    /// A training record cannot be used.
    #[error("training record {id}: {cause}; {remedy}", id = shown(id), cause = shown(cause))]
    Record {
        /// The record's id.
        id: String,
        /// What is wrong with it.
        cause: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A loss or a gradient is not a finite number.
    #[error(
        "step {step}: {what} is not a finite number; lower `learning_rate`, check the data of this step, \
         or resume from an earlier checkpoint"
    )]
    Diverged {
        /// The optimizer step, from 1.
        step: usize,
        /// The loss or the gradient norm.
        what: &'static str,
    },
    /// The system refuses worker threads.
    #[error("cannot start {count} workers: {cause}; set `workers` lower")]
    Workers {
        /// How many were asked for.
        count: usize,
        /// The system's answer.
        cause: String,
    },
}

impl Error {
    /// The content of `path` is not what it should be.
    pub fn content(path: &Path, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Run(prism_run::Error::content(path, cause, remedy))
    }

    /// The operating system refused an action on `path`.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Error::Run(prism_run::Error::io(action, path, source))
    }

    /// Whether the run was asked to stop and did so cleanly.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Error::Run(prism_run::Error::Interrupted) | Error::Model(prism_model::Error::Run(prism_run::Error::Interrupted)))
    }
}
