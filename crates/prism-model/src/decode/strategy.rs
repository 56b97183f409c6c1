//! The `steps` strategy (method, section 4) as a state machine that knows neither
//! tensors nor text: which forward reads a token, which reads a fed-back vector,
//! and when the sequence ends.
//!
//! A forward at which the sequence's last token is a start token opens that stage's
//! block; from the next forward on the previous forward's state is fed back, for a
//! fixed number of forwards. Every forward's argmax is appended to the sequence,
//! inside the block too, and start tokens are looked for there as well: one of the
//! stage that runs is ignored, one of the other stage opens that stage beside it, as
//! in the published code. Vectors are fed back while any stage is open; a forward
//! with both open belongs to the target stage. Stop conditions are ignored while a
//! block lasts, so a sequence may exceed its budget by a block.

use std::path::Path;

use prism_run::Stage;
use serde_json::Value;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::tokenizer::LatentTokens;

/// Budget of a decode; greedy, no sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strategy {
    /// K: latent forwards of a target block; a context block takes `2 K`.
    pub steps: usize,
    /// Tokens generated at most, those of the block included; at least one is.
    pub max_new_tokens: usize,
}

impl Strategy {
    /// Latent forwards of one block of `stage`.
    pub fn block_length(self, stage: Stage) -> usize {
        match stage {
            Stage::Context => 2 * self.steps,
            Stage::Target => self.steps,
            Stage::Free => 0,
        }
    }
}

/// The tokens that steer a decode, resolved from the checkpoint's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControlTokens {
    /// Start token of each stage with feedback, e.g. `<|lvr_start|>` for the target stage.
    pub starts: Vec<(u32, Stage)>,
    /// Tokens that end a sequence.
    pub stops: Vec<u32>,
}

impl ControlTokens {
    /// The tokens of a checkpoint: start tokens of its latent block (none for a base
    /// model), stop tokens of `generation_config.json`, else of `config.json`.
    ///
    /// # Errors
    /// When `generation_config.json` is damaged, or no stop token is named anywhere.
    pub fn read(checkpoint: &Path, config: &Config, latent: Option<&LatentTokens>) -> Result<Self> {
        let mut starts = Vec::new();
        if let Some(latent) = latent {
            starts.push((latent.block.start, Stage::Target));
            if let (true, Some(staged)) = (config.is_staged(), latent.staged) {
                starts.push((staged.context.start, Stage::Context));
                starts.push((staged.target.start, Stage::Target));
            }
        }
        let path = checkpoint.join("generation_config.json");
        let mut stops = Vec::new();
        if path.exists() {
            let bytes = std::fs::read(&path).map_err(|e| Error::io("cannot read", &path, e))?;
            let bad = |cause: String| Error::content(&path, cause, "copy generation_config.json from the checkpoint again");
            let value: Value = serde_json::from_slice(&bytes).map_err(|e| bad(format!("is not JSON: {e}")))?;
            let named = match value.get("eos_token_id") {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(ids)) => ids.clone(),
                Some(id) => vec![id.clone()],
            };
            for id in named {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                stops.push(id.ok_or_else(|| bad("`eos_token_id` is not a token id or a list of them".into()))?);
            }
        }
        if stops.is_empty() {
            stops.extend(config.eos_token_id);
        }
        if stops.is_empty() {
            return Err(Error::content(checkpoint, "no `eos_token_id` is named", "name it in generation_config.json or config.json"));
        }
        Ok(Self { starts, stops })
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
    /// Forwards for which the latest block still lasts; 0 = closed.
    left: usize,
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
}

impl<'a> Sequence<'a> {
    /// A sequence about to run its prefill, whose last prompt token is `last`.
    pub fn new(strategy: Strategy, tokens: &'a ControlTokens, last: u32) -> Self {
        Self {
            strategy,
            tokens,
            generated: Vec::new(),
            last,
            feed: Feed::Token(last),
            context: Progress::default(),
            target: Progress::default(),
            finished: false,
        }
    }

    /// What the next forward reads.
    pub fn feed(&self) -> Feed {
        self.feed
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

    /// Takes in the argmax of the forward that read [`Sequence::feed`].
    pub fn advance(&mut self, argmax: u32) {
        let start = self.tokens.starts.iter().find(|(token, _)| *token == self.last).map(|(_, stage)| *stage);
        let opens = start.filter(|stage| self.progress(*stage).left == 0);
        if let Feed::Latent(place) = self.feed {
            let progress = self.progress(place.stage);
            progress.steps += 1;
            progress.taken += 1;
            self.context.left = self.context.left.saturating_sub(1);
            self.target.left = self.target.left.saturating_sub(1);
        }
        if let Some(stage) = opens {
            let left = self.strategy.block_length(stage);
            let progress = self.progress(stage);
            *progress = Progress { blocks: progress.blocks + usize::from(left > 0), taken: 0, left, ..*progress };
        }
        self.generated.push(argmax);
        self.last = argmax;
        let open = [(Stage::Target, self.target), (Stage::Context, self.context)].into_iter().find(|(_, p)| p.left > 0);
        self.feed = match open {
            Some((stage, p)) => Feed::Latent(Place { stage, block: p.blocks - 1, step: p.steps, block_step: p.taken }),
            None => Feed::Token(argmax),
        };
        let stop = self.tokens.stops.contains(&argmax) || self.generated.len() >= self.strategy.max_new_tokens;
        self.finished = open.is_none() && stop;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: u32 = 9;

    fn tokens() -> ControlTokens {
        ControlTokens { starts: vec![(1, Stage::Target), (2, Stage::Context)], stops: vec![STOP] }
    }

    /// Runs a script of argmaxes; per forward the stage's initial (`.` for a token).
    fn run(strategy: Strategy, script: &[u32]) -> (String, Vec<u32>) {
        let tokens = tokens();
        let mut sequence = Sequence::new(strategy, &tokens, 0);
        let mut picture = String::new();
        for &argmax in script {
            if sequence.finished() {
                break;
            }
            picture.push(match sequence.feed() {
                Feed::Token(_) => '.',
                Feed::Latent(Place { stage: Stage::Context, .. }) => 'c',
                Feed::Latent(_) => 't',
            });
            sequence.advance(argmax);
        }
        assert!(sequence.finished(), "the script is too short");
        (picture, sequence.into_generated())
    }

    #[test]
    fn the_block_starts_one_forward_after_the_start_token_was_read_and_lasts_k() {
        let (picture, ids) = run(Strategy { steps: 3, max_new_tokens: 20 }, &[1, 5, 5, 5, 5, 6, STOP]);
        assert_eq!((picture.as_str(), ids.len()), ("..ttt..", 7));
    }

    #[test]
    fn a_context_block_takes_twice_as_many() {
        let (picture, _) = run(Strategy { steps: 2, max_new_tokens: 20 }, &[2, 5, 5, 5, 5, 1, 5, 5, 5, STOP]);
        assert_eq!(picture, "..cccc.tt.");
    }

    #[test]
    fn stop_tokens_and_the_own_stages_start_tokens_inside_the_block_are_ignored() {
        let (picture, ids) = run(Strategy { steps: 3, max_new_tokens: 20 }, &[1, 1, STOP, 1, 6, 7, STOP]);
        assert_eq!((picture.as_str(), ids), ("..ttt..", vec![1, 1, STOP, 1, 6, 7, STOP]));
        let (picture, _) = run(Strategy { steps: 1, max_new_tokens: 20 }, &[2, 5, 2, 5, STOP]);
        assert_eq!(picture, "..cc.");
    }

    #[test]
    fn the_last_latent_forwards_token_is_read_next_and_may_open_a_block_again() {
        let (picture, _) = run(Strategy { steps: 2, max_new_tokens: 20 }, &[1, 5, 5, 2, 5, 5, 5, 5, 5, STOP]);
        assert_eq!(picture, "..tt.cccc.");
    }

    #[test]
    fn the_other_stages_start_token_inside_the_block_opens_that_stage_beside_it() {
        // Seen one forward after it was appended; the target block ends first, the context goes on.
        let (picture, _) = run(Strategy { steps: 2, max_new_tokens: 20 }, &[1, 2, 5, 5, 5, 5, 5, 5, STOP]);
        assert_eq!(picture, "..ttccc..");
        let (picture, _) = run(Strategy { steps: 2, max_new_tokens: 20 }, &[1, 5, 2, 5, 5, 5, 5, 5, STOP]);
        assert_eq!(picture, "..ttcccc.");
        // A target block beside a context block, and outlasting it.
        let (picture, _) = run(Strategy { steps: 2, max_new_tokens: 20 }, &[2, 5, 5, 5, 1, 5, 5, 5, STOP]);
        assert_eq!(picture, "..cccctt.");
    }

    #[test]
    fn the_budget_waits_for_the_end_of_the_block() {
        let (picture, ids) = run(Strategy { steps: 4, max_new_tokens: 3 }, &[1, 5, 5, 5, 5, 5, 5, 5]);
        assert_eq!((picture.as_str(), ids.len()), ("..tttt", 6));
    }

    #[test]
    fn a_stop_at_the_last_latent_forward_counts() {
        let (_, ids) = run(Strategy { steps: 2, max_new_tokens: 20 }, &[1, 5, 5, STOP, 5]);
        assert_eq!(ids, vec![1, 5, 5, STOP]);
    }

    #[test]
    fn steps_of_a_stage_go_on_counting_over_its_blocks() {
        let tokens = tokens();
        let mut sequence = Sequence::new(Strategy { steps: 2, max_new_tokens: 20 }, &tokens, 1);
        let mut places = Vec::new();
        for argmax in [5, 5, 1, 5, 5, 5, STOP] {
            if let Feed::Latent(place) = sequence.feed() {
                places.push((place.block, place.block_step, place.step));
            }
            sequence.advance(argmax);
        }
        assert_eq!(places, [(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)]);
    }

    #[test]
    fn no_steps_means_no_block() {
        let (picture, _) = run(Strategy { steps: 0, max_new_tokens: 20 }, &[1, 5, STOP]);
        assert_eq!(picture, "...");
    }
}
