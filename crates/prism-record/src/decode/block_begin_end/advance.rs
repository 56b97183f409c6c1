//! What one forward does to its sequence.

use prism_run::protocol::{AtCap, Count, Exit, StartInside, StopsInside, Trigger};
use prism_run::{Sight, Stage};

use super::super::control::Start;
use super::super::course::Block;
use super::super::rules::Appended;
use super::{Feed, Sequence};

/// How a forward inside a block leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Not at all.
    Stays,
    /// What was said or fed ends it.
    ByItself,
    /// It lasted long enough, or repeats itself.
    ByForce,
}

/// A block that a forward opens.
#[derive(Debug, Clone, Copy)]
struct Opening {
    stage: Stage,
    limit: usize,
    end: Option<u32>,
}

impl Sequence<'_> {
    /// Takes in what the forward that read [`Sequence::feed`] says, and the distance of
    /// the previous forward's feedback from the end embedding (`None` without one, and at
    /// the prefill). Gives the token that was appended, if one was.
    pub fn advance(&mut self, said: u32, distance: Option<f64>) -> Option<u32> {
        if let Feed::Image(_) = self.feed {
            self.read_image();
            return None;
        }
        if let Some(token) = self.replay() {
            return Some(token);
        }
        let said = self.overruled(said);
        let was_latent = matches!(self.feed, Feed::Latent(_));
        let opens = self.opens(said);
        let within = self.stages.next().is_some() || was_latent;
        if let Feed::Latent(place) = self.feed {
            self.stages.count(place.stage);
        }
        let mut ending = self.leave(said, distance, was_latent);
        ending = self.open(opens, said, distance, ending);
        let reads_opening = opens.is_some() && self.rules.trigger != Trigger::InPlace;
        let inside = within || (reads_opening && self.block == Block::Ordinary);
        if inside && ending == Ending::Stays && (self.counts_out(said) || self.repeats(said)) {
            ending = Ending::ByForce;
            self.stages.close();
        }
        self.note_end(said, inside, ending);
        self.replace(opens.is_some(), said);
        let appended = self.append(said, inside, ending);
        self.settle(appended, said, inside, was_latent);
        appended
    }

    /// Appends the next replayed token; `None` when none is left.
    fn replay(&mut self) -> Option<u32> {
        let Block::Replayed(script) = &self.block else { return None };
        let at = self.generated.len();
        let written = script.get(at).copied()?;
        let is_last = at + 1 == script.len();
        self.begun = true;
        self.generated.push(written.token);
        self.last = written.token;
        let was_latent = matches!(self.feed, Feed::Latent(_));
        self.feed = written.next.map_or(Feed::Token(written.token), Feed::Latent);
        self.past_block |= is_last || (was_latent && written.next.is_none());
        // As in an ordinary course, a stop ends the sequence behind a block, not within what was written.
        self.finished = is_last && (self.tokens.stops.contains(&written.token) || self.generated.len() >= self.strategy.max_new_tokens);
        Some(written.token)
    }

    /// What counts as said: the start token where the block is opened by force, what follows a forced end.
    fn overruled(&mut self, said: u32) -> u32 {
        let first = !self.begun && (self.rules.opens_first || self.strategy.force_open);
        let start = || {
            let of = |stage| self.tokens.starts.iter().find(move |start| start.stage == stage);
            of(Stage::Context).or(of(Stage::Target)).map(|start| start.token)
        };
        let forced = if first { start() } else { self.then.take() };
        forced.unwrap_or(said)
    }

    /// The block that this forward opens, if it opens one that may open.
    fn opens(&mut self, said: u32) -> Option<Opening> {
        let first = !std::mem::replace(&mut self.begun, true);
        let found = match self.rules.trigger {
            Trigger::AfterPrompt => {
                let block = self.rules.prompt_block.filter(|_| first)?;
                Opening { stage: block.stage, limit: self.strategy.limit(block.stage, block.length), end: None }
            }
            Trigger::Sampled if self.generated.is_empty() => return None,
            Trigger::Read | Trigger::Sampled | Trigger::InPlace => {
                let token = if self.reads_starts() { self.last } else { said };
                let Start { stage, end, length, .. } = *self.tokens.starts.iter().find(|start| start.token == token)?;
                Opening { stage, limit: self.strategy.limit(stage, length), end }
            }
        };
        let progress = self.stages.of(found.stage);
        (progress.left == 0 && (progress.blocks == 0 || self.tokens.repeat)).then_some(found)
    }

    /// Whether what was said or fed leaves a block with that end token.
    fn leaves(&self, end: Option<u32>, said: u32, distance: Option<f64>) -> bool {
        match self.strategy.exit {
            Exit::Steps => false,
            Exit::Latent { threshold, .. } => distance.is_some_and(|distance| distance < threshold),
            // Counted over the sequence, only the first end token closes anything.
            Exit::Token { .. } => end == Some(said) && (self.rules.count == Count::Block || self.ends_said == 0),
        }
    }

    /// Closes the blocks that this forward leaves; how it leaves the last of them.
    fn leave(&mut self, said: u32, distance: Option<f64>, was_latent: bool) -> Ending {
        let leaves = |end| self.leaves(end, said, distance);
        let leaving = [Stage::Context, Stage::Target].map(|stage| leaves(self.stages.of(stage).end));
        for (progress, leaves) in self.stages.all().into_iter().zip(leaving) {
            if leaves {
                progress.left = 0;
            }
        }
        let restarts = self.rules.start_inside == StartInside::Restarts && self.starts_inside(said);
        match was_latent && self.stages.next().is_none() {
            _ if restarts && was_latent => {
                self.stages.close();
                Ending::ByItself
            }
            true if leaving.contains(&true) => Ending::ByItself,
            true => Ending::ByForce,
            false => Ending::Stays,
        }
    }

    /// Opens a block, or puts in its place what stands there.
    fn open(&mut self, opens: Option<Opening>, said: u32, distance: Option<f64>, ending: Ending) -> Ending {
        match (opens, &self.block) {
            (Some(Opening { stage, limit, end }), Block::Ordinary) => {
                let in_place = self.rules.trigger == Trigger::InPlace;
                let shut = !in_place && self.leaves(end, said, distance);
                // Counted over the sequence, it is not the block that has a length.
                let limit = if self.rules.count == Count::Sequence { usize::MAX } else { limit };
                let again = self.rules.start_inside == StartInside::Restarts && self.starts_inside(said);
                self.repeated = (0, 0);
                self.stages.open(stage, if shut || again { 0 } else { limit }, end);
                if shut || again { Ending::ByItself } else { ending }
            }
            (Some(Opening { end, .. }), Block::Markers) => {
                self.forced = end.into_iter().collect();
                // The start token that was said stands before its end token.
                if self.rules.trigger == Trigger::InPlace {
                    self.forced.push_front(said);
                }
                self.past_block = true;
                ending
            }
            (Some(_), Block::Removed) => {
                self.past_block = true;
                ending
            }
            (None, _) | (_, Block::Replaced(_) | Block::Replayed(_)) => ending,
        }
    }

    /// Whether a start token was said where such a token does something.
    fn starts_inside(&self, said: u32) -> bool {
        self.rules.start_inside != StartInside::Ignored && self.tokens.starts.iter().any(|start| start.token == said)
    }

    /// Counts the forwards inside the blocks of the sequence, where the protocol does; whether they are too many.
    fn counts_out(&mut self, said: u32) -> bool {
        let is_end = self.tokens.starts.iter().any(|start| start.end == Some(said));
        if self.rules.count != Count::Sequence || is_end || self.starts_inside(said) {
            return false;
        }
        self.counted += 1;
        let limit = |start: &Start| self.strategy.limit(start.stage, start.length);
        !self.ended && self.counted > self.tokens.starts.first().map_or(0, limit)
    }

    /// Whether the block repeats one token too often.
    fn repeats(&mut self, said: u32) -> bool {
        let (token, times) = self.repeated;
        self.repeated = (said, if token == said { times + 1 } else { 1 });
        self.rules.repetition.is_some_and(|most| self.repeated.1 >= most)
    }

    /// Remembers, over the sequence, that an end token was said or a block ended.
    fn note_end(&mut self, said: u32, inside: bool, ending: Ending) {
        let is_end = self.tokens.starts.iter().any(|start| start.end == Some(said));
        self.ends_said += usize::from(is_end);
        self.ended |= is_end || (inside && ending != Ending::Stays);
    }

    /// Puts what stands in the place of the block where it would begin.
    fn replace(&mut self, opens: bool, said: u32) {
        let Block::Replaced(tokens) = &self.block else { return };
        let begins = match self.rules.trigger {
            Trigger::AfterPrompt => opens,
            _ => self.tokens.starts.iter().any(|start| start.token == said),
        };
        if begins && !self.past_block {
            self.forced = tokens.iter().copied().collect();
            self.past_block = true;
        }
    }

    /// Under a blindfold what a latent forward would say is not said, for what follows would
    /// read it: the token trained behind the latents stands for it.
    fn unsaid(&self) -> Option<u32> {
        let Feed::Latent(place) = self.feed else { return None };
        (self.tokens.sight == Sight::Blindfold).then(|| self.tokens.latent_end.or(self.stages.of(place.stage).end)).flatten()
    }

    /// The token that this forward appends.
    fn append(&mut self, said: u32, inside: bool, ending: Ending) -> Option<u32> {
        let own = match (ending, self.rules.append) {
            (Ending::ByForce, _) if self.rules.at_cap == AtCap::End && inside => {
                self.then = self.rules.then;
                self.end_token().or(Some(said))
            }
            (Ending::Stays, Appended::Token(pad)) if inside => {
                let is_end = self.rules.count == Count::Sequence && self.tokens.starts.iter().any(|start| start.end == Some(said));
                Some(if is_end || self.starts_inside(said) { said } else { pad })
            }
            (Ending::Stays, Appended::Nothing) if inside => None,
            _ => Some(said),
        };
        self.forced.pop_front().or(self.unsaid()).or(own)
    }

    /// The end token of the block under way.
    fn end_token(&self) -> Option<u32> {
        let of_stage = |stage| self.stages.of(stage).end;
        of_stage(Stage::Target).or(of_stage(Stage::Context))
    }

    /// What the next forward reads, and whether there is one.
    fn settle(&mut self, appended: Option<u32>, said: u32, inside: bool, was_latent: bool) {
        if let Some(token) = appended {
            self.generated.push(token);
            self.last = token;
        }
        let open = self.stages.next();
        let reads_start = inside && appended == Some(said) && self.starts_inside(said);
        self.feed = match open {
            Some(place) if !reads_start => Feed::Latent(place),
            _ => Feed::Token(self.last),
        };
        self.past_block |= was_latent && open.is_none();
        self.finished = self.forced.is_empty() && self.stops_now();
    }

    /// Whether a stop condition holds and is heeded.
    pub(super) fn stops_now(&self) -> bool {
        let stop = self.heard || self.tokens.stops.contains(&self.last) || self.generated.len() >= self.strategy.max_new_tokens;
        stop && !self.generated.is_empty() && (self.rules.stops_inside == StopsInside::Heed || self.stages.next().is_none())
    }
}
