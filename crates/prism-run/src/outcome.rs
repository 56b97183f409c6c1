//! How an example ended: exactly one outcome each.

use serde::{Deserialize, Serialize};

/// The end of one example under one intervention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An answer was parsed and compared with the label.
    Scored,
    /// The latent block ran, but no option letter could be parsed (counts as wrong).
    NoAnswer,
    /// The latent block never opened: interventions on it are silent no-ops.
    NoLatents,
    /// The example could not be run; the message is in its row.
    Error,
}

impl Outcome {
    /// Every outcome, in table order.
    pub const ALL: [Outcome; 4] = [Outcome::Scored, Outcome::NoAnswer, Outcome::NoLatents, Outcome::Error];

    /// The word used in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Scored => "scored",
            Outcome::NoAnswer => "no_answer",
            Outcome::NoLatents => "no_latents",
            Outcome::Error => "error",
        }
    }

    /// The outcome of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }
}
