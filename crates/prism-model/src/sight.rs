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
/// - [`Sight::Bottleneck`]: image tokens from all but image and start tokens, a start token
///   from all behind it.
/// - [`Sight::Blindfold`]: the latents of a block from all behind the block.
pub fn hidden(sight: Sight, kinds: &[Kind]) -> Hidden {
    let hidden = match sight {
        Sight::Open => Hidden::default(),
        Sight::Bottleneck => bottleneck(kinds),
        Sight::Blindfold => blindfold(kinds),
    };
    if hidden.is_empty() { Hidden::default() } else { hidden }
}

fn bottleneck(kinds: &[Kind]) -> Hidden {
    let (mut hidden, mut starts, mut starts_and_images) = (Hidden::default(), Vec::new(), Vec::new());
    for (at, kind) in kinds.iter().enumerate() {
        let sees_images = matches!(kind, Kind::Image | Kind::BlockStart);
        hide(&mut hidden, if sees_images { &starts } else { &starts_and_images });
        if *kind == Kind::BlockStart {
            extend(&mut starts, at);
        }
        if sees_images {
            extend(&mut starts_and_images, at);
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
            "x..x....", // question
            "xxxxx...", // start: the only one that looks at the image
            "x..x.x..", // latent
            "x..x.xx.", // latent
            "x..x.xxx", // end
        ];
        assert_eq!(picture(Sight::Bottleneck, &[o, I, I, o, S, L, L, o]), expected);
        // A second block: its start sees the image, the first block's latents, not the first start.
        let second = picture(Sight::Bottleneck, &[I, S, L, o, S, L, o]);
        assert_eq!(second[4], "x.xxx..");
        assert_eq!(second[6], "..xx.xx");
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
