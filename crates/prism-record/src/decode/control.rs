//! The tokens that steer a decode: a protocol and a checkpoint become ids.
//!
//! Ids are looked up in the checkpoint's tokenizer and in the keys of `config.json` that
//! the protocol names; one id means different things in different models, so none is
//! ever written down.

use std::path::Path;

use prism_model::generation::{self, Generation};
use prism_model::prompt::Prompter;
use prism_model::tokenizer::Tokenizer;
use prism_model::{Config, Error, Result};
use prism_run::protocol::{Append, Block, Length, Protocol, Trigger, trained};
use prism_run::{Sight, Stage};
use serde_json::Value;

use super::rules::{Appended, PromptBlock, Rules};

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
#[derive(Debug, Clone, PartialEq)]
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
    /// What happens around and inside a block.
    pub rules: Rules,
    /// How tokens are chosen.
    pub generation: Generation,
}

impl Default for ControlTokens {
    /// No block, no stop token; blocks may repeat, feedback passes through the head.
    fn default() -> Self {
        Self {
            starts: Vec::new(),
            repeat: true,
            head: true,
            stops: Vec::new(),
            sight: Sight::Open,
            dummy: None,
            latent_end: None,
            rules: Rules::default(),
            generation: Generation::plain(),
        }
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
        for block in protocol.blocks.iter().filter(|block| !block.start.is_empty()) {
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
        let rules = rules(config, tokenizer, protocol)?;
        let generation = Generation::plain();
        Ok(Self { starts, repeat: protocol.repeat, head: protocol.head, stops, sight, dummy, latent_end, rules, generation })
    }

    /// Whether there is a latent block.
    pub fn has_block(&self) -> bool {
        !self.starts.is_empty() || self.rules.prompt_block.is_some()
    }

    /// Prompts as the protocol lays them out, with what it has stand at their end.
    pub fn lay_out(&self, prompter: Prompter, protocol: Option<&Protocol>) -> Prompter {
        let Some(protocol) = protocol else { return prompter };
        let block = self.rules.prompt_block;
        let stands = block.and_then(|block| Some(vec![block.stands?; block.length.of(protocol.steps)]));
        let looks = block.is_some_and(|block| block.insert > 0);
        prompter.laid_out(protocol.prompt.clone(), stands.unwrap_or_default(), looks)
    }

    /// A start whose block has no end token in this checkpoint: it cannot be left at one.
    pub fn endless(&self) -> Option<&Start> {
        self.starts.iter().find(|start| start.end.is_none())
    }
}

/// The protocol's rules with this checkpoint's ids.
fn rules(config: &Config, tokenizer: &Tokenizer, protocol: &Protocol) -> Result<Rules> {
    let missing = |text: &str, what: &str| {
        let cause = format!("the tokenizer has no token `{text}`, {what} of protocol `{}`", protocol.id);
        let remedy = "name the protocol the checkpoint was trained with, or take the tokenizer files from its checkpoint";
        Error::content(tokenizer.folder(), cause, remedy)
    };
    let append = match (protocol.append, &protocol.pad) {
        (Append::Pad, Some(pad)) => {
            let id = lookup(config, tokenizer, pad, protocol.pad_id.as_deref())?;
            Appended::Token(id.ok_or_else(|| missing(pad, "which stands at the latents"))?)
        }
        (Append::Nothing, _) => Appended::Nothing,
        _ => Appended::Said,
    };
    let first = |text: &String| Ok::<_, Error>(tokenizer.encode(text)?.first().copied());
    let prompt_block = match protocol.blocks.first().filter(|_| protocol.trigger == Trigger::AfterPrompt) {
        Some(block) => {
            let id = |text: &String| tokenizer.token_id(text).ok_or_else(|| missing(text, "which stands for a latent in the prompt"));
            let stands = block.stands.as_ref().map(id).transpose()?;
            Some(PromptBlock { stage: block.stage, length: block.length(), insert: block.insert, stands })
        }
        None => None,
    };
    Ok(Rules {
        trigger: protocol.trigger,
        prompt_block,
        exit: protocol.exit,
        opens_first: protocol.opens_first,
        at_cap: protocol.at_cap,
        then: protocol.then.as_ref().map(first).transpose()?.flatten(),
        repetition: protocol.repetition,
        append,
        stops_inside: protocol.stops_inside,
        start_inside: protocol.start_inside,
        count: protocol.count,
        stop_texts: protocol.stop_texts.iter().map(|text| text.to_lowercase()).collect(),
    })
}

/// A protocol that was found, and what by.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The protocol.
    pub protocol: Protocol,
    /// Tokens and keys that told it, e.g. `the tokens <|lvr_start|>`.
    pub by: String,
}

/// The shipped protocol of a checkpoint: its flags and keys hold, and all its start tokens are
/// there. `None` for a model without a known latent block.
///
/// # Errors
/// When more than one protocol fits.
pub fn detect(config: &Config, tokenizer: &Tokenizer) -> Result<Option<Protocol>> {
    Ok(found(config, tokenizer)?.map(|found| found.protocol))
}

/// The same, with what it was told by.
///
/// # Errors
/// As [`detect`].
pub fn found(config: &Config, tokenizer: &Tokenizer) -> Result<Option<Found>> {
    if let Some(named) = config.key(trained::KEY).filter(|value| !value.is_null()) {
        return trained_for(named, tokenizer).map(Some);
    }
    let mut fitting = Vec::new();
    for id in Protocol::preset_ids() {
        let protocol = Protocol::load(id)?;
        if protocol.detect && fits(&protocol, config, tokenizer) {
            fitting.push(protocol);
        }
    }
    if fitting.len() > 1 {
        let ids: Vec<&str> = fitting.iter().map(|protocol| protocol.id.as_str()).collect();
        let cause = format!("the checkpoint has the tokens of more than one latent protocol: {}", ids.join(", "));
        return Err(Error::content(tokenizer.folder(), cause, "name the one it was trained with: --protocol NAME"));
    }
    Ok(fitting.pop().map(|protocol| Found { by: told_by(&protocol), protocol }))
}

/// The protocol that `config.json` names: a checkpoint trained for it says so.
fn trained_for(named: &Value, tokenizer: &Tokenizer) -> Result<Found> {
    let known = named.as_str().filter(|id| Protocol::preset_ids().any(|known| known == *id));
    let Some(id) = known else {
        let cause = format!("`{}` in config.json names no protocol that is shipped", trained::KEY);
        return Err(Error::content(tokenizer.folder(), cause, "name the one it was trained with: --protocol NAME"));
    };
    Ok(Found { protocol: Protocol::load(id)?, by: format!("`{}` in config.json", trained::KEY) })
}

/// Whether a checkpoint has a protocol's tokens and keys.
fn fits(protocol: &Protocol, config: &Config, tokenizer: &Tokenizer) -> bool {
    let flags = protocol.when.iter().all(|(key, wanted)| (config.key(key) == Some(&Value::Bool(true))) == *wanted);
    let keys = protocol.has.iter().all(|key| config.key(key).is_some()) && protocol.lacks.iter().all(|key| config.key(key).is_none());
    let known = |block: &Block| matches!(lookup(config, tokenizer, &block.start, block.start_id.as_deref()), Ok(Some(_)));
    let starts = protocol.blocks.iter().filter(|block| !block.start.is_empty()).all(known);
    flags && keys && starts && protocol.tokens.iter().all(|token| tokenizer.token_id(token).is_some())
}

/// What tells a protocol.
fn told_by(protocol: &Protocol) -> String {
    let starts = protocol.blocks.iter().map(|block| &block.start).filter(|start| !start.is_empty());
    let tokens: Vec<&str> = starts.chain(&protocol.tokens).map(String::as_str).collect();
    let has = protocol.has.iter().map(|key| format!("`{key}` in config.json"));
    let lacks = protocol.lacks.iter().map(|key| format!("no `{key}` in config.json"));
    let when = protocol.when.iter().map(|(key, wanted)| format!("`{key}` = {wanted} in config.json"));
    let keys: Vec<String> = has.chain(lacks).chain(when).collect();
    let tokens = format!("the token{} {}", if tokens.len() == 1 { "" } else { "s" }, tokens.join(", "));
    if keys.is_empty() { tokens } else { format!("{tokens} and {}", keys.join(", ")) }
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

/// Tokens that end a sequence: of `generation_config.json`, else of `config.json`.
fn stops(checkpoint: &Path, config: &Config) -> Result<Vec<u32>> {
    let path = checkpoint.join("generation_config.json");
    let named = generation::keys(&path)?.and_then(|mut keys| keys.remove("eos_token_id"));
    let mut stops = listed(named.as_ref()).ok_or_else(|| {
        let cause = "`eos_token_id` is not a token id or a list of them";
        Error::content(&path, cause, "copy generation_config.json from the checkpoint again")
    })?;
    if stops.is_empty() {
        // The whole list where the configuration has one; else the id that was read and checked.
        stops = listed(config.key("eos_token_id")).unwrap_or_default();
        stops.retain(|id| (*id as usize) < config.text.vocab_size);
    }
    if stops.is_empty() {
        stops.extend(config.eos_token_id);
    }
    if stops.is_empty() {
        return Err(Error::content(checkpoint, "no `eos_token_id` is named", "name it in generation_config.json or config.json"));
    }
    Ok(stops)
}

/// One id or a list of them; `None` for anything else.
fn listed(value: Option<&Value>) -> Option<Vec<u32>> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(ids)) => ids.iter().map(id).collect(),
        Some(value) => Some(vec![id(value)?]),
    }
}
