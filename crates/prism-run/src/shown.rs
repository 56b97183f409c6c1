//! Text from files, such that a terminal or a page shows it and does not obey it.
//!
//! A name, a question or an error message may hold control characters that move the cursor, clear
//! the screen or turn the reading direction round. One list says which characters those are
//! ([`is_obeyed`]). [`shown`] makes them visible in a piece of data, [`shown_lines`] in a whole
//! text of several lines, and [`json`] in JSON, whose value stays the same.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// Whether a terminal or a browser obeys the character instead of showing it: C0 and C1 controls
/// (line feeds and tabs among them), line and paragraph separators, what turns the reading
/// direction, and what is invisible by itself. The joiners U+200C and U+200D are letters' business
/// in several scripts, and pass.
pub fn is_obeyed(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// A piece of data within a line: what would be obeyed is written out, e.g. `\u{1b}`, a line feed as `\n`.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed, |c, out| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    })
}

/// A path within a line: a file may be called anything.
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy()).into_owned()
}

/// A text of several lines: as [`shown`], but line feeds and tabs are left as they are.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| is_obeyed(c) && !matches!(c, '\n' | '\t'),
        |c, out| {
            out.push_str(&shown(c.encode_utf8(&mut [0; 4])));
        },
    )
}

/// JSON of the same value, on one line, whose strings hold such characters as escapes, e.g. `\u001b`.
///
/// `text` is JSON as `serde_json` writes it without indentation: there such characters stand in
/// strings alone, and the C0 controls among them are escaped already.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// The text, with every `chosen` character replaced by what `put` writes for it.
fn escaped(text: &str, chosen: impl Fn(char) -> bool, put: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let Some(first) = text.find(&chosen) else { return Cow::Borrowed(text) };
    let (clean, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(clean);
    for c in rest.chars() {
        if chosen(c) { put(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(shown("a\u{1b}[2J\u{7}b"), "a\\u{1b}[2J\\u{7}b");
        assert_eq!(shown("one\ntwo\tthree\r"), "one\\ntwo\\tthree\\r");
        assert_eq!(shown("x\u{202e}y\u{2066}\u{61c}\u{200f}"), "x\\u{202e}y\\u{2066}\\u{61c}\\u{200f}");
        assert_eq!(shown("\u{9b}31m\u{85}\u{2028}\u{7f}"), "\\u{9b}31m\\u{85}\\u{2028}\\u{7f}");
        assert_eq!(shown("\u{200b}\u{feff}\u{e0041}"), "\\u{200b}\\u{feff}\\u{e0041}");
    }

    #[test]
    fn ordinary_text_of_any_script_is_not_copied() {
        for text in ["", "plain text", "Überprüfung: 图像 صورة तस्वीर", "क्\u{200d}ष می\u{200c}خواهم", "👩\u{200d}🔬 ±0.5 − …"]
        {
            assert!(matches!(shown(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(json(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn lines_stay_lines_where_lines_are_meant() {
        assert_eq!(shown_lines("a\tb\nc\rd\u{1b}e"), "a\tb\nc\\rd\\u{1b}e");
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({"a\u{202e}": ["\u{1b}[2J\n", "\u{9b}", "\u{7f}", "\u{e0001}", "ordinary \u{200d} ü"]});
        let text = json(&value.to_string()).into_owned();
        assert!(!text.chars().any(is_obeyed), "{text}");
        assert!(text.contains("\\udb40\\udc01"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
