//! What the explorer answers with.

use std::io;

use axum::body::Bytes;
use axum::http::StatusCode;
use maud::{DOCTYPE, html};
use prism_run::shown;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use prism_report::document::html::Safe;
use prism_report::html::clipped;

/// Most bytes of an answer in JSON.
const LARGEST_JSON: usize = 64 << 20;
/// Most characters shown of why something could not be read.
const LONGEST_REASON: usize = 600;

/// An answer, before its headers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Media type.
    pub kind: &'static str,
    /// Content; a copy of the reply shares it.
    pub body: Bytes,
    /// Content security policy, where it is not the explorer's.
    pub policy: Option<String>,
    /// Whether a browser may keep it for a while.
    pub keep: bool,
}

impl Reply {
    /// Content of that type.
    pub fn of(kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, kind, body: body.into(), policy: None, keep: false }
    }

    /// A page.
    pub fn page(html: String) -> Self {
        Self::of("text/html; charset=utf-8", html)
    }

    /// JSON; a number that is not finite is `null`, a character that a terminal would obey is written as its escape, e.g. `\u001b`.
    pub fn json(value: &impl serde::Serialize) -> Self {
        let mut body = Bounded(Vec::new());
        match value.serialize(&mut Serializer::with_formatter(&mut body, Visible)) {
            Ok(()) => Self::of("application/json", body.0),
            Err(e) => Self::refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("This cannot be written as JSON: {e}")),
        }
    }

    /// A refusal in a sentence.
    pub fn refused(status: StatusCode, text: &str) -> Self {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { "Prism" }
                    link rel="stylesheet" href="/explorer.css";
                }
                body { main { h1 { (Safe(&status.to_string())) } p { (Safe(text)) } p { a href="/" { "All runs" } } } }
            }
        };
        Self { status, ..Self::page(page.into_string()) }
    }

    /// Nothing of that name.
    pub fn unknown(what: &str) -> Self {
        Self::refused(StatusCode::NOT_FOUND, &format!("There is no such {what} among the runs that were opened."))
    }

    /// Files that could not be read.
    pub fn unreadable(error: &dyn std::fmt::Display) -> Self {
        let reason = clipped(&error.to_string(), LONGEST_REASON);
        Self::refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("This could not be read: {reason}"))
    }

    /// Too much at once; to be asked again.
    pub fn busy(text: &str) -> Self {
        Self::refused(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// The same, which a browser may keep for a while.
    pub fn kept(mut self) -> Self {
        self.keep = true;
        self
    }
}

/// Bytes up to a number of them.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST_JSON {
            let told = format!("it is longer than {} MiB; read the tables of the run instead", LARGEST_JSON >> 20);
            return Err(io::Error::other(told));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// JSON on one line, in which no character is obeyed instead of shown.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        writer.write_all(shown::json(fragment).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_same_value_and_nothing_that_a_terminal_obeys() {
        let value = serde_json::json!({"a\u{202e}": ["\u{1b}[2J\n\"", "\u{9b}31m", "ü 图"], "b": 0.5});
        let reply = Reply::json(&value);
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(!text.chars().any(shown::is_obeyed) && text.contains("\\u202e") && text.contains("ü 图"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn json_ends_before_memory_does() {
        let long = "x".repeat(1 << 20);
        let fits: Vec<&str> = vec![long.as_str(); 63];
        assert_eq!(Reply::json(&fits).status, StatusCode::OK);
        let exceeds: Vec<&str> = vec![long.as_str(); 65];
        let refused = Reply::json(&exceeds);
        assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(String::from_utf8_lossy(&refused.body).contains("longer than 64 MiB"));
    }
}
