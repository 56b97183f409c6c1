//! What one query looks at: its weights over all its keys, hidden ones 0.

use prism_cuda::kernels::{AttentionWeights, Scores};
use prism_cuda::tiles::{self, Behind, Generated};
use prism_cuda::{Address, HiddenSets};

use crate::memory::{Array, Real, assert_close, in_all_orders, kept, real, run};
use crate::random::Random;

crate::for_both_kinds! { weights }

fn weights<R: Real>() {
    let mut random = Random(21);
    for ([heads, kv, width], prompt, generated) in
        [([1, 1, 2], 1u32, 1u32), ([4, 2, 20], 300, 70), ([6, 3, 64], 40, 3), ([2, 2, 128], 257, 64)]
    {
        let pages: Vec<u32> = (0..generated.div_ceil(tiles::PAGE)).map(|page| 5 + prompt + page * (tiles::PAGE + 3)).collect();
        let rows = (pages.last().unwrap() + tiles::PAGE) as usize;
        let (q, k) = (random.numbers(heads * width), random.numbers(rows * kv * width));
        let work =
            tiles::decoding(&[Behind { key: 2, tokens: prompt, rows: 0..1 }], &[Generated { pages: pages.clone(), tokens: generated }]);
        let places: Vec<u32> = (2..2 + prompt).chain((0..generated).map(|t| pages[(t / tiles::PAGE) as usize] + t % tiles::PAGE)).collect();
        for hides in [false, true] {
            // The present token is never hidden.
            let unseen = if hides { random.ranges(places.len() - 1) } else { Vec::new() };
            let hidden = HiddenSets::new([unseen.as_slice()]);
            let got = in_all_orders(|order| {
                let (mut query, mut keys) = (real::<R>(&q), real::<R>(&k));
                let mut made = Array::<f32>::poisoned(heads * places.len());
                let mut lists = [&hidden.of, &hidden.bounds, &hidden.ranges].map(|list| Array::of(list));
                let [hidden_set, set_bounds, ranges] = lists.each_mut().map(Array::address);
                let mut tiles = Array::of(&work.tiles);
                let arguments = Scores {
                    query: query.address(),
                    keys: keys.address(),
                    tiles: tiles.address(),
                    hidden_set: if hidden.is_empty() { Address::NONE } else { hidden_set },
                    set_bounds,
                    ranges,
                    weights: made.address(),
                    tile_count: work.tiles.len() as u32,
                    heads: heads as u32,
                    kv_heads: kv as u32,
                    width: width as u32,
                    key_stride: (kv * width) as u32,
                    total: places.len() as u32,
                    scale: (1.0 / (width as f64).sqrt()) as f32,
                };
                run::<AttentionWeights>(R::KIND, [heads as u32, 1, 1], &arguments, order);
                made.values()
            });
            let (q, k) = (kept::<R>(&q), kept::<R>(&k));
            let mut wanted = Vec::new();
            for head in 0..heads {
                let dot = |place: u32| -> f64 {
                    let at = place as usize * kv * width + head / (heads / kv) * width;
                    (0..width).map(|d| q[head * width + d] * k[at + d]).sum::<f64>() / (width as f64).sqrt()
                };
                let is_seen = |index: usize| !unseen.iter().any(|range| range.contains(&(index as u32)));
                let scores: Vec<f64> = places.iter().enumerate().map(|(i, p)| if is_seen(i) { dot(*p).exp() } else { 0.0 }).collect();
                let sum: f64 = scores.iter().sum();
                wanted.extend(scores.iter().map(|score| score / sum));
            }
            assert_close(&got, &wanted, 1e-5, 1e-7, &format!("{heads} heads, {prompt} and {generated} keys, hidden {hides}"));
        }
    }
}
