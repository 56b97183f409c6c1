//! Filters of Jinja2 and methods of Python's texts that MiniJinja's do otherwise.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

use super::title::title;

/// Adds all of it.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("indent", indent);
    for name in ["escape", "e", "forceescape"] {
        environment.add_filter(name, escape);
    }
    // To Jinja2 whatever has a length and items is one.
    let is_sequence = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map | ValueKind::Iterable);
    environment.add_test("sequence", move |value: &Value| is_sequence(value));
    environment.set_unknown_method_callback(method);
}

/// Python's method that fills the fields of a pattern.
const OF_PATTERNS: &str = "format";

fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if value.as_str().is_some_and(is_wide) && name == OF_PATTERNS
        || args.iter().any(|arg| i64::try_from(arg.clone()).is_ok_and(|n| n > WIDEST))
    {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("`{name}` is asked for more than {WIDEST} characters")));
    }
    match (value.as_str(), name, args) {
        (Some(text), "title", []) => Ok(Value::from(title(text))),
        (Some(text), "splitlines", []) => Ok(lines(text).into_iter().map(Value::from).collect()),
        _ => pycompat::unknown_method_callback(state, value, name, args),
    }
}

/// A text is filled to this many characters at most.
const WIDEST: i64 = 100_000;

/// Whether a pattern asks for a field wider than any.
pub(super) fn is_wide(pattern: &str) -> bool {
    pattern.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 6)
}

/// The lines of a text, at every end of a line that Python knows.
fn lines(text: &str) -> Vec<&str> {
    const ENDS: [char; 10] = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(ENDS) {
        lines.push(&rest[..at]);
        let end = if rest[at..].starts_with("\r\n") { 2 } else { rest[at..].chars().next().map_or(1, char::len_utf8) };
        rest = &rest[at + end..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// Every line but the first moved in; the first and empty ones where asked for.
fn indent(value: String, width: Option<Value>, first: Option<bool>, blank: Option<bool>) -> Result<String, Error> {
    let space = match width {
        None => "    ".to_owned(),
        Some(width) => match width.as_str() {
            Some(space) => space.to_owned(),
            None => " ".repeat(usize::try_from(width).unwrap_or(0).min(1024)),
        },
    };
    let text = value + "\n";
    let moved = |(at, line): (usize, &str)| {
        let stays = at == 0 || line.is_empty() && !blank.unwrap_or(false);
        if stays { line.to_owned() } else { format!("{space}{line}") }
    };
    let text = lines(&text).into_iter().enumerate().map(moved).collect::<Vec<_>>().join("\n");
    Ok(if first.unwrap_or(false) { space + &text } else { text })
}

/// The five characters that HTML reads, as Jinja2 writes them.
fn escape(text: String) -> Value {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    Value::from_safe_string(out)
}
