//! A protocol's rules of a block with the ids of a checkpoint: what the sequence of forwards follows.

use prism_run::Stage;
use prism_run::protocol::{AtCap, Count, ExitKind, Length, StartInside, StopsInside, Trigger};

/// What is appended at a forward inside a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Appended {
    /// What it says.
    #[default]
    Said,
    /// This token.
    Token(u32),
    /// Nothing, as long as the block goes on.
    Nothing,
}

/// A block that the end of the prompt opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptBlock {
    /// Stage of its forwards.
    pub stage: Stage,
    /// Their number.
    pub length: Length,
    /// Image tokens read before each.
    pub insert: usize,
    /// The token that stands in the prompt for each.
    pub stands: Option<u32>,
}

/// The rules of a protocol's blocks; by default LVR's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What opens a block.
    pub trigger: Trigger,
    /// The block that the prompt's end opens, with the trigger [`Trigger::AfterPrompt`].
    pub prompt_block: Option<PromptBlock>,
    /// The declared exit, under which the following four hold.
    pub exit: ExitKind,
    /// Whether the first token is the start token.
    pub opens_first: bool,
    /// What is appended where a block ends by force.
    pub at_cap: AtCap,
    /// What follows an end token that was forced.
    pub then: Option<u32>,
    /// Equal tokens in a row that end a block by force.
    pub repetition: Option<usize>,
    /// What is appended inside a block.
    pub append: Appended,
    /// What stop conditions do inside a block.
    pub stops_inside: StopsInside,
    /// What a start token does inside a block.
    pub start_inside: StartInside,
    /// Over what is counted.
    pub count: Count,
    /// Texts that end a sequence, in small letters.
    pub stop_texts: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            trigger: Trigger::Read,
            prompt_block: None,
            exit: ExitKind::Steps,
            opens_first: false,
            at_cap: AtCap::Argmax,
            then: None,
            repetition: None,
            append: Appended::Said,
            stops_inside: StopsInside::Wait,
            start_inside: StartInside::Ignored,
            count: Count::Block,
            stop_texts: Vec::new(),
        }
    }
}

impl Rules {
    /// The rules under the exit that was chosen: what a runner forces belongs to the declared one, and
    /// what it counts over the sequence too.
    #[must_use]
    pub fn under(&self, exit: ExitKind) -> Self {
        if exit == self.exit {
            return self.clone();
        }
        let base = Self::default();
        Self {
            opens_first: base.opens_first,
            at_cap: base.at_cap,
            then: base.then,
            repetition: base.repetition,
            count: base.count,
            ..self.clone()
        }
    }
}
