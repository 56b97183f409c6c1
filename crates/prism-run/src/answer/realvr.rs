//! ReaLVR's scorer (xixiaouab/ReaLVR-code@cc314b7, `eval/evaluate.py`, `extract_answer` and `is_correct`).

use super::text::{after_space, after_word, is_of_word, is_space, lone_letter, places, strip};
use super::{Part, Reading};

/// The first `<answer>` decides: a phrase in it is looked for among the options that the question's text names, else
/// its letter is taken. Without one a letter behind answer, option or choice; else the first letter A to D that
/// stands alone; else nothing.
pub(super) fn read(response: &str, question: &str) -> Reading {
    if let Some(candidate) = tagged(response) {
        let is_phrase = candidate.chars().filter(char::is_ascii_alphanumeric).nth(1).is_some();
        if is_phrase && let Some(letter) = named(said(response), question) {
            return Reading::new(letter, Part::OptionText);
        }
        return Reading::new(normal(candidate), Part::Tag);
    }
    let phrases = ["answer", "option", "choice"];
    let first =
        phrases.iter().filter_map(|word| places(response, word).find_map(|at| Some((at, behind(response.get(at..)?, word)?)))).min();
    if let Some((_, letter)) = first {
        return Reading::new(letter, Part::Phrase);
    }
    match lone_letter(response, is_of_word) {
        Some(letter) => Reading::new(letter, Part::Letter),
        None => Reading::new("", Part::Unread),
    }
}

/// What a prediction and a label are compared as: a letter in brackets, else a letter A to D that stands alone, else the
/// first character; upper case.
pub(super) fn normal(text: &str) -> String {
    let text = strip(text);
    let bracketed = text.match_indices('(').find_map(|(at, _)| {
        let mut inner = text[at + 1..].chars();
        inner.next().filter(char::is_ascii_alphabetic).filter(|_| inner.next() == Some(')'))
    });
    match bracketed.or_else(|| lone_letter(text, is_of_word)) {
        Some(letter) => letter.to_ascii_uppercase().to_string(),
        None => text.chars().next().map(|c| c.to_uppercase().collect()).unwrap_or_default(),
    }
}

/// What stands behind the first `<answer>` that has something behind it in its line, up to `<` or the line's end.
fn tagged(response: &str) -> Option<&str> {
    places(response, "<answer>").find_map(|at| {
        let rest = after_word(response.get(at..)?, "<answer>")?;
        let text = after_space(rest);
        let space = &rest[..rest.len() - text.len()];
        let end = text.find(['<', '\n', '\r']).unwrap_or(text.len());
        // White space that is no line's end is something, and is stripped to nothing.
        if end > 0 { Some(strip(&text[..end])) } else { space.contains(|c| !matches!(c, '\n' | '\r')).then_some("") }
    })
}

/// The phrase that is looked for: between the first tag and its end, or as [`tagged`] has it.
fn said(response: &str) -> &str {
    let closed = || {
        let inner = places(response, "<answer>").next().and_then(|at| after_word(response.get(at..)?, "<answer>"))?;
        let end = places(inner, "</answer>").next()?;
        inner.get(..end).map(strip)
    };
    closed().or_else(|| tagged(response)).unwrap_or_default()
}

/// The letter right behind `word`, perhaps with a colon and a bracket between.
fn behind(text: &str, word: &str) -> Option<char> {
    let rest = after_space(after_word(text, word)?);
    let rest = after_space(rest.strip_prefix([':', '\u{ff1a}']).unwrap_or(rest));
    let rest = rest.strip_prefix('(').unwrap_or(rest);
    rest.chars().next().filter(|c| matches!(c, 'A'..='D' | 'a'..='d')).map(|c| c.to_ascii_uppercase())
}

/// The letter of the only option of the question's text that is the phrase, holds it, or is held by it.
fn named(phrase: &str, question: &str) -> Option<char> {
    let fold = |text: &str| strip(text).to_lowercase().trim_end_matches('.').to_string();
    let phrase = fold(phrase);
    if phrase.is_empty() {
        return None;
    }
    let options = options(question);
    let mut fitting = options.iter().filter(|(_, text)| {
        let option = fold(text);
        phrase == option || option.contains(&phrase) || phrase.contains(&option)
    });
    fitting.next().filter(|_| fitting.next().is_none()).map(|(letter, _)| *letter)
}

/// The options A to D that a question's text names, in the order of their first naming; of one named twice the later
/// text. An option's text ends with its line, or where white space and the next option's mark follow.
fn options(question: &str) -> Vec<(char, &str)> {
    let mut options: Vec<(char, &str)> = Vec::new();
    let mut rest = question;
    let mut at_start = true;
    while let Some((letter, text, after)) = next_option(rest, at_start) {
        match options.iter_mut().find(|(known, _)| *known == letter) {
            Some(known) => known.1 = text,
            None => options.push((letter, text)),
        }
        (rest, at_start) = (after, false);
    }
    options
}

/// The first option in the text, and what follows it. One begins after white space, or at the very start.
fn next_option(text: &str, at_start: bool) -> Option<(char, &str, &str)> {
    let starts =
        at_start.then_some(0).into_iter().chain(text.char_indices().filter(|(_, c)| is_space(*c)).map(|(at, c)| at + c.len_utf8()));
    let (letter, inner) = starts.into_iter().find_map(|at| mark(&text[at..]))?;
    let inner = after_space(inner);
    let end = option_end(inner);
    Some((letter, &inner[..end], &inner[end..]))
}

/// `A.`, `A)`, `(A)` or `(A.` at the beginning of the text.
fn mark(text: &str) -> Option<(char, &str)> {
    let text = text.strip_prefix('(').unwrap_or(text);
    let letter = text.chars().next().filter(|c| matches!(c, 'A'..='D'))?;
    Some((letter, text[1..].strip_prefix(['.', ')'])?))
}

/// Length of an option's text.
fn option_end(text: &str) -> usize {
    let mut in_space = false;
    for (at, c) in text.char_indices() {
        if c == '\n' {
            return at;
        }
        // A run of white space is followed by the same thing wherever in it one looks.
        if is_space(c) && !in_space && mark(after_space(&text[at..])).is_some_and(|(_, rest)| rest.starts_with(is_space)) {
            return at;
        }
        in_space = is_space(c);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_from_the_questions_text() {
        let read = |text| options(text);
        assert_eq!(read("Is it?\nOptions:\nA. red\nB. dark blue\n"), [('A', "red"), ('B', "dark blue")]);
        assert_eq!(read("A. Open B. Closed"), [('A', "Open"), ('B', "Closed")]);
        assert_eq!(read("(A) one (B) two\n(A) three"), [('A', "three"), ('B', "two")]);
        assert_eq!(read("no A.B. here"), [('A', "B. here")]);
        assert_eq!(read("E. five"), []);
    }

    #[test]
    fn an_empty_tag_is_passed_over() {
        assert_eq!(tagged("<answer>\n</answer><answer>\n C"), Some("C"));
        assert_eq!(tagged("<answer> </answer>B"), Some(""));
        assert_eq!(tagged("<answer></answer>B"), None);
    }
}
