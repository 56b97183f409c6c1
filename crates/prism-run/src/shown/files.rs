//! Files of text that Prism writes: what a person sees who prints one is what stands in it.
//!
//! JSON and TOML have escapes, so that the value of a text stays the same. A line feed is one only
//! between values.

use std::path::Path;

use serde::Serialize;
use toml::Value;

use super::{json, marked};
use crate::{Error, Result};

/// JSON, indented, with a line feed at its end. `path` is named where it cannot be written.
///
/// # Errors
/// [`Error::Content`] when the value is none that JSON holds.
pub fn json_text(value: &impl Serialize, path: &Path) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| unwritten(path, &e))?;
    Ok(json(&text).into_owned() + "\n")
}

/// JSON on one line, with a line feed at its end.
///
/// # Errors
/// As [`json_text`].
pub fn json_line(value: &impl Serialize, path: &Path) -> Result<String> {
    let text = serde_json::to_string(value).map_err(|e| unwritten(path, &e))?;
    Ok(json(&text).into_owned() + "\n")
}

/// TOML.
///
/// # Errors
/// [`Error::Content`] when the value is none that TOML holds.
pub fn toml_text(value: &impl Serialize, path: &Path) -> Result<String> {
    let text = toml::to_string(value).map_err(|e| unwritten(path, &e))?;
    if !marked(&text).any(|(c, is_marked)| is_marked && !matches!(c, '\n' | '\t')) {
        return Ok(text);
    }
    // The library writes some strings without escapes. One that holds a control is not among them.
    let value = Value::try_from(value).map_err(|e| unwritten(path, &e))?;
    let text = toml::to_string(&numbered(&value)).map_err(|e| unwritten(path, &e))?;
    let text = written_out(&text);
    if toml::from_str::<Value>(&text).is_ok_and(|read| read == value) {
        return Ok(text);
    }
    Err(Error::content(path, "would hold a character that nobody sees in it", "remove such characters from the recipe"))
}

fn unwritten(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::content(path, error.to_string(), "report this as a bug")
}

/// Stands before and after a character's number. It is a control itself.
const MARK: char = '\u{1}';
/// The mark as it is written.
const WRITTEN: &str = "\\u0001";

/// The value, whose texts hold the numbers of such characters in their place.
fn numbered(value: &Value) -> Value {
    let text = |text: &str| {
        let mut out = String::new();
        for (c, is_marked) in marked(text) {
            match is_marked {
                true => out.push_str(&format!("{MARK}{:08x}{MARK}", u32::from(c))),
                false => out.push(c),
            }
        }
        out
    };
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(items) => Value::Array(items.iter().map(numbered).collect()),
        Value::Table(table) => Value::Table(table.iter().map(|(key, value)| (text(key), numbered(value))).collect()),
        other => other.clone(),
    }
}

/// The text, with an escape in the place of each number.
fn written_out(text: &str) -> String {
    text.split(WRITTEN).enumerate().map(|(i, piece)| if i % 2 == 1 { format!("\\U{piece}") } else { piece.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shown::is_obeyed;

    #[test]
    fn a_file_shows_what_stands_in_it_and_reads_back_as_it_was() {
        let path = Path::new("f");
        for text in ["a\u{202e}\u{9b}31m", "\u{1b}[2J\n'\"\\", "two\nlines\u{2028}", "\u{1}\u{e0041}\u{ad}x\u{200d}", "plain ü 图"] {
            let value = serde_json::json!({ text: [text], "table": { "key": text } });
            for written in [json_text(&value, path).unwrap(), json_line(&value, path).unwrap()] {
                assert!(!written.chars().any(|c| is_obeyed(c) && c != '\n') && !written.contains('\u{200d}'), "{written:?}");
                assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
            }
            let written = toml_text(&value, path).unwrap();
            assert!(!written.chars().any(|c| is_obeyed(c) && c != '\n') && !written.contains('\u{200d}'), "{written:?}");
            assert_eq!(serde_json::to_value(toml::from_str::<Value>(&written).unwrap()).unwrap(), value, "{written}");
        }
        assert_eq!(
            toml_text(&serde_json::json!({"a": "b\nc"}), path).unwrap(),
            toml::to_string(&serde_json::json!({"a": "b\nc"})).unwrap()
        );
        // Written so that it could be taken for a mark, beside a character that needs one.
        let odd = serde_json::json!({"a": "\\u0001x", "b": "\u{202e}"});
        match toml_text(&odd, path) {
            Ok(written) => assert_eq!(serde_json::to_value(toml::from_str::<Value>(&written).unwrap()).unwrap(), odd),
            Err(told) => assert!(told.to_string().contains("nobody sees"), "{told}"),
        }
    }
}
