//! What can go wrong with the files of a run: each message names the file, the
//! cause and the remedy, on one line whatever the file is called and holds.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::shown::{shown, shown_path};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure while reading or writing a run's files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{action} {path}: {source}", path = shown_path(path))]
    Io {
        /// What was being done, e.g. `cannot read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file's content is not what it should be.
    #[error("{path}: {cause}; {remedy}", path = shown_path(path), cause = shown(cause), remedy = shown(remedy))]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
        /// What the user can do.
        remedy: String,
    },
    /// A value typed by the user is not understood.
    #[error("{what} `{value}` {cause}; {remedy}", value = shown(value), cause = shown(cause))]
    Value {
        /// The kind of value, e.g. `intervention`.
        what: &'static str,
        /// What was given.
        value: String,
        /// Why it was refused.
        cause: String,
        /// What would be accepted.
        remedy: String,
    },
    /// Another process writes there.
    #[error("{path}: {holder} writes there; wait until it has ended, or give another folder", path = shown_path(path))]
    Busy {
        /// The run folder.
        path: PathBuf,
        /// Who: process, host, since when, and what it does.
        holder: String,
    },
    /// The user or the scheduler asked to stop; everything finished is on disk.
    #[error("interrupted: what was finished is kept; run the same command again to go on")]
    Interrupted,
}

impl Error {
    /// An [`Error::Io`] on `path`.
    pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Error::Io { action, path: path.to_path_buf(), source }
    }

    /// What the tensor library said while writing `path`.
    pub fn unsaved(path: &Path, error: safetensors::SafeTensorError) -> Self {
        match error {
            safetensors::SafeTensorError::IoError(source) => Self::io("cannot write", path, source),
            other => Self::content(path, other.to_string(), "report this as a bug"),
        }
    }

    /// Whether the system refused to write, as on a full disk: no input's fault.
    pub fn is_write_failure(&self) -> bool {
        let Error::Io { action, source, .. } = self else { return false };
        let of_writing = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge, ErrorKind::ReadOnlyFilesystem];
        of_writing.contains(&source.kind())
            || ["write", "create", "rename", "remove", "replace"].iter().any(|verb| action.starts_with(&format!("cannot {verb}")))
    }

    /// An [`Error::Content`] on `path`.
    pub fn content(path: &Path, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Content { path: path.to_path_buf(), cause: cause.into(), remedy: remedy.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_a_file_is_called_and_holds() {
        let path = Path::new("run\nerror: forged\u{1b}[2J");
        let told = [
            Error::io("cannot read", path, ErrorKind::NotFound.into()),
            Error::content(path, "key `a\nerror: forged`", "correct it"),
            Error::Value { what: "intervention", value: "a\nb".into(), cause: "is none\nof them".into(), remedy: "give one".into() },
            Error::Busy { path: path.into(), holder: "process 1 on x".into() },
        ];
        for error in told {
            let told = error.to_string();
            assert!(told.lines().count() == 1 && !told.chars().any(crate::shown::is_obeyed) && told.contains("\\n"), "{told}");
        }
        assert_eq!(Error::content(Path::new("a.json"), "is none", "write one").to_string(), "a.json: is none; write one");
    }
}
