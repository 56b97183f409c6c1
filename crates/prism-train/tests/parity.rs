//! Losses, gradients and ten optimizer steps against the paper's release.

mod common;

use common::{Opened, VARIANTS, close, golden, json, records, rows};
use prism_model::tensor::Trainable;
use prism_train::config::DecaySet;
use prism_train::objective::{self, NoiseKey, Objective};
use prism_train::pack::Pack;
use prism_train::step::{Accumulator, clip_scale};
use prism_train::{AdamW, Optimizer, Parameters, Workers};

#[test]
fn loss_terms_and_gradients_of_every_variant() {
    let records = records();
    for (preset, name) in VARIANTS {
        let opened = Opened::new(preset, name, Trainable::All);
        for pack in json(&format!("expected/train_{name}.json")).as_array().unwrap() {
            let what = format!("{name}, pack {}", pack["pack"]);
            let got = opened.losses(&records, &rows(pack), true);
            close(&format!("{what}: ce"), Some(got.ce), &pack["ce"], 1e-5);
            close(&format!("{what}: latent"), got.latent, &pack["latent"], 1e-5);
            close(&format!("{what}: diversity"), got.diversity, &pack["diversity"], 1e-5);
            close(&format!("{what}: total"), Some(got.total), &pack["total"], 1e-5);
            let norms = got.grad_norm.unwrap();
            let expected = pack["grad_norm"].as_object().unwrap();
            assert_eq!(norms.len(), expected.len(), "{what}: {norms:?}");
            for (parameter, norm) in &norms {
                close(&format!("{what}: gradient of {parameter}"), Some(*norm), &expected[parameter], 1e-3);
            }
            if pack["pack"] == "four" {
                full_gradients(name, &got.gradients.unwrap());
            }
        }
    }
}

/// Some parameters' whole gradients, each within a thousandth of its norm.
fn full_gradients(name: &str, got: &[(String, Vec<f32>)]) {
    let bytes = std::fs::read(golden().join(format!("expected/train_{name}.safetensors"))).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut compared = 0;
    for (key, view) in file.tensors() {
        let Some(parameter) = key.strip_prefix("grad.") else { continue };
        let (_, gradient) = got.iter().find(|(n, _)| n == parameter).unwrap_or_else(|| panic!("{name}: no gradient of {parameter}"));
        let expected: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(expected.len(), gradient.len());
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let error = norm(&mut expected.iter().zip(gradient).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied());
        assert!(error < 1e-3, "{name}: gradient of {parameter} is off by {error:.1e} of its norm");
        compared += 1;
    }
    assert!(compared >= 5);
}

#[test]
fn ten_optimizer_steps() {
    let records = records();
    for (preset, name) in VARIANTS.into_iter().filter(|(_, name)| *name != "nlvr") {
        let opened = Opened::new(preset, name, Trainable::Text);
        let adam = AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
        let mut optimizer = Optimizer::new(Parameters::new(opened.model.parameters()), adam, DecaySet::Release).unwrap();
        let mut gradients = Accumulator::new(optimizer.parameters(), Workers::new(1).unwrap());
        let objective = Objective { noise_std: 0.0, ..Objective::of(&opened.variant) };
        // The golden D-LVR steps are taken before its release.
        for expected in json(&format!("expected/adamw10_{name}.json"))["steps"].as_array().unwrap() {
            let step = expected["step"].as_u64().unwrap() as usize;
            let samples: Vec<_> = rows(expected).into_iter().map(|row| opened.sample(&records[row])).collect();
            let pack = Pack::of(samples.iter().map(|s| (s, records[s.row].images.as_slice())));
            let pixels: Vec<_> = pack.images.iter().map(|path| opened.preprocessor().open(path).unwrap()).collect();
            let features = opened.model.image_features(&pixels).unwrap();
            let loss = |pack: &Pack| objective::loss(&opened.model, pack, Some(&features), &objective, NoiseKey { seed: 0, step });
            let terms = gradients.accumulate(&[pack], loss).unwrap()[0];
            let norm = gradients.norm();
            optimizer.step(&gradients, 1e-3, clip_scale(norm, 1.0)).unwrap();
            let what = format!("{name}, step {step}");
            close(&format!("{what}: ce"), Some(terms.ce), &expected["ce"], 1e-4);
            close(&format!("{what}: latent"), terms.latent, &expected["latent"], 1e-4);
            close(&format!("{what}: total"), Some(terms.total), &expected["total"], 1e-4);
            close(&format!("{what}: gradient norm"), Some(norm), &expected["grad_norm"], 1e-2);
        }
    }
}
