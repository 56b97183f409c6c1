//! A checkpoint that Prism saved, as transformers reads it: `oracle/saved_logits.py`
//! opens `assets/base-tiny` there and writes what it computes.

mod common;

use std::path::Path;

use prism_model::preprocess::Preprocessor;
use prism_model::prompt::Prompter;
use prism_model::tensor::{DType, Device, Trainable, values};
use prism_model::{Model, PackLayout};
use safetensors::SafeTensors;

#[test]
fn transformers_gives_the_same_logits() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/base-tiny");
    let bytes = std::fs::read(common::fixture("saved_base.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let ids: Vec<i64> = bytemuck::pod_collect_to_vec(file.tensor("ids").unwrap().data());
    let expected: Vec<f32> = bytemuck::pod_collect_to_vec(file.tensor("logits").unwrap().data());

    let model = Model::open(&folder, &Device::Cpu, DType::F32, Trainable::No).unwrap();
    let pixels = Preprocessor::from_dir(&folder).unwrap().open(&common::fixture("saved_base.png")).unwrap();
    let question =
        "What is the color of the star?\nOptions:\nA. red\nB. blue\n\nAnswer with the option's letter from the given choices directly.";
    let prompt = Prompter::from_dir(&folder).unwrap().question(question, &[pixels.grid]).unwrap();
    assert_eq!(prompt.ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>(), ids);

    let embeds = model.embed(&prompt.ids).unwrap();
    let images: Vec<u32> = prompt.image_tokens.iter().map(|&at| at as u32).collect();
    let inputs = model.image_features(&[pixels]).unwrap().stand_in(&embeds, &images).unwrap();
    let hidden = model.forward(inputs, &PackLayout::single(prompt.positions.clone())).unwrap();
    let logits = values(&model.logits(&hidden).unwrap()).unwrap();
    let last = &logits[logits.len() - expected.len()..];
    let worst = last.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{worst:e}");
    assert!(expected.iter().any(|l| l.abs() > 1.0), "the logits say something");
}
