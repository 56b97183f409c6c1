//! What an attention call needs to know besides its tensors: heads, sequence
//! bounds, causality, hidden keys and rotary angles.

use std::ops::Range;
use std::sync::Arc;

use crate::tensor::{DType, Device, Tensor};
use crate::{Error, Result};

/// Cosine and sine of every token's rotary angles, `[tokens, head_dim / 2]`.
///
/// Frequency `j` turns dimensions `j` and `j + head_dim / 2` of a head.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// Cosines, row-major.
    pub cos: Arc<Vec<f32>>,
    /// Sines, row-major.
    pub sin: Arc<Vec<f32>>,
    /// Half the head width.
    pub half: usize,
}

impl Rotary {
    /// From the angle of each token and frequency, row-major `[tokens, half]`.
    pub fn from_angles(angles: &[f32], half: usize) -> Self {
        let cos = angles.iter().map(|a| a.cos()).collect();
        let sin = angles.iter().map(|a| a.sin()).collect();
        Self { cos: Arc::new(cos), sin: Arc::new(sin), half }
    }

    /// Multimodal rotary positions: each frequency reads the temporal, height or width position.
    ///
    /// `sections` says how many read each. They lie in runs, one behind the other; `interleaved` they
    /// take turns, the temporal position first, until its section ends in height and width, and the
    /// temporal position has what is left.
    pub fn multimodal(positions: &[[u32; 3]], theta: f64, sections: [usize; 3], interleaved: bool) -> Self {
        let axes = Self::axes(sections, interleaved);
        let frequency = Self::frequencies(axes.len(), theta);
        let mut angles = Vec::with_capacity(positions.len() * axes.len());
        for position in positions {
            angles.extend(axes.iter().zip(&frequency).map(|(axis, f)| position[*axis] as f32 * f));
        }
        Self::from_angles(&angles, axes.len())
    }

    /// Which of the three positions each frequency reads, as [`Rotary::multimodal`] has it.
    pub fn axes(sections: [usize; 3], interleaved: bool) -> Vec<usize> {
        let half: usize = sections.iter().sum();
        let in_runs = |j: usize| if j < sections[0] { 0 } else { 1 + usize::from(j >= sections[0] + sections[1]) };
        let in_turns = |j: usize| if j < 3 * sections[j % 3] { j % 3 } else { 0 };
        (0..half).map(|j| if interleaved { in_turns(j) } else { in_runs(j) }).collect()
    }

    /// The `half` frequencies of base `theta`.
    pub fn frequencies(half: usize, theta: f64) -> Vec<f32> {
        (0..half).map(|j| (1.0 / theta.powf(j as f64 / half as f64)) as f32).collect()
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.cos.len() / self.half.max(1)
    }

    pub(crate) fn tensors(&self, dtype: DType, device: &Device) -> Result<(Tensor, Tensor)> {
        let shape = (self.tokens(), 1, self.half);
        let make = |v: &[f32]| -> Result<Tensor> { Ok(Tensor::from_slice(v, shape, device)?.to_dtype(dtype)?) };
        Ok((make(&self.cos)?, make(&self.sin)?))
    }
}

/// Keys that some queries may not see, beyond causality. Queries share a few sets of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Each set: ranges of keys counted from the start of the sequence, rising and apart.
    pub sets: Vec<Vec<Range<usize>>>,
    /// Per query token the index of its set, `None` where nothing is hidden. Empty: nothing is hidden anywhere.
    pub of: Vec<Option<usize>>,
}

impl Hidden {
    /// Whether no token has anything hidden from it.
    pub fn is_empty(&self) -> bool {
        self.of.iter().all(Option::is_none)
    }

    /// Key ranges hidden from query `token`, counted over the whole pack.
    pub fn ranges(&self, token: usize) -> &[Range<usize>] {
        self.of.get(token).copied().flatten().and_then(|set| self.sets.get(set)).map_or(&[], Vec::as_slice)
    }

    /// Appends what is hidden in the next sequence, of `tokens` tokens.
    pub fn push(&mut self, other: &Hidden, tokens: usize) {
        let before = self.sets.len();
        self.sets.extend(other.sets.iter().cloned());
        self.of.extend((0..tokens).map(|token| Some(other.of.get(token).copied().flatten()? + before)));
    }

    /// Whether it fits sequences of those bounds and leaves every token its own key.
    pub fn fits(&self, bounds: &[usize]) -> bool {
        self.fits_among(bounds, bounds)
    }

    /// As [`Hidden::fits`], where the tokens are the last ones of sequences of keys of `key_bounds`.
    fn fits_among(&self, bounds: &[usize], key_bounds: &[usize]) -> bool {
        if self.of.is_empty() {
            return true;
        }
        let rising = |set: &Vec<Range<usize>>| set.iter().all(|r| r.start < r.end) && set.windows(2).all(|p| p[0].end <= p[1].start);
        let known = |set: &Option<usize>| set.is_none_or(|set| set < self.sets.len());
        let sees_itself = |(queries, keys): (&[usize], &[usize])| {
            let own = (keys[1] - keys[0]).saturating_sub(queries[1] - queries[0]);
            (queries[0]..queries[1]).all(|t| self.ranges(t).iter().all(|r| !r.contains(&(own + t - queries[0]))))
        };
        bounds.last() == Some(&self.of.len())
            && self.sets.iter().all(rising)
            && self.of.iter().all(known)
            && bounds.windows(2).zip(key_bounds.windows(2)).all(sees_itself)
    }
}

/// Shape of an attention call.
#[derive(Debug, Clone)]
pub struct Attention {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Starts of the sequences (or windows) and the end of the last: `[0, .., n]`.
    pub bounds: Arc<Vec<usize>>,
    /// Bounds of the keys, where the queries are the last tokens of longer sequences of them; queries
    /// and keys are then turned already.
    pub key_bounds: Option<Arc<Vec<usize>>>,
    /// Whether a token sees only itself and those before it in its sequence.
    pub causal: bool,
    /// Keys hidden beyond that; `None` when nothing is.
    pub hidden: Option<Arc<Hidden>>,
    /// Rotary angles applied to queries and keys; `None` when they are already turned.
    pub rotary: Option<Rotary>,
}

impl Attention {
    /// Bounds of the keys: the queries' own where no others are given.
    pub fn keys(&self) -> &[usize] {
        self.key_bounds.as_ref().unwrap_or(&self.bounds)
    }

    /// The sequences: rows of their queries, rows of their keys.
    pub(crate) fn sequences(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let pairs = self.bounds.windows(2).zip(self.keys().windows(2));
        pairs.map(|(queries, keys)| (queries[0]..queries[1], keys[0]..keys[1]))
    }

    /// # Errors
    /// The tensors, bounds or angles do not fit together.
    pub fn check(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<()> {
        let (tokens, key_tokens) = (q.dim(0)?, k.dim(0)?);
        let kv = [key_tokens, self.kv_heads * self.head_dim];
        let reach = |bounds: &[usize], end: usize| bounds.first() == Some(&0) && bounds.last() == Some(&end) && bounds.is_sorted();
        let bounds_fit = reach(&self.bounds, tokens)
            && reach(self.keys(), key_tokens)
            && self.bounds.len() == self.keys().len()
            && self.sequences().all(|(queries, keys)| queries.len() <= keys.len());
        let rotary_fits = self.rotary.as_ref().is_none_or(|r| {
            let half_fits = r.half * 2 == self.head_dim && r.cos.len() == tokens * r.half && r.sin.len() == r.cos.len();
            half_fits && self.key_bounds.is_none()
        });
        let hidden_fits = self.hidden.as_ref().is_none_or(|hidden| hidden.fits_among(&self.bounds, self.keys()));
        let heads_fit = self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads);
        let widths_fit = q.dims() == [tokens, self.heads * self.head_dim] && k.dims() == kv && v.dims() == kv;
        if !(widths_fit && bounds_fit && rotary_fits && hidden_fits && heads_fit) {
            let cause = format!(
                "q {:?}, k {:?}, v {:?} with {} / {} heads of {}, bounds {:?} and {:?}{}",
                q.dims(),
                k.dims(),
                v.dims(),
                self.heads,
                self.kv_heads,
                self.head_dim,
                self.bounds,
                self.keys(),
                if hidden_fits { "" } else { ", hidden keys outside them or a token hidden from itself" }
            );
            return Err(Error::input("attention", cause, "give [tokens, heads * head_dim] tensors and bounds from 0 to tokens"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_read_positions_in_runs_or_in_turns() {
        let angles = |sections: [usize; 3], interleaved| {
            // With base 1 every frequency is 1: the angle is the position that is read.
            let rotary = Rotary::multimodal(&[[1, 2, 3]], 1.0, sections, interleaved);
            rotary.sin.iter().map(|sin| [1.0f32, 2.0, 3.0].iter().position(|a| a.sin() == *sin).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(angles([2, 1, 1], false), [0, 0, 1, 2]);
        assert_eq!(angles([2, 1, 1], true), [0, 1, 2, 0]);
        assert_eq!(angles([4, 2, 1], true), [0, 1, 2, 0, 1, 0, 0]);
    }
}
