//! Text from files, such that a terminal or a page shows it and does not obey it.
//!
//! A name, a question or an error message may hold control characters that move the cursor, clear
//! the screen or turn the reading direction round, and others that nobody sees: a text that looks
//! like another, or that holds a second one. One list says which characters those are
//! ([`is_obeyed`]); a few more belong to the letter before them or are out of place ([`marked`]).
//! [`shown`] makes them visible in a piece of data, [`shown_lines`] in a whole text of several lines,
//! and [`json`] in JSON, whose value stays the same. [`files`] does so in files that are written.

pub mod files;

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// Whether a terminal or a browser obeys the character instead of showing it, or shows nothing for it: C0 and C1 controls
/// (line feeds and tabs among them), line and paragraph separators, what turns the reading direction, what is invisible by
/// itself (fillers, tags, the soft hyphen, controls of notations), and codes that are no characters.
pub fn is_obeyed(c: char) -> bool {
    if matches!(c, '\u{20}'..='\u{7e}') {
        return false;
    }
    let is_unseen = matches!(
        c,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d159}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e00ff}'
            | '\u{e01f0}'..='\u{e0fff}'
    );
    is_unseen || u32::from(c) & 0xfffe == 0xfffe
}

/// Whether a character only shapes the one before it: the joiners of several scripts and of emoji, and the selectors of a variant.
fn is_shaping(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180f}' | '\u{200c}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a character may be shaped by `c`: one of the scripts and symbols that know such shapes, and by one such character
/// alone. An emoji may be joined to another after its variant was selected.
fn is_shaped(before: char, c: char) -> bool {
    let is_mark = matches!(before, '\u{2000}'..='\u{206f}') && !matches!(before, '\u{203c}' | '\u{2049}');
    match before {
        '\u{fe0f}' => c == '\u{200d}',
        '©' | '®' => true,
        _ => before >= '\u{600}' && !is_mark && !before.is_whitespace() && !is_shaping(before) && !is_obeyed(before),
    }
}

/// The characters of a text, each with whether it is obeyed or unseen where it stands.
pub fn marked(text: &str) -> impl Iterator<Item = (char, bool)> + '_ {
    let mut before = None;
    text.chars().map(move |c| {
        let is_out_of_place = is_shaping(c) && !before.is_some_and(|before| is_shaped(before, c));
        before = Some(c);
        (c, is_obeyed(c) || is_out_of_place)
    })
}

/// A piece of data within a line: what would be obeyed is written out, e.g. `\u{1b}`, a line feed as `\n`.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |_| true, write_out)
}

/// A path within a line: a file may be called anything.
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy()).into_owned()
}

/// A text of several lines: as [`shown`], but line feeds and tabs are left as they are.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| !matches!(c, '\n' | '\t'), write_out)
}

/// JSON of the same value whose strings hold such characters as escapes, e.g. `\u001b`.
///
/// `text` is JSON as `serde_json` writes it, on one line or indented: there such characters stand in
/// strings alone, and the C0 controls among them are escaped already.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| c != '\n',
        |c, out| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
}

fn write_out(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
}

/// The text, with every marked character that is `chosen` replaced by what `put` writes for it.
fn escaped(text: &str, chosen: impl Fn(char) -> bool, put: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !marked(text).any(|(c, is_marked)| is_marked && chosen(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (c, is_marked) in marked(text) {
        if is_marked && chosen(c) { put(c, &mut out) } else { out.push(c) }
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
        for text in [
            "",
            "plain text",
            "Überprüfung: 图像 صورة तस्वीर",
            "क्\u{200d}ष می\u{200c}خواهم",
            "👩\u{200d}🔬 ±0.5 − …",
            "❤\u{fe0f}\u{200d}🔥 ©\u{fe0f} ‼\u{fe0f}",
            "葛\u{e0100}",
            "ᠮ\u{180b}",
        ] {
            assert!(matches!(shown(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(json(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn what_nobody_sees_is_written_out() {
        for c in ['\u{ad}', '\u{34f}', '\u{115f}', '\u{17b4}', '\u{2062}', '\u{3164}', '\u{ffa0}', '\u{fffe}', '\u{1d173}', '\u{e0061}'] {
            for text in [format!("a{c}b"), format!("图{c}像")] {
                assert!(is_obeyed(c) && shown(&text).contains(&format!("\\u{{{:x}}}", u32::from(c))), "{text:?}");
            }
        }
        // Where they shape nothing.
        for c in ['\u{180e}', '\u{200c}', '\u{200d}', '\u{fe00}', '\u{fe0f}', '\u{e0100}', '\u{e01ef}'] {
            for text in [format!("{c}"), format!("a{c}b"), format!(" {c}"), format!("é{c}"), format!("—{c}"), format!("图\u{e0100}{c}")]
            {
                assert!(shown(&text).contains(&format!("\\u{{{:x}}}", u32::from(c))), "{text:?}");
            }
        }
        assert_eq!(shown("图\u{e0100}\u{e0101}\u{e0102}"), "图\u{e0100}\\u{e0101}\\u{e0102}", "one selector, and no text in others");
    }

    #[test]
    fn lines_stay_lines_where_lines_are_meant() {
        assert_eq!(shown_lines("a\tb\nc\rd\u{1b}e"), "a\tb\nc\\rd\\u{1b}e");
    }

    #[test]
    fn json_that_is_indented_stays_so() {
        let value = serde_json::json!({"a": ["b\u{202e}\n\t", 1]});
        let text = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(json(&text), text.replace('\u{202e}', "\\u202e"));
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
