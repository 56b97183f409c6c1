//! How tokens are chosen: `generation_config.json` of a checkpoint, as transformers reads it.
//!
//! What changes tokens and is applied becomes a field of [`Generation`]; what is there and is not
//! applied is named in [`Generation::unapplied`], never passed over.

use std::path::Path;

use prism_run::protocol::Published;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Error, Result};

mod keys;

pub use keys::keys;

/// Temperature and what is kept, where tokens are sampled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sampling {
    /// Divides the logits.
    pub temperature: f64,
    /// Most likely tokens kept; 0 keeps all.
    pub top_k: usize,
    /// Share of the probability kept.
    pub top_p: f64,
    /// Tokens below this share of the likeliest one's probability are left out.
    pub min_p: f64,
}

impl Default for Sampling {
    /// transformers' defaults.
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 50, top_p: 1.0, min_p: 0.0 }
    }
}

/// The settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Generation {
    /// Divides the logits of tokens that stand in the sequence, or multiplies those below 0; 1 does nothing.
    pub repetition_penalty: f64,
    /// No run of this many tokens comes twice; 0 does nothing.
    pub no_repeat_ngram_size: usize,
    /// Tokens never said.
    pub suppress_tokens: Vec<u32>,
    /// Tokens not said first.
    pub begin_suppress_tokens: Vec<u32>,
    /// Whether the runner samples.
    pub do_sample: bool,
    /// How.
    pub sampling: Sampling,
    /// What `generation_config.json` says beside these and is not applied, `key = value` each.
    pub unapplied: Vec<String>,
}

impl Default for Generation {
    fn default() -> Self {
        Self::plain()
    }
}

impl Generation {
    /// Greedy, without any penalty.
    pub fn plain() -> Self {
        Self {
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            suppress_tokens: Vec::new(),
            begin_suppress_tokens: Vec::new(),
            do_sample: false,
            sampling: Sampling { top_k: 0, ..Sampling::default() },
            unapplied: Vec::new(),
        }
    }

    /// Whether greedy decoding takes the largest logit, whatever stands in the sequence.
    pub fn is_plain(&self) -> bool {
        !self.reads_history() && self.suppress_tokens.is_empty() && self.begin_suppress_tokens.is_empty()
    }

    /// Whether a token depends on those before it other than through the model.
    pub fn reads_history(&self) -> bool {
        self.repetition_penalty != 1.0 || self.no_repeat_ngram_size > 0
    }

    /// What a method's runner does with this checkpoint: its own settings over the checkpoint's.
    ///
    /// # Errors
    /// `generation_config.json` is damaged, or a setting in it is out of range.
    pub fn published(checkpoint: &Path, published: &Published) -> Result<Self> {
        let defaults = || Self { sampling: Sampling::default(), ..Self::plain() };
        let mut settings = if published.checkpoint { Self::read(checkpoint)? } else { defaults() };
        let of = &published;
        settings.do_sample = of.do_sample.unwrap_or(settings.do_sample);
        settings.repetition_penalty = of.repetition_penalty.unwrap_or(settings.repetition_penalty);
        let sampling = settings.sampling;
        settings.sampling = Sampling {
            temperature: of.temperature.unwrap_or(sampling.temperature),
            top_k: of.top_k.unwrap_or(sampling.top_k),
            top_p: of.top_p.unwrap_or(sampling.top_p),
            ..sampling
        };
        Ok(settings)
    }

    /// What the checkpoint's `generation_config.json` says; plain where there is none.
    ///
    /// # Errors
    /// As [`Generation::published`].
    pub fn read(checkpoint: &Path) -> Result<Self> {
        let path = checkpoint.join("generation_config.json");
        let (path, keys) = match keys(&path)? {
            Some(keys) => (path, keys),
            None => keys::older(checkpoint)?,
        };
        let file = File { path: &path, keys: &keys };
        let (plain, default) = (Self::plain(), Sampling::default());
        let settings = Self {
            repetition_penalty: file.positive("repetition_penalty")?.unwrap_or(1.0),
            no_repeat_ngram_size: file.whole("no_repeat_ngram_size")?.unwrap_or(0),
            suppress_tokens: file.ids("suppress_tokens")?,
            begin_suppress_tokens: file.ids("begin_suppress_tokens")?,
            do_sample: keys.get("do_sample").and_then(Value::as_bool).unwrap_or(false),
            sampling: Sampling {
                temperature: file.positive("temperature")?.unwrap_or(default.temperature),
                top_k: file.whole("top_k")?.unwrap_or(default.top_k),
                top_p: file.positive("top_p")?.unwrap_or(default.top_p).min(1.0),
                min_p: file.number("min_p")?.unwrap_or(default.min_p),
            },
            ..plain
        };
        Ok(Self { unapplied: keys::unapplied(&keys), ..settings })
    }
}

struct File<'a> {
    path: &'a Path,
    keys: &'a Map<String, Value>,
}

impl File<'_> {
    fn bad(&self, key: &str, value: &Value) -> Error {
        let remedy = "correct it, or choose --generation plain";
        Error::content(self.path, format!("`{key}` = {value} is out of range"), remedy)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).filter(|value| !value.is_null())
    }

    fn checked<T>(&self, key: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>> {
        self.get(key).map(|value| read(value).ok_or_else(|| self.bad(key, value))).transpose()
    }

    fn positive(&self, key: &str) -> Result<Option<f64>> {
        self.checked(key, |value| value.as_f64().filter(|n| n.is_finite() && *n > 0.0))
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        self.checked(key, |value| value.as_f64().filter(|n| (0.0..=1.0).contains(n)))
    }

    fn whole(&self, key: &str) -> Result<Option<usize>> {
        self.checked(key, |value| value.as_u64().and_then(|n| usize::try_from(n).ok()))
    }

    fn ids(&self, key: &str) -> Result<Vec<u32>> {
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        Ok(self.checked(key, |value| value.as_array()?.iter().map(id).collect())?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Generation> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("generation_config.json"), text).unwrap();
        Generation::read(folder.path())
    }

    #[test]
    fn what_qwen_publishes_is_read_and_nothing_is_passed_over() {
        let settings =
            read(r#"{"bos_token_id": 1, "eos_token_id": [2, 3], "do_sample": true, "repetition_penalty": 1.05, "temperature": 0.000001}"#);
        let settings = settings.unwrap();
        assert_eq!((settings.repetition_penalty, settings.do_sample, settings.sampling.top_k), (1.05, true, 50));
        assert!(settings.unapplied.is_empty() && settings.reads_history());
        let named = read(r#"{"num_beams": 4, "guidance_scale": 1.0, "bad_words_ids": [[5]], "typical_p": null, "novelty": 1}"#).unwrap();
        assert_eq!(named.unapplied, ["bad_words_ids = [[5]]", "novelty = 1", "num_beams = 4"]);
        assert!(named.is_plain());
    }

    /// What transformers 4.54.1 and 5.23 make of a folder without `generation_config.json`, and of stop tokens that are none.
    #[test]
    fn settings_of_older_folders_are_read_from_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let config = r#"{"suppress_tokens": [5], "vocab_size": 9, "text_config": {"suppress_tokens": [6], "repetition_penalty": 1.5, "hidden_size": 8}}"#;
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let found = Generation::read(folder.path()).unwrap();
        assert_eq!((found.suppress_tokens, found.repetition_penalty, found.unapplied.len()), (vec![5], 1.5, 0));
        std::fs::write(folder.path().join("generation_config.json"), r#"{"eos_token_id": []}"#).unwrap();
        let found = Generation::read(folder.path()).unwrap();
        assert!(found.is_plain() && found.unapplied == ["eos_token_id = []"], "{found:?}");
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        for text in [r#"{"repetition_penalty": 0}"#, r#"{"suppress_tokens": [-1]}"#, r#"{"top_k": 1.5}"#, r#"{"min_p": 2}"#] {
            let message = read(text).unwrap_err().to_string();
            let key = text.split('"').nth(1).unwrap();
            assert!(message.contains(key) && message.contains("--generation plain"), "{message}");
        }
        assert!(read("[]").is_err() && read("{").is_err());
    }

    #[test]
    fn a_runners_own_settings_come_first() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("generation_config.json"), r#"{"repetition_penalty": 1.05, "top_k": 3}"#).unwrap();
        let own = Published { top_p: Some(0.9), do_sample: Some(true), ..Published::default() };
        let both = Generation::published(folder.path(), &own).unwrap();
        assert_eq!((both.repetition_penalty, both.sampling.top_k, both.sampling.top_p, both.do_sample), (1.05, 3, 0.9, true));
        let alone = Published { checkpoint: false, repetition_penalty: Some(1.01), ..Published::default() };
        assert_eq!(Generation::published(folder.path(), &alone).unwrap().repetition_penalty, 1.01);
    }
}
