//! A latent protocol: which token opens a latent block, what is fed back, for how long,
//! and what ends it.
//!
//! A protocol is data: the TOML files in `protocols/`, embedded, and the same keys in a
//! file of one's own. Tokens are named by their text; which ids they have is looked up
//! in a checkpoint, never written down.

mod exit;
mod fault;
mod generation;
mod pixels;
mod presets;
mod prompt;
mod rules;
pub mod trained;

pub use exit::{Criterion, Exit, ExitChoice, ExitKind, THRESHOLD};
pub use generation::Published;
pub use pixels::Pixels;
pub use prompt::{IMAGE, ImagesAt, Positions, PromptLayout};
pub use rules::{Append, AtCap, Count, StartInside, StopsInside, Trigger};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::rules::is_default;
use crate::{Answers, Error, Result, Stage};

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
    /// Text of the token that opens it; empty where the end of the prompt does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
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
    /// After the prompt: the token that stands in the prompt for each latent, at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<String>,
    /// After the prompt: image tokens whose embeddings are read before each latent, those that the
    /// position before it attended to most and that were not read before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub insert: usize,
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
    /// Whether a checkpoint without that head is not the method's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub needs_head: bool,
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
    /// Key of `config.json` with K, where the runner takes it from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps_key: Option<String>,
    /// What opens a block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trigger: Trigger,
    /// Under the declared exit: whether the first token is the start token, whatever the model says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub opens_first: bool,
    /// What is appended inside a block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub append: Append,
    /// The token of `append = "pad"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad: Option<String>,
    /// Key of `config.json` with its id, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad_id: Option<String>,
    /// Under the declared exit: what is appended where a block ends by force.
    #[serde(default, skip_serializing_if = "is_default")]
    pub at_cap: AtCap,
    /// Under the declared exit: a text whose first token follows an end token that was forced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// Under the declared exit: a block ends by force when this many equal tokens in a row are said in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition: Option<usize>,
    /// What stop conditions do inside a block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stops_inside: StopsInside,
    /// What a start token does inside a block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start_inside: StartInside,
    /// Over what is counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub count: Count,
    /// Whether a stage's block may open again.
    #[serde(default = "yes")]
    pub repeat: bool,
    /// The rules that read its answers; absent: `tagged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answers>,
    /// Texts that end a sequence once it contains them, in capital letters or small.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_texts: Vec<String>,
    /// Whether a checkpoint is ever taken for one of this protocol without being told so.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub detect: bool,
    /// Flags of `config.json` that tell this protocol from another with the same tokens;
    /// a key that is absent there counts as false.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, bool>,
    /// Keys that its `config.json` has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<String>,
    /// Keys that its `config.json` does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
    /// Tokens that its tokenizer has, beside those of the blocks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// How the prompt is laid out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prompt: PromptLayout,
    /// Sizes of images.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pixels: Pixels,
    /// How tokens are chosen.
    #[serde(default, skip_serializing_if = "is_default")]
    pub generation: Published,
    /// The kinds of block.
    pub blocks: Vec<Block>,
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

impl Protocol {
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

    /// Whether what the runner forces holds under an exit of that kind: it belongs to the declared one.
    pub fn forces_under(&self, exit: ExitKind) -> bool {
        exit == self.exit
    }

    /// The same with K from the checkpoint's `config.json`, where the protocol names a key and it is there.
    ///
    /// # Errors
    /// [`Error::Value`] when what stands under the key is no length of a block.
    pub fn with_config<'v>(mut self, key: impl Fn(&str) -> Option<&'v serde_json::Value>) -> Result<Self> {
        if let Some((name, value)) = self.steps_key.as_deref().and_then(|name| Some((name, key(name)?))) {
            let steps = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=LONGEST).contains(n));
            self.steps = steps.ok_or_else(|| Error::Value {
                what: "config.json",
                value: format!("{name} = {value}"),
                cause: format!("is no number of latent steps, which protocol `{}` takes from it", self.id),
                remedy: format!("correct it to a whole number from 1 to {LONGEST}"),
            })?;
        }
        Ok(self)
    }

    /// Whether the length of some block depends on K.
    pub fn depends_on_steps(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block.length(), Length::Times(_)))
    }
}

#[cfg(test)]
mod tests;
