//! Its `config.json`.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Result;
use crate::config::fields::{Fields, Flag, Indexes, Number, Rope, Size, of_text, of_vision};
use crate::config::{Own, TextConfig, VisionConfig};
use crate::families::Sizes;

/// Side of an attention window in pixels.
pub(super) const WINDOW: &str = "window_size";
/// Blocks that attend over the whole image.
pub(super) const WHOLE: &str = "fullatt_block_indexes";

pub(super) fn read(raw: &Map<String, Value>, path: &Path) -> Result<Sizes> {
    let text = text(raw, path)?;
    let vision = vision(of_vision(raw, path)?, path, text.hidden_size)?;
    Ok((text, vision))
}

/// The language model's keys, at the top or in `text_config`: those of Qwen2-VL too.
#[derive(Deserialize)]
struct Text {
    vocab_size: Option<Size>,
    hidden_size: Option<Size>,
    intermediate_size: Option<Size>,
    num_hidden_layers: Option<Size>,
    num_attention_heads: Option<Size>,
    num_key_value_heads: Option<Size>,
    hidden_act: Option<String>,
    rms_norm_eps: Option<Number>,
    rope_theta: Option<Number>,
    rope_scaling: Option<Rope>,
    rope_parameters: Option<Rope>,
    use_sliding_window: Option<Flag>,
    max_position_embeddings: Option<Size>,
    initializer_range: Option<Number>,
}

/// The language model of the Qwen2 families: biases of queries, keys and values, heads that are together as
/// wide as the model.
pub(in crate::families) fn text(raw: &Map<String, Value>, path: &Path) -> Result<TextConfig> {
    let fields = Fields { path, prefix: "" };
    let keys: Text = fields.read(of_text(raw))?;
    fields.activation(keys.hidden_act.as_deref(), "silu")?;
    let hidden_size = fields.size("hidden_size", keys.hidden_size)?;
    let num_attention_heads = fields.size("num_attention_heads", keys.num_attention_heads)?;
    let num_key_value_heads = keys.num_key_value_heads.map_or(num_attention_heads, |heads| heads.0);
    fields.divides("num_attention_heads", num_attention_heads, hidden_size, "hidden_size")?;
    fields.divides("num_key_value_heads", num_key_value_heads, num_attention_heads, "num_attention_heads")?;
    let head_dim = hidden_size / num_attention_heads;
    if !head_dim.is_multiple_of(2) {
        return Err(fields.fail("num_attention_heads", "gives heads of odd width", "rotary positions need an even head width"));
    }
    if keys.use_sliding_window.is_some_and(|flag| flag.0) {
        let remedy = "sliding windows are not supported; no released model of the family uses them";
        return Err(fields.fail("use_sliding_window", "is true", remedy));
    }
    let rope = keys.rope_scaling.or(keys.rope_parameters).unwrap_or_default();
    Ok(TextConfig {
        vocab_size: fields.size("vocab_size", keys.vocab_size)?,
        hidden_size,
        intermediate_size: fields.size("intermediate_size", keys.intermediate_size)?,
        num_hidden_layers: fields.depth("num_hidden_layers", keys.num_hidden_layers)?,
        num_attention_heads,
        num_key_value_heads,
        head_dim,
        qkv_bias: true,
        o_bias: false,
        qk_norm: false,
        rms_norm_eps: keys.rms_norm_eps.map_or(1e-6, |eps| eps.0),
        rope_theta: rope.theta(path, keys.rope_theta.as_ref(), 1e6)?,
        mrope_section: rope.sections(path, head_dim / 2)?,
        mrope_interleaved: false,
        max_position_embeddings: keys.max_position_embeddings.map_or(32768, |most| most.0),
        initializer_range: keys.initializer_range.map_or(0.02, |range| range.0),
    })
}

/// The tower's keys, in `vision_config`.
#[derive(Deserialize)]
struct Vision {
    depth: Option<Size>,
    hidden_size: Option<Size>,
    intermediate_size: Option<Size>,
    num_heads: Option<Size>,
    hidden_act: Option<String>,
    in_channels: Option<Size>,
    patch_size: Option<Size>,
    spatial_merge_size: Option<Size>,
    temporal_patch_size: Option<Size>,
    window_size: Option<Size>,
    fullatt_block_indexes: Option<Indexes>,
    out_hidden_size: Option<Size>,
    initializer_range: Option<Number>,
}

fn vision(raw: Map<String, Value>, path: &Path, text_hidden_size: usize) -> Result<VisionConfig> {
    let fields = Fields { path, prefix: "vision_config." };
    let keys: Vision = fields.read(raw)?;
    fields.activation(keys.hidden_act.as_deref(), "silu")?;
    let or = |value: Option<Size>, default: usize| value.map_or(default, |size| size.0);
    let hidden_size = fields.size("hidden_size", keys.hidden_size)?;
    let depth = fields.depth("depth", keys.depth)?;
    // Blocks that see the whole image, where the file does not say: every eighth of the 32 that the published sizes have.
    let whole = keys.fullatt_block_indexes.unwrap_or_else(|| Indexes([7, 15, 23, 31].into_iter().filter(|i| *i < depth).collect()));
    let vision = VisionConfig {
        depth,
        hidden_size,
        intermediate_size: fields.size("intermediate_size", keys.intermediate_size)?,
        num_heads: fields.size("num_heads", keys.num_heads)?,
        in_channels: or(keys.in_channels, 3),
        patch_size: or(keys.patch_size, 14),
        spatial_merge_size: or(keys.spatial_merge_size, 2),
        temporal_patch_size: or(keys.temporal_patch_size, 2),
        out_hidden_size: or(keys.out_hidden_size, text_hidden_size),
        initializer_range: keys.initializer_range.map_or(0.02, |range| range.0),
        own: Own::new([(WINDOW, vec![or(keys.window_size, 112)]), (WHOLE, fields.blocks(WHOLE, whole, depth)?)]),
    };
    vision.check(&fields, text_hidden_size, ["hidden_size", "out_hidden_size"])?;
    if vision.own.number(WINDOW) < vision.patch_size.saturating_mul(vision.spatial_merge_size) {
        let cause = format!("is {}", vision.own.number(WINDOW));
        return Err(fields.fail(WINDOW, cause, "it must hold at least one merged token"));
    }
    Ok(vision)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Config;
    use crate::families::qwen2_5_vl::FAMILY;

    /// The default of transformers' `Qwen2_5_VLVisionConfig`, which leaves out the key in what it writes from defaults.
    #[test]
    fn without_the_key_every_eighth_block_sees_the_whole_image() {
        let whole = |depth: usize| {
            let mut raw = (FAMILY.tiny)();
            raw["vision_config"]["depth"] = json!(depth);
            raw["vision_config"].as_object_mut().unwrap().remove(WHOLE);
            Config::from_value(raw, Path::new("config.json")).unwrap().vision.own.list(WHOLE).to_vec()
        };
        assert_eq!(whole(32), [7, 15, 23, 31]);
        assert_eq!(whole(9), [7]);
    }
}
