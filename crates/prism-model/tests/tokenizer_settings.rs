//! Tokenizers whose files disagree, or ask for more than a vocabulary, against transformers (`oracle/tokenizer_settings.py`).

mod common;

use std::path::Path;

use prism_model::tokenizer::Tokenizer;
use serde_json::{Value, json};

/// The small files of a made checkpoint, in a folder of their own.
fn copied(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(common::fixture("checkpoints").join(name)).unwrap().map(Result::unwrap) {
        let file = entry.file_name().into_string().unwrap();
        if !file.ends_with(".safetensors") && !file.starts_with("expected") {
            std::fs::copy(entry.path(), folder.path().join(file)).unwrap();
        }
    }
    folder
}

fn change(folder: &Path, file: &str, keys: &[&str], value: &Value) {
    let path = folder.join(file);
    let mut content = common::json_at(&path);
    let mut at = &mut content;
    for key in keys {
        at = at.as_object_mut().unwrap().entry(*key).or_insert(Value::Null);
    }
    *at = value.clone();
    std::fs::write(path, content.to_string()).unwrap();
}

#[test]
fn what_stands_beside_a_vocabulary_is_read_as_transformers_reads_it() {
    let expected = common::json_at(&common::fixture("tokenizer_settings.json"));
    let texts: Vec<&str> = expected["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let cases = expected["cases"].as_array().unwrap();
    assert!(cases.len() >= 18);
    for case in cases {
        let folder = copied(case["checkpoint"].as_str().unwrap());
        if let Some(file) = case["file"].as_str() {
            let keys: Vec<&str> = case["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
            change(folder.path(), file, &keys, &case["value"]);
        }
        let tokenizer = Tokenizer::from_dir(folder.path()).unwrap();
        let ids: Vec<Vec<u32>> = texts.iter().map(|text| tokenizer.encode_prompt(text).unwrap()).collect();
        assert_eq!(json!(ids), case["ids"], "{}: {}", case["checkpoint"], case["case"]);
    }
}

#[test]
fn what_would_cut_or_scatter_a_prompt_is_refused_by_name() {
    let whole = copied("plain");
    let cut = json!({"direction": "Right", "max_length": 6, "strategy": "LongestFirst", "stride": 0});
    change(whole.path(), "tokenizer.json", &["truncation"], &cut);
    let tokenizer = Tokenizer::from_dir(whole.path()).unwrap();
    assert!(tokenizer.encode_prompt("<|im_start|>").is_ok());
    let said = tokenizer.encode_prompt(&"<|im_start|>".repeat(7)).unwrap_err().to_string();
    assert!(said.contains("tokenizer.json") && said.contains("`truncation`") && said.contains("7 tokens after 6"), "{said}");
    // What is no prompt is no text of the user's either.
    assert_eq!(tokenizer.encode(&"<|im_start|>".repeat(7)).unwrap().len(), 7);
    for (checkpoint, file, keys, value, says) in [
        ("plain", "tokenizer.json", &["model", "dropout"][..], json!(0.5), "`model.dropout`"),
        ("plain", "tokenizer_config.json", &["split_special_tokens"][..], json!(true), "`split_special_tokens`"),
        ("half", "tokenizer_config.json", &["add_prefix_space"][..], json!(true), "`add_prefix_space`"),
        ("plain", "tokenizer_config.json", &["added_tokens_decoder", "999"][..], json!({"content": "star"}), "should be 999"),
    ] {
        let folder = copied(checkpoint);
        change(folder.path(), file, keys, &value);
        let said = Tokenizer::from_dir(folder.path()).unwrap_err().to_string();
        assert!(said.contains(file) || says.contains("999"), "{said}");
        assert!(said.contains(says), "{said}");
    }
}
