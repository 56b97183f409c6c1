//! Attention: of prompts, images and decoding rows, with hidden ranges and evicted tokens.

use std::ops::Range;

use prism_cuda::kernels::{self, Attend, AttendPart, Attention, JoinParts};
use prism_cuda::tiles::{self, Behind, Generated};
use prism_cuda::{Address, HiddenSets, Tile};

use crate::memory::{Array, Real, assert_close, assert_same, in_all_orders, kept, real, run};
use crate::random::Random;

crate::for_both_kinds! { prompts windows decoding }

/// Heads, key heads, width.
type Shape = [usize; 3];

/// One query over the keys that it sees, rows of `keys` and `values`.
fn expected(query: &[f64], keys: &[f64], values: &[f64], stride: usize, seen: &[usize]) -> Vec<f64> {
    let width = query.len();
    let scores: Vec<f64> =
        seen.iter().map(|k| (0..width).map(|d| query[d] * keys[k * stride + d]).sum::<f64>() / (width as f64).sqrt()).collect();
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.iter().map(|s| (s - top).exp()).sum();
    let of = |d: usize| seen.iter().zip(&scores).map(|(k, s)| (s - top).exp() / sum * values[k * stride + d]).sum::<f64>();
    (0..width).map(of).collect()
}

/// All heads of all queries; `seen(query)` are rows of keys.
fn all_expected([heads, kv, width]: Shape, q: &[f64], k: &[f64], v: &[f64], seen: impl Fn(usize) -> Vec<usize>) -> Vec<f64> {
    let mut y = Vec::with_capacity(q.len());
    for (row, queries) in q.chunks(heads * width).enumerate() {
        let seen = seen(row);
        for (head, query) in queries.chunks(width).enumerate() {
            let at = head / (heads / kv) * width;
            y.extend(expected(query, &k[at..], &v[at..], kv * width, &seen));
        }
    }
    y
}

fn arguments([heads, kv, width]: Shape) -> Attention {
    Attention {
        queries: Address::NONE,
        keys: Address::NONE,
        values: Address::NONE,
        tiles: Address::NONE,
        hidden_set: Address::NONE,
        set_bounds: Address::NONE,
        ranges: Address::NONE,
        y: Address::NONE,
        part_sums: Address::NONE,
        part_values: Address::NONE,
        heads: heads as u32,
        kv_heads: kv as u32,
        width: width as u32,
        query_stride: (heads * width) as u32,
        key_stride: (kv * width) as u32,
        y_stride: (heads * width) as u32,
        causal: 0,
        parts: 0,
        scale: (1.0 / (width as f64).sqrt()) as f32,
    }
}

fn attend<R: Real>(shape: Shape, [q, k, v]: [&[f64]; 3], tiles: &[Tile], causal: bool, hidden: &HiddenSets) -> Vec<f64> {
    in_all_orders(|order| {
        let (mut q, mut k, mut v, mut y) = (real::<R>(q), real::<R>(k), real::<R>(v), Array::<R>::poisoned(q.len()));
        let mut lists = [&hidden.of, &hidden.bounds, &hidden.ranges].map(|list| Array::of(list));
        let [hidden_set, set_bounds, ranges] = lists.each_mut().map(Array::address);
        let mut device_tiles = Array::of(tiles);
        let hidden_set = if hidden.is_empty() { Address::NONE } else { hidden_set };
        let arguments = Attention {
            queries: q.address(),
            keys: k.address(),
            values: v.address(),
            tiles: device_tiles.address(),
            hidden_set,
            set_bounds,
            ranges,
            y: y.address(),
            causal: u32::from(causal),
            ..arguments(shape)
        };
        run::<Attend>(R::KIND, [tiles.len() as u32, shape[0] as u32, 1], &arguments, order);
        y.values()
    })
}

const SHAPES: [Shape; 4] = [[1, 1, 2], [4, 2, 20], [3, 1, 80], [2, 2, 128]];

fn prompts<R: Real>() {
    let mut random = Random(11);
    for (shape @ [heads, kv, width], tokens) in SHAPES.into_iter().zip([1, 33, 100, 65]) {
        for hides in [false, true] {
            let [q, k, v] = [heads, kv, kv].map(|heads| random.numbers(tokens * heads * width));
            let ranges: Vec<Vec<Range<u32>>> =
                (0..tokens).map(|t| if hides && t % 3 > 0 { random.ranges(t) } else { Vec::new() }).collect();
            let hidden = HiddenSets::new(ranges.iter().map(Vec::as_slice));
            let got = attend::<R>(shape, [&q, &k, &v], &tiles::causal(0, 0, tokens as u32), true, &hidden);
            let seen = |t: usize| (0..=t).filter(|&key| !ranges[t].iter().any(|r| r.contains(&(key as u32)))).collect();
            let wanted = all_expected(shape, &kept::<R>(&q), &kept::<R>(&k), &kept::<R>(&v), seen);
            assert_close(&got, &wanted, R::STEP, 3e-6, &format!("{shape:?} {tokens} {hides}"));
        }
    }
}

fn windows<R: Real>() {
    let mut random = Random(12);
    for (shape @ [heads, kv, width], bounds) in
        SHAPES.into_iter().zip([vec![0, 1], vec![0, 16, 32, 40], vec![0, 4, 4, 77], vec![0, 64, 66]])
    {
        let patches = *bounds.last().unwrap() as usize;
        let [q, k, v] = [heads, kv, kv].map(|heads| random.numbers(patches * heads * width));
        let got = attend::<R>(shape, [&q, &k, &v], &tiles::whole(&bounds), false, &HiddenSets::default());
        let window = |p: usize| bounds.windows(2).find(|b| (b[0] as usize..b[1] as usize).contains(&p)).unwrap();
        let seen = |p: usize| (window(p)[0] as usize..window(p)[1] as usize).collect();
        let wanted = all_expected(shape, &kept::<R>(&q), &kept::<R>(&k), &kept::<R>(&v), seen);
        assert_close(&got, &wanted, R::STEP, 3e-6, &format!("{shape:?} {bounds:?}"));
        // A window alone gives what it gives among others.
        let pair = &bounds[bounds.len() - 2..];
        let part = |values: &[f64], heads: usize| values[pair[0] as usize * heads * width..pair[1] as usize * heads * width].to_vec();
        let own = [part(&q, heads), part(&k, kv), part(&v, kv)];
        let alone =
            attend::<R>(shape, own.each_ref().map(Vec::as_slice), &tiles::whole(&[0, pair[1] - pair[0]]), false, &HiddenSets::default());
        assert_same(&alone, &part(&got, heads), "alone");
    }
}

/// Prompts, and rows behind them with generated tokens of which some are evicted.
struct Decode {
    shape: Shape,
    q: Vec<f64>,
    k: Vec<f64>,
    v: Vec<f64>,
    prompts: Vec<Behind>,
    generated: Vec<Generated>,
    hidden: Vec<Vec<Range<u32>>>,
}

impl Decode {
    fn random(random: &mut Random, shape: Shape, prompts: &[(usize, u32)]) -> Self {
        let [heads, kv, width] = shape;
        let (mut key, mut row) = (3, 0);
        let mut decode =
            Self { shape, q: Vec::new(), k: Vec::new(), v: Vec::new(), prompts: Vec::new(), generated: Vec::new(), hidden: Vec::new() };
        for &(tokens, rows) in prompts {
            decode.prompts.push(Behind { key, tokens: tokens as u32, rows: row..row + rows });
            key += tokens as u32;
            row += rows;
        }
        for prompt in &decode.prompts {
            for r in prompt.rows.clone() {
                let tokens = random.below(1..40) as u32 + if r == 1 { 260 } else { 0 };
                // Pages lie apart, as they do when rows take them in turn.
                let pages: Vec<u32> = (0..tokens.div_ceil(tiles::PAGE)).map(|page| key + page * (tiles::PAGE + 3)).collect();
                key += pages.len() as u32 * (tiles::PAGE + 3) + 2;
                decode.generated.push(Generated { pages, tokens });
                // Anything but the present token may be hidden.
                decode.hidden.push(if r % 3 == 2 { Vec::new() } else { random.ranges((prompt.tokens + tokens - 1) as usize) });
            }
        }
        decode.q = random.numbers(row as usize * heads * width);
        (decode.k, decode.v) = (random.numbers(key as usize * kv * width), random.numbers(key as usize * kv * width));
        decode
    }

    /// The row alone behind its prompt, its keys where they were.
    fn row(&self, r: usize) -> Self {
        let width = self.shape[0] * self.shape[2];
        let prompt = self.prompts.iter().find(|prompt| prompt.rows.contains(&(r as u32))).unwrap();
        Self {
            shape: self.shape,
            q: self.q[r * width..(r + 1) * width].to_vec(),
            k: self.k.clone(),
            v: self.v.clone(),
            prompts: vec![Behind { rows: 0..1, ..prompt.clone() }],
            generated: vec![self.generated[r].clone()],
            hidden: vec![self.hidden[r].clone()],
        }
    }

    fn device<R: Real>(&self, spare_parts: u32) -> Vec<f64> {
        let [heads, kv, width] = self.shape;
        let rows = self.generated.len();
        let work = tiles::decoding(&self.prompts, &self.generated);
        let hidden = HiddenSets::new(self.hidden.iter().map(Vec::as_slice));
        let parts = work.parts_of.iter().max().unwrap() + spare_parts;
        let queries = work.tiles.iter().map(|tile| tile.queries).max().unwrap() * (heads / kv) as u32;
        in_all_orders(|order| {
            let (mut q, mut k, mut v) = (real::<R>(&self.q), real::<R>(&self.k), real::<R>(&self.v));
            let mut y = Array::<R>::poisoned(self.q.len());
            let sums = rows * heads * parts as usize;
            let (mut part_sums, mut part_values) = (Array::<f32>::poisoned(sums * 2), Array::<f32>::poisoned(sums * width));
            let mut lists = [&hidden.of, &hidden.bounds, &hidden.ranges, &work.parts_of].map(|list| Array::of(list));
            let [hidden_set, set_bounds, ranges, parts_of] = lists.each_mut().map(Array::address);
            let mut tiles = Array::of(&work.tiles);
            let arguments = Attention {
                queries: q.address(),
                keys: k.address(),
                values: v.address(),
                tiles: tiles.address(),
                hidden_set,
                set_bounds,
                ranges,
                part_sums: part_sums.address(),
                part_values: part_values.address(),
                parts,
                ..arguments(self.shape)
            };
            run::<AttendPart>(R::KIND, [work.tiles.len() as u32, kv as u32, queries.div_ceil(32)], &arguments, order);
            let join = kernels::Join {
                part_sums: part_sums.address(),
                part_values: part_values.address(),
                parts_of,
                y: y.address(),
                heads: heads as u32,
                width: width as u32,
                parts,
                y_stride: (heads * width) as u32,
            };
            run::<JoinParts>(R::KIND, [rows as u32, heads as u32, 1], &join, order);
            y.values()
        })
    }

    fn seen(&self, r: usize) -> Vec<usize> {
        let prompt = self.prompts.iter().find(|prompt| prompt.rows.contains(&(r as u32))).unwrap();
        let own = &self.generated[r];
        let own = (0..own.tokens).map(|t| own.pages[(t / tiles::PAGE) as usize] + t % tiles::PAGE);
        let keys = (prompt.key..prompt.key + prompt.tokens).chain(own);
        (0..)
            .zip(keys)
            .filter(|(index, _)| !self.hidden[r].iter().any(|range| range.contains(index)))
            .map(|(_, key)| key as usize)
            .collect()
    }
}

fn decoding<R: Real>() {
    let mut random = Random(13);
    let cases: [(Shape, &[(usize, u32)]); 5] = [
        ([1, 1, 2], &[(1, 1)]),
        ([4, 2, 20], &[(300, 3)]),
        ([8, 1, 64], &[(40, 5), (1, 1), (257, 2)]),
        ([14, 2, 16], &[(700, 6), (31, 4)]),
        ([2, 2, 128], &[(256, 1), (0, 2)]),
    ];
    for (shape @ [heads, _, width], prompts) in cases {
        let decode = Decode::random(&mut random, shape, prompts);
        let got = decode.device::<R>(0);
        let wanted = all_expected(shape, &kept::<R>(&decode.q), &kept::<R>(&decode.k), &kept::<R>(&decode.v), |r| decode.seen(r));
        assert_close(&got, &wanted, R::STEP, 3e-6, &format!("{shape:?} {prompts:?}"));
        for r in 0..decode.generated.len() {
            // More room for parts than the row needs, as beside a row with more keys.
            let alone = decode.row(r).device::<R>(2);
            assert_same(&alone, &got[r * heads * width..(r + 1) * heads * width], &format!("row {r} of {shape:?} {prompts:?}"));
        }
    }
}
