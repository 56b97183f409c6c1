//! JSON as Python writes it: numbers that are none, and a list where one object a line is asked for.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::readers::checks::At;
use crate::{Error, Place, Result};

/// What Python's `json` writes for numbers that JSON does not have.
const NONE: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
/// Bytes of a list that is read as a whole.
const MOST_LIST: u64 = 256 << 20;

/// The text with `null` where it has NaN or an infinity outside of its strings; `None` where it has none.
pub(super) fn without_nan(text: &[u8]) -> Option<Vec<u8>> {
    let (mut plain, mut found) = (Vec::with_capacity(text.len()), false);
    let (mut rest, mut inside, mut escaped) = (text, false, false);
    while let Some((&byte, after)) = rest.split_first() {
        if !inside && let Some(word) = NONE.into_iter().find(|word| rest.starts_with(word)) {
            plain.extend_from_slice(b"null");
            found = true;
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        inside ^= byte == b'"' && !escaped;
        escaped = inside && byte == b'\\' && !escaped;
        plain.push(byte);
        rest = after;
    }
    found.then_some(plain)
}

/// The file's objects, where it is one JSON list and not one object a line; `None` where it is not.
///
/// # Errors
/// It begins as a list and is none, or cannot be read, or is larger than a list may be.
pub(super) fn list(path: &Path) -> Result<Option<Vec<serde_json::Value>>> {
    let unread = |e| Error::io("cannot read", path, e);
    let mut file = File::open(path).map_err(unread)?;
    let mut start = [0; 4096];
    let length = file.read(&mut start).map_err(unread)?;
    let start = start.get(..length).unwrap_or_default();
    if start.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::data(path, Place::File, "it is compressed with gzip, whatever its name says", "unpack it with `gunzip`"));
    }
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    if start.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        return Ok(None);
    }
    let at = At { path, place: Place::File };
    let refused = |cause: String| at.error(cause, "write one JSON object a line, or one list of them");
    let length = file.metadata().map_err(unread)?.len();
    if length > MOST_LIST {
        return Err(refused(format!("it is one list of {} MiB", length >> 20)));
    }
    let text = std::fs::read(path).map_err(unread)?;
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
    let parsed = match serde_json::from_slice(text) {
        Err(_) => without_nan(text).map_or_else(|| serde_json::from_slice(text), |plain| serde_json::from_slice(&plain)),
        whole => whole,
    };
    match parsed {
        Ok(list) => Ok(Some(list)),
        // Lines of objects, of which the first is broken: its reader says which line.
        Err(_) if has_lines(text) => Ok(None),
        Err(e) => Err(refused(format!("it begins as a list and is none: {e}"))),
    }
}

/// Whether the second line is an object by itself.
fn has_lines(text: &[u8]) -> bool {
    let second = text.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)).nth(1);
    second.is_some_and(|line| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_are_null_and_texts_are_kept() {
        let plain = |text: &str| without_nan(text.as_bytes()).map(|plain| String::from_utf8(plain).unwrap());
        assert_eq!(plain(r#"{"a": NaN, "b": [-Infinity, Infinity]}"#).as_deref(), Some(r#"{"a": null, "b": [null, null]}"#));
        assert_eq!(plain(r#"{"a\"NaN": "\\", "b": NaN, "c": "NaN"}"#).as_deref(), Some(r#"{"a\"NaN": "\\", "b": null, "c": "NaN"}"#));
        assert_eq!(plain(r#"{"a": "NaN \" Infinity", "b": -1}"#), None);
        assert_eq!(plain("\"cut off NaN"), None);
    }
}
