//! The examples behind a number.

use prism_run::Intervention;

/// What an intervention did to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Did {
    /// Anything.
    #[default]
    Anything,
    /// Correctness changed.
    Flipped,
    /// It was right and is wrong.
    Lost,
    /// It was wrong and is right.
    Gained,
    /// Another letter, or none.
    Moved,
    /// The generated text changed.
    Changed,
    /// No answer could be parsed.
    Unparsed,
}

impl Did {
    /// Each with its word in addresses and what it is called.
    pub const ALL: [(Did, &'static str, &'static str); 7] = [
        (Did::Anything, "", "anything"),
        (Did::Flipped, "flipped", "correctness flipped"),
        (Did::Lost, "lost", "was right, now wrong"),
        (Did::Gained, "gained", "was wrong, now right"),
        (Did::Moved, "moved", "another letter, or none"),
        (Did::Changed, "changed", "generated text changed"),
        (Did::Unparsed, "unparsed", "no answer parsed"),
    ];

    /// Its word in addresses.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(did, _, _)| *did == self).map_or("", |(_, word, _)| word)
    }
}

/// The examples that a number counts, or was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Behind {
    /// Id of the run's variant.
    pub variant: String,
    /// The run's training seed.
    pub seed: Option<i64>,
    /// The intervention they ran under.
    pub intervention: Intervention,
    /// What it did to them.
    pub did: Did,
    /// Of one category only.
    pub category: Option<String>,
}

impl Behind {
    /// All examples of a run under an intervention.
    pub fn under(variant: &str, seed: Option<i64>, intervention: Intervention) -> Self {
        Self { variant: variant.into(), seed, intervention, did: Did::Anything, category: None }
    }

    /// Those it did that to.
    #[must_use]
    pub fn that(self, did: Did) -> Self {
        Self { did, ..self }
    }
}

/// Where the links of a document lead. A place that has no such address gives none, and no link is written.
pub trait Links {
    /// The address of the examples behind a number.
    fn behind(&self, _: &Behind) -> Option<String> {
        None
    }
}

/// A document without links.
#[derive(Debug, Clone, Copy)]
pub struct Nowhere;

impl Links for Nowhere {}
