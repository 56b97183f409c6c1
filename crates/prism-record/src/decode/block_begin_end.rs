//! The decode as a state machine (method, section 4) that knows neither tensors nor
//! text: which forward reads a token, which reads a fed-back vector, and when the
//! sequence ends.
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
//! A checkpoint trained blindfolded ([`Sight::Blindfold`]) is the exception: the token that
//! was trained behind the latents is appended at every latent forward, so that nothing
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

use std::collections::VecDeque;

use prism_run::protocol::{Exit, Length};
use prism_run::{Budget, Protocol, Sight, Stage, StageSteps};

use super::control::{ControlTokens, Start};
use super::course::Block;

/// Budget and exit of a decode; greedy, no sampling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strategy {
    /// How long a block lasts: K, of which the protocol makes the length of each block (for
    /// P-LVR K in the target stage and 2 K in the context stage), or a number for each stage.
    pub steps: Budget,
    /// Tokens generated at most, those of the block included; at least one is.
    pub max_new_tokens: usize,
    /// When a block is left.
    pub exit: Exit,
}

impl Strategy {
    /// Blocks of their full length at K = `steps`.
    pub fn of_steps(steps: usize, max_new_tokens: usize) -> Self {
        Self { steps: Budget::Steps(steps), max_new_tokens, exit: Exit::Steps }
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
}

/// One stage's progress.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// Blocks opened so far.
    blocks: usize,
    /// Forwards of this stage, over all its blocks.
    steps: usize,
    /// Forwards of this stage in its latest block.
    taken: usize,
    /// Forwards for which the latest block still lasts at most; 0 = closed.
    left: usize,
    /// End token of the latest block.
    end: Option<u32>,
}

/// Progress of one sequence.
#[derive(Debug, Clone)]
pub struct Sequence<'a> {
    strategy: Strategy,
    tokens: &'a ControlTokens,
    generated: Vec<u32>,
    /// The sequence's last token: what a start token is looked for in.
    last: u32,
    feed: Feed,
    context: Progress,
    target: Progress,
    finished: bool,
    block: Block,
    /// Tokens that are appended whatever the argmax.
    forced: VecDeque<u32>,
    /// Whether a block is behind: it was left, or something stood in its place.
    past_block: bool,
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
            generated: Vec::new(),
            last,
            feed: Feed::Token(last),
            context: Progress::default(),
            target: Progress::default(),
            finished: false,
            block,
            forced: VecDeque::new(),
            past_block: false,
        }
    }

    /// What the next forward reads.
    pub fn feed(&self) -> Feed {
        self.feed
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

    fn progress(&mut self, stage: Stage) -> &mut Progress {
        match stage {
            Stage::Context => &mut self.context,
            Stage::Free | Stage::Target => &mut self.target,
        }
    }

    /// Under a blindfold what a latent forward would say is not said, for what follows would
    /// read it: the token trained behind the latents stands for it.
    fn unsaid(&self) -> Option<u32> {
        let Feed::Latent(place) = self.feed else { return None };
        let progress = if place.stage == Stage::Context { self.context } else { self.target };
        (self.tokens.sight == Sight::Blindfold).then(|| self.tokens.latent_end.or(progress.end)).flatten()
    }

    /// Appends the next replayed token; `false` when none is left.
    fn replay(&mut self) -> bool {
        let Block::Replayed(script) = &self.block else { return false };
        let at = self.generated.len();
        let Some(written) = script.get(at).copied() else { return false };
        let is_last = at + 1 == script.len();
        self.generated.push(written.token);
        self.last = written.token;
        let was_latent = matches!(self.feed, Feed::Latent(_));
        self.feed = written.next.map_or(Feed::Token(written.token), Feed::Latent);
        self.past_block |= is_last || (was_latent && written.next.is_none());
        // As in an ordinary course, a stop ends the sequence behind a block, not within what was written.
        self.finished = is_last && (self.tokens.stops.contains(&written.token) || self.generated.len() >= self.strategy.max_new_tokens);
        true
    }

    /// Takes in the argmax of the forward that read [`Sequence::feed`], and the distance of
    /// the previous forward's feedback from the end embedding (`None` without one, and at
    /// the prefill).
    pub fn advance(&mut self, argmax: u32, distance: Option<f64>) {
        if self.replay() {
            return;
        }
        let start = self.tokens.starts.iter().find(|start| start.token == self.last).copied();
        let opens = start.filter(|start| {
            let progress = self.progress(start.stage);
            progress.left == 0 && (progress.blocks == 0 || self.tokens.repeat)
        });
        if let Feed::Latent(place) = self.feed {
            let progress = self.progress(place.stage);
            progress.steps += 1;
            progress.taken += 1;
            self.context.left = self.context.left.saturating_sub(1);
            self.target.left = self.target.left.saturating_sub(1);
        }
        let exit = self.strategy.exit;
        let leaves = |end: Option<u32>| match exit {
            Exit::Steps => false,
            Exit::Latent { threshold, .. } => distance.is_some_and(|distance| distance < threshold),
            Exit::Token { .. } => end == Some(argmax),
        };
        for progress in [&mut self.context, &mut self.target] {
            if leaves(progress.end) {
                progress.left = 0;
            }
        }
        match (opens, &self.block) {
            (Some(Start { stage, end, length, .. }), Block::Ordinary) => {
                let left = if leaves(end) { 0 } else { self.strategy.limit(stage, length) };
                let progress = self.progress(stage);
                *progress = Progress { blocks: progress.blocks + usize::from(left > 0), taken: 0, left, end, ..*progress };
            }
            (Some(Start { end, .. }), Block::Markers) => {
                self.forced = end.into_iter().collect();
                self.past_block = true;
            }
            (Some(_), Block::Removed) => self.past_block = true,
            (None, _) | (_, Block::Replaced(_) | Block::Replayed(_)) => {}
        }
        if let Block::Replaced(tokens) = &self.block
            && !self.past_block
            && self.tokens.starts.iter().any(|start| start.token == argmax)
        {
            self.forced = tokens.iter().copied().collect();
            self.past_block = true;
        }
        let argmax = self.forced.pop_front().or(self.unsaid()).unwrap_or(argmax);
        self.generated.push(argmax);
        self.last = argmax;
        let was_latent = matches!(self.feed, Feed::Latent(_));
        let open = [(Stage::Target, self.target), (Stage::Context, self.context)].into_iter().find(|(_, p)| p.left > 0);
        self.feed = match open {
            Some((stage, p)) => Feed::Latent(Place { stage, block: p.blocks - 1, step: p.steps, block_step: p.taken }),
            None => Feed::Token(argmax),
        };
        self.past_block |= was_latent && open.is_none();
        let stop = self.tokens.stops.contains(&argmax) || self.generated.len() >= self.strategy.max_new_tokens;
        self.finished = open.is_none() && self.forced.is_empty() && stop;
    }
}

#[cfg(test)]
mod tests;
