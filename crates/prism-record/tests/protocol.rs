//! Which latent protocol a checkpoint has, its ids, and its end embedding.

mod golden;

use std::path::Path;

use golden::folder;
use prism_model::tensor::{DType, Device, Trainable, values};
use prism_model::tokenizer::Tokenizer;
use prism_model::{Config, Error, Model};
use prism_record::decode::{Appended, ControlTokens, detect};
use prism_run::Stage;
use prism_run::protocol::{Length, Protocol};
use serde_json::{Value, json};

/// A copy of a golden checkpoint's tokenizer and configuration, with more tokens and keys.
fn edited(variant: &str, tokens: &[(&str, u32)], keys: &[(&str, Value)]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder().join("checkpoints").join(variant)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "safetensors") {
            std::fs::write(copy.path().join(path.file_name().unwrap()), std::fs::read(&path).unwrap()).unwrap();
        }
    }
    let edit = |name: &str, change: &dyn Fn(&mut Value)| {
        let path = copy.path().join(name);
        let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        std::fs::write(&path, value.to_string()).unwrap();
    };
    edit("added_tokens.json", &|value| tokens.iter().for_each(|(token, id)| value[*token] = json!(id)));
    edit("tokenizer_config.json", &|value| {
        for (token, id) in tokens {
            value["added_tokens_decoder"][id.to_string()] =
                json!({"content": token, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true});
        }
    });
    edit("config.json", &|value| keys.iter().for_each(|(key, new)| value[*key] = new.clone()));
    copy
}

fn found(dir: &Path) -> Result<Option<String>, Error> {
    Ok(detect(&Config::open(dir)?, &Tokenizer::from_dir(dir)?)?.map(|protocol| protocol.id))
}

fn read(dir: &Path, id: &str) -> Result<ControlTokens, Error> {
    let protocol = Protocol::load(id).unwrap();
    ControlTokens::read(dir, &Config::open(dir).unwrap(), &Tokenizer::from_dir(dir).unwrap(), Some(&protocol))
}

#[test]
fn tokens_and_flags_tell_the_protocol() {
    for (variant, id) in [("base", None), ("lvr", Some("lvr")), ("nlvr", Some("lvr")), ("plvr2", Some("p-lvr")), ("plvr3", Some("p-lvr"))] {
        assert_eq!(found(&folder().join("checkpoints").join(variant)).unwrap().as_deref(), id, "{variant}");
    }
    let tokens = read(&folder().join("checkpoints/plvr2"), "p-lvr").unwrap();
    let starts: Vec<_> = tokens.starts.iter().map(|s| (s.token, s.stage, s.end, s.length)).collect();
    assert_eq!(
        starts,
        [
            (408, Stage::Target, Some(411), Length::Times(1)),
            (412, Stage::Context, Some(413), Length::Times(2)),
            (416, Stage::Target, Some(417), Length::Times(1)),
        ]
    );
    assert_eq!((tokens.stops, tokens.head, tokens.repeat), (vec![396], true, true));
}

#[test]
fn other_protocols_are_found_by_their_tokens_under_whatever_id() {
    for (id, token) in [("monet", "<abs_vis_token>"), ("laser", "<|laser_start|>"), ("skila", "<|sketch_start|>")] {
        for token_id in [420, 431] {
            let copy = edited("base", &[(token, token_id), ("<|skila|>", 440)], &[]);
            assert_eq!(found(copy.path()).unwrap().as_deref(), Some(id));
            let tokens = read(copy.path(), id).unwrap();
            assert_eq!((tokens.starts[0].token, tokens.starts[0].end, tokens.head), (token_id, None, false), "{id}");
        }
    }
    // Monet and SwimBird keep their ids under the same keys: the tokenizer's text decides.
    let keys = [("latent_start_id", json!(420)), ("max_latent_token", json!(5))];
    let copy = edited("base", &[("<|latent_start|>", 420), ("<|latent|>", 421)], &keys);
    assert_eq!(found(copy.path()).unwrap().as_deref(), Some("swimbird"));
    assert_eq!(read(copy.path(), "swimbird").unwrap().rules.append, Appended::Token(421));
}

#[test]
fn k_comes_from_the_configuration_where_the_runner_takes_it_there() {
    let copy = edited("base", &[], &[("sketch_token_num", json!(4)), ("latent_size", json!("six"))]);
    let config = Config::open(copy.path()).unwrap();
    let of = |id: &str| Protocol::load(id).unwrap().with_config(|key| config.key(key)).map(|protocol| protocol.steps);
    assert_eq!((of("skila").unwrap(), of("swimbird").unwrap(), of("mirage").unwrap()), (4, 32, 8));
    assert!(of("ilvr").unwrap_err().to_string().contains("latent_size"));
}

#[test]
fn stop_tokens_are_a_list_wherever_they_are() {
    let copy = edited("base", &[], &[("eos_token_id", json!([396, 394]))]);
    let stops = || ControlTokens::read(copy.path(), &Config::open(copy.path()).unwrap(), &Tokenizer::from_dir(copy.path()).unwrap(), None);
    assert_eq!(stops().unwrap().stops, [396], "the generation's own list comes first");
    std::fs::remove_file(copy.path().join("generation_config.json")).unwrap();
    assert_eq!(stops().unwrap().stops, [396, 394]);
}

#[test]
fn two_fitting_protocols_are_refused_by_name() {
    let copy = edited("lvr", &[("<|sketch_start|>", 420), ("<|skila|>", 421)], &[]);
    let message = found(copy.path()).unwrap_err().to_string();
    assert!(message.contains("lvr, skila") && message.contains("--protocol"), "{message}");
    assert_eq!(read(copy.path(), "skila").unwrap().starts[0].token, 420);
}

#[test]
fn a_missing_contradicted_or_impossible_token_is_refused() {
    let message = read(&folder().join("checkpoints/base"), "monet").unwrap_err().to_string();
    assert!(message.contains("`<abs_vis_token>`") && message.contains("`monet`"), "{message}");
    let copy = edited("base", &[("<|sketch_start|>", 420)], &[("sketch_start_id", json!(421))]);
    let message = read(copy.path(), "skila").unwrap_err().to_string();
    assert!(message.contains("`sketch_start_id` = 421") && message.contains("= 420"), "{message}");
    let copy = edited("base", &[("<|sketch_start|>", 9000)], &[]);
    assert!(read(copy.path(), "skila").unwrap_err().to_string().contains("outside the vocabulary"));
    let copy = edited("base", &[("<|sketch_start|>", 420)], &[("sketch_start_id", json!("first"))]);
    assert!(read(copy.path(), "skila").unwrap_err().to_string().contains("sketch_start_id"));
}

#[test]
fn the_end_embedding_is_read_saved_and_never_trained() {
    let config = Config::tiny().with([("latent_end_token".to_string(), json!(true))]).unwrap();
    let model = Model::random(config, 3, &Device::Cpu, Trainable::All).unwrap();
    assert!(model.parameters().iter().all(|(name, _)| name != "lvr_latent_end_emb"));
    let saved = tempfile::tempdir().unwrap();
    model.save(saved.path()).unwrap();
    let read = Model::open(saved.path(), &Device::Cpu, DType::F32, Trainable::No).unwrap();
    let end = values(read.latent_end.as_ref().unwrap()).unwrap();
    assert_eq!(end, values(model.latent_end.as_ref().unwrap()).unwrap());
    assert!(end.len() == read.config.text.hidden_size && end.iter().any(|v| *v != 0.0));
    // Without the flag a checkpoint that stores one is read all the same.
    let mut config: Value = serde_json::from_slice(&std::fs::read(saved.path().join("config.json")).unwrap()).unwrap();
    config["latent_end_token"] = json!(false);
    std::fs::write(saved.path().join("config.json"), config.to_string()).unwrap();
    assert!(Model::open(saved.path(), &Device::Cpu, DType::F32, Trainable::No).unwrap().latent_end.is_some());
}
