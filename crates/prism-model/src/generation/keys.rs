//! The keys of `generation_config.json`: which are applied, which change nothing, and which are named because they are not applied.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{Error, Result};

/// Keys that change no token, and those that are read elsewhere.
const NEUTRAL: [&str; 34] = [
    "_from_model_config",
    "transformers_version",
    "bos_token_id",
    "pad_token_id",
    "eos_token_id",
    "decoder_start_token_id",
    "max_length",
    "max_new_tokens",
    "use_cache",
    "cache_implementation",
    "cache_config",
    "return_legacy_cache",
    "prefill_chunk_size",
    "compile_config",
    "disable_compile",
    "low_memory",
    "return_dict_in_generate",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "output_logits",
    "is_assistant",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "assistant_confidence_threshold",
    "assistant_early_exit",
    "assistant_lookbehind",
    "target_lookbehind",
    "prompt_lookup_num_tokens",
    "max_matching_ngram_size",
    "generation_kwargs",
    "trust_remote_code",
    "length_penalty",
    "early_stopping",
];

/// Keys that are applied.
const APPLIED: [&str; 9] = [
    "repetition_penalty",
    "no_repeat_ngram_size",
    "suppress_tokens",
    "begin_suppress_tokens",
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
];

/// Further keys of a generation that older folders have in `config.json`.
const OLDER: [&str; 5] =
    ["bad_words_ids", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty"];

/// Keys that are not applied, with the value under which they do nothing.
const IDLE: [(&str, f64); 12] = [
    ("num_beams", 1.0),
    ("num_beam_groups", 1.0),
    ("num_return_sequences", 1.0),
    ("diversity_penalty", 0.0),
    ("typical_p", 1.0),
    ("epsilon_cutoff", 0.0),
    ("eta_cutoff", 0.0),
    ("encoder_repetition_penalty", 1.0),
    ("encoder_no_repeat_ngram_size", 0.0),
    ("min_length", 0.0),
    ("min_new_tokens", 0.0),
    ("guidance_scale", 1.0),
];

/// The file's keys; `None` where there is no file.
///
/// # Errors
/// It is not a JSON object, or cannot be read.
pub fn keys(path: &Path) -> Result<Option<Map<String, Value>>> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = prism_run::door::read_linked(path, prism_run::door::Limit::Settings)?;
    let bad = |cause: String| Error::content(path, cause, "copy generation_config.json from the checkpoint again");
    match serde_json::from_slice(&bytes).map_err(|e| bad(format!("is not JSON: {e}")))? {
        Value::Object(keys) => Ok(Some(keys)),
        _ => Err(bad("is not a JSON object".into())),
    }
}

/// The settings that a folder without `generation_config.json` has in its `config.json`, where transformers looks for them too:
/// at the top, and what is not there in `text_config`.
pub(super) fn older(checkpoint: &Path) -> Result<(PathBuf, Map<String, Value>)> {
    let path = checkpoint.join("config.json");
    let mut config = keys(&path)?.unwrap_or_default();
    let inner = config.remove("text_config");
    let inner = inner.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    let known = |key: &str| APPLIED.contains(&key) || IDLE.iter().any(|(name, _)| *name == key) || OLDER.contains(&key);
    let mut settings: Map<String, Value> = inner.into_iter().filter(|(key, _)| known(key)).collect();
    settings.extend(config.into_iter().filter(|(key, _)| known(key)));
    Ok((path, settings))
}

/// What is said and not applied.
pub(super) fn unapplied(keys: &Map<String, Value>) -> Vec<String> {
    let idle = |key: &str, value: &Value| {
        let at_rest = IDLE.iter().any(|(name, rest)| *name == key && value.as_f64() == Some(*rest));
        at_rest || matches!(value, Value::Null | Value::Bool(false)) || value.as_array().is_some_and(Vec::is_empty)
    };
    let left = |key: &str, value: &Value| !APPLIED.contains(&key) && !NEUTRAL.contains(&key) && !idle(key, value);
    let mut named: Vec<String> =
        keys.iter().filter(|(key, value)| left(key, value)).map(|(key, value)| format!("{key} = {value}")).collect();
    // Without a stop token transformers goes on to the last token of the budget.
    let stops = keys.get("eos_token_id");
    if let Some(none) = stops.filter(|stops| stops.is_null() || stops.as_array().is_some_and(Vec::is_empty)) {
        named.push(format!("eos_token_id = {none}"));
    }
    named
}
