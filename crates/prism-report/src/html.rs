//! Text into HTML and JSON into HTML, such that nothing in a question, an answer
//! or a path can become markup or script; and base64 for embedded images and
//! for the hashes of the page's own scripts.

use maud::{Markup, PreEscaped, html};
use prism_run::shown::marked;
use sha2::{Digest, Sha256};

/// Text for element content and for quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (c, is_marked) in marked(text) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_marked && !is_space(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Of the characters that are obeyed, those that a browser takes for a space.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r')
}

/// Text for a place that escapes markup itself, such as a chart: without controls, which are no text, and without what turns
/// its direction or is not seen, which could disguise it.
pub fn plain(text: &str) -> String {
    marked(text).map(|(c, is_marked)| if is_marked && !is_space(c) { '\u{fffd}' } else { c }).collect()
}

/// A word of a table as it is read, e.g. `teacher-forced`.
pub fn dashed(word: impl std::fmt::Display) -> String {
    word.to_string().replace('_', "-")
}

/// At most `most` characters of a text from a file, and how many were cut.
pub fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_string(),
        Some((end, _)) => format!("{}… ({} more characters)", &text[..end], text[end..].chars().count()),
    }
}

/// At most `most` characters, and how many were cut off.
pub fn cut(text: &str, most: usize) -> (&str, usize) {
    match text.char_indices().nth(most) {
        None => (text, 0),
        Some((at, _)) => (&text[..at], text[at..].chars().count()),
    }
}

/// Text cut to `most` characters as HTML, with a note of what was cut.
pub fn cut_html(whole: &str, most: usize) -> Markup {
    let (shown, left) = cut(whole, most);
    html! { (PreEscaped(escape(shown))) @if left > 0 { " " small.cut { "… " (left) " more characters, in the records" } } }
}

/// Text between the quotes of a style sheet that stands in a page.
pub fn within_css(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        if c == ' ' || c.is_alphanumeric() || !c.is_ascii() {
            out.push(c);
        } else {
            // By its number: nothing is left that closes the text or the style sheet.
            out.push_str(&format!("\\{:x} ", u32::from(c)));
        }
    }
    out
}

/// JSON for a `<script type="application/json">`: the same value, without the
/// characters HTML reads inside a script element.
pub fn json_for_script(value: &serde_json::Value) -> String {
    let text = value.to_string();
    let text = prism_run::shown::json(&text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            c => out.push(c),
        }
    }
    out
}

/// The source a content security policy uses to admit exactly this inline script.
pub fn script_hash(script: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(script.as_bytes())))
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, &b| (w << 8) | u32::from(b)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(DIGITS[(word >> (18 - 6 * place) & 63) as usize] as char);
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escape("<script>a&\"'"), "&lt;script&gt;a&amp;&quot;&#39;");
        assert_eq!(escape("a\u{202e}b\u{0}"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn text_in_a_style_sheet_stays_text() {
        assert_eq!(within_css("a\"}</style>\\\n\u{202e}é 95 %"), "a\\22 \\7d \\3c \\2f style\\3e \\5c \\a \u{fffd}é 95 \\25 ");
    }

    #[test]
    fn what_is_cut_is_counted() {
        assert_eq!(clipped("häuser", 3), "häu… (3 more characters)");
        assert_eq!(clipped("häu", 3), "häu");
        assert_eq!(plain("a\u{202e}<b>\u{7}\n"), "a\u{fffd}<b>\u{fffd}\n");
    }

    #[test]
    fn json_cannot_close_its_element_and_reads_back() {
        let value = serde_json::json!({"q": "</script><!-- & \u{2028}"});
        let text = json_for_script(&value);
        assert!(!text.contains('<') && !text.contains('&') && !text.contains('\u{2028}'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn base64_pads_as_the_standard_says() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
