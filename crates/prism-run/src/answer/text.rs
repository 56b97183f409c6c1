//! What the rules share: how the published scripts strip, split and compare text.
//!
//! Everything here passes over a text once, so that a response of any length is read in time
//! proportional to it.

/// What opens a tagged answer.
pub const OPENING: &str = "<answer>";
/// What ends it, as the published scripts look for it.
const CLOSING: &str = "</answer";

/// Whether Python's `str.strip` and `\s` take the character for white space: Unicode's, and the
/// four separators of ASCII.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The text without white space at its ends.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// The text without white space at its beginning.
pub fn after_space(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// What the published scripts look at, and whether a tag marks it: what follows the last `<answer>`, or without one
/// everything; up to the first `</answer` in it.
pub fn given(text: &str) -> (&str, bool) {
    let behind = text.rfind(OPENING).and_then(|at| text.get(at + OPENING.len()..));
    let rest = behind.unwrap_or(text);
    (rest.find(CLOSING).map_or(rest, |end| &rest[..end]), behind.is_some())
}

/// What follows `word` (ASCII) at the beginning of the text, whatever its case.
pub fn after_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let head = text.as_bytes().get(..word.len())?;
    head.eq_ignore_ascii_case(word.as_bytes()).then(|| &text[word.len()..])
}

/// Every place where `word` (ASCII) begins, whatever its case, from the first on.
pub fn places<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    text.as_bytes()
        .windows(word.len().max(1))
        .enumerate()
        .filter(|(_, window)| window.eq_ignore_ascii_case(word.as_bytes()))
        .map(|(at, _)| at)
}

/// Whether a word of Python's `\w` may hold the character.
pub fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first letter A to D, of either case, that stands alone: none of `neighbour` before or after it.
pub fn lone_letter(text: &str, neighbour: impl Fn(char) -> bool) -> Option<char> {
    let mut before = None;
    let mut all = text.chars().peekable();
    while let Some(c) = all.next() {
        let alone = |side: Option<char>| !side.is_some_and(&neighbour);
        if matches!(c, 'A'..='D' | 'a'..='d') && alone(before) && alone(all.peek().copied()) {
            return Some(c.to_ascii_uppercase());
        }
        before = Some(c);
    }
    None
}

/// The text between the special tokens of a response: what stands between two marks such as `<|im_end|>`,
/// `</abs_vis_token>` or `<answer>`. A mark has a name of letters, digits, `_` and `-`, perhaps within bars or after a slash.
pub fn between_marks(text: &str) -> impl Iterator<Item = &str> {
    between(text, after_mark)
}

/// The text without its marks that have bars, such as `<|im_end|>`.
pub fn without_special(text: &str) -> String {
    between(text, |at| after_mark(at).filter(|_| at.starts_with("<|"))).collect()
}

/// What stands between the marks that `after` knows; it gives what follows one at the beginning of a text.
fn between<'t>(text: &'t str, after: impl Fn(&'t str) -> Option<&'t str>) -> impl Iterator<Item = &'t str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        let mut from = 0;
        while let Some(at) = whole.get(from..)?.find('<') {
            let at = from + at;
            if let Some(follows) = after(&whole[at..]) {
                rest = Some(follows);
                return Some(&whole[..at]);
            }
            from = at + 1;
        }
        rest = None;
        Some(whole)
    })
}

/// Longest name of a mark, in bytes.
const LONGEST: usize = 64;

/// What follows a mark at the beginning of the text.
fn after_mark(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('<')?;
    let (inner, end) = match inner.strip_prefix('|') {
        Some(named) => (named, "|>"),
        None => (inner.strip_prefix('/').unwrap_or(inner), ">"),
    };
    let name = inner.bytes().take(LONGEST).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count();
    (name > 0).then(|| inner[name..].strip_prefix(end)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_part_the_text_and_what_is_none_stays() {
        let parts = |text| between_marks(text).collect::<Vec<_>>();
        assert_eq!(parts("<|lvr_start|>x y<|lvr_end|>\nB<|im_end|>"), ["", "x y", "\nB", ""]);
        assert_eq!(parts("a </abs_vis_token> b <answer>C"), ["a ", " b ", "C"]);
        assert_eq!(parts("1 < 2 and <|> 3 >"), ["1 < 2 and <|> 3 >"]);
        assert_eq!((parts(""), parts("<<|a|>")), (vec![""], vec!["<", ""]));
    }

    #[test]
    fn a_lone_letter_has_no_neighbour() {
        assert_eq!(lone_letter("bad (c)", is_of_word), Some('C'));
        assert_eq!(lone_letter("bad_c é", is_of_word), None);
        assert_eq!(lone_letter("é_b", |c| c.is_ascii_alphabetic()), Some('B'));
    }

    #[test]
    fn words_are_found_whatever_their_case() {
        assert_eq!(places("Answer ANSWER: é answer", "answer").collect::<Vec<_>>(), [0, 7, 18]);
        assert_eq!(after_word("ANSWER: x", "answer"), Some(": x"));
        assert_eq!((after_word("ans", "answer"), after_word("é", "e")), (None, None));
    }
}
