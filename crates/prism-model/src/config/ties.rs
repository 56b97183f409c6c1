//! Whether the output matrix is the input matrix, as the release of transformers that wrote a folder reads the key.
//!
//! Releases before 5 read `text_config` alone where there is one. Release 5 reads the top; of the Qwen2 families also
//! `text_config`, as older releases wrote it. And release 5 does not tie what is stored apart: see [`super::Config::open`].
//! `oracle/ties.py` asks the releases themselves.

use serde_json::{Map, Value};

/// The key.
pub const KEY: &str = "tie_word_embeddings";

/// The first number of the release that wrote a configuration; `None` where it does not say.
pub(crate) fn release(raw: &Map<String, Value>) -> Option<u32> {
    raw.get("transformers_version").and_then(Value::as_str)?.split('.').next()?.parse().ok()
}

/// Whether they are declared to be one; what is no flag counts as absent, and is refused where the key is read.
pub(crate) fn of(raw: &Map<String, Value>) -> bool {
    let flag = |map: &Map<String, Value>| map.get(KEY).and_then(Value::as_bool);
    let top = flag(raw);
    let Some(text) = raw.get("text_config").and_then(Value::as_object) else { return top.unwrap_or(false) };
    let inner = flag(text);
    let family = raw.get("model_type").and_then(Value::as_str).unwrap_or_default();
    match release(raw) {
        Some(release) if release >= 5 => top.unwrap_or(false) || (inner.unwrap_or(false) && !family.starts_with("qwen3")),
        Some(_) => inner.unwrap_or(false),
        // Written by hand or by another program: the nearer key, and the only one.
        None => inner.or(top).unwrap_or(false),
    }
}
