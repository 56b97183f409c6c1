//! From a JSON object to a checked configuration; every refusal names its key.

use std::path::Path;

use prism_run::Sight;
use serde_json::{Map, Value};

use super::{Config, HeadKind, LatentConfig, TextConfig, VisionConfig};
use crate::{Error, Result};

/// Largest width, depth or vocabulary accepted: far above any released model,
/// far below anything whose products overflow.
const LIMIT: usize = 1 << 22;

/// A JSON object with its name in messages; `inner` is looked at first.
struct Keys<'a> {
    path: &'a Path,
    prefix: &'static str,
    inner: Option<&'a Map<String, Value>>,
    outer: Option<&'a Map<String, Value>>,
}

impl<'a> Keys<'a> {
    fn fail(&self, key: &str, cause: impl Into<String>, remedy: impl Into<String>) -> Error {
        let key = format!("{}{key}", self.prefix);
        Error::Config { path: self.path.to_path_buf(), key, cause: cause.into(), remedy: remedy.into() }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        let find = |map: Option<&'a Map<String, Value>>| map.and_then(|m| m.get(key)).filter(|v| !v.is_null());
        find(self.inner).or_else(|| find(self.outer))
    }

    fn size(&self, key: &str, default: Option<usize>) -> Result<usize> {
        let Some(value) = self.get(key) else {
            return default.ok_or_else(|| self.fail(key, "is missing", "add it"));
        };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if (1..=LIMIT).contains(&n) => Ok(n),
            _ => Err(self.fail(key, format!("is {value}"), format!("give a whole number from 1 to {LIMIT}"))),
        }
    }

    fn number(&self, key: &str, default: Option<f64>) -> Result<f64> {
        let Some(value) = self.get(key) else {
            return default.ok_or_else(|| self.fail(key, "is missing", "add it"));
        };
        match value.as_f64() {
            Some(x) if x.is_finite() && x >= 0.0 => Ok(x),
            _ => Err(self.fail(key, format!("is {value}"), "give a finite number, zero or above")),
        }
    }

    fn flag(&self, key: &str) -> Result<bool> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(b)) => Ok(*b),
            Some(other) => Err(self.fail(key, format!("is {other}"), "give true or false")),
        }
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

    fn divides(&self, key: &str, divisor: usize, dividend: usize, of: &str) -> Result<()> {
        if !dividend.is_multiple_of(divisor) {
            return Err(self.fail(key, format!("is {divisor}, which does not divide {of} = {dividend}"), "give a divisor"));
        }
        Ok(())
    }

    fn activation(&self) -> Result<()> {
        match self.get("hidden_act") {
            None => Ok(()),
            Some(Value::String(s)) if s == "silu" => Ok(()),
            Some(other) => Err(self.fail("hidden_act", format!("is {other}"), "only silu is known")),
        }
    }
}

pub(super) fn config(raw: Map<String, Value>, path: &Path) -> Result<Config> {
    let nested = |key: &str| raw.get(key).and_then(Value::as_object);
    let top = Keys { path, prefix: "", inner: Some(&raw), outer: None };
    match top.get("model_type") {
        None => {}
        Some(Value::String(s)) if s == "qwen2_5_vl" => {}
        Some(other) => return Err(top.fail("model_type", format!("is {other}"), "only qwen2_5_vl is known")),
    }
    let text_keys = Keys { path, prefix: "", inner: nested("text_config"), outer: Some(&raw) };
    let text = text(&text_keys)?;
    let Some(vision_raw) = nested("vision_config") else {
        return Err(top.fail("vision_config", "is missing", "give the vision tower's sizes as an object"));
    };
    let vision = vision(&Keys { path, prefix: "vision_config.", inner: Some(vision_raw), outer: None }, text.hidden_size)?;
    let token = |key: &str| text_or_top(&top, &text_keys, key, text.vocab_size);
    let required = |key: &str| -> Result<u32> { token(key)?.ok_or_else(|| top.fail(key, "is missing", "give the token's id")) };
    let tie =
        if top.get("tie_word_embeddings").is_some() { top.flag("tie_word_embeddings")? } else { text_keys.flag("tie_word_embeddings")? };
    Ok(Config {
        latent: latent(&top, text.vocab_size)?,
        image_token_id: required("image_token_id")?,
        video_token_id: token("video_token_id")?,
        vision_start_token_id: required("vision_start_token_id")?,
        vision_end_token_id: token("vision_end_token_id")?,
        eos_token_id: token("eos_token_id")?,
        bos_token_id: token("bos_token_id")?,
        pad_token_id: token("pad_token_id")?,
        tie_word_embeddings: tie,
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

fn text(keys: &Keys<'_>) -> Result<TextConfig> {
    keys.activation()?;
    let hidden_size = keys.size("hidden_size", None)?;
    let num_attention_heads = keys.size("num_attention_heads", None)?;
    let num_key_value_heads = keys.size("num_key_value_heads", Some(num_attention_heads))?;
    keys.divides("num_attention_heads", num_attention_heads, hidden_size, "hidden_size")?;
    keys.divides("num_key_value_heads", num_key_value_heads, num_attention_heads, "num_attention_heads")?;
    let half = hidden_size / num_attention_heads / 2;
    if half * 2 * num_attention_heads != hidden_size {
        return Err(keys.fail("num_attention_heads", "gives heads of odd width", "rotary positions need an even head width"));
    }
    if keys.flag("use_sliding_window")? {
        return Err(keys.fail("use_sliding_window", "is true", "sliding windows are not supported; no released Qwen2.5-VL uses them"));
    }
    let rope = keys.get("rope_scaling").or_else(|| keys.get("rope_parameters")).and_then(Value::as_object);
    let rope = Keys { path: keys.path, prefix: "rope_scaling.", inner: rope, outer: None };
    if let Some(kind) = rope.get("rope_type").or_else(|| rope.get("type"))
        && !matches!(kind.as_str(), Some("default" | "mrope"))
    {
        return Err(rope.fail("rope_type", format!("is {kind}"), "only default and mrope are known"));
    }
    let sections = rope.get("mrope_section").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let sections: Vec<usize> = sections.iter().filter_map(|v| v.as_u64().map(|n| n as usize)).filter(|&n| n <= half).collect();
    let Ok(mrope_section) = <[usize; 3]>::try_from(sections) else {
        return Err(rope.fail("mrope_section", "is missing or not three whole numbers", format!("give three that sum to {half}")));
    };
    if mrope_section.iter().sum::<usize>() != half {
        return Err(rope.fail("mrope_section", format!("is {mrope_section:?}"), format!("it must sum to half a head, {half}")));
    }
    let rope_theta = match rope.get("rope_theta") {
        Some(_) => rope.number("rope_theta", None)?,
        None => keys.number("rope_theta", Some(1e6))?,
    };
    if rope_theta < 1.0 {
        return Err(keys.fail("rope_theta", format!("is {rope_theta}"), "give 1 or more"));
    }
    let num_hidden_layers = keys.size("num_hidden_layers", None)?;
    if num_hidden_layers > 4096 {
        return Err(keys.fail("num_hidden_layers", format!("is {num_hidden_layers}"), "give at most 4096"));
    }
    Ok(TextConfig {
        vocab_size: keys.size("vocab_size", None)?,
        hidden_size,
        intermediate_size: keys.size("intermediate_size", None)?,
        num_hidden_layers,
        num_attention_heads,
        num_key_value_heads,
        head_dim: hidden_size / num_attention_heads,
        qkv_bias: true,
        o_bias: false,
        qk_norm: false,
        rms_norm_eps: keys.number("rms_norm_eps", Some(1e-6))?,
        rope_theta,
        mrope_section,
        mrope_interleaved: false,
        max_position_embeddings: keys.size("max_position_embeddings", Some(32768))?,
        initializer_range: keys.number("initializer_range", Some(0.02))?,
    })
}

fn vision(keys: &Keys<'_>, text_hidden_size: usize) -> Result<VisionConfig> {
    keys.activation()?;
    let hidden_size = keys.size("hidden_size", None)?;
    let num_heads = keys.size("num_heads", None)?;
    keys.divides("num_heads", num_heads, hidden_size, "hidden_size")?;
    if !(hidden_size / num_heads).is_multiple_of(4) {
        return Err(keys.fail("num_heads", format!("is {num_heads}"), "two-dimensional rotary positions need a head width divisible by 4"));
    }
    let patch_size = keys.size("patch_size", Some(14))?;
    let spatial_merge_size = keys.size("spatial_merge_size", Some(2))?;
    let window_size = keys.size("window_size", Some(112))?;
    if window_size < patch_size.saturating_mul(spatial_merge_size) {
        return Err(keys.fail("window_size", format!("is {window_size}"), "it must hold at least one merged token"));
    }
    let depth = keys.size("depth", None)?;
    if depth > 4096 {
        return Err(keys.fail("depth", format!("is {depth}"), "give at most 4096"));
    }
    let out_hidden_size = keys.size("out_hidden_size", Some(text_hidden_size))?;
    if out_hidden_size != text_hidden_size {
        let remedy = format!("it must equal the text model's hidden_size, {text_hidden_size}");
        return Err(keys.fail("out_hidden_size", format!("is {out_hidden_size}"), remedy));
    }
    let blocks = keys.get("fullatt_block_indexes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fullatt_block_indexes: Option<Vec<usize>> =
        blocks.iter().map(|v| v.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|&n| n < depth)).collect();
    let Some(fullatt_block_indexes) = fullatt_block_indexes else {
        return Err(keys.fail("fullatt_block_indexes", "names a block that does not exist", format!("give numbers below {depth}")));
    };
    Ok(VisionConfig {
        depth,
        hidden_size,
        intermediate_size: keys.size("intermediate_size", None)?,
        num_heads,
        in_channels: keys.size("in_channels", Some(3))?,
        patch_size,
        spatial_merge_size,
        temporal_patch_size: keys.size("temporal_patch_size", Some(2))?,
        window_size,
        fullatt_block_indexes,
        out_hidden_size,
        initializer_range: keys.number("initializer_range", Some(0.02))?,
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
        num_free_tokens: keys.size("num_free_tokens", Some(6))?,
        nlvr_mode: keys.flag("nlvr_mode")?,
        nlvr_noise_scale: keys.number("nlvr_noise_scale", Some(0.3))?,
        latent_end_token: keys.flag("latent_end_token")?,
        loss_lvr_fct: keys.get("loss_lvr_fct").and_then(Value::as_str).map(str::to_owned),
        sight,
        feedback_is_token,
        head: keys.flag("lvr_head")?.then_some(kind),
    })
}
