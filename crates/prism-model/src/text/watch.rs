//! What may look into a decoding step: the input of each layer and its keys and values, to be
//! read or replaced, and the attention weights.

/// Looks into a decoding step, row by row. A row's numbers depend on what is done to that
/// row alone.
pub trait Watcher {
    /// Whether [`Watcher::layer`] does anything: elsewhere than in host memory, asking costs a copy.
    fn wants_layers(&self) -> bool;

    /// Sees `x [hidden]`, the input of decoder layer `layer` of `row`, and may change it.
    fn layer(&mut self, layer: usize, row: usize, x: &mut [f32]);

    /// Whether [`Watcher::keys_values`] does anything for `row` in this step.
    fn wants_keys_values(&self, row: usize) -> bool;

    /// Sees the keys and values of the token of `row` in one layer, `[kv_heads * head_dim]` each,
    /// and may change them. The keys have passed their norm, in families that have one, and are not turned yet; the token's own query attends to what
    /// is left here.
    fn keys_values(&mut self, layer: usize, row: usize, keys: &mut [f32], values: &mut [f32]);

    /// Whether the attention weights of `row` are wanted.
    fn wants_attention(&self, row: usize) -> bool;

    /// Sees one head's weights over the prompt's tokens and the generated tokens held, the
    /// present one last; they add up to 1.
    fn attention(&mut self, layer: usize, row: usize, weights: &[f32]);
}

/// Looks at nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn wants_layers(&self) -> bool {
        false
    }

    fn layer(&mut self, _: usize, _: usize, _: &mut [f32]) {}

    fn wants_keys_values(&self, _: usize) -> bool {
        false
    }

    fn keys_values(&mut self, _: usize, _: usize, _: &mut [f32], _: &mut [f32]) {}

    fn wants_attention(&self, _: usize) -> bool {
        false
    }

    fn attention(&mut self, _: usize, _: usize, _: &[f32]) {}
}
