//! The fused layer against the composed one, over everything in which families differ: biases, norms
//! of queries and keys, the head's width, the key and value heads. States and every gradient of a
//! training pass, of one cut in pieces, and the rows of decoding.

use std::sync::Arc;

use prism_run::random::Stream;

use super::{Additions, Inputs, TextModel};
use crate::cache::BranchCache;
use crate::config::Config;
use crate::ops::{self, composed};
use crate::positions::PackLayout;
use crate::tensor::{self, Device, Tensor, Trainable, Var};
use crate::weights::Loader;
use crate::{Gradients, Result};

const TOKENS: usize = 9;

/// What a family's layer may be.
#[derive(Debug, Clone, Copy)]
struct Case {
    qkv_bias: bool,
    o_bias: bool,
    qk_norm: bool,
    head_dim: usize,
    kv_heads: usize,
}

/// Every combination, on layers of width 32 with four heads.
fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for flags in 0..8 {
        let flag = |bit: usize| flags & bit != 0;
        for head_dim in [8, 20, 32] {
            for kv_heads in [1, 2, 4] {
                all.push(Case { qkv_bias: flag(1), o_bias: flag(2), qk_norm: flag(4), head_dim, kv_heads });
            }
        }
    }
    all
}

/// A model with no weight at a value that hides a fault, and its parameters.
fn model(case: Case) -> (TextModel, Vec<(String, Var)>) {
    let mut config = Config::tiny();
    let text = &mut config.text;
    (text.qkv_bias, text.o_bias, text.qk_norm) = (case.qkv_bias, case.o_bias, case.qk_norm);
    (text.head_dim, text.num_key_value_heads) = (case.head_dim, case.kv_heads);
    let third = case.head_dim / 6;
    (text.mrope_section, text.mrope_interleaved) = ([case.head_dim / 2 - 2 * third, third, third], case.qk_norm);
    let mut loader = Loader::random(7, &Device::Cpu, tensor::DType::F32, Trainable::Text);
    let model = TextModel::load(&config, &mut loader).unwrap();
    let weights = loader.finish().unwrap();
    let parameters: Vec<(String, Var)> = weights.into_iter().filter_map(|w| Some((w.name, w.variable?))).collect();
    for (name, variable) in &parameters {
        let about = if name.ends_with("norm.weight") { 1.0 } else { 0.0 };
        let mut stream = Stream::new(11, "layer", &[name]);
        tensor::update(variable, |values| values.iter_mut().for_each(|v| *v = (about + 0.2 * stream.normal()) as f32)).unwrap();
    }
    (model, parameters)
}

fn random(name: &str) -> Tensor {
    let mut stream = Stream::new(3, "layer", &[name]);
    let values: Vec<f32> = (0..TOKENS * 32).map(|_| stream.normal() as f32).collect();
    Tensor::from_vec(values, (TOKENS, 32), &Device::Cpu).unwrap()
}

/// Two sequences with positions that differ by axis.
fn pack() -> PackLayout {
    PackLayout { lengths: vec![5, 4], positions: (0..TOKENS as u32).map(|i| [i, i / 2, i % 3]).collect(), ..Default::default() }
}

/// The whole pass by [`super::Layer::composed`] and the composed attention and addition.
fn composed_pass(model: &TextModel, inputs: &Inputs, pack: &PackLayout) -> Result<Tensor> {
    let spec = model.attention(pack);
    let mut x = inputs.embeds.clone();
    for (i, layer) in model.layers.iter().enumerate() {
        x = layer.composed(&x, &model.config, &mut |q, k, v| composed::attention(&q, &k, &v, &spec))?;
        if let Some(added) = &inputs.added {
            for (_, values) in added.after.iter().filter(|(after, _)| *after == i) {
                x = composed::add_rows(&x, &added.rows, values)?;
            }
        }
    }
    ops::rms_norm(&x, &model.norm, model.config.rms_norm_eps)
}

/// The states of a pass, and the gradients of a sum over them: of every parameter, of the embeddings, and of what is
/// added after both layers to rows of both sequences, behind a latent too.
fn run(parameters: &[(String, Var)], pass: impl Fn(Inputs) -> Result<Tensor>) -> (Vec<f32>, Vec<(String, Vec<f32>)>) {
    let variable = |name: &str, rows: usize| Var::from_tensor(&random(name).narrow(0, 0, rows).unwrap()).unwrap();
    let read = [("embeds", TOKENS), ("after 0", 4), ("after 1", 4)].map(|(name, rows)| (name.to_owned(), variable(name, rows)));
    let all = [parameters, &read[..]].concat();
    let value = |i: usize| read[i].1.as_tensor().clone();
    let added = Additions { rows: Arc::new(vec![8, 1, 4, 6]), after: vec![(0, value(1)), (1, value(2))] };
    let states = pass(Inputs { embeds: value(0), added: Some(added) }).unwrap();
    let mut gradients = Gradients::new(&all);
    gradients.backward(&(&states * random("weights")).unwrap().sum_all().unwrap()).unwrap();
    let of = |i: usize| gradients.get(i).map(|g| (gradients.name(i).to_owned(), g.to_vec()));
    (tensor::values(&states).unwrap(), (0..gradients.len()).filter_map(of).collect())
}

/// Length of the difference over that of `b`.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    assert_eq!(a.len(), b.len());
    let difference = square(&mut a.iter().zip(b).map(|(a, b)| f64::from(a - b)));
    (difference / square(&mut b.iter().map(|b| f64::from(*b))).max(1e-12)).sqrt()
}

fn agree(what: &str, fused: &(Vec<f32>, Vec<(String, Vec<f32>)>), composed: &(Vec<f32>, Vec<(String, Vec<f32>)>)) {
    assert!(distance(&fused.0, &composed.0) < 2e-6, "{what}: states, {:e}", distance(&fused.0, &composed.0));
    assert_eq!(fused.1.len(), composed.1.len(), "{what}");
    for ((name, ours), (other, theirs)) in fused.1.iter().zip(&composed.1) {
        assert_eq!(name, other);
        assert!(distance(ours, theirs) < 2e-5, "{what}: gradient of {name}, {:e}", distance(ours, theirs));
    }
}

#[test]
fn states_and_gradients_are_the_composed_ones() {
    for case in cases() {
        let (model, parameters) = model(case);
        let fused = run(&parameters, |inputs| model.forward(inputs, &pack()));
        let composed = run(&parameters, |inputs| composed_pass(&model, &inputs, &pack()));
        agree(&format!("{case:?}"), &fused, &composed);
        // The vocabulary's matrices have no part in it; everything else has a gradient.
        assert_eq!(fused.1.len(), parameters.len() + 2, "{case:?}");
    }
}

#[test]
fn pieces_are_the_whole() {
    let chains = [vec![2u32, 3], vec![7]];
    let feedback = |states: &Tensor| Ok((states * 0.5)?);
    for case in cases() {
        let (model, parameters) = model(case);
        let cut = run(&parameters, |inputs| model.forward_feeding(inputs, &pack(), &chains, feedback));
        let whole = run(&parameters, |inputs| model.forward_feeding_whole(inputs, &pack(), &chains, feedback));
        agree(&format!("{case:?}"), &cut, &whole);
    }
}

#[test]
fn decoded_rows_are_those_of_a_whole_pass() {
    let embeds = random("embeds");
    let layout = |tokens: usize| PackLayout::single((0..tokens as u32).map(|i| [i; 3]).collect());
    let hidden = Arc::new(std::iter::once(1..3).collect());
    for case in cases() {
        let (model, _) = model(case);
        let whole = tensor::values(&composed_pass(&model, &Inputs::from(&embeds), &layout(TOKENS)).unwrap()).unwrap();
        let (_, prefix) = model.prefill(&embeds.narrow(0, 0, TOKENS - 2).unwrap(), &layout(TOKENS - 2)).unwrap();
        // The second row sees less of the prompt: the first must not notice.
        let mut cache = BranchCache::new([prefix.clone(), prefix]);
        cache.hide(1, &hidden).unwrap();
        for at in [TOKENS - 2, TOKENS - 1] {
            let token = embeds.narrow(0, at, 1).unwrap();
            let states = model.decode_step(&Tensor::cat(&[&token, &token], 0).unwrap(), &mut cache).unwrap();
            let states = tensor::values(&states).unwrap();
            let (open, other) = states.split_at(32);
            let apart = distance(open, &whole[at * 32..(at + 1) * 32]);
            assert!(apart < 2e-6, "{case:?}: row {at}, {apart:e}");
            assert!(distance(other, open) > 1e-4, "{case:?}: hidden keys are seen");
        }
    }
}

/// Decoding off the fused path: the same states from rows computed one by one, hidden keys included.
#[test]
fn composed_rows_are_the_fused_ones() {
    let (embeds, layout) = (random("embeds"), PackLayout::single((0..TOKENS as u32 - 1).map(|i| [i; 3]).collect()));
    let hidden = Arc::new(vec![1..3, 4..5]);
    for case in cases() {
        let (model, parameters) = model(case);
        let decode = |model: &TextModel, dtype| {
            let embeds = embeds.to_dtype(dtype).unwrap();
            let (_, prefix) = model.prefill(&embeds.narrow(0, 0, TOKENS - 1).unwrap(), &layout).unwrap();
            let mut cache = BranchCache::new([prefix]);
            cache.hide(0, &hidden).unwrap();
            tensor::values(&model.decode_step(&embeds.narrow(0, TOKENS - 1, 1).unwrap(), &mut cache).unwrap()).unwrap()
        };
        let apart = distance(&decode(&wide(&model, &parameters), tensor::DType::F64), &decode(&model, tensor::DType::F32));
        assert!(apart < 2e-6, "{case:?}: {apart:e}");
    }
}

/// The model in double precision, which no fused kernel reads.
fn wide(model: &TextModel, parameters: &[(String, Var)]) -> TextModel {
    let mut config = Config::tiny();
    config.text = model.config.clone();
    let mut loader = Loader::random(7, &Device::Cpu, tensor::DType::F64, Trainable::Text);
    let wide = TextModel::load(&config, &mut loader).unwrap();
    for (weight, (name, variable)) in loader.finish().unwrap().iter().zip(parameters) {
        assert_eq!(&weight.name, name);
        weight.variable.as_ref().unwrap().set(&variable.to_dtype(tensor::DType::F64).unwrap()).unwrap();
    }
    wide
}
