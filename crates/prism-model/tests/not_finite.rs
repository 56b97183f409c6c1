//! A weight that is no number makes results that are none: no kernel may swallow it, for what is decoded then is refused.

use std::fs;
use std::path::{Path, PathBuf};

use prism_model::checkpoint::write_weights;
use prism_model::preprocess::Preprocessor;
use prism_model::tensor::{DType, Device, Tensor, Trainable, values};
use prism_model::{BranchCache, Model, PackLayout};

fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/base-tiny")
}

/// The shipped base with one NaN in the first weight whose name contains `part`.
fn damaged(folder: &Path, part: &str) -> Model {
    let model = Model::open(&base(), &Device::Cpu, DType::F32, Trainable::No).unwrap();
    let mut weights: Vec<(String, Tensor)> = model.weights().iter().map(|w| (w.name.clone(), w.tensor.clone())).collect();
    let (_, weight) = weights.iter_mut().find(|(name, _)| name.contains(part)).unwrap_or_else(|| panic!("no weight is called {part}"));
    let mut numbers = values(weight).unwrap();
    numbers[3] = f32::NAN;
    *weight = Tensor::from_vec(numbers, weight.dims(), weight.device()).unwrap();
    for entry in fs::read_dir(base()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e != "safetensors") {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    write_weights(folder, &weights, model.config.family.names).unwrap();
    Model::open(folder, &Device::Cpu, DType::F32, Trainable::No).unwrap()
}

fn layout(tokens: u32) -> PackLayout {
    PackLayout { positions: (0..tokens).map(|i| [i; 3]).collect(), lengths: vec![tokens as usize], ..Default::default() }
}

#[test]
fn what_is_no_number_in_the_text_model_reaches_every_state() {
    for part in [
        "layers.0.self_attn.q_proj.weight",
        "layers.0.self_attn.k_proj.weight",
        "layers.0.self_attn.v_proj.weight",
        "layers.0.mlp.gate_proj.weight",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let model = damaged(folder.path(), part);
        let embeds = model.embed(&[7, 8, 9, 10]).unwrap();
        let (prefilled, prefix) = model.prefill(&embeds, &layout(4)).unwrap();
        let whole = model.forward(&embeds, &layout(4)).unwrap();
        let mut cache = BranchCache::new([prefix]);
        let stepped = model.decode_step(&model.embed(&[7]).unwrap(), &mut cache).unwrap();
        for (how, states) in [("prefill", prefilled), ("forward", whole), ("decode", stepped)] {
            assert!(values(&states).unwrap().iter().all(|v| v.is_nan()), "{part}: {how} has numbers");
        }
    }
}

#[test]
fn what_is_no_number_in_the_vision_tower_reaches_every_feature() {
    for part in ["blocks.0.attn.qkv.weight", "blocks.0.mlp.gate_proj.weight"] {
        let folder = tempfile::tempdir().unwrap();
        let model = damaged(folder.path(), part);
        let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/saved_base.png");
        let pixels = Preprocessor::from_dir(&base()).unwrap().open(&picture).unwrap();
        let features = values(model.image_features(&[pixels]).unwrap().tokens()).unwrap();
        assert!(features.iter().all(|v| v.is_nan()), "{part}: there are features");
    }
}
