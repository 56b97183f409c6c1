//! From what the tokens of a sequence are, and what they may see ([`Sight`]), to the
//! keys that attention hides. Training, prefill and alignment all call [`hidden`].

use std::ops::Range;

use prism_run::Sight;

use crate::ops::Hidden;

/// What a token is, as far as its sight goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// An image's merged token.
    Image,
    /// The token that opens a latent block.
    BlockStart,
    /// A latent position.
    Latent,
    /// Text, and every other marker.
    #[default]
    Other,
}

/// What is hidden in one sequence of tokens of these kinds.
///
/// - [`Sight::Bottleneck`]: from everything behind the first start token, but for further start
///   and image tokens, all that could look at an image: its tokens, the text between the first
///   image and the first start token, start tokens. A start token's key is hidden from all else.
/// - [`Sight::OptionalBottleneck`]: the same, start tokens before the first block that ran being text.
/// - [`Sight::Registers`]: once a block has run, from all but further blocks, all that could look at an image, its
///   latents aside; from further blocks the start tokens of finished ones, and text between image and first block.
/// - [`Sight::Blindfold`]: the latents of a block from all behind the block.
pub fn hidden(sight: Sight, kinds: &[Kind]) -> Hidden {
    let hidden = match sight {
        Sight::Open => Hidden::default(),
        Sight::Bottleneck => bottleneck(kinds),
        Sight::OptionalBottleneck => bottleneck(&from_first_block(kinds)),
        Sight::Registers => registers(kinds),
        Sight::Blindfold => blindfold(kinds),
    };
    if hidden.is_empty() { Hidden::default() } else { hidden }
}

fn bottleneck(kinds: &[Kind]) -> Hidden {
    let (mut hidden, mut starts, mut knowing) = (Hidden::default(), Vec::new(), Vec::new());
    let mut image_stands_before = false;
    for (at, kind) in kinds.iter().enumerate() {
        image_stands_before |= *kind == Kind::Image;
        let sees_images = starts.is_empty() || matches!(kind, Kind::Image | Kind::BlockStart);
        hide(&mut hidden, if sees_images { &starts } else { &knowing });
        if *kind == Kind::BlockStart {
            extend(&mut starts, at);
        }
        if *kind == Kind::BlockStart || (sees_images && image_stands_before) {
            extend(&mut knowing, at);
        }
    }
    hidden
}

/// Start tokens before the first latent's own become text.
fn from_first_block(kinds: &[Kind]) -> Vec<Kind> {
    let first = kinds.iter().position(|kind| *kind == Kind::Latent).map_or(kinds.len(), |latent| latent.saturating_sub(1));
    let text = |(at, kind): (usize, &Kind)| if at < first && *kind == Kind::BlockStart { Kind::Other } else { *kind };
    kinds.iter().enumerate().map(text).collect()
}

fn registers(kinds: &[Kind]) -> Hidden {
    let (mut hidden, mut knowing, mut started) = (Hidden::default(), Vec::new(), Vec::new());
    let (mut image_stands_before, mut ran, mut latent) = (false, false, false);
    let mut finished: Vec<Range<usize>> = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        image_stands_before |= *kind == Kind::Image;
        if latent && *kind != Kind::Latent {
            ran = true;
            finished.append(&mut started);
        }
        latent = *kind == Kind::Latent;
        let sees_images = !ran || matches!(kind, Kind::Image | Kind::BlockStart | Kind::Latent);
        hide(&mut hidden, if sees_images { &finished } else { &knowing });
        if *kind == Kind::BlockStart {
            extend(&mut started, at);
        }
        if !latent && (*kind == Kind::BlockStart || (sees_images && image_stands_before)) {
            extend(&mut knowing, at);
        }
    }
    hidden
}

fn blindfold(kinds: &[Kind]) -> Hidden {
    let (mut hidden, mut finished, mut block) = (Hidden::default(), Vec::new(), Vec::new());
    for (at, kind) in kinds.iter().enumerate() {
        match kind {
            Kind::Latent => extend(&mut block, at),
            _ => finished.append(&mut block),
        }
        hide(&mut hidden, &finished);
    }
    hidden
}

/// Gives the next token its set, the last one where that is the same.
fn hide(hidden: &mut Hidden, ranges: &[Range<usize>]) {
    let set = match ranges.is_empty() {
        true => None,
        false => Some(hidden.sets.iter().rposition(|set| set == ranges).unwrap_or_else(|| {
            hidden.sets.push(ranges.to_vec());
            hidden.sets.len() - 1
        })),
    };
    hidden.of.push(set);
}

/// Adds key `at` behind the ranges.
fn extend(ranges: &mut Vec<Range<usize>>, at: usize) {
    match ranges.last_mut() {
        Some(last) if last.end == at => last.end += 1,
        _ => ranges.push(at..at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::Kind::{BlockStart as S, Image as I, Latent as L, Other as o};
    use super::*;

    /// The keys each query sees, as rows of `x` and `.`.
    fn picture(sight: Sight, kinds: &[Kind]) -> Vec<String> {
        let hidden = hidden(sight, kinds);
        assert!(hidden.fits(&[0, kinds.len()]));
        let sees = |query: usize, key: usize| key <= query && !hidden.ranges(query).iter().any(|r| r.contains(&key));
        let row = |query: usize| (0..kinds.len()).map(|key| if sees(query, key) { 'x' } else { '.' }).collect();
        (0..kinds.len()).map(row).collect()
    }

    #[test]
    fn open_hides_nothing() {
        assert_eq!(hidden(Sight::Open, &[o, I, o, S, L, L, o]), Hidden::default());
        assert_eq!(hidden(Sight::Bottleneck, &[o, o, o]), Hidden::default());
        assert_eq!(hidden(Sight::Blindfold, &[o, I, I, o, S]), Hidden::default());
    }

    #[test]
    fn the_bottleneck_leaves_one_way() {
        let expected = [
            "x.......", // text
            "xx......", // image
            "xxx.....", // image
            "xxxx....", // question
            "xxxxx...", // start
            "x....x..", // latent: the first that sees neither image nor question
            "x....xx.", // latent
            "x....xxx", // end
        ];
        assert_eq!(picture(Sight::Bottleneck, &[o, I, I, o, S, L, L, o]), expected);
        // A second block: its start sees image, question and the first block's latents, not the first start.
        let second = picture(Sight::Bottleneck, &[I, o, S, L, o, S, L, o]);
        assert_eq!(second[5], "xx.xxx..");
        assert_eq!(second[7], "...xx.xx");
    }

    #[test]
    fn without_a_block_the_optional_bottleneck_is_open() {
        assert_eq!(hidden(Sight::OptionalBottleneck, &[o, I, o, S, o, S, o]), Hidden::default());
        let [with, always] = [Sight::OptionalBottleneck, Sight::Bottleneck].map(|sight| picture(sight, &[o, I, I, o, S, L, L, o]));
        assert_eq!(with, always);
        // A start token alone, then a block: the first is text that has looked at the image.
        assert_eq!(picture(Sight::OptionalBottleneck, &[o, I, S, S, L, o])[4..], ["x...x.", "x...xx"]);
    }

    #[test]
    fn behind_registers_their_keys_are_the_one_way() {
        let expected = [
            "x.......", // text
            "xx......", // image
            "xxx.....", // image
            "xxxx....", // question
            "xxxxx...", // start
            "xxxxxx..", // latent: sees image and question
            "xxxxxxx.", // latent
            "x....xxx", // end: the first that does not
        ];
        assert_eq!(picture(Sight::Registers, &[o, I, I, o, S, L, L, o]), expected);
        // A second block sees image, question and the first block's latents, not the first start.
        let second = picture(Sight::Registers, &[I, o, S, L, o, S, L, o]);
        assert_eq!(second[5..], ["xx.xxx..", "xx.xxxx.", "...xx.xx"]);
        assert_eq!(hidden(Sight::Registers, &[o, I, o, S, o]), Hidden::default());
    }

    #[test]
    fn the_blindfold_hides_finished_blocks() {
        let seen = picture(Sight::Blindfold, &[I, S, L, L, o, S, L, o]);
        let expected = ["x", "xx", "xxx", "xxxx", "xx..x", "xx..xx", "xx..xxx", "xx..xx.x"];
        for (row, expected) in seen.iter().zip(expected) {
            assert_eq!(row.trim_end_matches('.'), expected);
        }
    }
}
