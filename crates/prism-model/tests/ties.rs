//! Whether output and input matrix are one, against what releases of transformers make of the same folders (`oracle/ties.py`).

mod common;

use std::path::Path;

use prism_model::checkpoint::stored_name;
use prism_model::families::{FAMILIES, Names};
use prism_model::tensor::{Device, Trainable, values};
use prism_model::{Config, Model};
use serde_json::{Value, json};

/// The folder that the oracle made: a smallest model of a family, with the key at the top, in `text_config`, at both or at
/// neither, and with an output matrix in the file or without one.
fn folder(dir: &Path, family: &str, flat: bool, [top, nested]: [&Value; 2], stored: bool, release: &str) {
    let family = FAMILIES.into_iter().find(|known| known.model_type == family).unwrap();
    let model = Model::random(Config::tiny_of(family), 3, &Device::Cpu, Trainable::No).unwrap();
    let mut raw = model.config.to_value();
    let keys = raw.as_object_mut().unwrap();
    keys.remove("tie_word_embeddings");
    let mut text = keys.remove("text_config").unwrap_or_else(|| json!({}));
    if !flat {
        // Everything of the language model is nested, as the releases from 4.52 on write it.
        let own = ["model_type", "architectures", "vision_config", "image_token_id", "video_token_id"];
        let own = |key: &str| own.contains(&key) || key.starts_with("vision_");
        let moved: Vec<String> = keys.keys().filter(|key| !own(key)).cloned().collect();
        for key in moved {
            let value = keys.remove(&key).unwrap();
            text.as_object_mut().unwrap().entry(key).or_insert(value);
        }
        text.as_object_mut().unwrap().remove("tie_word_embeddings");
        if !nested.is_null() {
            text["tie_word_embeddings"] = nested.clone();
        }
        keys.insert("text_config".into(), text);
    }
    if !top.is_null() {
        keys.insert("tie_word_embeddings".into(), top.clone());
    }
    keys.insert("transformers_version".into(), release.into());
    std::fs::write(dir.join("config.json"), raw.to_string()).unwrap();
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = model
        .weights()
        .iter()
        .filter(|weight| weight.name != "lm_head.weight")
        .map(|weight| {
            let bytes = values(&weight.tensor).unwrap().into_iter().flat_map(f32::to_le_bytes).collect();
            (stored_name(&weight.name, Names::InMemory), weight.tensor.dims().to_vec(), bytes)
        })
        .collect();
    if stored {
        let text = &model.config.text;
        let sevens = std::iter::repeat_n(7f32, text.vocab_size * text.hidden_size).flat_map(f32::to_le_bytes).collect();
        tensors.push(("lm_head.weight".into(), vec![text.vocab_size, text.hidden_size], sevens));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(dir.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// What became of the output matrix, in the oracle's words; `None` where the folder is refused for lack of one.
fn outcome(dir: &Path) -> Option<&'static str> {
    match Model::open(dir, &Device::Cpu, prism_model::tensor::DType::F32, Trainable::No) {
        Ok(model) if model.config.tie_word_embeddings => Some("tied embed"),
        Ok(model) => {
            let head = values(model.text.lm_head.tensor().unwrap()).unwrap();
            assert!(head.iter().all(|value| *value == 7.0), "the matrix that is stored");
            Some("own stored")
        }
        Err(error) => {
            assert!(error.to_string().contains("lm_head.weight: missing"), "{error}");
            None
        }
    }
}

#[test]
fn every_release_ties_as_it_ties() {
    let expected = common::json_at(&common::fixture("ties.json"));
    let mut counted = 0;
    for (release, cases) in expected.as_object().unwrap() {
        for case in cases.as_array().unwrap() {
            let said = case["outcome"].as_str().unwrap();
            let family = case["family"].as_str().unwrap();
            // 5.0 forgot that older releases wrote the key into `text_config` alone; 5.23 knows it again. Without an
            // output matrix in the file 5.0 draws one at random, which no run can want.
            let forgotten = release.starts_with("5.0") && said == "own random" && case["nested"] == json!(true);
            if forgotten {
                continue;
            }
            let dir = tempfile::tempdir().unwrap();
            let flat = case["layout"] == "flat";
            folder(dir.path(), family, flat, [&case["top"], &case["nested"]], case["stored"].as_bool().unwrap(), release);
            // A matrix at random is one that is missing.
            let wanted = if said == "own random" { None } else { Some(said) };
            assert_eq!(outcome(dir.path()), wanted, "{release}: {case}");
            counted += 1;
        }
    }
    assert!(counted > 200, "{counted}");
}

#[test]
fn without_a_release_the_nearer_key_decides() {
    for (top, nested, tied) in [(json!(true), json!(null), true), (json!(true), json!(false), false), (json!(false), json!(true), true)] {
        let dir = tempfile::tempdir().unwrap();
        folder(dir.path(), "qwen2_5_vl", false, [&top, &nested], false, "");
        let config = Config::open(dir.path()).unwrap();
        assert_eq!(config.tie_word_embeddings, tied, "{top} {nested}");
    }
}

#[test]
fn a_key_that_is_no_flag_is_refused() {
    let mut raw = Config::tiny().to_value();
    raw["tie_word_embeddings"] = json!("yes");
    assert!(Config::from_value(raw, Path::new("config.json")).unwrap_err().to_string().contains("`tie_word_embeddings` is \"yes\""));
}

#[test]
fn an_output_matrix_that_is_stored_and_not_used_is_told() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), "qwen2_5_vl", true, [&json!(true), &Value::Null], true, "4.54.1");
    let model = Model::open(dir.path(), &Device::Cpu, prism_model::tensor::DType::F32, Trainable::No).unwrap();
    assert!(model.notes.join("\n").contains("lm_head.weight is stored, differs"), "{:?}", model.notes);
}
