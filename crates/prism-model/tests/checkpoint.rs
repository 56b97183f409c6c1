//! Checkpoints: what is saved opens again, and what is wrong is told at once.

mod common;

use std::path::Path;

use prism_model::checkpoint::Files;
use prism_model::tensor::{DType, Device, Trainable, values};
use prism_model::{Config, Model};
use serde_json::{Value, json};

fn open(dir: &Path) -> prism_model::Result<Model> {
    Model::open(dir, &Device::Cpu, DType::F32, Trainable::No)
}

fn refusal(dir: &Path) -> String {
    open(dir).err().expect("must be refused").to_string()
}

#[test]
fn what_is_saved_opens_again() {
    for variant in common::VARIANTS {
        let source = common::golden("checkpoints").join(variant);
        let model = Model::open(&source, &Device::Cpu, DType::F32, Trainable::All).unwrap();
        assert_eq!(model.parameters().len(), model.weights().len());
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path()).unwrap();
        let again = open(dir.path()).unwrap();
        assert_eq!(model.config, again.config);
        for (a, b) in model.weights().iter().zip(again.weights()) {
            assert_eq!(a.name, b.name);
            assert_eq!(values(&a.tensor).unwrap(), values(&b.tensor).unwrap(), "{}", a.name);
        }
        let read = |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path.join("config.json")).unwrap()).unwrap() };
        assert_eq!(read(&source), read(dir.path()), "no key is lost");
        let names = |path: &Path| {
            let bytes = std::fs::read(path.join("model.safetensors")).unwrap();
            let mut names: Vec<String> =
                safetensors::SafeTensors::deserialize(&bytes).unwrap().names().iter().map(|n| n.to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&source), names(dir.path()), "names as transformers writes them");
    }
}

#[test]
fn every_problem_is_told() {
    let dir = tempfile::tempdir().unwrap();
    assert!(refusal(dir.path()).contains("config.json"));
    let model = Model::random(Config::tiny(), 1, &Device::Cpu, Trainable::No).unwrap();
    model.save(dir.path()).unwrap();
    open(dir.path()).unwrap();
    let weights = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 100]).unwrap();
    assert!(refusal(dir.path()).contains("cut off"));
    std::fs::write(&weights, &bytes[..5]).unwrap();
    assert!(refusal(dir.path()).contains("not a safetensors file"));
    std::fs::write(&weights, &bytes).unwrap();
    let config = dir.path().join("config.json");
    let mut raw = model.config.to_value();
    raw["num_hidden_layers"] = 1.into();
    raw["vocab_size"] = 65.into();
    raw["tie_word_embeddings"] = false.into();
    std::fs::write(&config, raw.to_string()).unwrap();
    let message = refusal(dir.path());
    for part in ["embed_tokens.weight: stored as [64, 32], config.json asks for [65, 32]", "lm_head.weight: missing"] {
        assert!(message.contains(part), "{message}");
    }
    std::fs::remove_file(&weights).unwrap();
    assert!(refusal(dir.path()).contains("model.safetensors"));
}

#[test]
fn what_is_not_part_of_the_model_is_told_by_name_and_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::random(Config::tiny(), 1, &Device::Cpu, Trainable::No).unwrap();
    model.save(dir.path()).unwrap();
    assert_eq!(open(dir.path()).unwrap().notes, Vec::<String>::new());
    let mut raw = model.config.to_value();
    raw["num_hidden_layers"] = 1.into();
    std::fs::write(dir.path().join("config.json"), raw.to_string()).unwrap();
    let notes = open(dir.path()).unwrap().notes.join("\n");
    assert!(notes.contains("not part of the model") && notes.contains("layers.1.mlp.up_proj.weight"), "{notes}");
}

#[test]
fn shards_are_one_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::random(Config::tiny(), 1, &Device::Cpu, Trainable::No).unwrap();
    model.save(dir.path()).unwrap();
    let bytes = std::fs::read(dir.path().join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut map = serde_json::Map::new();
    for shard in 0..2 {
        let name = format!("model-{shard}.safetensors");
        let part: Vec<_> = file.tensors().into_iter().enumerate().filter(|(i, _)| i % 2 == shard).map(|(_, t)| t).collect();
        part.iter().for_each(|(tensor, _)| drop(map.insert(tensor.clone(), name.clone().into())));
        std::fs::write(dir.path().join(&name), safetensors::serialize(part, None).unwrap()).unwrap();
    }
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    std::fs::write(dir.path().join("model.safetensors.index.json"), json!({"weight_map": map}).to_string()).unwrap();
    open(dir.path()).unwrap();
    std::fs::remove_file(dir.path().join("model-1.safetensors")).unwrap();
    let message = refusal(dir.path());
    assert!(message.contains("model-1.safetensors: missing") && !message.contains("asks for"), "told once, of the shard: {message}");
}

#[test]
fn a_bad_key_is_named() {
    for (key, value, part) in [
        ("hidden_size", json!(0), "hidden_size"),
        ("num_attention_heads", json!(3), "num_attention_heads"),
        ("num_key_value_heads", json!(3), "num_key_value_heads"),
        ("rope_scaling", json!({"mrope_section": [1, 1, 1]}), "rope_scaling.mrope_section"),
        ("vocab_size", json!("many"), "vocab_size"),
        ("image_token_id", json!(640), "image_token_id"),
        ("model_type", json!("llama"), "model_type"),
        ("lvr_id", json!(-4), "lvr_id"),
        ("vision_config", json!({}), "vision_config.hidden_size"),
    ] {
        let mut raw = Config::tiny().to_value();
        raw[key] = value;
        let message = Config::from_value(raw, Path::new("config.json")).unwrap_err().to_string();
        assert!(message.contains(&format!("`{part}`")), "{message}");
    }
}

#[test]
fn keys_are_set_and_kept() {
    let config = Config::tiny().with([("lvr_id".to_owned(), json!(60)), ("my_own_key".to_owned(), json!([1, 2]))]).unwrap();
    assert_eq!(config.latent.lvr_id, Some(60));
    assert_eq!(config.to_value()["my_own_key"], json!([1, 2]));
    for kind in ["simple", "glu"] {
        let config = config.with([("lvr_head".to_owned(), json!(true)), ("lvr_head_type".to_owned(), json!(kind))]).unwrap();
        let model = Model::random(config, 1, &Device::Cpu, Trainable::Text).unwrap();
        let h = model.embed(&[1, 2]).unwrap();
        assert_eq!(model.feedback(&h).unwrap().dims(), [2, 32]);
    }
}

#[test]
fn bytes_for_another_shape_are_refused_and_not_copied() {
    let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[4],"data_offsets":[9,16]}}"#;
    let folder = tempfile::tempdir().unwrap();
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0u8; 16]].concat();
    std::fs::write(folder.path().join("model.safetensors"), file).unwrap();
    let files = Files::open(folder.path()).unwrap();
    let read = |name| files.tensor(name, DType::F32, &Device::Cpu);
    assert_eq!(read("a").unwrap().unwrap().dims(), [2]);
    assert!(read("b").unwrap_err().to_string().contains("`b` has 7 bytes"), "{:?}", read("b"));
}
