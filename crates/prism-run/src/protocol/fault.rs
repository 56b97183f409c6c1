//! What makes a protocol's keys unusable, alone or together.

use super::{Append, AtCap, Block, Count, ExitChoice, ExitKind, LONGEST, Protocol, StartInside, Trigger};
use crate::Stage;

/// A key, what is wrong with it, and what to do.
type Fault = (String, String, String);

fn fault(key: impl Into<String>, cause: impl Into<String>, remedy: impl Into<String>) -> Option<Fault> {
    Some((key.into(), cause.into(), remedy.into()))
}

fn within(n: usize) -> bool {
    (1..=LONGEST).contains(&n)
}

fn number() -> String {
    format!("give a whole number from 1 to {LONGEST}")
}

impl Protocol {
    /// The first key that is wrong, why, and what to do.
    pub(super) fn fault(&self) -> Option<Fault> {
        if self.id.is_empty() || !self.id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return fault("id", format!("is `{}`", self.id), "give one word of letters, digits, `-`, `_` and `.`");
        }
        if !within(self.steps) {
            return fault("steps", format!("is {}", self.steps), number());
        }
        if self.blocks.is_empty() {
            return fault("blocks", "is empty", "declare at least one block with its start token");
        }
        let of_blocks = || self.blocks.iter().enumerate().find_map(|(i, block)| self.block_fault(i, block));
        of_blocks().or_else(|| self.rule_fault()).or_else(|| {
            let exit = self.exit(&ExitChoice::default()).err();
            exit.map(|e| ("exit".into(), format!("does not hold: {e}"), "correct the exit's keys".into()))
        })
    }

    fn block_fault(&self, i: usize, block: &Block) -> Option<Fault> {
        let key = |name: &str| format!("blocks[{i}].{name}");
        if block.stage == Stage::Free {
            return fault(key("stage"), "is `free`, a stage without feedback", "leave the block out: its tokens are ordinary");
        }
        let after_prompt = self.trigger == Trigger::AfterPrompt;
        if after_prompt != block.start.is_empty() || self.blocks.iter().take(i).any(|other| other.start == block.start) {
            let remedy = "give every block a start token of its own; none, and one block, with the trigger after-prompt";
            return fault(key("start"), format!("is `{}`", block.start), remedy);
        }
        if !after_prompt && (block.stands.is_some() || block.insert > 0) {
            let key = key(if block.stands.is_some() { "stands" } else { "insert" });
            return fault(key, "needs a block after the prompt", "take it out, or set `trigger = \"after-prompt\"`");
        }
        if block.insert > LONGEST {
            return fault(key("insert"), format!("is {}", block.insert), number());
        }
        if block.end.as_deref().is_some_and(|end| end.is_empty() || end == block.start) {
            return fault(key("end"), "is empty or the start token", "give the token that ends the block, or leave the key out");
        }
        if block.end.is_none() && (block.end_id.is_some() || self.exit == ExitKind::Token) {
            return fault(key("end"), "is missing", "name the end token: `end_id` and the exit `token` need it");
        }
        match (block.times, block.forwards) {
            (Some(_), Some(_)) => fault(key("times"), "stands beside `forwards`", "give one of the two"),
            (Some(times), None) if !within(times) => fault(key("times"), format!("is {times}"), number()),
            (None, Some(forwards)) if !within(forwards) => fault(key("forwards"), format!("is {forwards}"), number()),
            _ => None,
        }
    }

    fn rule_fault(&self) -> Option<Fault> {
        let ended = self.blocks.iter().all(|block| block.end.is_some());
        if (self.append == Append::Pad) != self.pad.is_some() {
            return fault("pad", "and `append` do not go together", "name the pad token with `append = \"pad\"`, and there only");
        }
        if self.pad_id.is_some() && self.pad.is_none() {
            return fault("pad_id", "has no `pad`", "name the pad token's text too");
        }
        if self.append == Append::Nothing && self.trigger != Trigger::AfterPrompt {
            return fault("append", "is `nothing` in a block that a token opens", "append argmax or pad");
        }
        if self.trigger == Trigger::AfterPrompt && (self.exit != ExitKind::Steps || self.append != Append::Nothing || self.opens_first) {
            return fault("trigger", "is `after-prompt`", "such a block takes the exit steps, appends nothing and is opened by no token");
        }
        if self.at_cap == AtCap::End && !ended {
            return fault("at_cap", "is `end`, and a block has no end token", "name it in every block");
        }
        if (self.then.is_some() || self.repetition.is_some()) && self.at_cap != AtCap::End {
            let key = if self.then.is_some() { "then" } else { "repetition" };
            return fault(key, "needs an end token that is forced", "set `at_cap = \"end\"`");
        }
        if self.repetition.is_some_and(|times| times < 2 || !within(times)) {
            return fault("repetition", "is out of range", "give a whole number from 2");
        }
        let said = self.trigger == Trigger::Sampled;
        if self.start_inside != StartInside::Ignored && !said {
            return fault("start_inside", "looks for start tokens that are said", "set `trigger = \"sampled\"`");
        }
        if self.count == Count::Sequence && !(said && self.exit == ExitKind::Token && self.append == Append::Pad) {
            let remedy = "only the trigger sampled with the exit token and pads is counted over a sequence";
            return fault("count", "is `sequence`", remedy);
        }
        if self.stop_texts.iter().any(String::is_empty) {
            return fault("stop_texts", "has an empty text", "take it out");
        }
        let out_of_range = self.pixels.fault().or(self.generation.fault());
        out_of_range.and_then(|key| fault(key, "is out of range", "correct the number, or leave the key out"))
    }
}
