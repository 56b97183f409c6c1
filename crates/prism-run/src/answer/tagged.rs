//! The answer behind the last `<answer>`: the method's rule (section 4), and that of the release's evaluation script.

use super::text::{given, strip};
use super::{Part, Reading};

/// The method's rule: the first character of the first word behind the last `<answer>`, up to `</answer>` or the end.
/// Without the tag nothing is read. Special tokens are part of the text, so a model that ends right after
/// `<answer>` answers `<`, which is no option.
pub(super) fn tagged(response: &str) -> Option<Reading> {
    const CLOSING: &str = "</answer>";
    let rest = response.rfind(super::OPENING).and_then(|at| response.get(at + super::OPENING.len()..))?;
    let inner = rest.find(CLOSING).map_or(rest, |end| &rest[..end]);
    inner.split_whitespace().next()?.chars().next().map(|first| Reading::new(first, Part::Tag))
}

/// The release's (VincentLeebang/lvr@637a9f7, `evaluation/evaluation.py`, `accuracy_reward`): the same tag, or without
/// one the whole response, either up to `</answer`; of that, stripped, what stands before the first space, and of that the first character. It
/// is compared with the gold letter as it is.
pub(super) fn release(response: &str) -> Reading {
    let (given, tagged) = given(response);
    let part = if tagged { Part::Tag } else { Part::FirstCharacter };
    let word = strip(given).split(' ').next().unwrap_or_default();
    Reading::new(word.chars().next().map(String::from).unwrap_or_default(), part)
}
