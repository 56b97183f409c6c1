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

    /// Multimodal rotary positions: frequency `j` reads the temporal, height or width
    /// position according to the section it falls in.
    pub fn multimodal(positions: &[[u32; 3]], theta: f64, sections: [usize; 3]) -> Self {
        let half: usize = sections.iter().sum();
        let frequency: Vec<f32> = (0..half).map(|j| (1.0 / theta.powf(j as f64 / half as f64)) as f32).collect();
        let mut angles = Vec::with_capacity(positions.len() * half);
        for position in positions {
            for (j, f) in frequency.iter().enumerate() {
                let axis = if j < sections[0] { 0 } else { 1 + usize::from(j >= sections[0] + sections[1]) };
                angles.push(position[axis] as f32 * f);
            }
        }
        Self::from_angles(&angles, half)
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
        if self.of.is_empty() {
            return true;
        }
        let rising = |set: &Vec<Range<usize>>| set.iter().all(|r| r.start < r.end) && set.windows(2).all(|p| p[0].end <= p[1].start);
        let known = |set: &Option<usize>| set.is_none_or(|set| set < self.sets.len());
        let sees_itself = |pair: &[usize]| (pair[0]..pair[1]).all(|t| self.ranges(t).iter().all(|r| !r.contains(&(t - pair[0]))));
        bounds.last() == Some(&self.of.len())
            && self.sets.iter().all(rising)
            && self.of.iter().all(known)
            && bounds.windows(2).all(sees_itself)
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
    /// Whether a token sees only itself and those before it in its sequence.
    pub causal: bool,
    /// Keys hidden beyond that; `None` when nothing is.
    pub hidden: Option<Arc<Hidden>>,
    /// Rotary angles applied to queries and keys; `None` when they are already turned.
    pub rotary: Option<Rotary>,
}

impl Attention {
    /// # Errors
    /// The tensors, bounds or angles do not fit together.
    pub fn check(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<()> {
        let tokens = q.dim(0)?;
        let kv = [tokens, self.kv_heads * self.head_dim];
        let bounds_fit = self.bounds.first() == Some(&0) && self.bounds.last() == Some(&tokens) && self.bounds.is_sorted();
        let rotary_fits = self
            .rotary
            .as_ref()
            .is_none_or(|r| r.half * 2 == self.head_dim && r.cos.len() == tokens * r.half && r.sin.len() == r.cos.len());
        let hidden_fits = self.hidden.as_ref().is_none_or(|hidden| hidden.fits(&self.bounds));
        let heads_fit = self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads);
        let widths_fit = q.dims() == [tokens, self.heads * self.head_dim] && k.dims() == kv && v.dims() == kv;
        if !(widths_fit && bounds_fit && rotary_fits && hidden_fits && heads_fit) {
            let cause = format!(
                "q {:?}, k {:?}, v {:?} with {} / {} heads of {}, bounds {:?}{}",
                q.dims(),
                k.dims(),
                v.dims(),
                self.heads,
                self.kv_heads,
                self.head_dim,
                self.bounds,
                if hidden_fits { "" } else { ", hidden keys outside them or a token hidden from itself" }
            );
            return Err(Error::input("attention", cause, "give [tokens, heads * head_dim] tensors and bounds from 0 to tokens"));
        }
        Ok(())
    }
}
