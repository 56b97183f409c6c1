//! The special tokens by name, which transformers hands to a chat template.

use std::path::Path;

use minijinja::Value;
use prism_run::Result;
use serde_json::Value as Json;

use super::super::files;

/// Names under which a tokenizer keeps one token each, in transformers' order.
const NAMES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// Names under which it keeps several.
const LISTS: [&str; 1] = ["additional_special_tokens"];
/// What Qwen2's tokenizer has where no file says otherwise.
const QWEN: [&str; 3] = ["eos_token", "unk_token", "pad_token"];
const END_OF_TEXT: &str = "<|endoftext|>";

/// Names and values: those of `tokenizer_config.json`; where that file does not list the added tokens, also those of
/// `special_tokens_map.json`, as transformers reads them.
///
/// # Errors
/// When one of the files is malformed.
pub(super) fn tokens(folder: &Path) -> Result<Vec<(String, Value)>> {
    let mut keys = files::object(&folder.join("tokenizer_config.json"))?;
    if !keys.contains_key("added_tokens_decoder") {
        for (name, value) in files::object(&folder.join("special_tokens_map.json"))? {
            // What Python takes for false says nothing.
            let absent = keys.get(&name).is_none_or(|value| value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty));
            if absent {
                keys.insert(name, value);
            }
        }
    }
    let mut tokens = Vec::new();
    for name in NAMES {
        match keys.get(name) {
            Some(token) => tokens.extend(content(token).map(|token| (name.to_owned(), Value::from(token)))),
            None if QWEN.contains(&name) => tokens.push((name.to_owned(), Value::from(END_OF_TEXT))),
            None => {}
        }
    }
    for name in LISTS {
        let listed: Vec<String> = keys.get(name).and_then(Json::as_array).into_iter().flatten().filter_map(content).collect();
        if !listed.is_empty() {
            tokens.push((name.to_owned(), Value::from(listed)));
        }
    }
    // Names of a model's own, e.g. `image_token`.
    for key in ["extra_special_tokens", "model_specific_special_tokens"] {
        let own = keys.get(key).and_then(Json::as_object).into_iter().flatten();
        tokens.extend(own.filter_map(|(name, token)| Some((name.clone(), Value::from(content(token)?)))));
    }
    Ok(tokens)
}

/// A token's text: itself, or the `content` of its description.
fn content(token: &Json) -> Option<String> {
    token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_owned)
}
