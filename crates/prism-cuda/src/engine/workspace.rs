//! Memory that a pass of the language model works in, kept from pass to pass.

use prism_model::Result;
use prism_model::config::TextConfig;

use crate::device::{Buffer, Queue};

/// Rows are rounded up to a multiple of this, so that prompts of about one length share their memory.
const STEP: usize = 64;

/// Arrays with a row per token.
#[derive(Debug)]
pub struct Workspace {
    rows: usize,
    /// The residual stream, `f32 [rows, hidden]`.
    pub x: Buffer,
    /// What a norm made, `[rows, hidden]`.
    pub normed: Buffer,
    /// Queries, keys and values, `[rows, heads + 2 kv_heads, width]`.
    pub qkv: Buffer,
    /// Turned queries, `[rows, heads, width]`.
    pub queries: Buffer,
    /// What they attended to.
    pub attended: Buffer,
    /// Gates and ups, `[rows, 2, inner]`.
    pub gate_up: Buffer,
    /// Their product, `[rows, inner]`.
    pub inner: Buffer,
    /// `f32 [rows, width / 2]`.
    pub cosines: Buffer,
    /// `f32 [rows, width / 2]`.
    pub sines: Buffer,
}

impl Workspace {
    /// Memory for `rows` rows.
    ///
    /// # Errors
    /// There is not so much memory.
    pub fn new(queue: &Queue, config: &TextConfig, rows: usize) -> Result<Self> {
        let rows = rows.next_multiple_of(STEP);
        let (hidden, width, inner) = (config.hidden_size, config.head_dim, config.intermediate_size);
        let heads = config.num_attention_heads + 2 * config.num_key_value_heads;
        Ok(Self {
            rows,
            x: queue.bytes(rows * hidden * 4)?,
            normed: queue.reals(rows * hidden)?,
            qkv: queue.reals(rows * heads * width)?,
            queries: queue.reals(rows * config.attention_width())?,
            attended: queue.reals(rows * config.attention_width())?,
            gate_up: queue.reals(rows * 2 * inner)?,
            inner: queue.reals(rows * inner)?,
            cosines: queue.bytes(rows * width / 2 * 4)?,
            sines: queue.bytes(rows * width / 2 * 4)?,
        })
    }

    /// Makes it large enough for `rows` rows; what is in it may be lost.
    ///
    /// # Errors
    /// There is not so much memory.
    pub fn fit(space: &mut Option<Self>, queue: &Queue, config: &TextConfig, rows: usize) -> Result<()> {
        if space.as_ref().is_none_or(|space| space.rows < rows) {
            // The old one goes first: both need not fit.
            *space = None;
            *space = Some(Self::new(queue, config, rows)?);
        }
        Ok(())
    }
}
