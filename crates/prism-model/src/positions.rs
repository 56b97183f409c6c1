//! Rotary position ids of text and images (temporal, height, width), and the
//! layout of a pack: where its sequences begin, and which keys are hidden in them.
//!
//! Text advances all three together; an image's merged tokens share a temporal
//! position and are laid out on a grid; the text after it starts behind the
//! largest position used so far.

use crate::ops::Hidden;
use crate::{Error, Result, config::Config};

/// Sequences laid end to end, without padding; attention is causal inside each, but for hidden keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackLayout {
    /// Tokens of each sequence.
    pub lengths: Vec<usize>,
    /// Rotary position (temporal, height, width) of every token.
    pub positions: Vec<[u32; 3]>,
    /// Keys that tokens may not see ([`crate::sight::hidden`]); empty when all is open.
    pub hidden: Hidden,
}

impl PackLayout {
    /// One sequence.
    pub fn single(positions: Vec<[u32; 3]>) -> Self {
        Self { lengths: vec![positions.len()], positions, hidden: Hidden::default() }
    }

    /// The same layout of one sequence with keys hidden in it.
    #[must_use]
    pub fn with_hidden(self, hidden: Hidden) -> Self {
        Self { hidden, ..self }
    }

    /// Appends a sequence with nothing hidden in it.
    pub fn push(&mut self, positions: &[[u32; 3]]) {
        self.push_hidden(positions, &Hidden::default());
    }

    /// Appends a sequence with keys hidden in it.
    pub fn push_hidden(&mut self, positions: &[[u32; 3]], hidden: &Hidden) {
        if !(self.hidden.of.is_empty() && hidden.of.is_empty()) {
            self.hidden.of.resize(self.positions.len(), None);
            self.hidden.push(hidden, positions.len());
        }
        self.lengths.push(positions.len());
        self.positions.extend_from_slice(positions);
    }

    /// Tokens of the whole pack.
    pub fn tokens(&self) -> usize {
        self.positions.len()
    }

    /// Start of every sequence, and the end of the last.
    pub fn bounds(&self) -> Vec<usize> {
        let mut bounds = vec![0];
        let mut at = 0;
        for length in &self.lengths {
            at += length;
            bounds.push(at);
        }
        bounds
    }

    /// # Errors
    /// The lengths do not add up to the positions, or do not match `rows` rows of input.
    pub fn check(&self, rows: usize) -> Result<()> {
        let total: usize = self.lengths.iter().sum();
        if !self.hidden.fits(&self.bounds()) {
            let cause = format!("hides keys of {} tokens that it does not have, or a token from itself", self.hidden.of.len());
            return Err(Error::input("pack", cause, "give one set per token, of rising ranges without the token itself"));
        }
        if total != self.positions.len() || total != rows || self.lengths.contains(&0) {
            return Err(Error::input(
                "pack",
                format!("has {rows} rows, {} positions and sequences of {:?} tokens", self.positions.len(), self.lengths),
                "give one row and one position per token, and no empty sequence",
            ));
        }
        Ok(())
    }
}

/// Positions of a sequence of tokens, and the position of the token that would follow.
///
/// `grids`: (t, h, w) in patches, before merging, of each image in order.
///
/// # Errors
/// The image tokens do not match the grids.
pub fn rope_positions(config: &Config, ids: &[u32], grids: &[[usize; 3]]) -> Result<(Vec<[u32; 3]>, u32)> {
    let merge = config.vision.spatial_merge_size;
    let mut positions: Vec<[u32; 3]> = Vec::with_capacity(ids.len());
    let mut next = 0u32;
    let mut grids = grids.iter();
    let mut i = 0;
    while let Some(&id) = ids.get(i) {
        if id != config.image_token_id {
            positions.push([next; 3]);
            next += 1;
            i += 1;
            continue;
        }
        let &[t, h, w] = grids.next().ok_or_else(|| mismatch("more image tokens than images"))?;
        let (h, w) = (h / merge, w / merge);
        let count = t * h * w;
        if count == 0 || ids.get(i..i + count).is_none_or(|run| run.iter().any(|&x| x != config.image_token_id)) {
            return Err(mismatch(&format!("an image of {t} x {h} x {w} merged tokens does not match its run of image tokens")));
        }
        for frame in 0..t {
            for row in 0..h {
                for column in 0..w {
                    positions.push([next + frame as u32, next + row as u32, next + column as u32]);
                }
            }
        }
        next += t.max(h).max(w) as u32;
        i += count;
    }
    if grids.next().is_some() {
        return Err(mismatch("fewer image tokens than images"));
    }
    Ok((positions, next))
}

fn mismatch(cause: &str) -> Error {
    Error::input("image tokens", cause, "give one run of image tokens per image, (t * h * w / merge^2) long")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::tiny()
    }

    #[test]
    fn text_continues_behind_the_image() {
        let c = config();
        let pad = c.image_token_id;
        let (positions, next) = rope_positions(&c, &[1, pad, pad, pad, pad, pad, pad, 2], &[[1, 4, 6]]).unwrap();
        assert_eq!(positions[0], [0, 0, 0]);
        assert_eq!(positions[1..7], [[1, 1, 1], [1, 1, 2], [1, 1, 3], [1, 2, 1], [1, 2, 2], [1, 2, 3]]);
        assert_eq!(positions[7], [4, 4, 4]);
        assert_eq!(next, 5);
    }

    #[test]
    fn a_short_run_is_refused() {
        let c = config();
        let pad = c.image_token_id;
        assert!(rope_positions(&c, &[pad, pad], &[[1, 4, 4]]).is_err());
        assert!(rope_positions(&c, &[1], &[[1, 4, 4]]).is_err());
        assert!(rope_positions(&c, &[pad], &[]).is_err());
    }
}
