//! How the base model is made: world, architecture, stages.

use std::path::Path;

use prism_data::world::WorldConfig;
use prism_model::families::qwen2_5_vl::FAMILY;
use prism_run::safe_toml;
use prism_train::TrainConfig;
use serde::Deserialize;
use serde_json::{Value, json};

/// The recipe as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseRecipe {
    /// Seed of the first weights and of the questions drawn.
    pub seed: u64,
    /// The world it learns to see; stages choose how many objects.
    pub world: WorldConfig,
    /// Sizes of the model.
    pub model: Architecture,
    /// First stage: the vision tower alone, told what every token shows.
    pub tower: TowerStage,
    /// Then the language model on the frozen tower, stage by stage.
    pub language: Vec<LanguageStage>,
}

/// Sizes of a small Qwen2.5-VL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Width of the language model.
    pub hidden_size: usize,
    /// Its layers.
    pub layers: usize,
    /// Its attention heads; half as many key/value heads.
    pub heads: usize,
    /// Width of its feed-forward layers.
    pub intermediate_size: usize,
    /// Base of the rotary positions.
    pub rope_theta: f64,
    /// Width of the vision tower.
    pub vision_hidden_size: usize,
    /// Its blocks.
    pub vision_layers: usize,
    /// Its attention heads.
    pub vision_heads: usize,
    /// Width of its feed-forward layers.
    pub vision_intermediate_size: usize,
    /// Its blocks with full attention; the others see windows.
    pub full_attention: Vec<usize>,
    /// Standard deviation of the first weights.
    pub initializer_range: f64,
}

/// The vision tower's stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerStage {
    /// Scenes drawn.
    pub scenes: usize,
    /// Smallest and largest number of objects in a scene.
    pub objects: [usize; 2],
    /// The budget.
    pub train: TrainConfig,
}

/// A stage of the language model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageStage {
    /// Names the stage.
    pub name: String,
    /// Scenes drawn.
    pub scenes: usize,
    /// Smallest and largest number of objects in a scene.
    pub objects: [usize; 2],
    /// Turns about a scene, answered by a word.
    #[serde(default)]
    pub words: usize,
    /// Turns about a scene, answered by an option's letter.
    #[serde(default)]
    pub letters: usize,
    /// Turns about a scene, answered by an option's word and its letter.
    #[serde(default)]
    pub spelled: usize,
    /// Lists of options per scene, without the scene: half asked for one letter, half for all.
    #[serde(default)]
    pub lists: usize,
    /// Turns that name many objects, each by one attribute and then the other.
    #[serde(default)]
    pub listings: usize,
    /// Turns that say of many pairs of shapes where the first stands.
    #[serde(default)]
    pub comparisons: usize,
    /// Listings with options, the second word told by its letter.
    #[serde(default)]
    pub lettered_listings: usize,
    /// Comparisons with options, the side told by its letter.
    #[serde(default)]
    pub lettered_comparisons: usize,
    /// Comparisons with options, the side told by its word and its letter.
    #[serde(default)]
    pub spelled_comparisons: usize,
    /// Whether every turn is a sequence of its own, instead of one conversation per scene.
    #[serde(default)]
    pub apart: bool,
    /// Share of position questions.
    pub positions: f64,
    /// The budget.
    pub train: TrainConfig,
}

impl BaseRecipe {
    /// Reads the recipe.
    ///
    /// # Errors
    /// When the file cannot be read or a key is unknown, missing or of the wrong type.
    pub fn read(path: &Path) -> prism_run::Result<Self> {
        safe_toml::read(path)
    }
}

impl Architecture {
    /// `config.json`; token ids come from the tokenizer.
    pub fn config(&self, vocab_size: usize, id: impl Fn(&str) -> prism_run::Result<u32>) -> prism_run::Result<Value> {
        let half = self.hidden_size / self.heads.max(1) / 2;
        let (temporal, height) = (half / 4, half * 3 / 8);
        Ok(json!({
            "model_type": FAMILY.model_type, "architectures": [FAMILY.architecture],
            "vocab_size": vocab_size, "hidden_size": self.hidden_size, "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.layers, "num_attention_heads": self.heads, "num_key_value_heads": (self.heads / 2).max(1),
            "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": self.rope_theta,
            "rope_scaling": {"type": "default", "rope_type": "default", "mrope_section": [temporal, height, half - temporal - height]},
            "max_position_embeddings": 4096, "tie_word_embeddings": true, "initializer_range": self.initializer_range,
            "use_sliding_window": false, "torch_dtype": "float32",
            "image_token_id": id("<|image_pad|>")?, "video_token_id": id("<|video_pad|>")?,
            "vision_start_token_id": id("<|vision_start|>")?, "vision_end_token_id": id("<|vision_end|>")?,
            "eos_token_id": id("<|im_end|>")?, "bos_token_id": id("<|endoftext|>")?, "pad_token_id": id("<|endoftext|>")?,
            "vision_config": {
                "model_type": FAMILY.model_type, "depth": self.vision_layers, "hidden_size": self.vision_hidden_size,
                "intermediate_size": self.vision_intermediate_size, "num_heads": self.vision_heads, "in_channels": 3,
                "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112,
                "fullatt_block_indexes": self.full_attention, "out_hidden_size": self.hidden_size,
                "initializer_range": self.initializer_range, "hidden_act": "silu", "tokens_per_second": 2
            }
        }))
    }
}
