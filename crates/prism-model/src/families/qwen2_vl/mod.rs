//! Qwen2-VL: a tower that sees every frame whole; the language model is that of Qwen2.5-VL.

mod config;
mod vision;

use serde_json::{Value, json};

use super::{Family, Names};
use crate::positions;

/// The family.
pub static FAMILY: Family = Family {
    model_type: "qwen2_vl",
    architecture: "Qwen2VLForConditionalGeneration",
    names: Names::Older,
    system: Some("You are a helpful assistant."),
    read: config::read,
    tower: vision::tower,
    positions: positions::rope_positions,
    tiny,
};

/// Two layers of 32, two vision blocks of 16.
fn tiny() -> Value {
    json!({
        "model_type": "qwen2_vl", "architectures": ["Qwen2VLForConditionalGeneration"],
        "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
        "max_position_embeddings": 512, "tie_word_embeddings": true, "initializer_range": 0.02,
        "image_token_id": 50, "video_token_id": 51, "vision_start_token_id": 52, "vision_end_token_id": 53,
        "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 1,
        "vision_config": {
            "depth": 2, "embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2, "num_heads": 2, "in_chans": 3, "patch_size": 14,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "initializer_range": 0.02, "hidden_act": "quick_gelu"
        }
    })
}
