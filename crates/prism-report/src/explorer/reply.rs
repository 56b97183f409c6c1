//! What the explorer answers with.

use axum::http::StatusCode;

use crate::html::escape;

/// An answer, before its headers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Media type.
    pub kind: &'static str,
    /// Content.
    pub body: Vec<u8>,
    /// Content security policy, where it is not the explorer's.
    pub policy: Option<String>,
    /// Whether a browser may keep it for a while.
    pub keep: bool,
}

impl Reply {
    /// Content of that type.
    pub fn of(kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: StatusCode::OK, kind, body: body.into(), policy: None, keep: false }
    }

    /// A page.
    pub fn page(html: String) -> Self {
        Self::of("text/html; charset=utf-8", html)
    }

    /// JSON; a number that is not finite is `null`.
    pub fn json(value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::of("application/json", body),
            Err(e) => Self::refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot be written as JSON: {e}")),
        }
    }

    /// A refusal in a sentence.
    pub fn refused(status: StatusCode, text: &str) -> Self {
        let text = escape(text);
        let page = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>Prism</title><link rel=\"stylesheet\" href=\"/explorer.css\"></head><body><main><h1>{}</h1><p>{text}</p><p><a href=\"/\">All runs</a></p></main></body></html>",
            escape(&status.to_string())
        );
        Self { status, ..Self::page(page) }
    }

    /// Nothing of that name.
    pub fn unknown(what: &str) -> Self {
        Self::refused(StatusCode::NOT_FOUND, &format!("There is no such {what} among the runs that were opened."))
    }

    /// Files that could not be read.
    pub fn unreadable(error: &dyn std::fmt::Display) -> Self {
        Self::refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("This could not be read: {error}"))
    }

    /// The same, which a browser may keep for a while.
    pub fn kept(mut self) -> Self {
        self.keep = true;
        self
    }
}
