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
//! | [`control`], [`rules`] | a protocol and a checkpoint -> the tokens that steer, and the rules of a block |
//! | [`block_begin_end`] | which forward reads a token, which a vector; when it ends |
//! | [`choice`] | logits -> the token that is said: penalties, sampling |
//! | [`course`] | what stands in the place of the block, what is hidden, what is noted |
//! | [`site`] | sites and the hook trait |
//! | [`intervention`], [`replacement`] | zero, noise, swap and the rest as hooks |
//! | [`exchange`] | keys and values of latent positions given by another run |
//! | [`statistics`] | what a pool of clean runs says about latents |
//! | [`spread`] | how much it varies, and how strong an intervention is against that |
//! | [`trajectory`] | what a branch did; the probe vectors |
//! | [`answer`] | answer parsing, outcomes, the answer's distribution |
//!
//! A row's arithmetic does not depend on the rows beside it, so a branch's result is
//! the same to the bit alone, beside its sisters, and beside other examples.

pub mod answer;
pub mod block_begin_end;
pub mod choice;
pub mod control;
pub mod course;
pub mod exchange;
mod insertion;
pub mod intervention;
pub mod prefix;
pub mod replacement;
mod row;
pub mod rules;
pub mod site;
pub mod spread;
pub mod statistics;
pub mod trajectory;

pub use answer::Opening;
pub use block_begin_end::{Feed, Place, Sequence, Strategy};
pub use choice::BlockTokens;
pub use control::{ControlTokens, Found, Start, detect, found};
pub use course::{Block, Course, Eviction, LayerHook, Notes, Written};
pub use exchange::Exchange;
pub use intervention::{Latents, Noise, NoiseFile, NoiseSource, Swap, Zero};
pub use prefix::{Prefiller, Prefix};
pub use replacement::{FirstRepeat, FromPool, Mix, NormMatched, RelativeNoise, Scoped, Typical};
pub use rules::{Appended, PromptBlock, Rules};
pub use site::{Hook, Refusal, Side, Site, Untouched};
pub use spread::{Spread, Strength};
pub use statistics::LatentStatistics;
pub use trajectory::{Attention, Forward, Read, Trajectory};

use prism_model::tokenizer::Tokenizer;
use prism_model::{Engine, Error, Result};
use prism_run::protocol::{Criterion, Exit};

use self::row::{Row, Watched};

/// Tokens looked back at to find what opens an answer: more than it has characters.
const WINDOW: usize = 16;

/// One continuation of one example.
pub struct Branch<'a> {
    /// The example's prompt, shared.
    pub prefix: &'a Prefix,
    /// What happens at its sites.
    pub hook: Box<dyn Hook + 'a>,
    /// How it departs from the ordinary course otherwise.
    pub course: Course<'a>,
}

impl<'a> Branch<'a> {
    /// A branch on the ordinary course.
    pub fn new(prefix: &'a Prefix, hook: impl Hook + 'a) -> Self {
        Self::boxed(prefix, Box::new(hook))
    }

    /// The same.
    pub fn boxed(prefix: &'a Prefix, hook: Box<dyn Hook + 'a>) -> Self {
        Self { prefix, hook, course: Course::default() }
    }
}

/// A model ready to decode.
#[derive(Clone, Copy)]
pub struct Decoder<'a> {
    /// The model.
    pub model: &'a dyn Engine,
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
        let prompts: Vec<_> = branches.iter().map(|b| b.prefix.cache.clone()).collect();
        let mut decoding = self.model.rows(&prompts)?;
        let mut states: Vec<f32> = branches.iter().flat_map(|b| b.prefix.last_state.iter().copied()).collect();
        let mut rows: Vec<Row<'a>> = branches.into_iter().enumerate().map(|(index, branch)| self.row(index, branch)).collect();
        while !rows.is_empty() {
            self.take_in(&mut rows, &mut states, end.as_ref())?;
            let keep: Vec<bool> = rows.iter().map(|r| !r.is_over()).collect();
            decoding.retain(&keep);
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
            rows.iter_mut().enumerate().try_for_each(|(i, row)| row.settle(i, &mut *decoding))?;
            // A row whose hook refused ends after this forward, which it no longer
            // takes in: the rows here and the engine's stay in step.
            let embeds = self.inputs(&mut rows)?;
            states = decoding.step(&embeds, &mut Watched(&mut rows))?;
        }
        Ok(done.into_iter().flatten().collect())
    }

    fn row(&self, index: usize, branch: Branch<'a>) -> Row<'a> {
        let last = branch.prefix.prompt_ids.last().copied().unwrap_or_default();
        let sequence = Sequence::with_block(self.strategy, self.tokens, last, branch.course.block.clone());
        Row::new(index, sequence, self.tokens, branch)
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
        match self.model.latent_end()? {
            Some(embedding) => Ok(Some(End { criterion, embedding })),
            None => Err(Error::input(
                "exit `latent`",
                "needs the learned end embedding `lvr_latent_end_emb`, which the checkpoint does not have",
                "choose the exit steps or token, or a checkpoint that was trained with `latent_end_token`",
            )),
        }
    }

    /// Takes in the states of a forward: output sites, logits, the argmax token.
    fn take_in(&self, rows: &mut [Row<'a>], states: &mut [f32], end: Option<&End>) -> Result<()> {
        let hidden = self.model.config().text.hidden_size;
        for (row, state) in rows.iter_mut().zip(states.chunks_exact_mut(hidden)) {
            if row.trajectory.refusal.is_some() {
                continue;
            }
            let place = row.place();
            if let Some(vector) = row.ask(place, Side::Output, state) {
                state.copy_from_slice(&vector);
            }
            row.push(place, state);
        }
        let feedback = match self.tokens.dummy {
            Some(token) => self.model.embed(&vec![token; rows.len()])?,
            None if self.tokens.head => self.model.feedback(states)?,
            None => states.to_vec(),
        };
        let logits = self.model.logits(states)?;
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
            // What is fed back is the state before the image tokens that are read in between.
            let was_image = matches!(row.sequence.feed(), Feed::Image(_));
            if !was_image {
                row.feedback.clear();
                row.feedback.extend_from_slice(feedback);
            }
            let forward = row.trajectory.forwards.len() - 1;
            if let (true, Some(_), Some(forward)) = (row.course.notes.logits, row.place(), row.trajectory.forwards.last_mut()) {
                forward.logits = Some(logits.to_vec());
            }
            if let Some(opening) = self.answer_opened(row.trajectory.opening, row.sequence.generated())? {
                row.trajectory.opening = Some(opening);
                row.trajectory.answer_forward = Some(forward);
                row.trajectory.answer_logits = Some(logits.to_vec());
            }
            // The exit looks at what this forward read: the previous forward's feedback.
            let distance = std::mem::replace(&mut row.distance, end.map(|end| end.criterion.distance(feedback, &end.embedding)));
            let argmax = choice::argmax(logits);
            let said = row.choose(logits, argmax);
            row.advance(said, argmax, distance);
            if !row.sequence.finished() && !row.sequence.stop_texts().is_empty() && self.stop_text(&row.sequence)? {
                row.sequence.hear();
            }
        }
        Ok(())
    }

    /// Whether the text so far ends in a freshly completed stop text. Asked after every token.
    fn stop_text(&self, sequence: &Sequence<'_>) -> Result<bool> {
        let generated = sequence.generated();
        let longest = sequence.stop_texts().iter().map(String::len).max().unwrap_or(0);
        let tail = generated.get(generated.len().saturating_sub(longest.max(WINDOW))..).unwrap_or(generated);
        let text = self.tokenizer.decode(tail)?.to_lowercase();
        Ok(sequence.stop_texts().iter().any(|stop| text.contains(stop.as_str())))
    }

    /// What opens an answer at the end of the text so far, if it goes before what is `known` to have opened one. Asked
    /// after every token, so a look at the last few is enough.
    fn answer_opened(&self, known: Option<Opening>, generated: &[u32]) -> Result<Option<Opening>> {
        if generated.is_empty() || known == Some(Opening::Tag) {
            return Ok(None);
        }
        let tail = generated.get(generated.len().saturating_sub(WINDOW)..).unwrap_or(generated);
        let text = self.tokenizer.decode(tail)?;
        Ok(Opening::ALL.into_iter().find(|opening| known.is_none_or(|known| *opening < known) && text.contains(opening.text())))
    }

    /// The next forward's input embeddings `[rows, hidden]`; every row keeps the vector its
    /// latent forward reads, and whether the forward is to be noted.
    fn inputs(&self, rows: &mut [Row<'a>]) -> Result<Vec<f32>> {
        let hidden = self.model.config().text.hidden_size;
        let tokens: Vec<u32> = rows
            .iter()
            .filter_map(|row| match row.sequence.feed() {
                Feed::Token(id) => Some(id),
                Feed::Latent(_) | Feed::Image(_) => None,
            })
            .collect();
        let embedded = if tokens.is_empty() { Vec::new() } else { self.model.embed(&tokens)? };
        let mut embedded = embedded.chunks_exact(hidden);
        let mut embeds: Vec<f32> = Vec::with_capacity(rows.len() * hidden);
        for row in rows {
            let behind = row.trajectory.forwards.last().is_some_and(|f| f.place.is_some());
            let answers = || Ok::<bool, Error>(self.answer_opened(row.trajectory.opening, row.sequence.generated())?.is_some());
            row.noted = row.course.notes != Notes::default() && (row.place().is_some() || behind || answers()?);
            match row.sequence.feed() {
                Feed::Token(_) => {
                    let embedding = embedded.next().unwrap_or_default();
                    embeds.extend_from_slice(embedding);
                    row.read_norm = Some(trajectory::norm(embedding));
                    row.fed = None;
                }
                Feed::Image(image) => {
                    let embedding = row.image_embedding(image, hidden)?;
                    row.read_norm = Some(trajectory::norm(&embedding));
                    embeds.extend_from_slice(&embedding);
                    row.fed = None;
                }
                Feed::Latent(place) => {
                    let own = std::mem::take(&mut row.feedback);
                    let fed = row.ask(Some(place), Side::Input, &own).unwrap_or_else(|| own.clone());
                    let difference: Vec<f32> = fed.iter().zip(&own).map(|(a, b)| a - b).collect();
                    embeds.extend_from_slice(&fed);
                    row.fed = Some((fed, trajectory::norm(&difference)));
                }
            }
        }
        Ok(embeds)
    }
}
