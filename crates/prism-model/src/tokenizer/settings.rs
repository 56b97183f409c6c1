//! What `tokenizer_config.json` says over `tokenizer.json`, put together as transformers does (4.54 and 5.23): tokens that it
//! adds or declares otherwise, and settings that would cut, fill or scatter a text.

use std::path::Path;

use prism_run::{Error, Result};
use serde_json::{Map, Value};

use super::files::{self, AddedToken, Definition};

/// Keys of `tokenizer_config.json` that name a special token each.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// What is left to do once the vocabulary is read.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Tokens at which `tokenizer.json` would cut a text.
    pub cut: Option<usize>,
    /// Tokens that are declared otherwise than in `tokenizer.json`, or not there at all; ascending by id.
    pub declared: Vec<AddedToken>,
    /// Special tokens that are named and declared nowhere.
    pub named: Vec<String>,
}

/// Reads the settings, and takes out of `definition` what is never applied to a prompt.
///
/// # Errors
/// When a file is malformed, or asks for what changes a text's tokens in a way that transformers refuses or leaves to chance.
pub fn settle(folder: &Path, definition: &mut Definition) -> Result<Settings> {
    let path = folder.join("tokenizer_config.json");
    let config = files::object(&path)?;
    let is = |key: &str| config.get(key) == Some(&Value::Bool(true));
    let whole = definition.path.file_name().is_some_and(|name| name == "tokenizer.json");
    for (key, asked) in [("split_special_tokens", is("split_special_tokens")), ("add_prefix_space", is("add_prefix_space") && !whole)] {
        if asked {
            let cause = format!("`{key}` is true, which no Qwen tokenizer has: its special tokens would be read otherwise");
            return Err(Error::content(&path, cause, "set it to false, or take the file from the base model"));
        }
    }
    let Some(json) = definition.json.as_object_mut() else { return Ok(Settings::default()) };
    let dropout = json.get("model").and_then(|model| model.get("dropout")).and_then(Value::as_f64);
    if dropout.is_some_and(|share| share > 0.0) {
        let cause = "`model.dropout` is above 0: a text would have other tokens every time it is read";
        return Err(Error::content(&definition.path, cause, "set it to null, as it is outside training"));
    }
    let cut = json.insert("truncation".into(), Value::Null).and_then(|cut| cut.get("max_length")?.as_u64());
    json.insert("padding".into(), Value::Null);
    if let Some(cutter) = json.get_mut("pre_tokenizer").and_then(Value::as_object_mut)
        && cutter.contains_key("add_prefix_space")
    {
        cutter.insert("add_prefix_space".into(), is("add_prefix_space").into());
    }
    let declared = if whole { declared(&path, &definition.added)? } else { Vec::new() };
    let known: Vec<&str> = definition.added.iter().chain(&declared).map(|token| token.content.as_str()).collect();
    let named = named(&config).filter(|name| !known.contains(name)).map(str::to_string).collect();
    Ok(Settings { cut: cut.map(|cut| usize::try_from(cut).unwrap_or(usize::MAX)), declared, named })
}

/// Tokens of `added_tokens_decoder` that do not stand in `tokenizer.json` as they are declared.
fn declared(path: &Path, added: &[AddedToken]) -> Result<Vec<AddedToken>> {
    let alike = |a: &AddedToken, b: &AddedToken| AddedToken { id: b.id, ..a.clone() } == *b;
    Ok(files::declared(path)?.into_iter().filter(|token| !added.iter().any(|known| alike(known, token))).collect())
}

/// The special tokens that a configuration names, as a text or as a token's description.
fn named(config: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let more = config.get("additional_special_tokens").and_then(Value::as_array).into_iter().flatten();
    ROLES.iter().filter_map(|key| config.get(*key)).chain(more).filter_map(|value| match value {
        Value::String(text) => Some(text.as_str()),
        Value::Object(token) => token.get("content").and_then(Value::as_str),
        _ => None,
    })
}
