//! The one decode loop (method, section 4), with typed sites in the latent block.
//!
//! A [`Prefix`] is an example's prompt after the vision pass and the prefill: made
//! once, shared by every branch of the example. A [`Branch`] is a prefix and a
//! [`Hook`]; the hook may read every state and replace every fed-back vector.
//! [`Decoder::decode`] runs branches of one or of several examples side by side, one
//! batched forward per token, and gives a [`Trajectory`] each.
//!
//! | module | holds |
//! |---|---|
//! | [`prefix`] | example -> prompt, image features, prefill |
//! | [`control`] | a protocol and a checkpoint -> the tokens that steer |
//! | [`strategy`] | which forward reads a token, which a vector; when it ends |
//! | [`site`] | sites and the hook trait |
//! | [`intervention`] | zero, noise, swap as hooks |
//! | [`trajectory`] | what a branch did; the probe vectors |
//! | [`answer`] | answer parsing, outcomes, the answer's distribution |
//!
//! A row's arithmetic does not depend on the rows beside it, so a branch's result is
//! the same to the bit alone, beside its sisters, and beside other examples.

pub mod answer;
pub mod control;
pub mod intervention;
pub mod prefix;
pub mod site;
pub mod strategy;
pub mod trajectory;

pub use control::{ControlTokens, Start, detect};
pub use intervention::{Latents, Noise, NoiseFile, NoiseSource, Swap, Zero};
pub use prefix::{Prefiller, Prefix};
pub use site::{Hook, Refusal, Side, Site, Untouched};
pub use strategy::{Feed, Place, Sequence, Strategy};
pub use trajectory::{Forward, Trajectory};

use prism_run::protocol::{Criterion, Exit};

use crate::cache::BranchCache;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::tensor::{self, Tensor};
use crate::tokenizer::Tokenizer;

/// Tokens looked back at to find `<answer>`: more than it has characters.
const WINDOW: usize = 16;

/// One continuation of one example.
pub struct Branch<'a> {
    /// The example's prompt, shared.
    pub prefix: &'a Prefix,
    /// What happens at its sites.
    pub hook: Box<dyn Hook + 'a>,
}

impl<'a> Branch<'a> {
    /// A branch.
    pub fn new(prefix: &'a Prefix, hook: impl Hook + 'a) -> Self {
        Self { prefix, hook: Box::new(hook) }
    }
}

/// A model ready to decode.
#[derive(Clone, Copy)]
pub struct Decoder<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Start, end and stop tokens.
    pub tokens: &'a ControlTokens,
    /// Steps, budget and exit.
    pub strategy: Strategy,
}

/// What the exit `latent` compares feedback with.
struct End {
    criterion: Criterion,
    /// The end embedding, `[hidden]`.
    embedding: Vec<f32>,
}

/// A branch under way.
struct Row<'a> {
    index: usize,
    sequence: Sequence<'a>,
    hook: Box<dyn Hook + 'a>,
    trajectory: Trajectory,
    /// What the next latent forward would read: the last state, through the head if there is one.
    feedback: Vec<f32>,
    /// Its distance from the end embedding, where the exit looks at it.
    distance: Option<f64>,
    latent: usize,
}

impl<'a> Decoder<'a> {
    /// Decodes all branches side by side; one trajectory each, in their order.
    ///
    /// # Errors
    /// As [`Decoder::check`], and when the model or the tokenizer fails. A hook that refuses
    /// ends its own branch only ([`Trajectory::refusal`]).
    pub fn decode(&self, branches: Vec<Branch<'a>>) -> Result<Vec<Trajectory>> {
        self.check()?;
        let end = self.end()?;
        let mut done: Vec<Option<Trajectory>> = branches.iter().map(|_| None).collect();
        let mut cache = BranchCache::new(branches.iter().map(|b| b.prefix.cache.clone()));
        let mut states: Vec<f32> = branches.iter().flat_map(|b| b.prefix.last_state.iter().copied()).collect();
        let mut rows: Vec<Row<'a>> = branches
            .into_iter()
            .enumerate()
            .map(|(index, branch)| Row {
                index,
                sequence: Sequence::new(self.strategy, self.tokens, branch.prefix.prompt_ids.last().copied().unwrap_or_default()),
                hook: branch.hook,
                trajectory: Trajectory::default(),
                feedback: Vec::new(),
                distance: None,
                latent: 0,
            })
            .collect();
        let mut fed: Vec<Option<(Vec<f32>, f64)>> = rows.iter().map(|_| None).collect();
        while !rows.is_empty() {
            self.take_in(&mut rows, &mut states, fed, end.as_ref())?;
            let keep: Vec<bool> = rows.iter().map(|r| !r.is_over()).collect();
            cache.retain(&keep);
            for row in rows.extract_if(.., |r| r.is_over()) {
                let Row { index, sequence, mut trajectory, .. } = row;
                trajectory.generated = sequence.into_generated();
                trajectory.text = self.tokenizer.decode(&trajectory.generated)?;
                if let Some(slot) = done.get_mut(index) {
                    *slot = Some(trajectory);
                }
            }
            if rows.is_empty() {
                break;
            }
            let (embeds, read) = self.inputs(&mut rows)?;
            // A row whose hook refused ends after this forward, which it no longer
            // takes in: rows and cache stay in step.
            fed = read;
            states = tensor::values(&self.model.decode_step(&embeds, &mut cache)?)?;
        }
        Ok(done.into_iter().flatten().collect())
    }

    /// Whether the checkpoint has what the exit needs.
    ///
    /// # Errors
    /// When it is `latent` and there is no end embedding, or `token` and a block has no end token.
    pub fn check(&self) -> Result<()> {
        let endless = matches!(self.strategy.exit, Exit::Token { .. }).then(|| self.tokens.endless()).flatten();
        if let Some(start) = endless {
            let cause = format!("needs an end token, and the tokenizer has none for the {} block", start.stage.name());
            return Err(Error::input("exit `token`", cause, "choose another exit, or correct the protocol's `end`"));
        }
        self.end().map(|_| ())
    }

    fn end(&self) -> Result<Option<End>> {
        let Exit::Latent { criterion, .. } = self.strategy.exit else { return Ok(None) };
        match &self.model.latent_end {
            Some(embedding) => Ok(Some(End { criterion, embedding: tensor::values(embedding)? })),
            None => Err(Error::input(
                "exit `latent`",
                "needs the learned end embedding `lvr_latent_end_emb`, which the checkpoint does not have",
                "choose the exit steps or token, or a checkpoint that was trained with `latent_end_token`",
            )),
        }
    }

    /// Takes in the states of a forward: output sites, logits, the argmax token.
    fn take_in(&self, rows: &mut [Row<'a>], states: &mut [f32], fed: Vec<Option<(Vec<f32>, f64)>>, end: Option<&End>) -> Result<()> {
        let hidden = self.model.config.text.hidden_size;
        for ((row, state), fed) in rows.iter_mut().zip(states.chunks_exact_mut(hidden)).zip(fed) {
            if row.trajectory.refusal.is_some() {
                continue;
            }
            let place = row.place();
            if let Some(vector) = row.ask(place, Side::Output, state) {
                state.copy_from_slice(&vector);
            }
            row.latent += usize::from(place.is_some());
            let (fed, perturbation) = fed.unzip();
            row.trajectory.forwards.push(Forward { place, state: state.to_vec(), fed, perturbation });
        }
        let states = Tensor::from_slice(states, (rows.len(), hidden), &self.model.device)?.to_dtype(self.model.dtype)?;
        let feedback = tensor::values(&if self.tokens.head { self.model.feedback(&states)? } else { states.clone() })?;
        let logits = tensor::values(&self.model.decode_logits(&states)?)?;
        let vocab = logits.len() / rows.len().max(1);
        for ((row, feedback), logits) in rows.iter_mut().zip(feedback.chunks_exact(hidden)).zip(logits.chunks_exact(vocab.max(1))) {
            if row.trajectory.refusal.is_some() {
                continue;
            }
            if logits.iter().any(|v| !v.is_finite()) {
                return Err(Error::input(
                    format!("decode step {}", row.trajectory.forwards.len()),
                    "its logits are not finite numbers",
                    "check the checkpoint's weights, the dtype and the interventions",
                ));
            }
            row.feedback.clear();
            row.feedback.extend_from_slice(feedback);
            let forward = row.trajectory.forwards.len() - 1;
            if row.trajectory.answer_forward.is_none() && self.answer_opened(row.sequence.generated())? {
                row.trajectory.answer_forward = Some(forward);
                row.trajectory.answer_logits = Some(logits.to_vec());
            }
            // The exit looks at what this forward read: the previous forward's feedback.
            let distance = std::mem::replace(&mut row.distance, end.map(|end| end.criterion.distance(feedback, &end.embedding)));
            row.sequence.advance(argmax(logits), distance);
        }
        Ok(())
    }

    /// Whether the text so far ends in a freshly completed `<answer>`. Asked after every
    /// token, so a look at the last few is enough.
    fn answer_opened(&self, generated: &[u32]) -> Result<bool> {
        if generated.is_empty() {
            return Ok(false);
        }
        let tail = generated.get(generated.len().saturating_sub(WINDOW)..).unwrap_or(generated);
        Ok(self.tokenizer.decode(tail)?.contains(answer::OPENING))
    }

    /// The next forward's input embeddings `[rows, hidden]`, and for latent forwards the
    /// vector read with the norm of what the hook changed.
    #[allow(clippy::type_complexity)]
    fn inputs(&self, rows: &mut [Row<'a>]) -> Result<(Tensor, Vec<Option<(Vec<f32>, f64)>>)> {
        let hidden = self.model.config.text.hidden_size;
        let tokens: Vec<u32> = rows
            .iter()
            .filter_map(|row| match row.sequence.feed() {
                Feed::Token(id) => Some(id),
                Feed::Latent(_) => None,
            })
            .collect();
        let embedded = if tokens.is_empty() { Vec::new() } else { tensor::values(&self.model.embed(&tokens)?)? };
        let mut embedded = embedded.chunks_exact(hidden);
        let mut embeds: Vec<f32> = Vec::with_capacity(rows.len() * hidden);
        let mut read = Vec::with_capacity(rows.len());
        for row in rows {
            match row.sequence.feed() {
                Feed::Token(_) => {
                    embeds.extend_from_slice(embedded.next().unwrap_or_default());
                    read.push(None);
                }
                Feed::Latent(place) => {
                    let own = std::mem::take(&mut row.feedback);
                    let fed = row.ask(Some(place), Side::Input, &own).unwrap_or_else(|| own.clone());
                    let difference: Vec<f32> = fed.iter().zip(&own).map(|(a, b)| a - b).collect();
                    embeds.extend_from_slice(&fed);
                    read.push(Some((fed, trajectory::norm(&difference))));
                }
            }
        }
        let count = read.len();
        let embeds = Tensor::from_vec(embeds, (count, hidden), &self.model.device)?.to_dtype(self.model.dtype)?;
        Ok((embeds, read))
    }
}

impl Row<'_> {
    fn is_over(&self) -> bool {
        self.sequence.finished() || self.trajectory.refusal.is_some()
    }

    fn place(&self) -> Option<Place> {
        match self.sequence.feed() {
            Feed::Latent(place) => Some(place),
            Feed::Token(_) => None,
        }
    }

    /// Asks the hook; a vector of another length is refused in the hook's name.
    fn ask(&mut self, place: Option<Place>, side: Side, vector: &[f32]) -> Option<Vec<f32>> {
        let site = Site { iteration: self.trajectory.forwards.len(), latent: self.latent, place, side };
        match self.hook.at(site, vector) {
            Ok(Some(new)) if new.len() == vector.len() => return Some(new),
            Ok(Some(new)) => {
                let message = format!("the hook gave a vector of {} for one of {}", new.len(), vector.len());
                self.trajectory.refusal.get_or_insert(message);
            }
            Ok(None) => {}
            Err(Refusal(message)) => {
                self.trajectory.refusal.get_or_insert(message);
            }
        }
        None
    }
}

/// Index of the largest value, the first of equals; not-a-number never wins.
fn argmax(values: &[f32]) -> u32 {
    let mut best = (0usize, f32::NEG_INFINITY);
    for (i, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (i, value);
        }
    }
    best.0 as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_takes_the_first_of_equals() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0, f32::NAN]), 1);
        assert_eq!(argmax(&[]), 0);
    }
}
