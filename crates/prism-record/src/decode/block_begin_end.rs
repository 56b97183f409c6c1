//! The decode as a state machine (method, section 4) that knows neither tensors nor
//! text: which forward reads a token, which reads a fed-back vector, and when the
//! sequence ends.
//!
//! What follows is LVR's way, which is the default; where another method's runner does something
//! else, [`Rules`](super::Rules) says so, and `advance.rs` has the one place where it matters.
//!
//! A forward at which the sequence's last token is a start token opens that stage's
//! block; from the next forward on the previous forward's state is fed back, until the
//! [`Exit`] is reached. Every forward's argmax is appended to the sequence, inside the
//! block too, and start tokens are looked for there as well: one of the stage that runs
//! is ignored, one of the other stage opens that stage beside it, as in the published
//! code. Vectors are fed back while any stage is open; a forward with both open belongs
//! to the target stage. Stop conditions are ignored while a block lasts, so a sequence
//! may exceed its budget by a block.
//!
//! A checkpoint trained blindfolded ([`Sight::Blindfold`](prism_run::Sight)) is the exception: the
//! token that was trained behind the latents is appended at every latent forward, so that nothing
//! behind a block depends on its latents.
//!
//! The exits are looked at after every forward:
//! - `steps`: the block's length is used up;
//! - `latent`: the vector this forward was fed (the previous forward's state, before any
//!   hook) was near the end embedding, or the cap is reached. So the near vector is still
//!   read, and the next forward reads that forward's argmax. The published code looks at
//!   the opening forward too, whose previous state was not fed back: near there, the block
//!   does not open. It also sets its count back at a start token inside the block; here the
//!   cap counts from the opening, so that no block is endless;
//! - `token`: the argmax is the end token of the block, which is appended and read next,
//!   or the cap is reached (the published code has none). At the opening forward the end
//!   token keeps the block closed.

mod advance;
mod stages;

use std::collections::VecDeque;

use prism_run::protocol::{Exit, Length, Trigger};
use prism_run::{Budget, Protocol, Stage, StageSteps};

use self::stages::Stages;
use super::control::ControlTokens;
use super::course::Block;
use super::rules::Rules;

/// Budget and exit of a decode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strategy {
    /// How long a block lasts: K, of which the protocol makes the length of each block (for
    /// P-LVR K in the target stage and 2 K in the context stage), or a number for each stage.
    pub steps: Budget,
    /// Tokens generated at most, those of the block included; at least one is.
    pub max_new_tokens: usize,
    /// When a block is left.
    pub exit: Exit,
    /// Whether the first token is the start token, whatever the model says.
    pub force_open: bool,
}

impl Strategy {
    /// Blocks of their full length at K = `steps`.
    pub fn of_steps(steps: usize, max_new_tokens: usize) -> Self {
        Self { steps: Budget::Steps(steps), max_new_tokens, exit: Exit::Steps, force_open: false }
    }

    /// Most latent forwards of a block of that stage and declared length.
    pub fn limit(self, stage: Stage, length: Length) -> usize {
        self.exit.cap().unwrap_or(self.steps.of(stage, length))
    }

    /// Most latent forwards of a block, by stage of the protocol.
    pub fn by_stage(self, protocol: &Protocol) -> StageSteps {
        StageSteps::of(protocol, |stage, length| self.limit(stage, length))
    }
}

/// A latent forward's place: the `step`-th of the `block`-th block of its stage, all from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Stage of the block.
    pub stage: Stage,
    /// Which block of this stage (a model may open several).
    pub block: usize,
    /// Latent forwards of this stage before this one, over all its blocks: the step
    /// index that sites, noise and donors are keyed by.
    pub step: usize,
    /// Latent forwards of this block before this one.
    pub block_step: usize,
}

/// What the next forward reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// The embedding of a token.
    Token(u32),
    /// The previous forward's state.
    Latent(Place),
    /// The embedding of this image token of the prompt, before a latent.
    Image(usize),
}

/// Progress of one sequence.
#[derive(Debug, Clone)]
pub struct Sequence<'a> {
    strategy: Strategy,
    tokens: &'a ControlTokens,
    rules: Rules,
    generated: Vec<u32>,
    /// The sequence's last token: what a start token is looked for in.
    last: u32,
    feed: Feed,
    stages: Stages,
    finished: bool,
    block: Block,
    /// Tokens that are appended whatever the argmax.
    forced: VecDeque<u32>,
    /// The token that follows a forced end token.
    then: Option<u32>,
    /// Whether a block is behind: it was left, or something stood in its place.
    past_block: bool,
    /// Whether the prompt was run.
    begun: bool,
    /// Counted over the sequence: forwards inside blocks, end tokens said, and whether a block ended.
    counted: usize,
    ends_said: usize,
    ended: bool,
    /// The token said last inside the block, and how often in a row.
    repeated: (u32, usize),
    /// Whether a stop text stands in the sequence.
    heard: bool,
    /// Image tokens still to be read before the next latent.
    images: VecDeque<usize>,
}

impl<'a> Sequence<'a> {
    /// A sequence about to run its prefill, whose last prompt token is `last`.
    pub fn new(strategy: Strategy, tokens: &'a ControlTokens, last: u32) -> Self {
        Self::with_block(strategy, tokens, last, Block::Ordinary)
    }

    /// The same, with something else in the place of its latent blocks.
    pub fn with_block(strategy: Strategy, tokens: &'a ControlTokens, last: u32, block: Block) -> Self {
        Self {
            strategy,
            tokens,
            rules: tokens.rules.under(strategy.exit.kind()),
            generated: Vec::new(),
            last,
            feed: Feed::Token(last),
            stages: Stages::default(),
            finished: false,
            block,
            forced: VecDeque::new(),
            then: None,
            past_block: false,
            begun: false,
            counted: 0,
            ends_said: 0,
            ended: false,
            repeated: (0, 0),
            heard: false,
            images: VecDeque::new(),
        }
    }

    /// What the next forward reads.
    pub fn feed(&self) -> Feed {
        self.feed
    }

    /// The token that stands where the next forward reads: the last one appended, or the prompt's last.
    pub fn standing(&self) -> u32 {
        let stands = self.rules.prompt_block.and_then(|block| block.stands);
        stands.filter(|_| matches!(self.feed, Feed::Latent(_))).unwrap_or(self.last)
    }

    /// Whether a block was left, or skipped.
    pub fn is_past_block(&self) -> bool {
        self.past_block
    }

    /// Tokens appended so far.
    pub fn generated(&self) -> &[u32] {
        &self.generated
    }

    /// Whether the sequence is complete.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// The tokens, at the end.
    pub fn into_generated(self) -> Vec<u32> {
        self.generated
    }

    /// Whether the sequence stops at a text, which then has to be looked for.
    pub fn stop_texts(&self) -> &[String] {
        &self.rules.stop_texts
    }

    /// A stop text was written: the sequence ends, if need be behind its block.
    pub fn hear(&mut self) {
        self.heard = true;
        self.finished |= self.stops_now() && self.forced.is_empty();
    }

    /// How many image tokens are to be read before the next latent, which has to be told by
    /// [`Sequence::insert`]; 0 where none are.
    pub fn wants_images(&self) -> usize {
        match (self.feed, self.rules.prompt_block) {
            (Feed::Latent(_), Some(block)) => block.insert,
            _ => 0,
        }
    }

    /// Whether the next forward is one after which image tokens are chosen: its attention is needed.
    pub fn looks(&self) -> bool {
        self.rules.prompt_block.is_some_and(|block| block.insert > 0) && matches!(self.feed, Feed::Latent(_))
    }

    /// Has these image tokens read before the next latent.
    pub fn insert(&mut self, images: impl IntoIterator<Item = usize>) {
        self.images = images.into_iter().collect();
        self.read_image();
    }

    fn read_image(&mut self) {
        match self.images.pop_front() {
            Some(image) => self.feed = Feed::Image(image),
            None => self.feed = self.stages.next().map_or(Feed::Token(self.last), Feed::Latent),
        }
    }

    /// Whether the trigger looks at the token that is read.
    fn reads_starts(&self) -> bool {
        matches!(self.rules.trigger, Trigger::Read | Trigger::Sampled)
    }
}

#[cfg(test)]
mod tests;
