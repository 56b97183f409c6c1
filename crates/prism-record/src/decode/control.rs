//! The tokens that steer a decode: a protocol and a checkpoint become ids.
//!
//! Ids are looked up in the checkpoint's tokenizer and in the keys of `config.json` that
//! the protocol names; one id means different things in different models, so none is
//! ever written down.

use std::path::Path;

use prism_model::tokenizer::Tokenizer;
use prism_model::{Config, Error, Result};
use prism_run::protocol::{Block, Length, Protocol};
use prism_run::{Sight, Stage};
use serde_json::Value;

/// The token whose embedding stands at dummy steps.
const LATENT: &str = "<|lvr|>";

/// The token behind a block's latents.
const LATENT_END: &str = "<|lvr_latent_end|>";

/// What opens a block, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The start token.
    pub token: u32,
    /// Stage of the forwards.
    pub stage: Stage,
    /// The end token, where the protocol names one that the tokenizer has.
    pub end: Option<u32>,
    /// Forwards of the block.
    pub length: Length,
}

/// The tokens that steer a decode, resolved from a protocol and a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlTokens {
    /// Start token of each block with feedback, e.g. `<|lvr_start|>` for the target stage;
    /// none: no latent protocol.
    pub starts: Vec<Start>,
    /// Whether a stage's block may open again.
    pub repeat: bool,
    /// Whether what is fed back passes through the model's latent head, if it has one.
    pub head: bool,
    /// Tokens that end a sequence.
    pub stops: Vec<u32>,
    /// What the positions of a sequence may see, as the checkpoint was trained.
    pub sight: Sight,
    /// The token whose embedding every latent step reads, where no state is fed back.
    pub dummy: Option<u32>,
    /// The token trained behind a block's latents, before its end token, where there is one.
    pub latent_end: Option<u32>,
}

impl Default for ControlTokens {
    /// No block, no stop token; blocks may repeat, feedback passes through the head.
    fn default() -> Self {
        Self { starts: Vec::new(), repeat: true, head: true, stops: Vec::new(), sight: Sight::Open, dummy: None, latent_end: None }
    }
}

impl ControlTokens {
    /// The tokens of a checkpoint under `protocol` (`None`: no latent block): its start
    /// and end tokens, stop tokens of `generation_config.json`, else of `config.json`.
    ///
    /// # Errors
    /// When the checkpoint lacks a start token, its configuration and tokenizer name
    /// different ids, `generation_config.json` is damaged, or no stop token is named anywhere.
    pub fn read(checkpoint: &Path, config: &Config, tokenizer: &Tokenizer, protocol: Option<&Protocol>) -> Result<Self> {
        let (stops, sight) = (stops(checkpoint, config)?, config.latent_sight());
        let Some(protocol) = protocol else { return Ok(Self { stops, sight, ..Self::default() }) };
        let mut starts = Vec::new();
        for block in &protocol.blocks {
            let missing = || {
                Error::content(
                    tokenizer.folder(),
                    format!(
                        "the tokenizer has no token `{}`, which opens the {} block of protocol `{}`",
                        block.start,
                        block.stage.name(),
                        protocol.id
                    ),
                    "name the protocol the checkpoint was trained with, or take the tokenizer files from its checkpoint",
                )
            };
            let token = lookup(config, tokenizer, &block.start, block.start_id.as_deref())?.ok_or_else(missing)?;
            let end = match &block.end {
                Some(end) => lookup(config, tokenizer, end, block.end_id.as_deref())?,
                None => None,
            };
            starts.push(Start { token, stage: block.stage, end, length: block.length() });
        }
        let dummy = if config.latent_feedback_is_token() { lookup(config, tokenizer, LATENT, Some("lvr_id"))? } else { None };
        let latent_end = lookup(config, tokenizer, LATENT_END, Some("lvr_latent_end_id"))?;
        Ok(Self { starts, repeat: protocol.repeat, head: protocol.head, stops, sight, dummy, latent_end })
    }

    /// A start whose block has no end token in this checkpoint: it cannot be left at one.
    pub fn endless(&self) -> Option<&Start> {
        self.starts.iter().find(|start| start.end.is_none())
    }
}

/// The shipped protocol of a checkpoint: its flags hold, and all its start tokens are
/// there. `None` for a model without a known latent block.
///
/// # Errors
/// When more than one protocol fits.
pub fn detect(config: &Config, tokenizer: &Tokenizer) -> Result<Option<Protocol>> {
    let mut fitting = Vec::new();
    for id in Protocol::preset_ids() {
        let protocol = Protocol::load(id)?;
        let flags = protocol.when.iter().all(|(key, wanted)| (config.key(key) == Some(&Value::Bool(true))) == *wanted);
        let known = |block: &Block| matches!(lookup(config, tokenizer, &block.start, block.start_id.as_deref()), Ok(Some(_)));
        if flags && protocol.blocks.iter().all(known) {
            fitting.push(protocol);
        }
    }
    if fitting.len() > 1 {
        let ids: Vec<&str> = fitting.iter().map(|protocol| protocol.id.as_str()).collect();
        let cause = format!("the checkpoint has the tokens of more than one latent protocol: {}", ids.join(", "));
        return Err(Error::content(tokenizer.folder(), cause, "name the one it was trained with: --protocol NAME"));
    }
    Ok(fitting.pop())
}

/// Id of the token `text`: the tokenizer's; where the tokenizer has no token at the id
/// that `key` of `config.json` gives, that id.
fn lookup(config: &Config, tokenizer: &Tokenizer, text: &str, key: Option<&str>) -> Result<Option<u32>> {
    let known = tokenizer.token_id(text);
    let configured = key.map(|key| config.token_key(key)).transpose()?.flatten();
    let refuse = |cause: String| Error::content(tokenizer.folder(), cause, "take config.json and tokenizer files from the same checkpoint");
    let id = match (known, configured) {
        (Some(a), Some(b)) if a != b => {
            let key = key.unwrap_or_default();
            return Err(refuse(format!("config.json says `{key}` = {b}, the tokenizer says `{text}` = {a}")));
        }
        // Under the same key another protocol may keep a token of its own.
        (None, Some(id)) if tokenizer.token(id).is_some() => None,
        (known, configured) => known.or(configured),
    };
    match id {
        Some(id) if id as usize >= config.text.vocab_size => {
            Err(refuse(format!("`{text}` is {id}, outside the vocabulary of {}", config.text.vocab_size)))
        }
        id => Ok(id),
    }
}

fn stops(checkpoint: &Path, config: &Config) -> Result<Vec<u32>> {
    let path = checkpoint.join("generation_config.json");
    let mut stops = Vec::new();
    if path.exists() {
        let bytes = prism_run::door::read_linked(&path, prism_run::door::Limit::Settings)?;
        let bad = |cause: String| Error::content(&path, cause, "copy generation_config.json from the checkpoint again");
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| bad(format!("is not JSON: {e}")))?;
        let named = match value.get("eos_token_id") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(ids)) => ids.clone(),
            Some(id) => vec![id.clone()],
        };
        for id in named {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            stops.push(id.ok_or_else(|| bad("`eos_token_id` is not a token id or a list of them".into()))?);
        }
    }
    if stops.is_empty() {
        stops.extend(config.eos_token_id);
    }
    if stops.is_empty() {
        return Err(Error::content(checkpoint, "no `eos_token_id` is named", "name it in generation_config.json or config.json"));
    }
    Ok(stops)
}
