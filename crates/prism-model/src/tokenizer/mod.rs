//! Text to token ids and back: Qwen2's byte-level BPE with its special tokens.
//!
//! [`files`] reads either of the two forms a checkpoint has (`tokenizer.json`, or
//! `vocab.json` + `merges.txt` + added tokens), [`settings`] what stands beside them, [`template`] renders the chat
//! template, [`latent`] finds or adds the latent block's tokens (method, section 2),
//! [`make`] builds the generated world's own tokenizer.

pub mod files;
pub mod latent;
pub mod make;
pub mod settings;
pub mod template;

use std::path::{Path, PathBuf};

use prism_run::{Error, Result};

use files::AddedToken;

pub use latent::{LatentTokens, StageTokens};
pub use template::ChatTemplate;

/// A checkpoint's tokenizer and chat template.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    template: ChatTemplate,
    folder: PathBuf,
    cut: Option<usize>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("folder", &self.folder).field("size", &self.len()).finish()
    }
}

impl Tokenizer {
    /// Reads a checkpoint folder's tokenizer and chat template.
    ///
    /// # Errors
    /// When a file is missing or malformed, or token ids contradict each other.
    pub fn from_dir(folder: &Path) -> Result<Self> {
        let mut definition = files::definition(folder)?;
        let settings = settings::settle(folder, &mut definition)?;
        let bytes = serde_json::to_vec(&definition.json)
            .map_err(|e| Error::content(&definition.path, e.to_string(), "copy the file from the checkpoint again"))?;
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|e| Error::content(&definition.path, e.to_string(), "copy the tokenizer files from the checkpoint again"))?;
        let refused =
            |e: tokenizers::Error| Error::content(&definition.path, e.to_string(), "copy the tokenizer files from one checkpoint");
        inner.add_tokens(settings.declared.iter().map(added)).map_err(refused)?;
        inner.add_special_tokens(settings.named.iter().map(|name| tokenizers::AddedToken::from(name, true))).map_err(refused)?;
        for token in definition.added.iter().chain(&settings.declared) {
            let found = inner.token_to_id(&token.content);
            if found != Some(token.id) {
                let found = found.map_or("is none".into(), |id| format!("is {id}"));
                let cause = format!("the added token `{}` should be {} but {found}", token.content, token.id);
                return Err(Error::content(&definition.path, cause, "copy all tokenizer files from one checkpoint"));
            }
        }
        Ok(Self { inner, template: ChatTemplate::from_dir(folder)?, folder: folder.to_path_buf(), cut: settings.cut })
    }

    /// Token ids of a whole prompt: those of its text, and what the tokenizer's own template adds to every text.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`], and when `tokenizer.json` would cut the prompt.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, true).map_err(|e| self.refuse(e.to_string()))?;
        let ids = encoding.get_ids();
        match self.cut.filter(|cut| ids.len() > *cut) {
            Some(cut) => {
                let cause = format!("`truncation` would cut this prompt of {} tokens after {cut}", ids.len());
                Err(Error::content(&self.folder.join("tokenizer.json"), cause, "set `truncation` to null"))
            }
            None => Ok(ids.to_vec()),
        }
    }

    /// Token ids of `text`. Special tokens written out in it are recognised; nothing is added.
    ///
    /// # Errors
    /// When a character has no token (no byte alphabet in the vocabulary).
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(|e| self.refuse(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of `ids`, special tokens written out. Ids without a token are left out.
    ///
    /// # Errors
    /// When the decoder refuses.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, false).map_err(|e| self.refuse(e.to_string()))
    }

    /// Id of a token by its content, special or not.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Id of a token that the model cannot do without.
    ///
    /// # Errors
    /// When the tokenizer does not have it.
    pub fn require(&self, token: &str) -> Result<u32> {
        self.token_id(token).ok_or_else(|| {
            Error::content(&self.folder, format!("the tokenizer has no token `{token}`"), "use the tokenizer of a Qwen-VL checkpoint")
        })
    }

    /// Content of a token in the vocabulary's own alphabet.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// A token of this tokenizer that `other` does not have, or has under another id: the one of
    /// the lowest id here, in words; `None` when all are there.
    pub fn differs_in(&self, other: &Tokenizer) -> Option<String> {
        let vocabulary = self.inner.get_vocab(true);
        let missing = vocabulary.iter().filter(|(token, id)| other.token_id(token) != Some(**id)).min_by_key(|(_, id)| **id)?;
        let there = other.token_id(missing.0).map_or("absent there".to_string(), |id| format!("{id} there"));
        Some(format!("`{}` is {} here and {there}", missing.0, missing.1))
    }

    /// Highest id plus one: the embedding rows a model needs for it.
    pub fn len(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1)
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The chat template.
    pub fn template(&self) -> &ChatTemplate {
        &self.template
    }

    /// The folder it was read from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn refuse(&self, cause: String) -> Error {
        Error::content(&self.folder, format!("the tokenizer failed: {cause}"), "copy the tokenizer files from the checkpoint again")
    }
}

/// A token as the tokenizer's library has it.
fn added(token: &AddedToken) -> tokenizers::AddedToken {
    tokenizers::AddedToken::from(token.content.as_str(), token.special)
        .single_word(token.single_word)
        .lstrip(token.lstrip)
        .rstrip(token.rstrip)
        .normalized(token.normalized)
}
