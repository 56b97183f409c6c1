//! SwimBird's extraction (Accio-Lab/SwimBird@6aa2cc3, `vlmeval/vlm/swimbird`): the first `<answer>..</answer>`, white space
//! allowed in the tags and their case ignored, else the whole response. Its judge, a language model, is not
//! reproduced: the option is named by its letter or its text.

use super::letter::{leading, option_text};
use super::text::{after_space, after_word, strip};
use super::{Asked, Part, Reading};

pub(super) fn read(response: &str, asked: &Asked<'_>) -> Reading {
    let (said, part) = tagged(response).map_or((strip(response), Part::WholeText), |said| (strip(said), Part::Tag));
    let bare = said.strip_suffix("<|im_end|>").unwrap_or(said);
    Reading::new(said, part).naming(leading(bare, asked).or_else(|| option_text(bare, asked)))
}

/// Between the first opening tag and the first closing one behind it.
fn tagged(response: &str) -> Option<&str> {
    let (_, inner) = tag(response, false)?;
    let (end, _) = tag(inner, true)?;
    inner.get(..end)
}

/// Where the first tag of the kind begins, and what follows it.
fn tag(text: &str, closing: bool) -> Option<(usize, &str)> {
    let after = |at: usize| {
        let inner = after_space(text.get(at + 1..)?);
        let inner = if closing { after_space(inner.strip_prefix('/')?) } else { inner };
        after_space(after_word(inner, "answer")?).strip_prefix('>')
    };
    text.match_indices('<').find_map(|(at, _)| Some((at, after(at)?)))
}
