//! Each fused operation against the composed one, values and gradients, and the
//! composed ones against finite differences.

use std::sync::Arc;

use prism_model::ops::{self, Attention, Hidden, Rotary, composed};
use prism_model::tensor::{Device, Tensor, Trainable, Var, values};
use prism_model::{BranchCache, Config, Gradients, Model, PackLayout};
use prism_run::random::Stream;

fn random(name: &str, shape: &[usize]) -> Var {
    let count = shape.iter().product();
    Var::from_vec(Stream::new(1, "test", &[name]).normals(count), shape, &Device::Cpu).unwrap()
}

fn close(what: &str, a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(1.0f32, |m, v| m.max(v.abs()));
    let worst = a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance * scale, "{what}: {worst} of {scale}");
}

/// Compares values and gradients of two versions of a function of `inputs`; the fused
/// version's gradients are taken both through the tensor library and collected.
fn agree(what: &str, inputs: &[Var], fused: impl Fn(&[Tensor]) -> Tensor, plain: impl Fn(&[Tensor]) -> Tensor) {
    let tensors: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
    let (a, b) = (fused(&tensors), plain(&tensors));
    close(what, &values(&a).unwrap(), &values(&b).unwrap(), 2e-6);
    let weights = random("weights", a.dims());
    let loss = |y: &Tensor| (y * weights.as_tensor().detach()).unwrap().sum_all().unwrap();
    let (ga, gb) = (loss(&a).backward().unwrap(), loss(&b).backward().unwrap());
    let parameters: Vec<(String, Var)> = inputs.iter().enumerate().map(|(i, v)| (i.to_string(), v.clone())).collect();
    let mut collected = Gradients::new(&parameters);
    collected.backward(&loss(&a)).unwrap();
    collected.backward(&loss(&a)).unwrap();
    for (i, input) in inputs.iter().enumerate() {
        let expected = values(gb.get(input).unwrap()).unwrap();
        close(&format!("{what}: gradient {i}"), &values(ga.get(input).unwrap()).unwrap(), &expected, 5e-6);
        let half: Vec<f32> = collected.get(i).unwrap().iter().map(|g| g / 2.0).collect();
        close(&format!("{what}: collected gradient {i}"), &half, &expected, 5e-6);
    }
}

#[test]
fn linear() {
    for (n, input, output) in [(1, 5, 3), (7, 33, 17), (130, 64, 48)] {
        let (x, w, b) = (random("x", &[n, input]), random("w", &[output, input]), random("b", &[output]));
        agree(
            "linear",
            &[x.clone(), w.clone(), b],
            |t| ops::linear(&t[0], &t[1], Some(&t[2])).unwrap(),
            |t| composed::linear(&t[0], &t[1], Some(&t[2])).unwrap(),
        );
        agree(
            "linear without bias",
            &[x, w],
            |t| ops::linear(&t[0], &t[1], None).unwrap(),
            |t| composed::linear(&t[0], &t[1], None).unwrap(),
        );
    }
}

#[test]
fn norm_and_swiglu() {
    for (n, width) in [(1, 8), (9, 50), (33, 128)] {
        let (x, w) = (random("x", &[n, width]), random("w", &[width]));
        agree(
            "rms_norm",
            &[x.clone(), w],
            |t| ops::rms_norm(&t[0], &t[1], 1e-6).unwrap(),
            |t| composed::rms_norm(&t[0], &t[1], 1e-6).unwrap(),
        );
        let up = random("up", &[n, width]);
        agree("swiglu", &[x, up], |t| ops::swiglu(&t[0], &t[1]).unwrap(), |t| composed::swiglu(&t[0], &t[1]).unwrap());
    }
}

#[test]
fn attention() {
    for (lengths, causal, heads, kv_heads, head_dim) in [
        (vec![5], true, 2, 1, 8),
        (vec![3, 70, 1, 130], true, 4, 2, 16),
        (vec![16, 16, 7], false, 3, 3, 12),
        (vec![100, 65], false, 4, 4, 20),
    ] {
        let n: usize = lengths.iter().sum();
        let mut bounds = vec![0];
        lengths.iter().for_each(|l| bounds.push(bounds.last().unwrap() + l));
        let angles = Stream::new(2, "angles", &[]).normals(n * head_dim / 2);
        let rotary = Rotary::from_angles(&angles, head_dim / 2);
        let hidden = Arc::new(hidden_keys(&bounds));
        for (rotary, hidden) in [(None, None), (Some(rotary.clone()), None), (Some(rotary), Some(hidden.clone())), (None, Some(hidden))] {
            let spec = Attention { heads, kv_heads, head_dim, bounds: Arc::new(bounds.clone()), key_bounds: None, causal, hidden, rotary };
            let inputs =
                [random("q", &[n, heads * head_dim]), random("k", &[n, kv_heads * head_dim]), random("v", &[n, kv_heads * head_dim])];
            agree(
                "attention",
                &inputs,
                |t| ops::attention(&t[0], &t[1], &t[2], &spec).unwrap(),
                |t| composed::attention(&t[0], &t[1], &t[2], &spec).unwrap(),
            );
        }
    }
}

/// Sets of one to three ranges of keys, never the query's own; every fourth query has none.
fn hidden_keys(bounds: &[usize]) -> Hidden {
    let mut hidden = Hidden::default();
    for pair in bounds.windows(2) {
        let length = pair[1] - pair[0];
        for token in 0..length {
            let ranges = [0..length / 5, length / 3..length / 2, 3 * length / 4..length];
            let ranges: Vec<_> = ranges.into_iter().filter(|r| !r.is_empty() && !r.contains(&token)).collect();
            hidden.of.push((token % 4 != 3 && !ranges.is_empty()).then_some(hidden.sets.len()));
            hidden.sets.push(ranges);
        }
    }
    assert!(!hidden.is_empty() && hidden.fits(bounds));
    hidden
}

/// What is hidden has no influence at all, and an empty specification is none.
#[test]
fn hidden_keys_are_excluded_exactly() {
    let (n, width) = (90, 32);
    let attend = |hidden: Option<Hidden>, k: &Tensor, v: &Tensor| {
        let bounds = Arc::new(vec![0, n]);
        let hidden = hidden.map(Arc::new);
        let spec = Attention { heads: 4, kv_heads: 4, head_dim: 8, bounds, key_bounds: None, causal: true, hidden, rotary: None };
        ops::attention(random("q", &[n, width]).as_tensor(), k, v, &spec).unwrap()
    };
    let (k, v) = (random("k", &[n, width]), random("v", &[n, width]));
    let hidden = Hidden { sets: vec![vec![10..30]], of: (0..n).map(|token| (token >= 30).then_some(0)).collect() };
    let loud: Vec<f32> = (0..n * width).map(|i| if (10..30).contains(&(i / width)) { 1e4 } else { 0.0 }).collect();
    let loud = Tensor::from_vec(loud, (n, width), &Device::Cpu).unwrap();
    let behind = |y: &Tensor| values(&y.narrow(0, 30, n - 30).unwrap()).unwrap();
    let quiet = attend(Some(hidden.clone()), &k, &v);
    let shouted = attend(Some(hidden.clone()), &(k.as_tensor() + &loud).unwrap(), &(v.as_tensor() + &loud).unwrap());
    assert!(behind(&quiet) == behind(&shouted));
    assert!(behind(&quiet) != behind(&attend(None, &k, &v)));
    let gradients = quiet.narrow(0, 30, n - 30).unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
    for input in [&k, &v] {
        let gradient = values(&gradients.get(input).unwrap().narrow(0, 10, 20).unwrap()).unwrap();
        assert!(gradient.iter().all(|g| *g == 0.0));
        assert!(values(gradients.get(input).unwrap()).unwrap().iter().any(|g| *g != 0.0));
    }
    let empty = Hidden { sets: Vec::new(), of: vec![None; n] };
    assert!(values(&attend(Some(empty), &k, &v)).unwrap() == values(&attend(None, &k, &v)).unwrap());
    // A token may not be hidden from itself, nor a set be missing.
    let (own, missing) = (Hidden { sets: vec![vec![0..90]], of: vec![Some(0); n] }, Hidden { sets: vec![], of: vec![Some(0); n] });
    for wrong in [own, missing, Hidden { of: hidden.of[1..].to_vec(), ..hidden }] {
        assert!(!wrong.fits(&[0, n]));
    }
}

#[test]
fn embedding_and_rows() {
    let w = random("w", &[11, 6]);
    let ids = [3u32, 0, 3, 10];
    let index = Tensor::new(&ids, &Device::Cpu).unwrap();
    agree("embed", std::slice::from_ref(&w), |t| ops::embed(&t[0], &ids).unwrap(), |t| t[0].index_select(&index, 0).unwrap());
    assert!(ops::embed(&w, &[11]).is_err());
    let v = random("v", &[2, 6]);
    agree(
        "replace_rows",
        &[w.clone(), v.clone()],
        |t| ops::replace_rows(&t[0], &[7, 2], &t[1]).unwrap(),
        |t| composed::replace_rows(&t[0], &[7, 2], &t[1]).unwrap(),
    );
    agree(
        "add_rows",
        &[w.clone(), v.clone()],
        |t| ops::add_rows(&t[0], &[7, 2], &t[1]).unwrap(),
        |t| composed::add_rows(&t[0], &[7, 2], &t[1]).unwrap(),
    );
    assert!(ops::add_rows(&w, &[7, 7], &v).is_err());
    assert!(ops::replace_rows(&w, &[7, 7], &v).is_err());
    assert!(ops::replace_rows(&w, &[7, 11], &v).is_err());
}

#[test]
fn cross_entropy() {
    for (n, width, vocab) in [(3, 4, 5), (300, 24, 77)] {
        let (h, w) = (random("h", &[n, width]), random("w", &[vocab, width]));
        let labels: Vec<Option<u32>> = (0..n).map(|i| (i % 3 != 1).then_some((i * 7 % vocab) as u32)).collect();
        agree(
            "cross_entropy",
            &[h.clone(), w.clone()],
            |t| ops::cross_entropy(&t[0], &t[1], &labels).unwrap(),
            |t| {
                let counted = labels.iter().flatten().count() as f64;
                (composed::cross_entropy_sum(&t[0], &t[1], &labels).unwrap() / counted).unwrap()
            },
        );
        assert!(ops::cross_entropy(&h, &w, &vec![Some(vocab as u32); n]).is_err());
        assert_eq!(ops::cross_entropy(&h, &w, &vec![None; n]).unwrap().to_scalar::<f32>().unwrap(), 0.0);
    }
}

/// The composed operations' own gradients, held against central differences in one direction.
#[test]
fn finite_differences() {
    let config = Config::tiny().with([("initializer_range".to_owned(), 0.2.into())]).unwrap();
    let model = Model::random(config, 5, &Device::Cpu, Trainable::Text).unwrap();
    let pack = PackLayout { lengths: vec![4, 3], positions: (0..7).map(|i| [i, i / 2, i]).collect(), ..Default::default() };
    let labels: Vec<Option<u32>> = (0..7).map(|i| Some(i * 5 % 64)).collect();
    let loss = || {
        let embeds = model.embed(&[1, 2, 3, 4, 5, 6, 7]).unwrap();
        let hidden = model.forward(&embeds, &pack).unwrap();
        ops::cross_entropy(&hidden, model.text.lm_head.tensor().unwrap(), &labels).unwrap()
    };
    let parameters = model.parameters();
    let mut gradients = Gradients::new(&parameters);
    gradients.backward(&loss()).unwrap();
    for (i, (name, variable)) in parameters.iter().enumerate() {
        let gradient = gradients.get(i).unwrap_or_else(|| panic!("{name} has no gradient")).to_vec();
        let length = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        if length < 1e-2 {
            continue;
        }
        let before = variable.copy().unwrap();
        let at = |step: f64| {
            let moved: Vec<f32> =
                values(&before).unwrap().iter().zip(&gradient).map(|(v, g)| v + (f64::from(*g) / length * step) as f32).collect();
            variable.set(&Tensor::from_vec(moved, before.shape(), &Device::Cpu).unwrap()).unwrap();
            f64::from(loss().to_scalar::<f32>().unwrap())
        };
        let slope = (at(5e-3) - at(-5e-3)) / 1e-2;
        variable.set(&before).unwrap();
        assert!((slope / length - 1.0).abs() < 0.02, "{name}: {slope} against {length}");
    }
}

fn prefixes(model: &Model, count: usize) -> (Vec<prism_model::KvPrefix>, Vec<Tensor>) {
    (0..count)
        .map(|i| {
            let ids: Vec<u32> = (0..5 + i as u32).map(|k| (k * 7 + i as u32 * 3) % 50).collect();
            let positions = (0..ids.len() as u32).map(|p| [p; 3]).collect();
            let embeds = (model.embed(&ids).unwrap() * 30.0).unwrap();
            let (hidden, prefix) = model.prefill(&embeds, &PackLayout::single(positions)).unwrap();
            (prefix, hidden.narrow(0, ids.len() - 1, 1).unwrap())
        })
        .unzip()
}

/// Decodes three steps feeding the states back; hidden states and logits of each row.
fn decode(model: &Model, prefixes: &[prism_model::KvPrefix], first: &[Tensor], rows: &[usize]) -> Vec<Vec<u32>> {
    let mut cache = BranchCache::new(rows.iter().map(|&r| prefixes[r].clone()));
    let mut x = Tensor::cat(&rows.iter().map(|&r| first[r].clone()).collect::<Vec<_>>(), 0).unwrap();
    let mut bits = vec![Vec::new(); rows.len()];
    for _ in 0..3 {
        x = model.decode_step(&x, &mut cache).unwrap();
        let logits = model.decode_logits(&x).unwrap();
        for (i, bits) in bits.iter_mut().enumerate() {
            for t in [&x, &logits] {
                bits.extend(values(&t.narrow(0, i, 1).unwrap()).unwrap().iter().map(|v| v.to_bits()));
            }
        }
    }
    bits
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let model = Model::random(Config::tiny(), 3, &Device::Cpu, Trainable::No).unwrap();
    let (prefixes, first) = prefixes(&model, 13);
    let alone: Vec<Vec<u32>> = (0..13).map(|r| decode(&model, &prefixes, &first, &[r]).remove(0)).collect();
    for count in [2, 3, 5, 8, 13] {
        let rows: Vec<usize> = (0..count).rev().collect();
        for threads in [1, 2] {
            let together = ops::with_threads(threads, || decode(&model, &prefixes, &first, &rows));
            for (row, bits) in rows.iter().zip(together) {
                assert!(bits == alone[*row], "row {row} of {count} with {threads} threads");
            }
        }
    }
}

#[test]
fn threads_do_not_change_bytes() {
    let mut raw = Config::tiny().to_value();
    for (key, value) in [("hidden_size", 256), ("intermediate_size", 512)] {
        raw[key] = value.into();
    }
    raw["rope_scaling"]["mrope_section"] = serde_json::json!([8, 12, 12]);
    raw["vision_config"]["out_hidden_size"] = 256.into();
    let config = Config::from_value(raw, std::path::Path::new("config.json")).unwrap();
    let model = Model::random(config, 3, &Device::Cpu, Trainable::Text).unwrap();
    let run = |threads: usize| {
        ops::with_threads(threads, || {
            let ids: Vec<u32> = (0..300).map(|i| i % 50).collect();
            let pack = PackLayout { lengths: vec![100, 200], positions: (0..300u32).map(|i| [i % 100; 3]).collect(), ..Default::default() };
            let hidden = model.forward(&model.embed(&ids).unwrap(), &pack).unwrap();
            let labels: Vec<Option<u32>> = ids.iter().map(|&i| Some(i)).collect();
            let mut gradients = Gradients::new(&model.parameters());
            gradients.backward(&ops::cross_entropy(&hidden, model.text.lm_head.tensor().unwrap(), &labels).unwrap()).unwrap();
            let (prefixes, first) = prefixes(&model, 3);
            let mut bits: Vec<u32> = values(&hidden).unwrap().iter().map(|v| v.to_bits()).collect();
            (0..gradients.len()).for_each(|i| bits.extend(gradients.get(i).unwrap().iter().map(|v| v.to_bits())));
            bits.extend(decode(&model, &prefixes, &first, &[0, 1, 2]).concat());
            bits
        })
    };
    assert!(run(1) == run(2));
}

#[test]
fn evicted_and_dropped_rows() {
    let model = Model::random(Config::tiny(), 3, &Device::Cpu, Trainable::No).unwrap();
    let (prefixes, first) = prefixes(&model, 2);
    let mut cache = BranchCache::new([prefixes[0].clone(), prefixes[1].clone()]);
    let x = Tensor::cat(&first, 0).unwrap();
    model.decode_step(&x, &mut cache).unwrap();
    cache.evict(0, 0..1).unwrap();
    assert_eq!((cache.held(0), cache.held(1)), (Some(0), Some(1)));
    assert!(cache.evict(0, 0..1).is_err());
    // A row whose only step was evicted differs from a fresh one by its position alone.
    assert_eq!(cache.next_position(0), Some(prefixes[0].next_position() + 1));
    cache.fork(1).unwrap();
    cache.retain(&[true, false, true]);
    assert_eq!((cache.rows(), cache.held(1)), (2, Some(1)));
    assert!(model.decode_step(&first[0], &mut cache).is_err());
}
