//! What happens around and inside a latent block, one word a question: what opens it, what is
//! appended while it lasts, what ends it by force, and what is done with an end-of-sequence token,
//! a start token or a further block. The defaults are what the code of LVR does.

use serde::{Deserialize, Serialize};

/// What opens a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A forward that reads the start token, wherever that came from: the state of that forward is fed back first.
    #[default]
    Read,
    /// The same of a start token that the model said; one at the end of a prompt opens nothing.
    Sampled,
    /// The start token is said and never read: the state that said it is fed in its place.
    InPlace,
    /// The end of the prompt, without a token.
    AfterPrompt,
}

/// What is appended to the sequence at a forward inside a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Append {
    /// What the forward says.
    #[default]
    Argmax,
    /// The protocol's pad token, whatever is said.
    Pad,
    /// Nothing, as long as the block goes on.
    Nothing,
}

/// What is appended where a block ends without its end token being said: at its cap, or by repetition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtCap {
    /// What the last forward says.
    #[default]
    Argmax,
    /// The end token, which is read next.
    End,
}

/// Whether a stop token, the budget or a stop text ends a sequence inside a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopsInside {
    /// They wait for the block's end.
    #[default]
    Wait,
    /// They end it at once.
    Heed,
}

/// What a start token does that is said inside a block of its own stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartInside {
    /// Nothing.
    #[default]
    Ignored,
    /// It is appended and read, and opens the block anew.
    Restarts,
    /// It is appended and read; then the block goes on where it was.
    GoesOn,
}

/// Over what forwards and end tokens are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Count {
    /// Over a block: each has the full length, and each may end at its end token.
    #[default]
    Block,
    /// Over the sequence, and never set back, as in Mirage's code: only the first end token that is
    /// said closes anything, wherever it is said; a block has no cap once one has ended or an end
    /// token was said. A forward that reads a start token inside a block counts as well.
    Sequence,
}

/// Whether a value is the default one, which is not written down.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
