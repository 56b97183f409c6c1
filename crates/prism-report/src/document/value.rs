//! A cell of a table: a value, or the reason why there is none.

use std::fmt::Display;

use prism_run::{Content, Effect, Intervention, Need, Verdict};

use super::behind::Behind;
use crate::charts::theme::VariantStyle;
use crate::html::clipped;

/// Longest text of a cell, in characters: findings may say anything, and a cell is written several times.
const LONGEST: usize = 4000;
/// Longest reason of an absent cell, and longest note: every cell of a row may have it.
const LONGEST_REASON: usize = 1000;

/// At most so many characters of a text.
pub(super) fn fitting(text: String, most: usize) -> String {
    if text.len() <= most { text } else { clipped(&text, most) }
}

/// At most as many as a reason has.
pub(super) fn reason(text: &str) -> String {
    fitting(text.to_string(), LONGEST_REASON)
}

/// Why a number is absent where nobody says more.
pub const NOT_COMPUTED: &str = "not computed";
/// Why one is absent that the file has as no number.
pub const NOT_FINITE: &str = "not a number in the file";

/// How a run is called in a table.
#[derive(Debug, Clone, PartialEq)]
pub struct RunName {
    /// Its variant's mark; a base model has none.
    pub style: Option<VariantStyle>,
    /// Its name: variant, and seed where others have the same.
    pub label: String,
    /// What is said of it in small letters.
    pub note: Option<String>,
}

/// How a word is set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As any other.
    #[default]
    Plain,
    /// Something changes.
    Changes,
    /// Nothing does.
    Bypassed,
    /// Not decided.
    Undecided,
    /// Nothing was tested.
    Silent,
    /// To be known before reading on.
    Warn,
    /// Nothing below it can be read without it.
    Alarm,
}

impl Tone {
    /// Its class in style sheets.
    pub fn class(self) -> &'static str {
        match self {
            Tone::Plain => "plain",
            Tone::Changes => "changes",
            Tone::Bypassed => "bypassed",
            Tone::Undecided => "undecided",
            Tone::Silent => "silent",
            Tone::Warn => "warn",
            Tone::Alarm => "alarm",
        }
    }
}

impl From<Verdict> for Tone {
    fn from(word: Verdict) -> Self {
        match word {
            Verdict::LoadBearing | Verdict::Misleading | Verdict::InPart => Tone::Changes,
            Verdict::Bypassed | Verdict::WithoutNetEffect => Tone::Bypassed,
            Verdict::Undecided => Tone::Undecided,
            Verdict::NoLatents | Verdict::InstrumentFault => Tone::Silent,
        }
    }
}

impl From<Content> for Tone {
    fn from(content: Content) -> Self {
        Verdict::from(content).into()
    }
}

impl From<Need> for Tone {
    fn from(need: Need) -> Self {
        match need {
            Need::Needed | Need::InTheWay => Tone::Changes,
            Need::Indifferent => Tone::Bypassed,
            Need::Undecided | Need::NotDefined => Tone::Undecided,
            Need::OnlyForm | Need::NoLatents | Need::InstrumentFault => Tone::Silent,
        }
    }
}

impl From<Effect> for Tone {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Loses | Effect::Gains => Tone::Changes,
            Effect::Unchanged | Effect::Equivalent => Tone::Bypassed,
            Effect::Undecided | Effect::NotDefined => Tone::Undecided,
            Effect::BreaksForm | Effect::TooWeak | Effect::NoLatents => Tone::Silent,
        }
    }
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A run.
    Run(RunName),
    /// An intervention.
    Intervention(Intervention),
    /// A word of a fixed list.
    Word {
        /// The word.
        text: String,
        /// How it is set apart.
        tone: Tone,
    },
    /// Any text; it may come from a file.
    Text(String),
    /// A whole number.
    Count(usize),
    /// A finite number: a share where the column is of percent or points.
    Number(f64),
    /// The two ends of an interval, finite.
    Interval(f64, f64),
    /// Nothing, for this reason; empty until the table fills it in.
    Absent(String),
}

/// A value with what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// What it holds.
    pub value: Value,
    /// The examples behind it.
    pub behind: Option<Behind>,
    /// Whether it is what its row is about.
    pub strong: bool,
    /// What is said of it where there is room.
    pub note: Option<String>,
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        Self { value, behind: None, strong: false, note: None }
    }
}

impl Cell {
    /// A number, absent where there is none.
    pub fn number(number: impl Into<Option<f64>>) -> Self {
        match number.into() {
            Some(number) if number.is_finite() => Value::Number(number).into(),
            Some(_) => Self::absent(NOT_FINITE),
            None => Self::absent(""),
        }
    }

    /// An interval, absent unless it has both ends.
    pub fn interval(low: Option<f64>, high: Option<f64>) -> Self {
        match (low, high) {
            (Some(low), Some(high)) if low.is_finite() && high.is_finite() => Value::Interval(low, high).into(),
            (Some(_), Some(_)) => Self::absent(NOT_FINITE),
            _ => Self::absent(""),
        }
    }

    /// A whole number, absent where there is none.
    pub fn count(count: impl Into<Option<usize>>) -> Self {
        count.into().map_or_else(|| Self::absent(""), |count| Value::Count(count).into())
    }

    /// A word of a fixed list, in the tone that it has.
    pub fn word<W: Display + Copy + Into<Tone>>(word: W) -> Self {
        Value::Word { text: word.to_string(), tone: word.into() }.into()
    }

    /// Words of ours, in a tone.
    pub fn words(text: impl Into<String>, tone: Tone) -> Self {
        Value::Word { text: fitting(text.into(), LONGEST), tone }.into()
    }

    /// Any text.
    pub fn text(text: impl Into<String>) -> Self {
        Value::Text(fitting(text.into(), LONGEST)).into()
    }

    /// Any text, absent where there is none.
    pub fn maybe_text(text: Option<impl Into<String>>) -> Self {
        text.map_or_else(|| Self::absent(""), Self::text)
    }

    /// Yes or no, absent where it is not known.
    pub fn truth(truth: impl Into<Option<bool>>) -> Self {
        truth.into().map_or_else(|| Self::absent(""), |truth| Self::text(if truth { "yes" } else { "no" }))
    }

    /// An intervention.
    pub fn intervention(intervention: Intervention) -> Self {
        Value::Intervention(intervention).into()
    }

    /// Nothing, and why; an empty reason is filled in by the row, the column, or [`NOT_COMPUTED`].
    pub fn absent(reason: impl Into<String>) -> Self {
        Value::Absent(fitting(reason.into(), LONGEST_REASON)).into()
    }

    /// With the reason that stands where it is absent and says none.
    #[must_use]
    pub fn or(mut self, reason: &str) -> Self {
        if let Value::Absent(known) = &mut self.value
            && known.is_empty()
        {
            *known = reason.to_string();
        }
        self
    }

    /// With the examples behind it.
    #[must_use]
    pub fn behind(self, behind: Behind) -> Self {
        Self { behind: Some(behind), ..self }
    }

    /// As what its row is about.
    #[must_use]
    pub fn strong(self) -> Self {
        Self { strong: true, ..self }
    }

    /// With what is said of it where there is room.
    #[must_use]
    pub fn note(self, note: impl Into<Option<String>>) -> Self {
        Self { note: note.into().map(|note| fitting(note, LONGEST_REASON)), ..self }
    }

    /// Why it is absent, where it is.
    pub fn reason(&self) -> Option<&str> {
        if let Value::Absent(reason) = &self.value { Some(reason) } else { None }
    }
}
