//! Its `config.json`. An absent key that is no size of the language model has the value of the class in
//! transformers.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Result;
use crate::config::fields::{Fields, Flag, Indexes, LIMIT, Number, Rope, Size, of_text, of_vision};
use crate::config::{Own, TextConfig, VisionConfig};
use crate::families::Sizes;

/// Rows of the table of positions, a square.
pub(super) const POSITIONS: &str = "num_position_embeddings";
/// Blocks after which features are taken that the language model adds; their order is that of the mergers.
pub(super) const DEEPSTACK: &str = "deepstack_visual_indexes";

pub(super) fn read(raw: &Map<String, Value>, path: &Path) -> Result<Sizes> {
    let text = text(raw, path)?;
    let vision = vision(of_vision(raw, path)?, path, &text)?;
    Ok((text, vision))
}

/// The language model's keys, in `text_config`.
#[derive(Deserialize)]
struct Text {
    vocab_size: Option<Size>,
    hidden_size: Option<Size>,
    intermediate_size: Option<Size>,
    num_hidden_layers: Option<Size>,
    num_attention_heads: Option<Size>,
    num_key_value_heads: Option<Size>,
    head_dim: Option<Size>,
    attention_bias: Option<Flag>,
    hidden_act: Option<String>,
    rms_norm_eps: Option<Number>,
    rope_theta: Option<Number>,
    rope_scaling: Option<Rope>,
    rope_parameters: Option<Rope>,
    max_position_embeddings: Option<Size>,
    initializer_range: Option<Number>,
}

fn text(raw: &Map<String, Value>, path: &Path) -> Result<TextConfig> {
    let fields = Fields { path, prefix: "" };
    let keys: Text = fields.read(of_text(raw))?;
    fields.activation(keys.hidden_act.as_deref(), "silu")?;
    let num_attention_heads = fields.size("num_attention_heads", keys.num_attention_heads)?;
    let num_key_value_heads = keys.num_key_value_heads.map_or(num_attention_heads, |heads| heads.0);
    fields.divides("num_key_value_heads", num_key_value_heads, num_attention_heads, "num_attention_heads")?;
    let head_dim = keys.head_dim.map_or(128, |width| width.0);
    if !head_dim.is_multiple_of(2) || num_attention_heads.saturating_mul(head_dim) > LIMIT {
        let remedy = format!("rotary positions need an even head width, and all heads together are at most {LIMIT} wide");
        return Err(fields.fail("head_dim", format!("is {head_dim}, of {num_attention_heads} heads"), remedy));
    }
    let biased = keys.attention_bias.is_some_and(|flag| flag.0);
    let rope = keys.rope_scaling.or(keys.rope_parameters).unwrap_or_default();
    Ok(TextConfig {
        vocab_size: fields.size("vocab_size", keys.vocab_size)?,
        hidden_size: fields.size("hidden_size", keys.hidden_size)?,
        intermediate_size: fields.size("intermediate_size", keys.intermediate_size)?,
        num_hidden_layers: fields.depth("num_hidden_layers", keys.num_hidden_layers)?,
        num_attention_heads,
        num_key_value_heads,
        head_dim,
        qkv_bias: biased,
        o_bias: biased,
        qk_norm: true,
        rms_norm_eps: keys.rms_norm_eps.map_or(1e-6, |eps| eps.0),
        rope_theta: rope.theta(path, keys.rope_theta.as_ref(), 5e6)?,
        mrope_section: rope.sections(path, head_dim / 2)?,
        mrope_interleaved: true,
        max_position_embeddings: keys.max_position_embeddings.map_or(128_000, |most| most.0),
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
    out_hidden_size: Option<Size>,
    num_position_embeddings: Option<Size>,
    deepstack_visual_indexes: Option<Indexes>,
    initializer_range: Option<Number>,
}

fn vision(raw: Map<String, Value>, path: &Path, text: &TextConfig) -> Result<VisionConfig> {
    let fields = Fields { path, prefix: "vision_config." };
    let keys: Vision = fields.read(raw)?;
    fields.activation(keys.hidden_act.as_deref(), "gelu_pytorch_tanh")?;
    let or = |value: Option<Size>, default: usize| value.map_or(default, |size| size.0);
    let positions = or(keys.num_position_embeddings, 48 * 48);
    if positions.isqrt().pow(2) != positions {
        return Err(fields.fail(POSITIONS, format!("is {positions}"), "the table of positions must be a square"));
    }
    let depth = fields.depth("depth", keys.depth.or(Some(Size(27))))?;
    let levels = keys.deepstack_visual_indexes.unwrap_or_else(|| Indexes(vec![8, 16, 24]));
    let levels = fields.blocks(DEEPSTACK, levels, depth)?;
    if (1..levels.len()).any(|i| levels[..i].contains(&levels[i])) {
        return Err(fields.fail(DEEPSTACK, format!("is {levels:?}"), "name each block at most once"));
    }
    if levels.len() > text.num_hidden_layers {
        let cause = format!("names {} blocks, the language model has {} layers", levels.len(), text.num_hidden_layers);
        return Err(fields.fail(DEEPSTACK, cause, "name at most as many blocks as it has layers"));
    }
    let vision = VisionConfig {
        depth,
        hidden_size: or(keys.hidden_size, 1152),
        intermediate_size: or(keys.intermediate_size, 4304),
        num_heads: or(keys.num_heads, 16),
        in_channels: or(keys.in_channels, 3),
        patch_size: or(keys.patch_size, 16),
        spatial_merge_size: or(keys.spatial_merge_size, 2),
        temporal_patch_size: or(keys.temporal_patch_size, 2),
        out_hidden_size: or(keys.out_hidden_size, text.hidden_size),
        initializer_range: keys.initializer_range.map_or(0.02, |range| range.0),
        own: Own::new([(POSITIONS, vec![positions]), (DEEPSTACK, levels)]),
    };
    vision.check(&fields, text.hidden_size, ["hidden_size", "out_hidden_size"])?;
    Ok(vision)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Config;
    use crate::families::qwen3_vl::FAMILY;

    #[test]
    fn a_bad_key_is_named() {
        for (part, key, value) in [
            ("text_config", "head_dim", json!(15)),
            ("text_config", "head_dim", json!(4_000_000)),
            ("text_config", "attention_bias", json!("yes")),
            ("text_config", "hidden_act", json!("gelu")),
            ("text_config", "num_key_value_heads", json!(3)),
            ("vision_config", "num_position_embeddings", json!(15)),
            ("vision_config", "deepstack_visual_indexes", json!([2])),
            ("vision_config", "deepstack_visual_indexes", json!([1, 1])),
            ("vision_config", "deepstack_visual_indexes", json!([0.5])),
            ("vision_config", "hidden_act", json!("quick_gelu")),
            ("vision_config", "out_hidden_size", json!(16)),
        ] {
            let mut raw = (FAMILY.tiny)();
            raw[part][key] = value;
            let message = Config::from_value(raw, Path::new("config.json")).unwrap_err().to_string();
            let name = if part == "text_config" { key.to_owned() } else { format!("{part}.{key}") };
            assert!(message.contains(&format!("`{name}`")), "{message}");
        }
        let mut raw = (FAMILY.tiny)();
        raw["vision_config"]["depth"] = json!(3);
        raw["vision_config"]["deepstack_visual_indexes"] = json!([0, 1, 2]);
        let message = Config::from_value(raw, Path::new("config.json")).unwrap_err().to_string();
        assert!(message.contains("names 3 blocks, the language model has 2 layers"), "{message}");
    }

    #[test]
    fn absent_keys_have_the_values_of_the_class() {
        let mut raw = (FAMILY.tiny)();
        raw["text_config"] = json!({
            "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
            "rope_scaling": {"mrope_section": [24, 20, 20]}
        });
        raw["vision_config"] = json!({});
        let config = Config::from_value(raw, Path::new("config.json")).unwrap();
        let (text, vision) = (&config.text, &config.vision);
        assert_eq!((text.head_dim, text.num_key_value_heads, text.qkv_bias, text.rope_theta), (128, 4, false, 5e6));
        assert_eq!((vision.depth, vision.hidden_size, vision.intermediate_size, vision.patch_size), (27, 1152, 4304, 16));
        assert_eq!((vision.own.number(POSITIONS), vision.own.list(DEEPSTACK)), (2304, &[8, 16, 24][..]));
    }
}
