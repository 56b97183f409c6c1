//! Hard strings and chats against transformers (`oracle/checkpoints_expected.py`,
//! `oracle/tokenizer_qwen.py`): the tokenizer in both forms of its files, the template
//! from each of its three places.

mod common;

use std::path::{Path, PathBuf};

use prism_model::tokenizer::Tokenizer;
use prism_model::tokenizer::template::{Content, Message};
use serde_json::Value;

fn checkpoint(name: &str) -> PathBuf {
    match name {
        "base-tiny" => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/base-tiny"),
        _ => common::fixture("checkpoints").join(name),
    }
}

#[test]
fn hard_strings_have_the_same_ids() {
    let expected = common::json_at(&common::fixture("checkpoints/strings.json"));
    let strings: Vec<&str> = expected["strings"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    assert!(strings.len() >= 30);
    for name in ["plain", "tied", "base-tiny"] {
        let tokenizer = Tokenizer::from_dir(&checkpoint(name)).unwrap();
        for (text, ids) in strings.iter().zip(expected[name].as_array().unwrap()) {
            assert_eq!(&serde_json::json!(tokenizer.encode(text).unwrap()), ids, "{name}: {text:?}");
        }
    }
}

/// The published vocabulary, cut to what the strings need (`oracle/tokenizer_qwen.py`); the ids are the whole's.
#[test]
fn the_published_tokenizer_has_the_same_ids() {
    let expected = common::json_at(&common::fixture("qwen/ids.json"));
    for form in ["slow", "fast"] {
        let tokenizer = Tokenizer::from_dir(&common::fixture("qwen").join(form)).unwrap();
        for (text, ids) in expected["strings"].as_array().unwrap().iter().zip(expected["ids"].as_array().unwrap()) {
            let ours = tokenizer.encode(text.as_str().unwrap()).unwrap();
            assert_eq!(&serde_json::json!(ours), ids, "{form}: {text}");
        }
    }
}

#[test]
fn chats_have_the_same_text_wherever_the_template_is() {
    let chats = common::json_at(&common::fixture("checkpoints/chats.json"));
    let message = |entry: &Value| Message {
        role: entry[0].as_str().unwrap().to_owned(),
        content: entry[1]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| match part.as_str().unwrap() {
                "image" => Content::Image,
                text => Content::Text(text.to_owned()),
            })
            .collect(),
    };
    for (name, place) in [("plain", "chat_template.jinja"), ("tied", "chat_template.json"), ("half", "tokenizer_config.json")] {
        let folder = checkpoint(name);
        let elsewhere = ["chat_template.jinja", "chat_template.json"].iter().any(|other| *other != place && folder.join(other).exists());
        assert!(folder.join(place).exists() && !elsewhere, "{name} has its template in {place}");
        let tokenizer = Tokenizer::from_dir(&folder).unwrap();
        for pair in chats.as_array().unwrap() {
            let messages: Vec<Message> = pair[0].as_array().unwrap().iter().map(message).collect();
            assert_eq!(tokenizer.template().render(&messages).unwrap(), pair[1].as_str().unwrap(), "{name}");
        }
    }
}
