//! Rotary tables; bias, norm and turn of heads, and where keys and values go.

use prism_cuda::Address;
use prism_cuda::kernels::{self, HeadsOf, RotaryTables};

use crate::memory::{Array, Real, assert_close, assert_same, in_all_orders, kept, real, run};
use crate::random::Random;

crate::for_both_kinds! { tables heads heads_in_place }

fn tables<R: Real>() {
    let mut random = Random(6);
    for (tokens, half) in [(1, 1), (3, 40), (17, 64), (2, 70)] {
        let positions: Vec<u32> = (0..tokens * 3).map(|_| random.below(0..6000) as u32).collect();
        let frequencies: Vec<f32> = (0..half).map(|j| 1e6f64.powf(-(j as f64) / half as f64) as f32).collect();
        let axes: Vec<u32> = (0..half).map(|_| random.below(0..3) as u32).collect();
        let got = in_all_orders(|order| {
            let (mut p, mut f, mut x) = (Array::of(&positions), Array::of(&frequencies), Array::of(&axes));
            let (mut cosines, mut sines) = (Array::<f32>::poisoned(tokens * half), Array::<f32>::poisoned(tokens * half));
            let arguments = kernels::RotaryTable {
                positions: p.address(),
                frequencies: f.address(),
                axes: x.address(),
                cosines: cosines.address(),
                sines: sines.address(),
                half: half as u32,
            };
            run::<RotaryTables>(R::KIND, [tokens as u32, 1, 1], &arguments, order);
            [cosines.values(), sines.values()].concat()
        });
        // The angle is rounded to f32 as the model's own tables round it.
        let angle = |i: usize| f64::from(positions[i / half * 3 + axes[i % half] as usize] as f32 * frequencies[i % half]);
        let wanted: Vec<f64> = (0..tokens * half).map(|i| angle(i).cos()).chain((0..tokens * half).map(|i| angle(i).sin())).collect();
        assert_close(&got, &wanted, 1e-6, 1e-6, "tables");
    }
}

struct Case {
    shape: [usize; 3],
    qkv: Vec<f64>,
    angles: Vec<f64>,
    bias: Option<Vec<f64>>,
    norms: Option<[Vec<f64>; 2]>,
    turns: bool,
    key_rows: Vec<u32>,
}

const EPS: f64 = 1e-6;
const KEY_ROWS: usize = 20;

impl Case {
    fn random(random: &mut Random, tokens: usize, [heads, kv, width]: [usize; 3], flags: usize) -> Self {
        let all = (heads + 2 * kv) * width;
        let first = random.below(0..KEY_ROWS);
        Self {
            shape: [heads, kv, width],
            qkv: random.numbers(tokens * all),
            angles: random.numbers(tokens * width / 2).iter().map(|x| 3.0 * x).collect(),
            bias: (flags & 1 != 0).then(|| random.numbers(all)),
            norms: (flags & 2 != 0).then(|| [random.numbers(width), random.numbers(width)]),
            turns: flags & 4 != 0,
            key_rows: (0..tokens).map(|t| ((first + 3 * t) % KEY_ROWS) as u32).collect(),
        }
    }

    /// Before the turn a number may be rounded to the other side, by a step of its size, which is below 4.
    fn slack<R: Real>(&self) -> f64 {
        3e-6 + if self.turns { 4.0 * R::STEP } else { 0.0 }
    }

    fn tokens(&self) -> usize {
        self.key_rows.len()
    }

    fn row(&self, t: usize) -> Self {
        let row = |values: &[f64]| values[t * values.len() / self.tokens()..(t + 1) * values.len() / self.tokens()].to_vec();
        let key_rows = vec![self.key_rows[t]];
        Self { qkv: row(&self.qkv), angles: row(&self.angles), key_rows, bias: self.bias.clone(), norms: self.norms.clone(), ..*self }
    }

    /// Queries, keys, values; in place they are all the one array.
    fn device<R: Real>(&self, in_place: bool) -> Vec<f64> {
        self.launched::<R>(in_place, false)
    }

    /// `in_two`: what is before the turn in a launch of its own, in place.
    fn launched<R: Real>(&self, in_place: bool, in_two: bool) -> Vec<f64> {
        let [heads, kv, width] = self.shape;
        let all = (heads + 2 * kv) * width;
        in_all_orders(|order| {
            let mut qkv = real::<R>(&self.qkv);
            let cosines: Vec<f64> = self.angles.iter().map(|a| a.cos()).collect();
            let sines: Vec<f64> = self.angles.iter().map(|a| a.sin()).collect();
            let (mut cosines, mut sines) = (real::<f32>(&cosines), real::<f32>(&sines));
            let mut bias = self.bias.as_deref().map(real::<R>);
            let mut norms = self.norms.as_ref().map(|norms| norms.each_ref().map(|norm| real::<R>(norm)));
            let mut key_rows = Array::of(&self.key_rows);
            let mut out = [
                Array::<R>::poisoned(self.tokens() * heads * width),
                Array::poisoned(KEY_ROWS * kv * width),
                Array::poisoned(KEY_ROWS * kv * width),
            ];
            let (from, size) = (qkv.address().0, size_of::<R>());
            let inside = [0, heads * width, (heads + kv) * width].map(|offset| Address(from + (offset * size) as u64));
            let [queries, keys, values] = if in_place { inside } else { out.each_mut().map(Array::address) };
            let [query_norm, key_norm] = norms.as_mut().map_or([Address::NONE; 2], |norms| norms.each_mut().map(Array::address));
            let mut arguments = kernels::Heads {
                qkv: qkv.address(),
                bias: bias.as_mut().map_or(Address::NONE, Array::address),
                query_norm,
                key_norm,
                cosines: if self.turns { cosines.address() } else { Address::NONE },
                sines: sines.address(),
                key_rows: if in_place { Address::NONE } else { key_rows.address() },
                queries,
                keys,
                values,
                heads: heads as u32,
                kv_heads: kv as u32,
                width: width as u32,
                query_stride: if in_place { all as u32 } else { (heads * width) as u32 },
                key_stride: if in_place { all as u32 } else { (kv * width) as u32 },
                eps: EPS as f32,
            };
            let grid = [self.tokens() as u32, (heads + 2 * kv) as u32, 1];
            if in_two {
                let ([queries, keys, values], stride) = (inside, all as u32);
                let (none, strides) = (Address::NONE, kernels::Heads { query_stride: stride, key_stride: stride, ..arguments });
                let first = kernels::Heads { cosines: none, key_rows: none, queries, keys, values, ..strides };
                run::<HeadsOf>(R::KIND, grid, &first, order);
                arguments = kernels::Heads { bias: none, query_norm: none, key_norm: none, ..arguments };
            }
            run::<HeadsOf>(R::KIND, grid, &arguments, order);
            if in_place { qkv.values() } else { out.each_ref().map(Array::values).concat() }
        })
    }

    /// All heads of all tokens, in place.
    fn expected<R: Real>(&self) -> Vec<f64> {
        let [heads, kv, width] = self.shape;
        let (bias, half) = (self.bias.as_deref().map(kept::<R>), width / 2);
        let norms = self.norms.as_ref().map(|norms| norms.each_ref().map(|norm| kept::<R>(norm)));
        let mut x = kept::<R>(&self.qkv);
        for (i, head) in x.chunks_mut(width).enumerate() {
            let (token, of) = (i / (heads + 2 * kv), i % (heads + 2 * kv));
            (0..width).for_each(|d| head[d] += bias.as_ref().map_or(0.0, |bias| bias[of * width + d]));
            if of >= heads + kv {
                continue;
            }
            if let Some(norms) = &norms {
                let scale = 1.0 / (head.iter().map(|x| x * x).sum::<f64>() / width as f64 + EPS).sqrt();
                (0..width).for_each(|d| head[d] *= scale * norms[usize::from(of >= heads)][d]);
            }
            if self.turns {
                head.copy_from_slice(&kept::<R>(head));
            }
            for j in (0..half).filter(|_| self.turns) {
                let (c, s) = (self.angles[token * half + j].cos(), self.angles[token * half + j].sin());
                (head[j], head[j + half]) = (head[j] * c - head[j + half] * s, head[j + half] * c + head[j] * s);
            }
        }
        x
    }
}

const SHAPES: [(usize, [usize; 3]); 5] = [(1, [1, 1, 2]), (3, [4, 2, 20]), (2, [3, 1, 72]), (5, [2, 2, 128]), (1, [1, 1, 256])];

fn heads<R: Real>() {
    let mut random = Random(7);
    for (tokens, shape @ [heads, kv, width]) in SHAPES {
        for flags in 0..8 {
            let case = Case::random(&mut random, tokens, shape, flags);
            let got = case.device::<R>(false);
            let (queries, rest) = got.split_at(tokens * heads * width);
            let (keys, values) = rest.split_at(KEY_ROWS * kv * width);
            let wanted = case.expected::<R>();
            let mut written = vec![false; KEY_ROWS];
            for (t, row) in wanted.chunks((heads + 2 * kv) * width).enumerate() {
                let close = |got: &[f64], from: usize| {
                    assert_close(got, &row[from..from + got.len()], R::STEP, case.slack::<R>(), &format!("{tokens} {shape:?} {flags}"))
                };
                close(&queries[t * heads * width..(t + 1) * heads * width], 0);
                let at = case.key_rows[t] as usize;
                close(&keys[at * kv * width..(at + 1) * kv * width], heads * width);
                close(&values[at * kv * width..(at + 1) * kv * width], (heads + kv) * width);
                written[at] = true;
                let alone = case.row(t).device::<R>(false);
                assert_same(&alone[..heads * width], &queries[t * heads * width..(t + 1) * heads * width], "alone");
            }
            assert_same(&case.launched::<R>(false, true), &got, "in two launches");
            let untouched =
                |values: &[f64]| values.chunks(kv * width).zip(&written).all(|(row, written)| *written || row.iter().all(|x| x.is_nan()));
            assert!(untouched(keys) && untouched(values));
        }
    }
}

fn heads_in_place<R: Real>() {
    let mut random = Random(8);
    for (tokens, shape) in SHAPES {
        for flags in 0..8 {
            let case = Case::random(&mut random, tokens, shape, flags);
            assert_close(
                &case.device::<R>(true),
                &case.expected::<R>(),
                R::STEP,
                case.slack::<R>(),
                &format!("{tokens} {shape:?} {flags}"),
            );
        }
    }
}
