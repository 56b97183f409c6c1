//! Its `config.json`. An absent key of the tower has the value of the class in transformers, which some
//! releases leave out when they save.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Result;
use crate::config::fields::{Fields, LIMIT, Number, Size, of_text, of_vision};
use crate::config::{Own, VisionConfig};
use crate::families::{Sizes, qwen2_5_vl};

/// `rms_norm_eps` where no key says it.
const EPS: f64 = 1e-5;

pub(super) fn read(raw: &Map<String, Value>, path: &Path) -> Result<Sizes> {
    let mut text = qwen2_5_vl::config::text(raw, path)?;
    if of_text(raw).get("rms_norm_eps").is_none_or(Value::is_null) {
        text.rms_norm_eps = EPS;
    }
    let vision = vision(of_vision(raw, path)?, path, text.hidden_size)?;
    Ok((text, vision))
}

/// The tower's keys, in `vision_config`. What is called `hidden_size` there is the width of the merged
/// tokens; the tower's own width is `embed_dim`.
#[derive(Deserialize)]
struct Vision {
    depth: Option<Size>,
    embed_dim: Option<Size>,
    hidden_size: Option<Size>,
    hidden_act: Option<String>,
    mlp_ratio: Option<Number>,
    num_heads: Option<Size>,
    in_channels: Option<Size>,
    /// The published files' name of `in_channels`.
    in_chans: Option<Size>,
    patch_size: Option<Size>,
    spatial_merge_size: Option<Size>,
    temporal_patch_size: Option<Size>,
    initializer_range: Option<Number>,
}

fn vision(raw: Map<String, Value>, path: &Path, text_hidden_size: usize) -> Result<VisionConfig> {
    let fields = Fields { path, prefix: "vision_config." };
    let keys: Vision = fields.read(raw)?;
    fields.activation(keys.hidden_act.as_deref(), "quick_gelu")?;
    let or = |value: Option<Size>, default: usize| value.map_or(default, |size| size.0);
    let width = or(keys.embed_dim, 1280);
    let ratio = keys.mlp_ratio.map_or(4.0, |ratio| ratio.0);
    let inner = (width as f64 * ratio) as usize;
    if !(1..=LIMIT).contains(&inner) {
        let cause = format!("is {ratio}, which makes the feed-forward {inner} wide");
        return Err(fields.fail("mlp_ratio", cause, format!("give one that makes it 1 to {LIMIT}")));
    }
    let vision = VisionConfig {
        depth: fields.depth("depth", keys.depth.or(Some(Size(32))))?,
        hidden_size: width,
        intermediate_size: inner,
        num_heads: or(keys.num_heads, 16),
        in_channels: or(keys.in_channels.or(keys.in_chans), 3),
        patch_size: or(keys.patch_size, 14),
        spatial_merge_size: or(keys.spatial_merge_size, 2),
        temporal_patch_size: or(keys.temporal_patch_size, 2),
        out_hidden_size: or(keys.hidden_size, text_hidden_size),
        initializer_range: keys.initializer_range.map_or(0.02, |range| range.0),
        own: Own::default(),
    };
    vision.check(&fields, text_hidden_size, ["embed_dim", "hidden_size"])?;
    Ok(vision)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Config;
    use crate::families::qwen2_vl::FAMILY;

    fn read_with(part: &str, key: &str, value: Value) -> Result<Config> {
        let mut raw = (FAMILY.tiny)();
        match part {
            "" => raw[key] = value,
            part => raw[part][key] = value,
        }
        Config::from_value(raw, Path::new("config.json"))
    }

    #[test]
    fn a_bad_key_is_named() {
        for (part, key, value) in [
            ("vision_config", "embed_dim", json!(0)),
            ("vision_config", "mlp_ratio", json!(0.01)),
            ("vision_config", "mlp_ratio", json!(1e9)),
            ("vision_config", "mlp_ratio", json!("wide")),
            ("vision_config", "num_heads", json!(3)),
            ("vision_config", "hidden_size", json!(64)),
            ("vision_config", "hidden_act", json!("gelu")),
            ("vision_config", "in_chans", json!(-3)),
            ("vision_config", "depth", json!(5000)),
            ("", "use_sliding_window", json!(true)),
            ("", "num_key_value_heads", json!(3)),
        ] {
            let message = read_with(part, key, value).unwrap_err().to_string();
            let name = if part.is_empty() { key.to_owned() } else { format!("{part}.{key}") };
            assert!(message.contains(&format!("`{name}`")), "{message}");
        }
    }

    #[test]
    fn absent_keys_have_the_values_of_the_class() {
        let mut raw = (FAMILY.tiny)();
        raw["vision_config"] = json!({"hidden_size": 32});
        raw["rms_norm_eps"] = Value::Null;
        let config = Config::from_value(raw, Path::new("config.json")).unwrap();
        let vision = &config.vision;
        assert_eq!((vision.depth, vision.hidden_size, vision.intermediate_size, vision.num_heads), (32, 1280, 5120, 16));
        assert_eq!((vision.in_channels, vision.patch_size, config.text.rms_norm_eps), (3, 14, 1e-5));
        assert_eq!(read_with("vision_config", "in_chans", json!(1)).unwrap().vision.in_channels, 1);
    }
}
