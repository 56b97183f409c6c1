//! Qwen3-VL, the dense sizes: a tower with learned positions whose deepstack features are added to the
//! states of the image tokens on their way up; queries and keys are normed, and the three rotary
//! positions take turns over the frequencies.

mod config;
mod positions_table;
mod vision;

use serde_json::{Value, json};

use super::{Family, Names};
use crate::positions;

/// The family.
pub static FAMILY: Family = Family {
    model_type: "qwen3_vl",
    architecture: "Qwen3VLForConditionalGeneration",
    names: Names::InMemory,
    system: None,
    read: config::read,
    tower: vision::tower,
    positions: positions::rope_positions,
    tiny,
};

/// Two layers of 32 with heads of 16, two vision blocks of 16, features added after the first layer.
fn tiny() -> Value {
    json!({
        "model_type": "qwen3_vl", "architectures": ["Qwen3VLForConditionalGeneration"],
        "tie_word_embeddings": true,
        "image_token_id": 50, "video_token_id": 51, "vision_start_token_id": 52, "vision_end_token_id": 53,
        "text_config": {
            "model_type": "qwen3_vl_text", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "hidden_act": "silu", "attention_bias": false,
            "rms_norm_eps": 1e-6, "rope_theta": 5e6, "max_position_embeddings": 512, "initializer_range": 0.02,
            "rope_scaling": {"rope_type": "default", "mrope_interleaved": true, "mrope_section": [4, 2, 2]},
            "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 1, "tie_word_embeddings": true
        },
        "vision_config": {
            "model_type": "qwen3_vl", "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "in_channels": 3,
            "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0], "out_hidden_size": 32, "initializer_range": 0.02, "hidden_act": "gelu_pytorch_tanh"
        }
    })
}
