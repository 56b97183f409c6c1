//! A decoder layer in launches: the same for a prompt and for a decoding step, but for the attention between its halves.

use prism_model::Result;

use super::weights::{Layer, Text};
use super::workspace::Workspace;
use crate::device::{Operands, Queue, Span, To};
use crate::kernels::{self, HeadsOf};

/// One pass over `rows` rows.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    pub queue: &'a Queue,
    pub text: &'a Text,
    pub space: &'a Workspace,
    pub rows: usize,
}

/// Where queries, keys and values go, and whether they are turned.
#[derive(Clone, Copy)]
pub struct Heads<'a> {
    /// Biases and norms are applied; if not, they were before.
    pub finish: bool,
    /// Queries and keys are turned.
    pub turn: bool,
    /// Array and numbers from row to row.
    pub queries: (Span<'a>, usize),
    /// Keys, values, and numbers from row to row.
    pub keys: (Span<'a>, Span<'a>, usize),
    /// `u32 [rows]`: the rows that keys and values go to; absent: in order.
    pub key_rows: Span<'a>,
}

impl Pass<'_> {
    /// The first norm and the matrix of queries, keys and values.
    ///
    /// # Errors
    /// The device fails.
    pub fn before_attention(&self, layer: &Layer) -> Result<()> {
        let Self { queue, text, space, rows } = *self;
        let (hidden, eps) = (text.config.hidden_size, text.config.rms_norm_eps);
        queue.norm(space.x.all(), [layer.input_norm.all(), Span::NONE], space.normed.all(), [rows, hidden], eps)?;
        let (inner, columns) = (layer.qkv.inner, layer.qkv.columns);
        let operands = Operands { x: space.normed.all(), weight: layer.qkv.weight.all(), rows, inner, columns };
        queue.product(operands, To::Real(space.qkv.all()))
    }

    /// Biases, norms and turns, and keys and values to their place.
    ///
    /// # Errors
    /// The device fails.
    pub fn heads(&self, layer: &Layer, to: Heads<'_>) -> Result<()> {
        let Self { queue, text, space, rows } = *self;
        let config = &text.config;
        let (heads, kv_heads, width) = (config.num_attention_heads, config.num_key_value_heads, config.head_dim);
        let real = queue.kind().bytes();
        let norm = |i: usize| match &layer.qk_norm {
            Some(norms) if to.finish => norms[i].all(),
            _ => Span::NONE,
        };
        let (queries, query_stride) = to.queries;
        let (keys, values, key_stride) = to.keys;
        // Keys may go to any row of the arena; without a list they go to as many rows as there are tokens.
        let key_rows = if to.key_rows.is_none() { rows } else { 1 };
        let held = |stride: usize, rows: usize, part: usize| ((rows - 1) * stride + part * width) * real;
        let angles = |x: Span<'_>| if to.turn { x.room(rows * width / 2 * 4) } else { Ok(kernels::Address::NONE) };
        let arguments = kernels::Heads {
            qkv: space.qkv.all().room(rows * (heads + 2 * kv_heads) * width * real)?,
            bias: if to.finish { layer.qkv.bias().holding((heads + 2 * kv_heads) * width * real)? } else { kernels::Address::NONE },
            query_norm: norm(0).holding(width * real)?,
            key_norm: norm(1).holding(width * real)?,
            cosines: angles(space.cosines.all())?,
            sines: angles(space.sines.all())?,
            key_rows: to.key_rows.holding(rows * 4)?,
            queries: queries.room(held(query_stride, rows, heads))?,
            keys: keys.room(held(key_stride, key_rows, kv_heads))?,
            values: values.room(held(key_stride, key_rows, kv_heads))?,
            heads: heads as u32,
            kv_heads: kv_heads as u32,
            width: width as u32,
            query_stride: query_stride as u32,
            key_stride: key_stride as u32,
            eps: config.rms_norm_eps as f32,
        };
        // SAFETY: every array is as long as the kernel reads and writes; `key_rows` names rows of the arena, which hands them out.
        unsafe { queue.launch::<HeadsOf>([rows as u32, (heads + 2 * kv_heads) as u32, 1], &arguments) }
    }

    /// All behind the attention.
    ///
    /// # Errors
    /// The device fails.
    pub fn after_attention(&self, layer: &Layer) -> Result<()> {
        let Self { queue, text, space, rows } = *self;
        let config = &text.config;
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (x, normed) = (space.x.all(), space.normed.all());
        let output =
            Operands { x: space.attended.all(), weight: layer.output.weight.all(), rows, inner: layer.output.inner, columns: hidden };
        queue.product(output, To::Sum(x))?;
        if !layer.output.bias().is_none() {
            queue.add_bias(x, layer.output.bias(), [rows, hidden])?;
        }
        queue.norm(x, [layer.middle_norm.all(), Span::NONE], normed, [rows, hidden], config.rms_norm_eps)?;
        let wide = Operands { x: normed, weight: layer.gate_up.all(), rows, inner: hidden, columns: 2 * inner };
        queue.product(wide, To::Real(space.gate_up.all()))?;
        queue.silu_times(space.gate_up.all(), Span::NONE, space.inner.all(), [rows, inner])?;
        let down = Operands { x: space.inner.all(), weight: layer.down.all(), rows, inner, columns: hidden };
        queue.product(down, To::Sum(x))
    }

    /// The final norm; the states as f32 of the host.
    ///
    /// # Errors
    /// The device fails.
    pub fn states(&self) -> Result<Vec<f32>> {
        let Self { queue, text, space, rows } = *self;
        let hidden = text.config.hidden_size;
        queue.norm(space.x.all(), [text.norm.all(), Span::NONE], space.normed.all(), [rows, hidden], text.config.rms_norm_eps)?;
        queue.download_reals(space.normed.all(), rows * hidden)
    }

    /// The tables of the rotary angles of `positions`, `u32 [rows, 3]`.
    ///
    /// # Errors
    /// The device fails.
    pub fn rotary(&self, positions: Span<'_>) -> Result<()> {
        let Self { queue, text, space, rows } = *self;
        let tables = [space.cosines.all(), space.sines.all()];
        queue.rotary(positions, [text.frequencies.all(), text.axes.all()], tables, [rows, text.config.head_dim / 2])
    }
}
