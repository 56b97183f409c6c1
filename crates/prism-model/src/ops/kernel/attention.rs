//! Attention inside sequences laid end to end, forward and backward, in blocks of
//! queries; scores exist for one block of one head at a time.

use super::matmul::{Matrix, multiply};
use super::scratch;
use super::simd::{LANES, dispatched, dot, exp, madd, reduce};
use crate::ops::Hidden;

/// Queries per block: small enough that little is computed above the diagonal.
const BLOCK: usize = 64;

/// Shape of a call; see [`crate::ops::Attention`].
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Sequence bounds of the queries.
    pub bounds: &'a [usize],
    /// Sequence bounds of the keys: the same, or those of longer sequences whose last tokens the queries are.
    pub key_bounds: &'a [usize],
    /// Whether later tokens are hidden.
    pub causal: bool,
    /// Keys hidden from single tokens.
    pub hidden: Option<&'a Hidden>,
}

impl Shape<'_> {
    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// Sets the hidden keys of each row of `scores [count, keys]` to `value`; the first row is query `token`.
    fn hide(&self, scores: &mut [f32], keys: usize, token: usize, value: f32) {
        let Some(hidden) = self.hidden else { return };
        for (i, row) in scores.chunks_exact_mut(keys).enumerate() {
            for range in hidden.ranges(token + i) {
                row[range.start.min(keys)..range.end.min(keys)].fill(value);
            }
        }
    }

    /// The sequences: (first query, queries, first key, keys).
    fn sequences(&self) -> impl Iterator<Item = (usize, usize, usize, usize)> {
        let pairs = self.bounds.windows(2).zip(self.key_bounds.windows(2));
        pairs.map(|(q, k)| (q[0], q[1] - q[0], k[0], k[1] - k[0])).filter(|(_, queries, _, _)| *queries > 0)
    }

    /// Most scores of a block at a time.
    fn block_size(&self) -> usize {
        self.sequences().map(|(_, queries, _, keys)| BLOCK.min(queries) * keys).max().unwrap_or(0)
    }

    /// Blocks of queries of a sequence: (first query, queries, keys seen by the last).
    fn blocks(&self, queries: usize, keys: usize) -> impl DoubleEndedIterator<Item = (usize, usize, usize)> + use<> {
        let causal = self.causal;
        (0..queries.div_ceil(BLOCK)).map(move |i| {
            let start = i * BLOCK;
            let count = BLOCK.min(queries - start);
            (start, count, if causal { keys - queries + start + count } else { keys })
        })
    }
}

dispatched! {
    /// Softmax of each row of `scores [count, keys]`; row `i` sees `first + i + 1` keys when
    /// causal, the rest becomes 0. Writes the log of each row's sum, shifted back, to `lse`.
    fn softmax(scores: &mut [f32], lse: &mut [f32], keys: usize, first: usize, causal: bool) {
        for (i, (row, lse)) in scores.chunks_exact_mut(keys).zip(lse).enumerate() {
            let seen = if causal { first + i + 1 } else { keys };
            let (row, hidden) = row.split_at_mut(seen);
            let mut tops = [f32::NEG_INFINITY; LANES];
            let mut chunks = row.chunks_exact(LANES);
            for chunk in &mut chunks {
                for l in 0..LANES {
                    tops[l] = if chunk[l] > tops[l] { chunk[l] } else { tops[l] };
                }
            }
            let top = chunks.remainder().iter().chain(&tops).fold(f32::NEG_INFINITY, |a, &b| a.max(b));
            let mut sums = [0.0f32; LANES];
            let mut chunks = row.chunks_exact_mut(LANES);
            for chunk in &mut chunks {
                for l in 0..LANES {
                    chunk[l] = exp::<FMA>(chunk[l] - top);
                    sums[l] += chunk[l];
                }
            }
            for (x, s) in chunks.into_remainder().iter_mut().zip(&mut sums) {
                *x = exp::<FMA>(*x - top);
                *s += *x;
            }
            let sum = reduce(sums);
            let scale = 1.0 / sum;
            for x in row.iter_mut() {
                *x *= scale;
            }
            hidden.fill(0.0);
            *lse = top + sum.ln();
        }
    }
}

dispatched! {
    /// `scores` to probabilities by the saved `lse`, then `ds = p * (dp - delta) * scale` in `dp`.
    fn softmax_backward(scores: &mut [f32], dp: &mut [f32], lse: &[f32], delta: &[f32], scale: f32, keys: usize, first: usize, causal: bool) {
        for (i, (p, d)) in scores.chunks_exact_mut(keys).zip(dp.chunks_exact_mut(keys)).enumerate() {
            let seen = if causal { first + i + 1 } else { keys };
            let (lse, delta) = (lse[i], delta[i]);
            for (p, d) in p[..seen].iter_mut().zip(&mut d[..seen]) {
                *p = exp::<FMA>(*p - lse);
                *d = *p * (*d - delta) * scale;
            }
            p[seen..].fill(0.0);
            d[seen..].fill(0.0);
        }
    }
}

dispatched! {
    /// Products of the rows of `a` and `b`, `columns` wide and `stride` apart.
    fn row_dots(out: &mut [f32], a: &[f32], b: &[f32], columns: usize, stride: usize) {
        for (i, o) in out.iter_mut().enumerate() {
            let at = i * stride;
            *o = dot::<FMA>(&a[at..at + columns], &b[at..at + columns]);
        }
    }
}

/// `out [n, heads * d]` from turned `q`, `k` and `v`; `lse [heads, n]` for the backward pass.
pub fn forward(out: &mut [f32], lse: &mut [f32], q: &[f32], k: &[f32], v: &[f32], shape: Shape<'_>) {
    let (d, width, kv_width) = (shape.head_dim, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    let tokens = q.len() / width.max(1);
    let group = shape.heads / shape.kv_heads;
    let mut scores = scratch::take(shape.block_size());
    for (start, length, key_start, key_length) in shape.sequences() {
        for head in 0..shape.heads {
            let kv_at = key_start * kv_width + head / group * d;
            for (first, count, keys) in shape.blocks(length, key_length) {
                let at = (start + first) * width + head * d;
                let scores = &mut scores[..count * keys];
                let queries = Matrix::strided(&q[at..], count, d, width);
                multiply(scores, keys, false, shape.scale(), queries, Matrix::strided(&k[kv_at..], keys, d, kv_width).t());
                shape.hide(scores, keys, start + first, f32::NEG_INFINITY);
                let lse = &mut lse[head * tokens + start + first..][..count];
                softmax(scores, lse, keys, key_length - length + first, shape.causal);
                let values = Matrix::strided(&v[kv_at..], keys, d, kv_width);
                multiply(&mut out[at..], width, false, 1.0, Matrix::new(scores, count, keys), values);
            }
        }
    }
}

/// Gradients of [`forward`] with respect to the turned `q`, `k` and `v`.
pub fn backward(grads: [&mut [f32]; 3], dout: &[f32], out: &[f32], lse: &[f32], qkv: [&[f32]; 3], shape: Shape<'_>) {
    let ([dq, dk, dv], [q, k, v]) = (grads, qkv);
    let (d, width, kv_width) = (shape.head_dim, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    let tokens = q.len() / width.max(1);
    let group = shape.heads / shape.kv_heads;
    let mut probabilities = scratch::take(shape.block_size());
    let mut ds = scratch::take(shape.block_size());
    let mut delta = [0.0f32; BLOCK];
    for (start, length, key_start, key_length) in shape.sequences() {
        for head in 0..shape.heads {
            let kv_at = key_start * kv_width + head / group * d;
            let keys_of = |x, keys| Matrix::strided(x, keys, d, kv_width);
            // From the last block, which sees every key: its writes need no zeroed start.
            let mut add = !head.is_multiple_of(group);
            for (first, count, keys) in shape.blocks(length, key_length).rev() {
                let at = (start + first) * width + head * d;
                let (p, ds) = (&mut probabilities[..count * keys], &mut ds[..count * keys]);
                let queries = Matrix::strided(&q[at..], count, d, width);
                let douts = Matrix::strided(&dout[at..], count, d, width);
                multiply(p, keys, false, shape.scale(), queries, keys_of(&k[kv_at..], keys).t());
                multiply(ds, keys, false, 1.0, douts, keys_of(&v[kv_at..], keys).t());
                row_dots(&mut delta[..count], &dout[at..], &out[at..], d, width);
                let lse = &lse[head * tokens + start + first..][..count];
                softmax_backward(p, ds, lse, &delta[..count], shape.scale(), keys, key_length - length + first, shape.causal);
                shape.hide(p, keys, start + first, 0.0);
                shape.hide(ds, keys, start + first, 0.0);
                multiply(&mut dv[kv_at..], kv_width, add, 1.0, Matrix::new(p, count, keys).t(), douts);
                multiply(&mut dk[kv_at..], kv_width, add, 1.0, Matrix::new(ds, count, keys).t(), queries);
                multiply(&mut dq[at..], width, false, 1.0, Matrix::new(ds, count, keys), keys_of(&k[kv_at..], keys));
                add = true;
            }
        }
    }
}

/// Keys and values that one decoding row attends to, for one layer.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Keys of the prompt, transposed: `[kv_heads * d, tokens]`.
    pub prefix_keys: &'a [f32],
    /// Values of the prompt, `[tokens, kv_heads * d]`.
    pub prefix_values: &'a [f32],
    /// Tokens of the prompt.
    pub tokens: usize,
    /// Keys of the generated tokens, `[steps, kv_heads * d]`.
    pub keys: &'a [f32],
    /// Values of the generated tokens, `[steps, kv_heads * d]`.
    pub values: &'a [f32],
    /// `kv_heads * d`.
    pub stride: usize,
    /// Tokens of the prompt that this row may not see.
    pub hidden: &'a [std::ops::Range<usize>],
}

/// Score of a key that may not be seen: its weight is exactly 0.
const HIDDEN: f32 = f32::NEG_INFINITY;

/// Keys scored together.
const KEYS: usize = 64;

/// Value columns summed together.
const COLUMNS: usize = 32;

/// Scores of the first `N` keys of `columns`, a transposed matrix with rows `stride` apart.
#[inline(always)]
fn score<const FMA: bool, const N: usize>(to: &mut [f32], q: &[f32], columns: &[f32], stride: usize, scale: f32) -> usize {
    let mut sums = [0.0f32; N];
    for (j, q) in q.iter().enumerate() {
        let row = &columns[j * stride..j * stride + N];
        for l in 0..N {
            sums[l] = madd::<FMA>(*q, row[l], sums[l]);
        }
    }
    to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum * scale);
    N
}

dispatched! {
    /// One query head over its context; the key and value head starts at column `at`.
    /// `scores` is working memory. The prompt's scores are summed across keys, without a
    /// reduction per key; every sum has a fixed order. It is left holding the weights, not yet
    /// divided by their sum, which is returned.
    pub fn decode_head(out: &mut [f32], q: &[f32], context: Context<'_>, at: usize, scores: &mut Vec<f32>) -> f32 {
        let Context { prefix_keys, prefix_values, tokens, keys, values, stride, hidden } = context;
        let d = q.len();
        let scale = 1.0 / (d as f32).sqrt();
        scores.clear();
        scores.resize(tokens + keys.len() / stride, 0.0);
        let (prefix, suffix) = scores.split_at_mut(tokens);
        let mut from = 0;
        while from < tokens {
            let columns = &prefix_keys[at * tokens + from..];
            let left = &mut prefix[from..];
            // What is left of a whole block goes by the vector: a sum per key does not care.
            from += match left.len() {
                n if n >= KEYS => score::<FMA, KEYS>(left, q, columns, tokens, scale),
                n if n >= LANES => score::<FMA, LANES>(left, q, columns, tokens, scale),
                n => {
                    for (l, to) in left.iter_mut().enumerate() {
                        let sum = q.iter().enumerate().fold(0.0, |sum, (j, q)| madd::<FMA>(*q, columns[j * tokens + l], sum));
                        *to = sum * scale;
                    }
                    n
                }
            };
        }
        for (score, key) in suffix.iter_mut().zip(keys.chunks_exact(stride)) {
            *score = dot::<FMA>(q, &key[at..at + d]) * scale;
        }
        for range in hidden {
            scores[range.clone()].fill(HIDDEN);
        }
        let top = scores.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
        let mut sums = [0.0f32; LANES];
        for chunk in scores.chunks_mut(LANES) {
            for (s, x) in sums.iter_mut().zip(chunk) {
                *x = if *x == HIDDEN { 0.0 } else { exp::<FMA>(*x - top) };
                *s += *x;
            }
        }
        let sum = reduce(sums);
        let scale = 1.0 / sum;
        let (prefix, suffix) = scores.split_at(tokens);
        for (c, out) in out.chunks_mut(COLUMNS).enumerate() {
            let (first, width) = (at + c * COLUMNS, out.len());
            let mut sums = [0.0f32; COLUMNS];
            for (values, weights) in [(prefix_values, prefix), (values, suffix)] {
                for (value, w) in values.chunks_exact(stride).zip(weights) {
                    if width == COLUMNS {
                        let value = &value[first..first + COLUMNS];
                        for l in 0..COLUMNS {
                            sums[l] = madd::<FMA>(*w, value[l], sums[l]);
                        }
                    } else {
                        for (s, v) in sums.iter_mut().zip(&value[first..first + width]) {
                            *s = madd::<FMA>(*w, *v, *s);
                        }
                    }
                }
            }
            for (o, s) in out.iter_mut().zip(sums) {
                *o = s * scale;
            }
        }
        sum
    }
}
