//! Keys and values kept between decoding steps.
//!
//! A [`KvPrefix`] is what one example's prefill left: immutable and shared. A
//! [`BranchCache`] holds rows that decode side by side; each row reads a prefix and
//! owns only the suffix it has generated, so forking a branch copies nothing.

use std::ops::Range;
use std::sync::Arc;

use crate::tensor::Tensor;
use crate::{Error, Result};

/// Keys (already turned) and values of a prompt, per layer; cheap to clone.
#[derive(Debug, Clone)]
pub struct KvPrefix(Arc<Prefix>);

#[derive(Debug)]
struct Prefix {
    /// Per layer keys and values, `[tokens, kv_heads * head_dim]`; the keys of the fused path
    /// are transposed.
    layers: Vec<(Tensor, Tensor)>,
    tokens: usize,
    next_position: u32,
}

impl KvPrefix {
    pub(crate) fn new(layers: Vec<(Tensor, Tensor)>, tokens: usize, next_position: u32) -> Self {
        Self(Arc::new(Prefix { layers, tokens, next_position }))
    }

    /// Tokens of the prompt.
    pub fn tokens(&self) -> usize {
        self.0.tokens
    }

    /// Rotary position of the token that follows the prompt.
    pub fn next_position(&self) -> u32 {
        self.0.next_position
    }

    /// Memory held.
    pub fn bytes(&self) -> usize {
        let of = |values: &Tensor| values.elem_count() * values.dtype().size_in_bytes();
        self.0.layers.iter().map(|(keys, values)| of(keys) + of(values)).sum()
    }

    pub(crate) fn layer(&self, i: usize) -> &(Tensor, Tensor) {
        &self.0.layers[i]
    }

    pub(crate) fn layers(&self) -> usize {
        self.0.layers.len()
    }
}

/// Keys and values of one layer's generated tokens, row-major `[steps, kv_heads * head_dim]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suffix {
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
}

/// One decoding row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub prefix: KvPrefix,
    pub suffix: Vec<Suffix>,
    /// Suffix entries held (evicted ones not counted).
    pub held: usize,
    pub next_position: u32,
    /// Tokens of the prompt that the next forwards may not see.
    pub hidden: Arc<Vec<Range<usize>>>,
}

/// Rows that decode side by side.
#[derive(Debug, Clone, Default)]
pub struct BranchCache {
    pub(crate) rows: Vec<Row>,
}

impl BranchCache {
    /// One row per prefix, nothing generated yet. Rows of one example share its prefix.
    pub fn new(prefixes: impl IntoIterator<Item = KvPrefix>) -> Self {
        let mut cache = Self::default();
        for prefix in prefixes {
            cache.push(prefix);
        }
        cache
    }

    /// Appends a row that starts behind `prefix`.
    pub fn push(&mut self, prefix: KvPrefix) {
        let suffix = vec![Suffix::default(); prefix.layers()];
        self.rows.push(Row { suffix, held: 0, next_position: prefix.next_position(), prefix, hidden: Arc::default() });
    }

    /// Appends a copy of row `row`, what it has generated included.
    ///
    /// # Errors
    /// There is no such row.
    pub fn fork(&mut self, row: usize) -> Result<()> {
        let copy = self.rows.get(row).cloned().ok_or_else(|| no_row(row, self.rows.len()))?;
        self.rows.push(copy);
        Ok(())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row is left.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Keeps only the rows whose flag is true, in order; flags beyond the end keep.
    pub fn retain(&mut self, keep: &[bool]) {
        let mut flags = keep.iter();
        self.rows.retain(|_| *flags.next().unwrap_or(&true));
    }

    /// Rotary position of the next token of `row`; `None` when there is no such row.
    pub fn next_position(&self, row: usize) -> Option<u32> {
        self.rows.get(row).map(|r| r.next_position)
    }

    /// Generated tokens that `row` still holds.
    pub fn held(&self, row: usize) -> Option<usize> {
        self.rows.get(row).map(|r| r.held)
    }

    /// Hides tokens of the prompt from what `row` runs next, until told otherwise; an empty
    /// list shows all. Positions do not move.
    ///
    /// # Errors
    /// There is no such row, or a range reaches beyond the prompt.
    pub fn hide(&mut self, row: usize, ranges: &Arc<Vec<Range<usize>>>) -> Result<()> {
        let count = self.rows.len();
        let row = self.rows.get_mut(row).ok_or_else(|| no_row(row, count))?;
        if let Some(range) = ranges.iter().find(|range| range.start > range.end || range.end > row.prefix.tokens()) {
            return Err(Error::input("hide", format!("tokens {range:?} of {}", row.prefix.tokens()), "give ranges of the prompt"));
        }
        row.hidden = ranges.clone();
        Ok(())
    }

    /// Removes the keys and values of generated tokens `steps` (counted among those
    /// held) from `row`: what follows cannot attend to them. Positions do not move.
    ///
    /// # Errors
    /// There is no such row, or the range reaches beyond what it holds.
    pub fn evict(&mut self, row: usize, steps: Range<usize>) -> Result<()> {
        let count = self.rows.len();
        let row = self.rows.get_mut(row).ok_or_else(|| no_row(row, count))?;
        if steps.start > steps.end || steps.end > row.held {
            return Err(Error::input("evict", format!("steps {steps:?} of {} held", row.held), "give a range of generated tokens"));
        }
        for layer in &mut row.suffix {
            let width = layer.keys.len() / row.held.max(1);
            layer.keys.drain(steps.start * width..steps.end * width);
            layer.values.drain(steps.start * width..steps.end * width);
        }
        row.held -= steps.len();
        Ok(())
    }
}

fn no_row(row: usize, rows: usize) -> Error {
    Error::input("row", format!("{row} of {rows}"), "give a row of the cache")
}
