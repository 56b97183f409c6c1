//! IVT-LR's scorer (FYYDCC/IVT-LR@a47db8c, `qwen_vl/infer.py`): every letter behind `the answer is` or `Answer:`, anywhere in
//! the decoded sequence, the prompt included; right if the gold letter is among them.

use std::collections::BTreeSet;

use super::text::{after_space, after_word, is_of_word, places, without_special};
use super::{Part, Reading};

/// What stands between two candidates of a reading.
const BETWEEN: char = ',';

/// The letters, in order, upper case. `whole` is the sequence as decoded; its special tokens are left out.
pub(super) fn read(whole: &str) -> Reading {
    let text = without_turn(&without_special(whole));
    let mut candidates = BTreeSet::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['t', 'T', 'a', 'A']) {
        rest = &rest[at..];
        match phrase(rest).map(after_space).and_then(|behind| Some((behind.chars().next().filter(char::is_ascii_alphabetic)?, behind))) {
            Some((letter, behind)) => {
                candidates.insert(letter.to_ascii_uppercase());
                rest = &behind[1..];
            }
            None => rest = &rest[1..],
        }
    }
    let mut said = String::new();
    for letter in &candidates {
        if !said.is_empty() {
            said.push(BETWEEN);
        }
        said.push(*letter);
    }
    Reading::new(said, if candidates.is_empty() { Part::Unread } else { Part::Phrase })
}

/// The candidates of a reading.
pub(super) fn candidates(said: &str) -> impl Iterator<Item = &str> {
    said.split(BETWEEN).filter(|letter| !letter.is_empty())
}

/// What follows `the answer is` or `Answer:` at the beginning of the text.
fn phrase(text: &str) -> Option<&str> {
    let spaced = |text, word| {
        let inner = after_word(text, word)?;
        Some(after_space(inner)).filter(|after| after.len() < inner.len())
    };
    let long = || after_word(spaced(spaced(text, "the")?, "answer")?, "is");
    long().or_else(|| after_word(text, "answer:"))
}

/// The text without the word `assistant` that stands right behind an `Answer:` of the prompt, the next turn's name.
fn without_turn(text: &str) -> String {
    const ANSWER: &str = "answer:";
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = places(rest, ANSWER).next() {
        let (before, after) = rest.split_at(at + ANSWER.len());
        kept.push_str(before);
        rest = after_word(after_space(after), "assistant").filter(|behind| !behind.starts_with(is_of_word)).unwrap_or(after);
    }
    kept.push_str(rest);
    kept
}
