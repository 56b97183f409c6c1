//! The language model against Hugging Face transformers, on the golden checkpoints.
//! Inputs: `tests/fixtures/text_V.safetensors`, written by `oracle/text_parity.py`.

mod common;

use std::path::PathBuf;

use prism_model::tensor::{DType, Device, Tensor, Trainable, values};
use prism_model::{BranchCache, Gradients, Model, PackLayout, ops};
use safetensors::SafeTensors;
use serde_json::Value;

const VARIANTS: [&str; 5] = ["lvr", "nlvr", "dlvr", "plvr2", "plvr3"];

struct Case {
    model: Model,
    embeds: Tensor,
    features: Tensor,
    layout: PackLayout,
    hidden: Vec<f32>,
    logits: Vec<f32>,
    pack: Value,
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data())
}

fn case(variant: &str, training: Trainable) -> Case {
    let model = Model::open(&common::golden("checkpoints").join(variant), &Device::Cpu, DType::F32, training).unwrap();
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/text_{variant}.safetensors"));
    let bytes = std::fs::read(fixture).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let width = model.config.text.hidden_size;
    let matrix = |name: &str| {
        let v = floats(&file, name);
        Tensor::from_slice(&v, (v.len() / width, width), &Device::Cpu).unwrap()
    };
    let positions: Vec<i64> = bytemuck::pod_collect_to_vec(file.tensor("positions").unwrap().data());
    let positions = positions.chunks(3).map(|p| [p[0] as u32, p[1] as u32, p[2] as u32]).collect();
    let expected = std::fs::read(common::golden(&format!("expected/train_{variant}.safetensors"))).unwrap();
    let packs: Value = serde_json::from_slice(&std::fs::read(common::golden(&format!("expected/train_{variant}.json"))).unwrap()).unwrap();
    Case {
        embeds: matrix("embeds"),
        features: matrix("features"),
        layout: PackLayout::single(positions),
        hidden: floats(&file, "hidden"),
        logits: floats(&SafeTensors::deserialize(&expected).unwrap(), "logits"),
        pack: packs[0].clone(),
        model,
    }
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn logits_and_hidden_states_agree() {
    for variant in VARIANTS {
        for training in [Trainable::No, Trainable::Text] {
            let c = case(variant, training);
            let states = c.model.forward_layers(&c.embeds, &c.layout).unwrap();
            let all: Vec<f32> = states.iter().flat_map(|s| values(s).unwrap()).collect();
            let d = distance(&all, &c.hidden);
            assert!(d < 1e-4, "{variant}: hidden states differ by {d}");
            let logits = values(&c.model.logits(states.last().unwrap()).unwrap()).unwrap();
            let d = distance(&logits, &c.logits);
            assert!(d < 1e-4, "{variant}: logits differ by {d}");
        }
    }
}

#[test]
fn rotary_positions_agree() {
    for variant in VARIANTS {
        let c = case(variant, Trainable::No);
        let ids: Vec<u32> = c.pack["input_ids"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect();
        let g: Vec<usize> = c.pack["image_grid_thw"][0].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
        let (positions, _) = prism_model::positions::rope_positions(&c.model.config, &ids, &[[g[0], g[1], g[2]]]).unwrap();
        assert_eq!(positions, c.layout.positions, "{variant}");
    }
}

#[test]
fn prefill_and_decoding_continue_the_forward_pass() {
    let c = case("plvr3", Trainable::No);
    let (n, cut) = (c.layout.tokens(), 60);
    let prompt = PackLayout::single(c.layout.positions[..cut].to_vec());
    let (hidden, prefix) = c.model.prefill(&c.embeds.narrow(0, 0, cut).unwrap(), &prompt).unwrap();
    let whole = values(&c.model.forward(&c.embeds, &c.layout).unwrap()).unwrap();
    let width = c.model.config.text.hidden_size;
    assert!(distance(&values(&hidden).unwrap(), &whole[..cut * width]) < 2e-5);
    let mut cache = BranchCache::new([prefix]);
    for i in cut..n {
        assert_eq!(cache.next_position(0), Some(c.layout.positions[i][0]));
        let h = c.model.decode_step(&c.embeds.narrow(0, i, 1).unwrap(), &mut cache).unwrap();
        let d = distance(&values(&h).unwrap(), &whole[i * width..(i + 1) * width]);
        assert!(d < 5e-5, "token {i}: {d}");
        let logits = values(&c.model.decode_logits(&h).unwrap()).unwrap();
        assert!(distance(&logits, &c.logits[i * 448..(i + 1) * 448]) < 1e-4);
    }
}

/// CE and MSE of pack `one` as the objective defines them, for the text side's gradients.
#[test]
fn losses_and_gradients_agree() {
    for variant in ["lvr", "nlvr", "dlvr"] {
        let c = case(variant, Trainable::Text);
        let ids: Vec<u32> = c.pack["input_ids"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect();
        let labels: Vec<Option<u32>> =
            c.pack["labels"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).map(|v| u32::try_from(v).ok()).collect();
        let lvr = c.model.config.latent.lvr_id.unwrap();
        let at = |id: u32| -> Vec<u32> { ids.iter().zip(0u32..).filter(|(x, _)| **x == id).map(|(_, i)| i).collect() };
        let latents = at(lvr);
        let regions: Vec<u32> = c.pack["lvr_tokens"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|r| r.as_array().unwrap())
            .map(|v| v.as_u64().unwrap() as u32)
            .collect();
        let targets = c.features.index_select(&Tensor::new(regions, &Device::Cpu).unwrap(), 0).unwrap();
        let embeds = c.model.embed(&ids).unwrap();
        let embeds = ops::replace_rows(&embeds, &at(c.model.config.image_token_id), &c.features).unwrap();
        let embeds = ops::replace_rows(&embeds, &latents, &targets).unwrap();
        let hidden = c.model.forward(&embeds, &c.layout).unwrap();
        let shifted: Vec<Option<u32>> = labels[1..].iter().map(|l| l.filter(|&l| l != lvr)).chain([None]).collect();
        let ce = ops::cross_entropy(&hidden, c.model.text.lm_head.tensor().unwrap(), &shifted).unwrap();
        let before: Vec<u32> = latents.iter().map(|i| i - 1).collect();
        let predicted = hidden.index_select(&Tensor::new(before, &Device::Cpu).unwrap(), 0).unwrap();
        let latent = (predicted - targets).unwrap().sqr().unwrap().mean_all().unwrap();
        let scalar = |t: &Tensor| f64::from(t.to_scalar::<f32>().unwrap());
        let close = |a: f64, b: f64, tolerance: f64| assert!((a - b).abs() <= tolerance * b.abs().max(1e-9), "{variant}: {a} against {b}");
        close(scalar(&ce), c.pack["ce"].as_f64().unwrap(), 1e-5);
        close(scalar(&latent), c.pack["latent"].as_f64().unwrap(), 1e-5);
        let total = (ce + (latent * 0.1).unwrap()).unwrap();
        let mut gradients = Gradients::new(&c.model.parameters());
        gradients.backward(&total).unwrap();
        assert!(!gradients.is_empty());
        for i in 0..gradients.len() {
            assert!(gradients.get(i).is_some(), "{} has no gradient", gradients.name(i));
            close(gradients.norm(i), c.pack["grad_norm"][gradients.name(i)].as_f64().unwrap(), 1e-3);
        }
        // A second pass adds.
        let once = gradients.total_norm();
        gradients.backward(&total).unwrap();
        assert!((gradients.total_norm() / once - 2.0).abs() < 1e-5);
    }
}
