//! What can be wrong with data: each message names the file, the place in it, the
//! cause and the remedy.

use std::fmt;
use std::path::{Path, PathBuf};

use prism_run::shown::{shown, shown_path};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in a file something is wrong; lines count from 1, records and rows from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line of a JSONL or CSV file, from 1.
    Line(usize),
    /// The same, of a row that was read and is told of again: it lacks its partner.
    Again(usize),
    /// A row of a table, from 0.
    Row(usize),
    /// A record of a JSON list, from 0, with its question id when known.
    Record(usize, Option<String>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File => Ok(()),
            Place::Line(n) | Place::Again(n) => write!(f, ", line {n}"),
            Place::Row(n) => write!(f, ", row {n}"),
            Place::Record(n, None) => write!(f, ", record {n}"),
            Place::Record(n, Some(id)) => write!(f, ", record {n} (question {})", shown(id)),
        }
    }
}

/// A failure of a reader or of the world's generator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Content of a data file that cannot be used.
    #[error("{path}{place}: {cause}; {remedy}", path = shown_path(path), cause = shown(cause), remedy = shown(remedy))]
    Data {
        /// The data file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// What is wrong.
        cause: String,
        /// What the user can do.
        remedy: String,
    },
    /// A world that cannot be made as asked.
    #[error("world: key `{key}` {cause}; {remedy}")]
    World {
        /// The recipe's key.
        key: &'static str,
        /// Why its value cannot be used.
        cause: String,
        /// What would be accepted.
        remedy: String,
    },
    /// A file or folder that cannot be read or written, or an interruption.
    #[error(transparent)]
    Run(#[from] prism_run::Error),
}

impl Error {
    /// An [`Error::Data`] at `place` of `path`.
    pub fn data(path: &Path, place: Place, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Data { path: path.to_path_buf(), place, cause: cause.into(), remedy: remedy.into() }
    }

    /// An [`Error::Run`] for a refusal of the operating system.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Error::Run(prism_run::Error::io(action, path, source))
    }
}
