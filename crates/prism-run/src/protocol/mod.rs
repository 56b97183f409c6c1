//! A latent protocol: which token opens a latent block, what is fed back, for how long,
//! and what ends it.
//!
//! A protocol is data: the TOML files in `protocols/`, embedded, and the same keys in a
//! file of one's own. Tokens are named by their text; which ids they have is looked up
//! in a checkpoint, never written down.

mod exit;

pub use exit::{Criterion, Exit, ExitChoice, ExitKind, THRESHOLD};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Answers, Error, Result, Stage, safe_toml};

/// Most forwards a block may be declared to take.
pub const LONGEST: usize = 4096;

/// What the forwards of a block read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The previous forward's last hidden state, after the final norm.
    HiddenState,
}

/// How many forwards a block takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// A multiple of K.
    Times(usize),
    /// Always as many.
    Forwards(usize),
}

impl Length {
    /// Forwards at `steps` = K.
    pub fn of(self, steps: usize) -> usize {
        match self {
            Self::Times(times) => times.saturating_mul(steps),
            Self::Forwards(forwards) => forwards,
        }
    }
}

/// A kind of block: what opens it, what ends it, its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The stage its forwards belong to; [`Stage::Target`] where there is only one.
    pub stage: Stage,
    /// Text of the token that opens it.
    pub start: String,
    /// Key of `config.json` with that token's id, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_id: Option<String>,
    /// Text of the token that ends it; the exit `token` needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Key of `config.json` with that token's id, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_id: Option<String>,
    /// Length in multiples of K; absent with `forwards`, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<usize>,
    /// Length that does not depend on K.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwards: Option<usize>,
}

impl Block {
    /// Its length.
    pub fn length(&self) -> Length {
        self.forwards.map_or(Length::Times(self.times.unwrap_or(1)), Length::Forwards)
    }
}

/// A checked protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// One word, used on the command line and in manifests.
    pub id: String,
    /// For people.
    pub name: String,
    /// K, where none is asked for.
    pub steps: usize,
    /// What is fed back.
    pub source: Source,
    /// Whether it passes through the checkpoint's latent head, if there is one.
    #[serde(default)]
    pub head: bool,
    /// When a block is left.
    pub exit: ExitKind,
    /// Distance of the exit `latent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criterion: Option<Criterion>,
    /// Threshold of the exit `latent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Most forwards of a block under the exits `latent` and `token`; absent: its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<usize>,
    /// Whether a stage's block may open again.
    #[serde(default = "yes")]
    pub repeat: bool,
    /// The rules that read its answers; absent: `tagged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answers>,
    /// Flags of `config.json` that tell this protocol from another with the same tokens;
    /// a key that is absent there counts as false.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, bool>,
    /// The kinds of block.
    pub blocks: Vec<Block>,
}

fn yes() -> bool {
    true
}

const PRESETS: [(&str, &str); 5] = [
    ("lvr", include_str!("../../../../protocols/lvr.toml")),
    ("p-lvr", include_str!("../../../../protocols/p-lvr.toml")),
    ("monet", include_str!("../../../../protocols/monet.toml")),
    ("mirage", include_str!("../../../../protocols/mirage.toml")),
    ("skila", include_str!("../../../../protocols/skila.toml")),
];

impl Protocol {
    /// Ids of the protocols Prism ships.
    pub fn preset_ids() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(id, _)| *id)
    }

    /// A shipped protocol by id, or one read from a TOML file.
    ///
    /// # Errors
    /// When there is no such protocol, or the file is not one.
    pub fn load(id_or_path: &str) -> Result<Self> {
        match PRESETS.iter().find(|(id, _)| *id == id_or_path) {
            Some((id, text)) => Self::parse(text, &PathBuf::from(format!("protocols/{id}.toml"))),
            None if id_or_path.ends_with(".toml") => {
                let path = Path::new(id_or_path);
                let text = crate::door::read_named(path, crate::door::Limit::Recipe)?;
                Self::parse(&text, path)
            }
            None => {
                let ids: Vec<_> = Self::preset_ids().collect();
                Err(Error::Value {
                    what: "protocol",
                    value: id_or_path.into(),
                    cause: "is not a preset".into(),
                    remedy: format!("use one of {} or the path of a .toml file", ids.join(", ")),
                })
            }
        }
    }

    /// Reads and checks `text` (of `path`, named in messages).
    ///
    /// # Errors
    /// [`Error::Content`] naming the key at fault.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let protocol: Self = safe_toml::from_str(text, path)?;
        match protocol.fault() {
            None => Ok(protocol),
            Some((key, cause, remedy)) => Err(Error::content(path, format!("key `{key}` {cause}"), remedy)),
        }
    }

    /// The first key that is wrong, why, and what to do.
    fn fault(&self) -> Option<(String, String, String)> {
        let fault = |key: &str, cause: String, remedy: &str| Some((key.to_string(), cause, remedy.to_string()));
        let within = |n: usize| (1..=LONGEST).contains(&n);
        let number = format!("give a whole number from 1 to {LONGEST}");
        if self.id.is_empty() || !self.id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return fault("id", format!("is `{}`", self.id), "give one word of letters, digits, `-`, `_` and `.`");
        }
        if !within(self.steps) {
            return fault("steps", format!("is {}", self.steps), &number);
        }
        if self.blocks.is_empty() {
            return fault("blocks", "is empty".into(), "declare at least one block with its start token");
        }
        for (i, block) in self.blocks.iter().enumerate() {
            let key = |name: &str| format!("blocks[{i}].{name}");
            if block.stage == Stage::Free {
                return fault(&key("stage"), "is `free`, a stage without feedback".into(), "leave the block out: its tokens are ordinary");
            }
            if block.start.is_empty() || self.blocks.iter().take(i).any(|other| other.start == block.start) {
                return fault(&key("start"), format!("is `{}`", block.start), "give every block a start token of its own");
            }
            if block.end.as_deref().is_some_and(|end| end.is_empty() || end == block.start) {
                return fault(
                    &key("end"),
                    "is empty or the start token".into(),
                    "give the token that ends the block, or leave the key out",
                );
            }
            if block.end.is_none() && (block.end_id.is_some() || self.exit == ExitKind::Token) {
                return fault(&key("end"), "is missing".into(), "name the end token: `end_id` and the exit `token` need it");
            }
            match (block.times, block.forwards) {
                (Some(_), Some(_)) => return fault(&key("times"), "stands beside `forwards`".into(), "give one of the two"),
                (Some(times), None) if !within(times) => return fault(&key("times"), format!("is {times}"), &number),
                (None, Some(forwards)) if !within(forwards) => return fault(&key("forwards"), format!("is {forwards}"), &number),
                _ => {}
            }
        }
        self.exit(&ExitChoice::default()).err().map(|e| ("exit".into(), format!("does not hold: {e}"), "correct the exit's keys".into()))
    }

    /// The exit under what is asked; what is not asked is as declared here.
    ///
    /// # Errors
    /// [`Error::Value`] when a part does not go with the exit, or the exit `token` is
    /// asked and a block has no end token.
    pub fn exit(&self, choice: &ExitChoice) -> Result<Exit> {
        let kind = choice.kind.unwrap_or(self.exit);
        // What is declared for one kind of exit says nothing about another.
        let declared = if kind == self.exit {
            ExitChoice { kind: None, criterion: self.criterion, threshold: self.threshold, cap: self.cap }
        } else {
            ExitChoice::default()
        };
        let exit = ExitChoice {
            kind: Some(kind),
            criterion: choice.criterion.or(declared.criterion),
            threshold: choice.threshold.or(declared.threshold),
            cap: choice.cap.or(declared.cap),
        }
        .resolve()?;
        let endless = self.blocks.iter().find(|block| block.end.is_none());
        if let (ExitKind::Token, Some(block)) = (kind, endless) {
            return Err(Error::Value {
                what: "exit",
                value: kind.name().into(),
                cause: format!("needs an end token, and protocol `{}` names none for the block that `{}` opens", self.id, block.start),
                remedy: "name it in the protocol's file, or choose another exit".into(),
            });
        }
        Ok(exit)
    }

    /// Whether the length of some block depends on K.
    pub fn depends_on_steps(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block.length(), Length::Times(_)))
    }
}

#[cfg(test)]
mod tests;
