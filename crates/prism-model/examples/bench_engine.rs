//! Speed of the language model: training, prefill and decoding, one JSON line each.
//! `oracle/bench_torch.py` measures PyTorch at the same shapes.
//!
//!     cargo run --release -p prism-model --example bench_engine -- [S|M] [train|inference]

use std::time::Instant;

use prism_model::ops::{self, with_threads};
use prism_model::tensor::{Device, Tensor, Trainable, update};
use prism_model::{BranchCache, Config, Gradients, Model, PackLayout};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORKERS: usize = 2;

/// Name, layers, width, feed-forward width, heads, key-value heads, vocabulary, batch, length.
const SIZES: [(&str, [usize; 8]); 2] = [("S", [4, 128, 384, 4, 2, 512, 32, 96]), ("M", [8, 768, 2048, 12, 4, 2048, 4, 256])];

fn model([layers, width, inner, heads, kv_heads, vocab, ..]: [usize; 8], training: Trainable) -> anyhow::Result<Model> {
    let mut raw = Config::tiny().to_value();
    let half = width / heads / 2;
    let sizes = [
        ("num_hidden_layers", layers),
        ("hidden_size", width),
        ("intermediate_size", inner),
        ("num_attention_heads", heads),
        ("num_key_value_heads", kv_heads),
        ("vocab_size", vocab),
    ];
    for (key, value) in sizes {
        raw[key] = value.into();
    }
    raw["tie_word_embeddings"] = false.into();
    raw["rope_scaling"]["mrope_section"] = json!([half / 4, half / 8 * 3, half - half / 4 - half / 8 * 3]);
    raw["vision_config"]["out_hidden_size"] = width.into();
    Ok(Model::random(Config::from_value(raw, std::path::Path::new("config.json"))?, 1, &Device::Cpu, training)?)
}

/// Median seconds of `repeats` calls after a warm-up.
fn time(repeats: usize, mut f: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    f()?;
    let mut seconds = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let start = Instant::now();
        f()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[repeats / 2])
}

fn pack(sequences: usize, length: usize) -> PackLayout {
    let positions: Vec<[u32; 3]> = (0..length as u32).map(|p| [p; 3]).collect();
    let mut layout = PackLayout::default();
    (0..sequences).for_each(|_| layout.push(&positions));
    layout
}

fn ids(count: usize, vocab: usize) -> Vec<u32> {
    (0..count).map(|i| (i * 7919 % vocab) as u32).collect()
}

/// Forward and backward of one worker's share, in packs of `each` sequences.
fn share(model: &Model, gradients: &mut Gradients, sequences: usize, each: usize, length: usize, total: usize) -> anyhow::Result<()> {
    gradients.clear();
    for _ in 0..sequences / each {
        let layout = pack(each, length);
        let ids = ids(each * length, model.config.text.vocab_size);
        let hidden = model.forward(&model.embed(&ids)?, &layout)?;
        let labels: Vec<Option<u32>> = ids.iter().map(|&id| Some(id)).collect();
        let loss = (ops::cross_entropy_sum(&hidden, model.text.lm_head.tensor()?, &labels)? / total as f64)?;
        gradients.backward(&loss)?;
    }
    Ok(())
}

fn adamw(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: impl Iterator<Item = f32>) {
    for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
        *m = 0.9 * *m + 0.1 * g;
        *v = 0.999 * *v + 0.001 * g * g;
        *w -= 1e-4 * (*m / (v.sqrt() + 1e-8) + 0.1 * *w);
    }
}

fn train(name: &str, sizes: [usize; 8], repeats: usize) -> anyhow::Result<()> {
    let [.., batch, length] = sizes;
    let model = model(sizes, Trainable::Text)?;
    let parameters = model.parameters();
    let mut collected: Vec<Gradients> = (0..WORKERS).map(|_| Gradients::new(&parameters)).collect();
    let mut moments: Vec<(Vec<f32>, Vec<f32>)> =
        parameters.iter().map(|(_, p)| (vec![0.0; p.elem_count()], vec![0.0; p.elem_count()])).collect();
    let each = std::env::var("PACK").ok().and_then(|v| v.parse().ok()).unwrap_or(if batch > 8 { 4 } else { 2 });
    let model = &model;
    let seconds = time(repeats, || {
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                collected.iter_mut().map(|g| scope.spawn(move || share(model, g, batch / WORKERS, each, length, batch * length))).collect();
            workers.into_iter().try_for_each(|w| w.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?)
        })?;
        let (first, rest) = collected.split_at_mut(1);
        let (a, b) = (&first[0], &rest[0]);
        let half = moments.len() / 2;
        let (low, high) = moments.split_at_mut(half);
        std::thread::scope(|scope| {
            for (start, part) in [(0, low), (half, high)] {
                let parameters = &parameters;
                scope.spawn(move || {
                    for (i, (m, v)) in part.iter_mut().enumerate() {
                        let i = start + i;
                        if let (Some(a), Some(b)) = (a.get(i), b.get(i)) {
                            let _ = update(&parameters[i].1, |w| adamw(w, m, v, a.iter().zip(b).map(|(a, b)| a + b)));
                        }
                    }
                });
            }
        });
        Ok(())
    })?;
    let tokens = (batch * length) as f64;
    println!("{}", json!({"engine": "prism", "size": name, "what": "train", "tokens_per_second": tokens / seconds, "pack": each}));
    Ok(())
}

fn inference(name: &str, sizes: [usize; 8], repeats: usize) -> anyhow::Result<()> {
    let [.., vocab, _, length] = sizes;
    let model = model(sizes, Trainable::No)?;
    let embeds = model.embed(&ids(length, vocab))?;
    let layout = pack(1, length);
    with_threads(WORKERS, || {
        let seconds = time(repeats * 4, || model.prefill(&embeds, &layout).map(drop).map_err(Into::into))?;
        println!("{}", json!({"engine": "prism", "size": name, "what": "prefill", "tokens_per_second": length as f64 / seconds}));
        let (_, prefix) = model.prefill(&embeds, &layout)?;
        for rows in [1, 8] {
            let x = Tensor::cat(&vec![embeds.narrow(0, 0, 1)?; rows], 0)?;
            let mut cache = BranchCache::new(vec![prefix.clone(); rows]);
            let seconds = time(32, || {
                let h = model.decode_step(&x, &mut cache)?;
                model.decode_logits(&h)?;
                Ok(())
            })?;
            println!("{}", json!({"engine": "prism", "size": name, "what": "decode", "batch": rows, "milliseconds": seconds * 1e3}));
        }
        Ok(())
    })
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (only, what) = (arguments.next(), arguments.next());
    for (name, sizes) in SIZES {
        if only.as_deref().is_none_or(|o| o == name) {
            let repeats = if name == "S" { 12 } else { 5 };
            if what.as_deref() != Some("inference") {
                train(name, sizes, repeats)?;
            }
            if what.as_deref() != Some("train") {
                inference(name, sizes, repeats)?;
            }
        }
    }
    Ok(())
}
