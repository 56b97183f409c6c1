//! Weights and latents of two checkpoints crossed: a base's and a variant's weights, each with
//! the base's latents, the variant's, the teacher targets, and none.
//!
//! What is held in every cell is the text. The variant runs clean; what it wrote up to and
//! including `<answer>` is replayed, token for token and latent forward for latent forward, in
//! every other cell ([`Block::Replayed`](crate::decode::Block)). So the base's block, which it
//! never opens by itself, is opened by the start token that the variant wrote, and cells differ
//! in weights and in the vectors at the latent positions, and in nothing else. Two cells have no
//! vector: with the *markers* every token is replayed and no latent forward made; with *none* the
//! block is left out as a whole, start and end token and the white space behind it too. The
//! variant's weights with the variant's own latents are its clean run over again, to the bit:
//! the check of the instrument.
//!
//! Beside the crossing each checkpoint runs as it is, under its own protocol: the two ends of
//! the gain. States of those runs are kept at every layer.
//!
//! Results are written in parts, as those of an audit ([`super::parts`]): the same bytes
//! whatever threads, groups and interruptions.

use std::path::Path;

use prism_model::preprocess::Preprocessor;
use prism_model::prompt::{BlockLayout, Prompter};
use prism_model::{Engine, Error, Result};
use prism_run::records::CellRow;
use prism_run::{Cancel, Example, PathCell, Progress, Sight, Source, Weights};
use rayon::prelude::*;

use super::crossed::Group;
use super::parts::{self, Parts};
use super::{PART, Records};
use crate::decode::{Appended, ControlTokens, Decoder, Strategy};

/// One of the two checkpoints.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The model.
    pub model: &'a dyn Engine,
    /// Its prompts and tokenizer.
    pub prompter: &'a Prompter,
    /// Its own start, end and stop tokens.
    pub tokens: &'a ControlTokens,
    /// Steps, budget and exit of its own runs.
    pub strategy: Strategy,
}

impl<'a> Side<'a> {
    /// The decode loop of the checkpoint as it is.
    pub(super) fn decoder(self) -> Decoder<'a> {
        Decoder { model: self.model, tokenizer: self.prompter.tokenizer(), tokens: self.tokens, strategy: self.strategy }
    }
}

/// What is crossed, and with what.
pub struct Crossing<'a> {
    /// What training started from.
    pub base: Side<'a>,
    /// What it ended with.
    pub variant: Side<'a>,
    /// Image preprocessing of every cell: the variant's.
    pub preprocessor: &'a Preprocessor,
    /// How regions become blocks, for the teacher targets.
    pub layout: Option<BlockLayout>,
    /// Examples decoded side by side; changes speed and memory, never a byte of the records.
    pub group: usize,
    /// What identifies both checkpoints' files and the images' contents (hashes).
    pub checkpoints: String,
}

impl Crossing<'_> {
    /// Why a cell is not defined for these two checkpoints, whatever the example.
    pub fn undefined(&self, cell: PathCell) -> Option<String> {
        if !cell.latents.has_block() {
            return None;
        }
        if self.variant.tokens.rules.append == Appended::Nothing {
            return Some("nothing is appended at the variant's latents, so there is nothing to replay".into());
        }
        if self.variant.tokens.starts.is_empty() {
            return Some("the variant has no latent block".into());
        }
        if cell.latents == Source::Oracle && self.layout.is_none() {
            return Some("the variant has no known layout of teacher targets".into());
        }
        let of_base = cell.weights == Weights::Base || cell.latents == Source::Base;
        for (side, name) in [(&self.base, "base"), (&self.variant, "variant")] {
            if of_base && cell.latents.has_latents() && side.tokens.sight != Sight::Open {
                let cause = "so the cell would compare masks, not weights or latents";
                return Some(format!("the {name} was trained under the mask `{}`, {cause}", side.tokens.sight.name()));
            }
        }
        let rows = self.base.model.config().text.vocab_size;
        let needed = self.variant.tokens.starts.iter().map(|start| start.token).chain(self.variant.tokens.dummy);
        match needed.max().filter(|token| *token as usize >= rows) {
            Some(token) if of_base => Some(format!("the base has {rows} embedding rows, none for token {token} of the variant's block")),
            _ => None,
        }
    }

    /// Refuses two checkpoints that cannot be crossed.
    ///
    /// # Errors
    /// Other sizes, a token with another id, or an exit that a checkpoint cannot take.
    pub fn check(&self, examples: &[Example]) -> Result<()> {
        super::check_examples(examples)?;
        let [base, variant] = [self.base, self.variant].map(|side| side.model.config().family.model_type);
        if base != variant {
            let cause = format!("is of family {variant}, the base of {base}: their states are not the same kind of vector");
            return Err(Error::input("variant", cause, "give the base that the variant was trained from"));
        }
        let [base, variant] = [self.base, self.variant].map(|side| sizes(side.model.config()));
        for ((what, base), (_, variant)) in base.into_iter().zip(variant) {
            if base != variant {
                let cause = format!("has {what} {variant}, the base {base}: their states are not the same kind of vector");
                return Err(Error::input("variant", cause, "give the base that the variant was trained from"));
            }
        }
        if let Some(cause) = self.base.prompter.tokenizer().differs_in(self.variant.prompter.tokenizer()) {
            let cause = format!("does not have the base's tokens: {cause}");
            return Err(Error::input("variant", cause, "give the base that the variant was trained from"));
        }
        self.base.decoder().check()?;
        self.variant.decoder().check()
    }

    fn plan(&self, examples: &[Example]) -> serde_json::Value {
        let side = |side: &Side<'_>| {
            serde_json::json!({
                "device": side.model.device(),
                "dtype": side.model.dtype(),
                "steps": side.strategy.steps,
                "max_new_tokens": side.strategy.max_new_tokens,
                "exit": side.strategy.exit,
                "tokens": format!("{:?}", side.tokens),
            })
        };
        serde_json::json!({
            "format": FORMAT,
            "kind": "crossing",
            "checkpoints": self.checkpoints,
            "base": side(&self.base),
            "variant": side(&self.variant),
            "pixels": format!("{:?}", self.preprocessor),
            "layout": format!("{:?}", self.layout),
            "examples": examples,
        })
    }
}

/// Of these records; raised when they change.
const FORMAT: usize = 2;

/// The sizes that two checkpoints must share; rows of the embedding may differ.
fn sizes(config: &prism_model::Config) -> [(&'static str, usize); 6] {
    let text = &config.text;
    [
        ("hidden_size", text.hidden_size),
        ("num_hidden_layers", text.num_hidden_layers),
        ("num_attention_heads", text.num_attention_heads),
        ("num_key_value_heads", text.num_key_value_heads),
        ("intermediate_size", text.intermediate_size),
        ("vision depth", config.vision.depth),
    ]
}

/// Runs every cell of every example and writes `run/records/`; records of the same plan that
/// are there already are kept. An answer's `intervention` is its cell ([`PathCell`]); vectors
/// are called `base.POSITION@LAYER` and `variant.POSITION@LAYER`.
///
/// # Errors
/// As [`Crossing::check`]; a model or file failure, or [`prism_run::Error::Interrupted`], and
/// finished parts are kept.
pub fn record_crossing(
    crossing: &Crossing<'_>,
    examples: &[Example],
    run: &Path,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Records<CellRow>> {
    crossing.check(examples)?;
    let plan = crossing.plan(examples);
    if parts::recorded(run, &plan)? {
        return Records::read(&prism_run::records::folder(run));
    }
    let parts = Parts::open(run, &plan)?;
    let letters = super::answered::letter_forms(crossing.variant.prompter.tokenizer())?;
    let chunks: Vec<&[Example]> = examples.chunks(PART).collect();
    let done: usize = chunks.iter().enumerate().filter(|(i, _)| parts.has(*i)).map(|(_, chunk)| chunk.len()).sum();
    progress.begin("records", "examples", examples.len() as u64, done as u64);
    for (index, chunk) in chunks.iter().enumerate().filter(|(i, _)| !parts.has(*i)) {
        let groups: Vec<Records<CellRow>> = chunk
            .par_chunks(crossing.group.max(1))
            .map(|group| {
                cancel.check()?;
                let records = Group { crossing, letters: &letters, examples: group }.records()?;
                progress.advance(group.len() as u64);
                Ok(records)
            })
            .collect::<Result<_>>()?;
        let mut part = Records::default();
        groups.into_iter().for_each(|records| part.extend(records));
        parts.write(index, part)?;
    }
    progress.end();
    parts.merge::<CellRow>(run, chunks.len(), None)?;
    Records::read(&prism_run::records::folder(run))
}
