//! From a JSON object to a checked configuration: the family reads its sizes, the keys of all families and
//! of the latent block are read here. Every refusal names its key.

use std::path::Path;

use prism_run::Sight;
use serde_json::{Map, Value};

use super::fields::{self, Fields, LIMIT};
use super::{Config, HeadKind, LatentConfig, ties};
use crate::{Error, Result, families};

/// The keys that all families share, with the file's name for messages; `inner` is looked at first.
struct Keys<'a> {
    path: &'a Path,
    inner: Option<&'a Map<String, Value>>,
    outer: Option<&'a Map<String, Value>>,
}

impl<'a> Keys<'a> {
    fn fail(&self, key: &str, cause: impl Into<String>, remedy: impl Into<String>) -> Error {
        Fields { path: self.path, prefix: "" }.fail(key, cause, remedy)
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        let find = |map: Option<&'a Map<String, Value>>| map.and_then(|m| m.get(key)).filter(|v| !v.is_null());
        find(self.inner).or_else(|| find(self.outer))
    }

    /// The value under `key`, checked; `default` where there is none.
    fn or<T>(&self, key: &str, default: T, check: impl Fn(&Value) -> std::result::Result<T, [String; 2]>) -> Result<T> {
        let checked = |value| check(value).map_err(|[cause, remedy]| self.fail(key, cause, remedy));
        self.get(key).map_or(Ok(default), checked)
    }

    fn flag(&self, key: &str) -> Result<bool> {
        self.or(key, false, fields::flag)
    }

    fn id(&self, key: &str) -> Result<Option<u32>> {
        let value = match self.get(key) {
            None => return Ok(None),
            Some(Value::Array(list)) => match list.first() {
                Some(first) => first,
                None => return Ok(None),
            },
            Some(value) => value,
        };
        match value.as_u64() {
            Some(n) if n < LIMIT as u64 => Ok(Some(n as u32)),
            _ => Err(self.fail(key, format!("is {value}"), "give a token id")),
        }
    }

    fn token(&self, key: &str, vocab_size: usize) -> Result<Option<u32>> {
        match self.id(key)? {
            Some(id) if id as usize >= vocab_size => Err(self.fail(
                key,
                format!("is {id}, outside the vocabulary of {vocab_size}"),
                "give the id of a row of the embedding matrix",
            )),
            id => Ok(id),
        }
    }
}

pub(super) fn config(raw: Map<String, Value>, path: &Path) -> Result<Config> {
    super::quantised::refuse(&raw, path)?;
    let top = Keys { path, inner: Some(&raw), outer: None };
    let family = families::of(top.get("model_type"), path)?;
    let (text, vision) = (family.read)(&raw, path)?;
    let text_keys = Keys { path, inner: raw.get("text_config").and_then(Value::as_object), outer: Some(&raw) };
    let token = |key: &str| text_or_top(&top, &text_keys, key, text.vocab_size);
    let required = |key: &str| -> Result<u32> { token(key)?.ok_or_else(|| top.fail(key, "is missing", "give the token's id")) };
    // Both are checked, whichever of them decides.
    top.flag(ties::KEY)?;
    text_keys.flag(ties::KEY)?;
    let tie_word_embeddings = ties::of(&raw);
    Ok(Config {
        family,
        latent: latent(&top, text.vocab_size)?,
        image_token_id: required("image_token_id")?,
        video_token_id: token("video_token_id")?,
        vision_start_token_id: required("vision_start_token_id")?,
        vision_end_token_id: token("vision_end_token_id")?,
        eos_token_id: token("eos_token_id")?,
        bos_token_id: token("bos_token_id")?,
        pad_token_id: token("pad_token_id")?,
        tie_word_embeddings,
        text,
        vision,
        raw,
    })
}

fn text_or_top(top: &Keys<'_>, text: &Keys<'_>, key: &str, vocab_size: usize) -> Result<Option<u32>> {
    Ok(match top.token(key, vocab_size)? {
        Some(id) => Some(id),
        None => text.token(key, vocab_size)?,
    })
}

fn latent(keys: &Keys<'_>, vocab_size: usize) -> Result<LatentConfig> {
    let id = |key: &str| keys.token(key, vocab_size);
    let kind = match keys.get("lvr_head_type").and_then(Value::as_str).unwrap_or("simple") {
        "simple" => HeadKind::Simple,
        "glu" => HeadKind::Glu,
        other => return Err(keys.fail("lvr_head_type", format!("is {other}"), "give simple or glu")),
    };
    let sight = match keys.get("latent_sight").map(|v| v.as_str().map(str::parse)) {
        None => Sight::Open,
        Some(Some(Ok(sight))) => sight,
        Some(_) => {
            let remedy = "give bottleneck, optional-bottleneck, registers or blindfold, or leave it out";
            return Err(keys.fail("latent_sight", "is not known", remedy));
        }
    };
    let feedback_is_token = match keys.get("latent_feedback").map(Value::as_str) {
        None => false,
        Some(Some("token")) => true,
        Some(_) => return Err(keys.fail("latent_feedback", "is not known", "give token, or leave it out")),
    };
    Ok(LatentConfig {
        lvr_id: id("lvr_id")?,
        lvr_start_id: id("lvr_start_id")?,
        lvr_end_id: id("lvr_end_id")?,
        lvr_latent_end_id: id("lvr_latent_end_id")?,
        ctx_start_id: id("ctx_start_id")?,
        ctx_end_id: id("ctx_end_id")?,
        tgt_start_id: id("tgt_start_id")?,
        tgt_end_id: id("tgt_end_id")?,
        free_start_id: id("free_start_id")?,
        free_end_id: id("free_end_id")?,
        free_id: id("free_id")?,
        plvr_mode: keys.flag("plvr_mode")?,
        include_free_stage: keys.flag("include_free_stage")?,
        num_free_tokens: keys.or("num_free_tokens", 6, fields::size)?,
        nlvr_mode: keys.flag("nlvr_mode")?,
        nlvr_noise_scale: keys.or("nlvr_noise_scale", 0.3, fields::number)?,
        latent_end_token: keys.flag("latent_end_token")?,
        loss_lvr_fct: keys.get("loss_lvr_fct").and_then(Value::as_str).map(str::to_owned),
        sight,
        feedback_is_token,
        head: keys.flag("lvr_head")?.then_some(kind),
    })
}
