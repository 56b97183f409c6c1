//! ILVR's scorer (XD111ds/ILVR@ddfc95c, `eval.py`, `extract_final_answer` and `normalize_for_match`). It reads the whole
//! decoded sequence, the prompt included.

use super::text::{after_space, after_word, is_space, places, strip};
use super::{Part, Reading};

/// Behind the first `final answer:` (or `final answer is:`), else the first `answer:`, up to the end of its line; else
/// the only word yes, no, true, false, a or b; else everything.
pub(super) fn read(whole: &str) -> Reading {
    let whole = strip(whole);
    let final_answer = places(whole, "final").find_map(|at| after_colon(after_space(after_word(&whole[at..], "final")?)));
    if let Some(said) = final_answer.or_else(|| places(whole, "answer").find_map(|at| after_colon(&whole[at..]))) {
        return Reading::new(said, Part::Phrase);
    }
    let words = whole.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| is_short(word));
    let mut known = words.map(str::to_ascii_lowercase).filter(|word| YES.contains(&word.as_str()) || NO.contains(&word.as_str()));
    match (known.next(), known.next()) {
        (Some(word), None) => {
            let word = match word.as_str() {
                "yes" => "Yes".to_string(),
                "no" => "No".to_string(),
                _ => word,
            };
            Reading::new(word, Part::Word)
        }
        _ => Reading::new(whole, Part::WholeText),
    }
}

const YES: [&str; 3] = ["yes", "true", "a"];
const NO: [&str; 3] = ["no", "false", "b"];

fn is_short(word: &str) -> bool {
    (1..=5).contains(&word.len())
}

/// `answer`, perhaps `is`, a colon, and what follows it in its line.
fn after_colon(text: &str) -> Option<&str> {
    let rest = after_space(after_word(text, "answer")?);
    let rest = after_space(after_word(rest, "is").unwrap_or(rest));
    let rest = rest.strip_prefix([':', '\u{ff1a}'])?;
    let said = after_space(rest);
    if said.is_empty() {
        // White space that is no line's end is taken for the answer, and then stripped.
        return rest.chars().any(|c| is_space(c) && c != '\n').then_some("");
    }
    let line = strip(said.split('\n').next().unwrap_or_default());
    line.split('\r').next()
}

/// What an answer and a label are compared as: `Yes` for yes, true and a; `No` for no, false and b; else itself.
pub(super) fn normal(text: &str) -> &str {
    let text = strip(text);
    let is_one_of = |words: [&str; 3]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match (is_one_of(YES), is_one_of(NO)) {
        (true, _) => "Yes",
        (_, true) => "No",
        _ => text,
    }
}
