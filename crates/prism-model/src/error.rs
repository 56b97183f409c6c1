//! What can go wrong in the model: each message names what failed, on what, and
//! what to do about it.

use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the model, its checkpoint or its input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the run layer failed.
    #[error(transparent)]
    Run(#[from] prism_run::Error),
    /// The tensor library refused.
    #[error("tensor: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A key of `config.json` is missing or out of range.
    #[error("{path}: `{key}` {cause}; {remedy}")]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The key, dotted when nested.
        key: String,
        /// What is wrong with it.
        cause: String,
        /// What would be accepted.
        remedy: String,
    },
    /// The weights of a checkpoint do not fit its configuration; every problem is listed.
    #[error("{path}: the weights do not fit config.json:\n  {}\n  copy the checkpoint again, or fix config.json", problems.join("\n  "))]
    Weights {
        /// The checkpoint folder or file.
        path: PathBuf,
        /// One line per missing, extra, misshapen or truncated tensor.
        problems: Vec<String>,
    },
    /// What a caller passed does not fit the model.
    #[error("{what}: {cause}; {remedy}")]
    Input {
        /// The argument or object.
        what: String,
        /// What is wrong with it.
        cause: String,
        /// What would be accepted.
        remedy: String,
    },
}

impl Error {
    /// The operating system refused an action on `path`.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Error::Run(prism_run::Error::io(action, path, source))
    }

    /// The content of `path` is not what it should be.
    pub fn content(path: &Path, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Run(prism_run::Error::content(path, cause, remedy))
    }

    /// An argument does not fit the model.
    pub fn input(what: impl Into<String>, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Input { what: what.into(), cause: cause.into(), remedy: remedy.into() }
    }
}
