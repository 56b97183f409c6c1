//! TOML into a checked type; unknown keys are errors that name the key.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::door::{self, Limit};
use crate::{Error, Result};

/// Parses `text` (of `path`, named in messages) into `T`.
///
/// # Errors
/// [`Error::Content`] naming the key's path when the text is not TOML or a key is
/// unknown, missing or of the wrong type.
pub fn from_str<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T> {
    let remedy = "correct the key; every key is listed in docs/reference/recipes.md";
    let document =
        toml::Deserializer::parse(text).map_err(|e| Error::content(path, e.to_string().trim().replace('\n', " "), "correct the TOML"))?;
    serde_path_to_error::deserialize(document).map_err(|e| {
        let key = e.path().to_string();
        Error::content(path, format!("key `{key}`: {}", e.inner().message()), remedy)
    })
}

/// Reads and parses a file of a run, through the [`door`].
///
/// # Errors
/// As [`from_str`] and [`door::read_text`].
pub fn read_of_run<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = door::read_text(path, Limit::Recipe)?;
    from_str(&text, path)
}

/// Reads and parses the file at `path`, which the user named.
///
/// # Errors
/// As [`from_str`], and [`Error::Io`] when the file cannot be read.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = door::read_named(path, Limit::Recipe)?;
    from_str(&text, path)
}
