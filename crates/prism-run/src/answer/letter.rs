//! A letter as people and base models write it, and an option by its text.
//!
//! Both look at what stands behind the last `<answer>` if there is one, else at the last piece of text
//! between special tokens: a base model answers `B<|im_end|>`.

use super::text::{after_space, between_marks, given, is_space, strip};
use super::{Asked, Part, Reading};

/// The piece of a response that holds its answer, and whether a tag marks it.
fn piece(response: &str) -> (&str, bool) {
    let written = |piece: &&str| !strip(piece).is_empty();
    match given(response) {
        (tagged, true) => (between_marks(tagged).find(written).unwrap_or_default(), true),
        (_, false) => (between_marks(response).filter(written).last().unwrap_or_default(), false),
    }
}

/// `B`, `(B)`, `B.`, `B: red`, `B) red`, `**B**`, `b`: a letter with nothing behind it, with a mark behind it, or with
/// its own option's text behind it.
pub(super) fn letter(response: &str, asked: &Asked<'_>) -> Reading {
    let (piece, tagged) = piece(response);
    match leading(piece, asked) {
        Some(letter) => Reading::new(letter, if tagged { Part::Tag } else { Part::Letter }).naming(Some(letter)),
        None => Reading::new(strip(piece), Part::Unread),
    }
}

/// The option whose text the answer is, or the only one whose text stands in it.
pub(super) fn option(response: &str, asked: &Asked<'_>) -> Reading {
    let piece = strip(piece(response).0);
    Reading::new(piece, Part::OptionText).naming(option_text(piece, asked))
}

/// The option's letter at the beginning of the text.
pub(super) fn leading(text: &str, asked: &Asked<'_>) -> Option<char> {
    const MARKS: [char; 6] = ['*', '_', '`', '"', '#', '\u{201c}'];
    let text = text.trim_start_matches(|c| is_space(c) || MARKS.contains(&c));
    let (bracketed, text) = match text.strip_prefix(['(', '[']) {
        Some(inner) => (true, after_space(inner)),
        None => (false, text),
    };
    let letter = text.chars().next().filter(char::is_ascii_alphabetic)?;
    let rest = &text[1..];
    let letter = letter.to_ascii_uppercase();
    let stands = match (bracketed, rest.chars().next()) {
        (true, next) => matches!(next, Some(')' | ']')),
        (false, None) => true,
        (false, Some(')' | ']' | '*' | '_' | '`' | '"' | '\u{201d}')) => true,
        (false, Some('.' | ':' | '\u{ff1a}' | '\u{3002}')) => rest.chars().nth(1).is_none_or(|c| is_space(c) || MARKS.contains(&c)),
        (false, Some('\n' | '\r')) => true,
        (false, Some(c)) if is_space(c) => {
            strip(rest).is_empty() || asked.option(letter).is_some_and(|option| folded(option) == folded(rest))
        }
        _ => false,
    };
    (stands && asked.is_option(letter)).then_some(letter)
}

/// The letter of the option that the text is, or else of the only one whose text stands in it as words of its own.
pub(super) fn option_text(text: &str, asked: &Asked<'_>) -> Option<char> {
    let text = folded(text);
    let only = |fits: &dyn Fn(&str) -> bool| {
        let mut fitting = asked.lettered().filter(|(_, option)| fits(&folded(option))).map(|(letter, _)| letter);
        fitting.next().filter(|_| fitting.next().is_none())
    };
    only(&|option| !option.is_empty() && option == text).or_else(|| only(&|option| holds_words(&text, option)))
}

/// Lower case, with single spaces, without a mark at either end.
fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len().min(1 << 16));
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded.trim_matches(|c: char| is_space(c) || matches!(c, '.' | '*' | '"' | '`' | '\'' | ',' | ';' | '!')).to_string()
}

/// Whether `words` stand in the text with no letter or digit right before or after.
fn holds_words(text: &str, words: &str) -> bool {
    let parts = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    let stands = |(at, _): (usize, &str)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + words.len()..].chars().next());
        parts(before) && parts(after)
    };
    !words.is_empty() && text.match_indices(words).any(stands)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> [String; 4] {
        ["red", "dark blue", "blue", "a dog"].map(String::from)
    }

    #[test]
    fn a_letter_is_read_as_people_write_it() {
        let options = options();
        let asked = Asked::of("", &options);
        for (response, read) in [
            ("B", Some('B')),
            ("B<|im_end|>", Some('B')),
            ("(B)", Some('B')),
            ("B.", Some('B')),
            ("B. dark blue<|im_end|>", Some('B')),
            ("B: red", Some('B')),
            ("b) dark blue", Some('B')),
            ("b", Some('B')),
            (" [c] ", Some('C')),
            ("**B**", Some('B')),
            ("B dark blue", Some('B')),
            ("B\nbecause it is", Some('B')),
            ("<answer> (b) </answer><|im_end|>", Some('B')),
            ("<|lvr_start|>x y<|lvr_end|>\nD<|im_end|>", Some('D')),
            ("<answer><|im_end|>", None),
            ("A dog", None),
            ("a dog", None),
            ("Blue", None),
            ("B red", None),
            ("e.g. red", None),
            ("E", None),
            ("(B", None),
            ("The answer is B", None),
            ("", None),
        ] {
            assert_eq!(letter(response, &asked).letter, read, "{response}");
        }
        assert_eq!(letter("E", &Asked::of("", &[])).letter, Some('E'), "options are not known");
    }

    #[test]
    fn an_option_is_read_by_its_text() {
        let options = options();
        let asked = Asked::of("", &options);
        for (response, read) in [
            ("Blue.", Some('C')),
            ("<answer> dark  BLUE </answer>", Some('B')),
            ("It is red.<|im_end|>", Some('A')),
            ("It is a dog", Some('D')),
            ("It is dark blue", None),
            ("red or blue", None),
            ("colored", None),
            ("", None),
        ] {
            assert_eq!(option(response, &asked).letter, read, "{response}");
        }
    }
}
