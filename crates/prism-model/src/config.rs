//! `config.json` of a checkpoint: read as its family writes it ([`crate::families`]), checked, and written
//! back without losing a key.
//!
//! Every size is bounded here, so that what is built from a checked [`Config`]
//! can neither overflow nor divide by zero.

pub(crate) mod fields;
mod quantised;
mod read;
pub mod ties;

use std::collections::BTreeMap;
use std::path::Path;

use prism_run::{Sight, TrainedLengths, lengths};
use serde_json::{Map, Value};

use self::fields::Fields;
use crate::checkpoint::{Files, adapter};
use crate::families::{self, Family};
use crate::{Error, Result};

/// Sizes of the language model.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    /// Rows of the embedding matrix.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the query heads.
    pub num_key_value_heads: usize,
    /// Width of an attention head; even.
    pub head_dim: usize,
    /// Whether the query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// Whether the output projection has a bias.
    pub o_bias: bool,
    /// Whether each head's query and key are normed before they are turned.
    pub qk_norm: bool,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Rotary frequencies of the temporal, height and width position; sums to half a head.
    pub mrope_section: [usize; 3],
    /// Whether the three positions take turns over the frequencies, rather than each having a run of them.
    pub mrope_interleaved: bool,
    /// Longest sequence the model was made for (not enforced).
    pub max_position_embeddings: usize,
    /// Standard deviation of a fresh model's weights.
    pub initializer_range: f64,
}

impl TextConfig {
    /// Width of all heads' queries, and of what they attended to.
    pub fn attention_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all heads' keys, and of their values.
    pub fn key_value_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }
}

/// Sizes of the vision tower.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionConfig {
    /// Transformer blocks.
    pub depth: usize,
    /// Width of the tower.
    pub hidden_size: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Colour channels.
    pub in_channels: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Patches per side of a merged token.
    pub spatial_merge_size: usize,
    /// Frames per patch.
    pub temporal_patch_size: usize,
    /// Width of the merged tokens: the text model's hidden size.
    pub out_hidden_size: usize,
    /// Standard deviation of a fresh tower's weights.
    pub initializer_range: f64,
    /// What only its family has.
    pub own: Own,
}

impl VisionConfig {
    /// Width of an attention head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_heads
    }

    /// `width` and `out` are what the family calls the tower's width and that of its tokens.
    ///
    /// # Errors
    /// Heads do not divide the tower, cannot be turned in two dimensions, or its tokens are not as wide as the
    /// language model; `fields` names the keys.
    pub(crate) fn check(&self, fields: &Fields<'_>, text_hidden_size: usize, [width, out]: [&str; 2]) -> Result<()> {
        fields.divides("num_heads", self.num_heads, self.hidden_size, width)?;
        if !self.head_dim().is_multiple_of(4) {
            let remedy = "two-dimensional rotary positions need a head width divisible by 4";
            return Err(fields.fail("num_heads", format!("is {}", self.num_heads), remedy));
        }
        if self.out_hidden_size != text_hidden_size {
            let remedy = format!("it must equal the text model's hidden_size, {text_hidden_size}");
            return Err(fields.fail(out, format!("is {}", self.out_hidden_size), remedy));
        }
        Ok(())
    }
}

/// Numbers of a tower that only its family has, by their keys in `vision_config`; checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Own(BTreeMap<&'static str, Vec<usize>>);

impl Own {
    /// Numbers by key.
    pub fn new(numbers: impl IntoIterator<Item = (&'static str, Vec<usize>)>) -> Self {
        Self(numbers.into_iter().collect())
    }

    /// The numbers under `key`; none where it is another family's.
    pub fn list(&self, key: &str) -> &[usize] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// The only number under `key`; 0 where it is another family's.
    pub fn number(&self, key: &str) -> usize {
        self.list(key).first().copied().unwrap_or(0)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[usize])> {
        self.0.iter().map(|(key, numbers)| (*key, numbers.as_slice()))
    }
}

/// The network that maps a hidden state to the next latent input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// LayerNorm, Linear, GELU, Linear.
    Simple,
    /// `down(silu(gate(x)) * up(x))`, with biases.
    Glu,
}

/// Keys of the latent block; absent ids mean that the model has no such token.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct LatentConfig {
    pub lvr_id: Option<u32>,
    pub lvr_start_id: Option<u32>,
    pub lvr_end_id: Option<u32>,
    pub lvr_latent_end_id: Option<u32>,
    pub ctx_start_id: Option<u32>,
    pub ctx_end_id: Option<u32>,
    pub tgt_start_id: Option<u32>,
    pub tgt_end_id: Option<u32>,
    pub free_start_id: Option<u32>,
    pub free_end_id: Option<u32>,
    pub free_id: Option<u32>,
    pub plvr_mode: bool,
    pub include_free_stage: bool,
    pub num_free_tokens: usize,
    pub nlvr_mode: bool,
    pub nlvr_noise_scale: f64,
    pub latent_end_token: bool,
    pub loss_lvr_fct: Option<String>,
    /// `latent_sight`: what the positions of a sequence may see.
    pub sight: Sight,
    /// Whether `latent_feedback` is `token`: a latent step reads `<|lvr|>`'s embedding, not a state.
    pub feedback_is_token: bool,
    /// The head, when `lvr_head` is true.
    pub head: Option<HeadKind>,
}

/// A checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The family it is of.
    pub family: &'static Family,
    /// Sizes of the language model.
    pub text: TextConfig,
    /// Sizes of the vision tower.
    pub vision: VisionConfig,
    /// The latent block.
    pub latent: LatentConfig,
    /// `<|image_pad|>`.
    pub image_token_id: u32,
    /// `<|video_pad|>`.
    pub video_token_id: Option<u32>,
    /// `<|vision_start|>`.
    pub vision_start_token_id: u32,
    /// `<|vision_end|>`.
    pub vision_end_token_id: Option<u32>,
    /// Ends a generated sequence.
    pub eos_token_id: Option<u32>,
    /// Starts a document (unused by the chat format).
    pub bos_token_id: Option<u32>,
    /// Fills batches in other software.
    pub pad_token_id: Option<u32>,
    /// Whether `lm_head` is the embedding matrix.
    pub tie_word_embeddings: bool,
    raw: Map<String, Value>,
}

impl Config {
    /// Reads and checks `config.json` of a checkpoint folder.
    ///
    /// # Errors
    /// The file is missing or is not JSON, or [`Error::Config`] naming the key at fault.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join("config.json");
        let bytes = prism_run::door::read_linked(&path, prism_run::door::Limit::Settings)?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|e| Error::content(&path, format!("is not JSON: {e}"), "copy config.json from the checkpoint again"))?;
        let Value::Object(mut raw) = value else { return Self::from_value(value, &path) };
        quantised::refuse_folder(dir)?;
        adapter::reshape(dir, &mut raw);
        let mut config = read::config(raw, &path)?;
        // Release 5 of transformers leaves apart what is stored apart, whatever the key says.
        if config.tie_word_embeddings && ties::release(&config.raw).is_some_and(|release| release >= 5) {
            config.tie_word_embeddings = !Files::open(dir)?.is_head_apart();
        }
        Ok(config)
    }

    /// Reads and checks a configuration already parsed; `path` names it in messages.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key at fault.
    pub fn from_value(value: Value, path: &Path) -> Result<Self> {
        match value {
            Value::Object(raw) => read::config(raw, path),
            _ => Err(Error::content(path, "is not a JSON object", "copy config.json from the checkpoint again")),
        }
    }

    /// The configuration as JSON: every key that was read, unknown ones included.
    pub fn to_value(&self) -> Value {
        Value::Object(self.raw.clone())
    }

    /// The configuration with some top-level keys set (e.g. the latent ids of a variant), checked anew.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key at fault.
    pub fn with(&self, keys: impl IntoIterator<Item = (String, Value)>) -> Result<Self> {
        let mut raw = self.raw.clone();
        for (key, value) in keys {
            if let Some(Value::Object(text)) = raw.get_mut("text_config")
                && text.contains_key(&key)
            {
                text.insert(key.clone(), value.clone());
            }
            raw.insert(key, value);
        }
        read::config(raw, Path::new("config.json"))
    }

    /// A key of `config.json` as it was read, also one that this crate does not know;
    /// looked for at the top, then in `text_config`.
    pub fn key(&self, key: &str) -> Option<&Value> {
        let given = |map: &Map<String, Value>| map.contains_key(key);
        let inner = self.raw.get("text_config").and_then(Value::as_object);
        let map = [Some(&self.raw), inner].into_iter().flatten().find(|map| given(map))?;
        map.get(key).filter(|value| !value.is_null())
    }

    /// The token id under such a key (the first of a list); `None` if it is absent.
    ///
    /// # Errors
    /// [`Error::Config`] when it is not a token id.
    pub fn token_key(&self, key: &str) -> Result<Option<u32>> {
        let Some(value) = self.key(key) else { return Ok(None) };
        let first = value.as_array().map_or(Some(value), |list| list.first());
        match first.map(Value::as_u64) {
            None => Ok(None),
            Some(Some(id)) if u32::try_from(id).is_ok() => Ok(u32::try_from(id).ok()),
            Some(_) => Err(Error::Config {
                path: "config.json".into(),
                key: key.into(),
                cause: format!("is {value}"),
                remedy: "give a token id".into(),
            }),
        }
    }

    /// Whether the model has stages (context, target, perhaps free).
    pub fn is_staged(&self) -> bool {
        self.latent.plvr_mode
    }

    /// What the positions of a sequence may see, in training and at inference (`latent_sight`).
    pub fn latent_sight(&self) -> Sight {
        self.latent.sight
    }

    /// With how many latents its blocks were trained (`latent_lengths`, [`lengths::KEY`]); `None` where
    /// the checkpoint does not say.
    ///
    /// # Errors
    /// [`Error::Config`] when the key holds no lengths, or lengths that cannot be.
    pub fn latent_lengths(&self) -> Result<Option<TrainedLengths>> {
        let read = |value| {
            TrainedLengths::read(value).map_err(|cause| Error::Config {
                path: "config.json".into(),
                key: lengths::KEY.into(),
                cause,
                remedy: "take the key out, or copy config.json from the checkpoint again".into(),
            })
        };
        self.key(lengths::KEY).map(read).transpose()
    }

    /// Whether latent steps read the embedding of `<|lvr|>` instead of a state fed back (`latent_feedback`).
    pub fn latent_feedback_is_token(&self) -> bool {
        self.latent.feedback_is_token
    }

    /// A small configuration of Qwen2.5-VL: 2 layers of 32, two vision blocks; for tests and examples.
    pub fn tiny() -> Self {
        Self::tiny_of(&families::qwen2_5_vl::FAMILY)
    }

    /// The smallest configuration of a family.
    pub fn tiny_of(family: &Family) -> Self {
        match Self::from_value((family.tiny)(), Path::new("config.json")) {
            Ok(config) => config,
            Err(e) => unreachable!("the built-in configuration is valid: {e}"),
        }
    }
}
