//! The tokens of the latent block (method, section 2): finding their ids, and
//! adding them to the tokenizer of a base model.

use std::path::Path;

use prism_run::{Error, Result, Stage, Stages};
use serde_json::{Map, Value, json};

use super::Tokenizer;
use super::files::{self, AddedToken};
use crate::config::LatentConfig;

/// Token and configuration key, in the order in which they are added. The first
/// four serve every variant, the rest the staged ones.
const TOKENS: [(&str, &str); 11] = [
    ("<|lvr_start|>", "lvr_start_id"),
    ("<|lvr|>", "lvr_id"),
    ("<|lvr_latent_end|>", "lvr_latent_end_id"),
    ("<|lvr_end|>", "lvr_end_id"),
    ("<|ctx_start|>", "ctx_start_id"),
    ("<|ctx_end|>", "ctx_end_id"),
    ("<|free_start|>", "free_start_id"),
    ("<|free_end|>", "free_end_id"),
    ("<|tgt_start|>", "tgt_start_id"),
    ("<|tgt_end|>", "tgt_end_id"),
    ("<|free|>", "free_id"),
];
const SINGLE: usize = 4;

/// The tokens in the order of [`TOKENS`] that a layout of that kind needs.
fn needed(stages: Stages) -> &'static [(&'static str, &'static str)] {
    match stages {
        Stages::None => &[],
        Stages::Single => &TOKENS[..SINGLE],
        Stages::ContextTarget | Stages::ContextFreeTarget => &TOKENS,
    }
}

/// Start and end of one stage's block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageTokens {
    /// Opens the block.
    pub start: u32,
    /// Closes it.
    pub end: u32,
}

/// Ids of the latent block's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatentTokens {
    /// `<|lvr|>`: one latent position.
    pub lvr: u32,
    /// `<|lvr_start|>`, `<|lvr_end|>`: the block of a single-stage variant.
    pub block: StageTokens,
    /// `<|lvr_latent_end|>`, if the tokenizer has it.
    pub latent_end: Option<u32>,
    /// The blocks of the staged variants, if the model has them.
    pub staged: Option<StagedTokens>,
}

/// Ids that only staged variants have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagedTokens {
    /// `<|ctx_start|>`, `<|ctx_end|>`.
    pub context: StageTokens,
    /// `<|free_start|>`, `<|free_end|>`.
    pub free_block: StageTokens,
    /// `<|tgt_start|>`, `<|tgt_end|>`.
    pub target: StageTokens,
    /// `<|free|>`: one free position.
    pub free: u32,
}

impl LatentTokens {
    /// The ids of a checkpoint: those of its configuration, else those of its
    /// tokenizer; `None` if it has no latent block (a base model).
    ///
    /// # Errors
    /// When configuration and tokenizer name different ids, or some of a group are missing.
    pub fn resolve(config: &LatentConfig, tokenizer: &Tokenizer) -> Result<Option<Self>> {
        let configured = [
            config.lvr_start_id,
            config.lvr_id,
            config.lvr_latent_end_id,
            config.lvr_end_id,
            config.ctx_start_id,
            config.ctx_end_id,
            config.free_start_id,
            config.free_end_id,
            config.tgt_start_id,
            config.tgt_end_id,
            config.free_id,
        ];
        let mut ids = [None; TOKENS.len()];
        for (((token, key), configured), id) in TOKENS.iter().zip(configured).zip(&mut ids) {
            let known = tokenizer.token_id(token);
            if let (Some(a), Some(b)) = (configured, known)
                && a != b
            {
                let cause = format!("config.json says `{key}` = {a}, the tokenizer says `{token}` = {b}");
                return Err(Error::content(tokenizer.folder(), cause, "take both from the same checkpoint"));
            }
            *id = configured.or(known);
        }
        let [start, lvr, latent_end, end, staged @ ..] = ids;
        let missing = |what: &str| {
            let cause = format!("some of the {what} tokens have no id");
            Error::content(tokenizer.folder(), cause, "take config.json and tokenizer files from the same checkpoint")
        };
        let (start, lvr, end) = match (start, lvr, end) {
            (Some(start), Some(lvr), Some(end)) => (start, lvr, end),
            (None, None, None) => return Ok(None),
            _ => return Err(missing("latent block's")),
        };
        let staged = match staged {
            [Some(ctx_start), Some(ctx_end), Some(free_start), Some(free_end), Some(tgt_start), Some(tgt_end), Some(free)] => {
                Some(StagedTokens {
                    context: StageTokens { start: ctx_start, end: ctx_end },
                    free_block: StageTokens { start: free_start, end: free_end },
                    target: StageTokens { start: tgt_start, end: tgt_end },
                    free,
                })
            }
            _ if config.plvr_mode => return Err(missing("stages'")),
            _ => None,
        };
        Ok(Some(Self { lvr, block: StageTokens { start, end }, latent_end, staged }))
    }

    /// Start and end token of a stage under that layout; `None` if the model lacks them.
    pub fn stage(&self, stages: Stages, stage: Stage) -> Option<StageTokens> {
        match (stages, stage) {
            (Stages::Single, Stage::Target) => Some(self.block),
            (Stages::Single | Stages::None, _) => None,
            (_, Stage::Context) => self.staged.map(|s| s.context),
            (_, Stage::Free) => self.staged.map(|s| s.free_block),
            (_, Stage::Target) => self.staged.map(|s| s.target),
        }
    }

    /// Whether a forward whose input is `id` opens a latent block with feedback, and
    /// of which stage. Staged models open at the context and the target start, and
    /// at the plain start as every model does.
    pub fn opens(&self, id: u32) -> Option<Stage> {
        match self.staged {
            Some(staged) if id == staged.context.start => Some(Stage::Context),
            Some(staged) if id == staged.target.start => Some(Stage::Target),
            _ if id == self.block.start => Some(Stage::Target),
            _ => None,
        }
    }

    /// Whether the id stands for a latent or free position: never counted by the cross-entropy.
    pub fn is_position(&self, id: u32) -> bool {
        id == self.lvr || self.staged.is_some_and(|s| s.free == id)
    }
}

/// What adding the latent tokens to a tokenizer came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// Keys for `config.json`: every `*_id`, `plvr_mode`, `include_free_stage`, `num_free_tokens`.
    pub config: Vec<(String, Value)>,
    /// Embedding rows the model must have at least.
    pub vocab_size: usize,
}

/// Copies the tokenizer of `from` into the existing folder `to` and adds the latent
/// tokens a layout needs: 4, or 11 if it is staged, none without a block. Tokens it has already keep their ids.
///
/// # Errors
/// When files cannot be read or written.
pub fn add(from: &Path, to: &Path, stages: Stages, free_tokens: usize) -> Result<Added> {
    let tokenizer = Tokenizer::from_dir(from)?;
    files::copy(from, to)?;
    if stages == Stages::None {
        return Ok(Added { config: Vec::new(), vocab_size: tokenizer.len() });
    }
    let mut next = tokenizer.len() as u32;
    let mut fresh = Vec::new();
    let mut config = Vec::new();
    for (token, key) in needed(stages) {
        let id = tokenizer.token_id(token).unwrap_or_else(|| {
            fresh.push(AddedToken::special(token, next));
            next += 1;
            next - 1
        });
        config.push((key.to_string(), json!(id)));
    }
    config.push(("plvr_mode".into(), json!(stages.is_staged())));
    config.push(("include_free_stage".into(), json!(stages == Stages::ContextFreeTarget)));
    config.push(("num_free_tokens".into(), json!(free_tokens)));
    write_added(to, &tokenizer, &fresh)?;
    Ok(Added { config, vocab_size: next as usize })
}

/// Enters tokens into every file that lists added tokens.
fn write_added(folder: &Path, base: &Tokenizer, fresh: &[AddedToken]) -> Result<()> {
    let json = |value: &AddedToken| serde_json::to_value(value).unwrap_or_default();
    let path = folder.join("tokenizer.json");
    if path.exists() {
        let mut whole: Value = files::read_json(&path)?;
        list(&mut whole, "added_tokens", &path)?.extend(fresh.iter().map(json));
        files::write_json(&path, &whole)?;
    }

    let path = folder.join("added_tokens.json");
    let mut ids: Map<String, Value> = files::object(&path)?;
    if ids.is_empty() {
        let known = files::definition(base.folder())?.added;
        ids.extend(known.into_iter().map(|token| (token.content, json!(token.id))));
    }
    ids.extend(fresh.iter().map(|token| (token.content.clone(), json!(token.id))));
    files::write_json(&path, &ids)?;

    let path = folder.join("tokenizer_config.json");
    let mut config = Value::Object(files::object(&path)?);
    if config.get("added_tokens_decoder").is_none() {
        let known = files::definition(base.folder())?.added;
        config["added_tokens_decoder"] = known.iter().map(|t| (t.id.to_string(), described(t))).collect::<Map<_, _>>().into();
    }
    let decoder = config["added_tokens_decoder"]
        .as_object_mut()
        .ok_or_else(|| Error::content(&path, "`added_tokens_decoder` is no object", "copy the file from the checkpoint again"))?;
    decoder.extend(fresh.iter().map(|token| (token.id.to_string(), described(token))));
    list(&mut config, "additional_special_tokens", &path)?.extend(fresh.iter().map(|token| json!(token.content)));
    files::write_json(&path, &config)?;

    let path = folder.join("special_tokens_map.json");
    let mut map = Value::Object(files::object(&path)?);
    list(&mut map, "additional_special_tokens", &path)?.extend(fresh.iter().map(|token| {
        let mut entry = described(token);
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("special");
        }
        entry
    }));
    files::write_json(&path, &map)
}

/// A token as `added_tokens_decoder` describes it: without its id.
pub(super) fn described(token: &AddedToken) -> Value {
    let mut value = serde_json::to_value(token).unwrap_or_default();
    if let Some(entry) = value.as_object_mut() {
        entry.remove("id");
    }
    value
}

/// The array under `key`, made if absent.
fn list<'a>(value: &'a mut Value, key: &str, path: &Path) -> Result<&'a mut Vec<Value>> {
    let wrong = || Error::content(path, format!("`{key}` is no list"), "copy the file from the checkpoint again");
    let object = value.as_object_mut().ok_or_else(wrong)?;
    object.entry(key).or_insert_with(|| json!([])).as_array_mut().ok_or_else(wrong)
}
