//! How an answer is read from generated text, and when it is right: rules as data.
//!
//! A rule is a word ([`AnswerRule`]); a protocol, a benchmark or the command line names one, or several of
//! which the first that reads an option decides ([`Answers`]). What a rule reads of one response is a
//! [`Reading`]: the text it takes for the answer, as the published code gives it, and the [`Part`] of the rule that
//! found it. Every rule reads a text of any length in time proportional to it, and none fails.
//!
//! | module | holds |
//! |---|---|
//! | `tagged` | the method's rule, and the release's |
//! | `letter` | a bare letter; an option by its text |
//! | `boxed`, `path` | `\boxed{}`; Mirage's paths |
//! | `laser`, `ilvr`, `swimbird`, `realvr`, `ivtlr` | each method's own |
//! | `text` | what they share |

mod boxed;
mod chain;
mod ilvr;
mod ivtlr;
mod laser;
mod letter;
pub mod path;
mod realvr;
mod swimbird;
mod tagged;
mod text;

pub use boxed::BOX;
pub use chain::{Answers, Score};
pub use text::OPENING;

use crate::records::ExampleRow;
use crate::{Example, words};

words! {
    /// A rule.
    #[derive(Default)]
    pub enum AnswerRule, "answers rule" {
        /// The first character behind the last `<answer>`; nothing without the tag.
        #[default]
        Tagged = "tagged",
        /// LVR's evaluation script: the same, and without the tag the first character of the whole response.
        Release = "release",
        /// The last `\boxed{}`.
        Boxed = "boxed",
        /// `B`, `(B)`, `B.`, `B: red`, `b`, behind `<answer>` or bare.
        Letter = "letter",
        /// The text of an option, behind `<answer>` or bare.
        OptionText = "option-text",
        /// Laser: the last letter A to D in the last ten words.
        Laser = "laser",
        /// Laser's for questions of yes and no.
        LaserYesNo = "laser-yesno",
        /// Laser's for MMVP, where yes is the first option.
        LaserMmvp = "laser-mmvp",
        /// Mirage: the last `\boxed{}`; where the label is a map, its path is walked.
        Mirage = "mirage",
        /// ILVR: behind `final answer:` or `answer:`, the prompt included; yes and a are one, no and b.
        Ilvr = "ilvr",
        /// SwimBird: the first `<answer>..</answer>`, else everything.
        SwimBird = "swimbird",
        /// ReaLVR: the first `<answer>`, a phrase matched to the options of the question; else a letter.
        Realvr = "realvr",
        /// IVT-LR: every letter behind `the answer is` or `Answer:`, the prompt included.
        Ivtlr = "ivtlr",
    }
}

words! {
    /// The part of a rule that found an answer.
    pub enum Part, "part of an answers rule" {
        /// Behind `<answer>`.
        Tag = "tag",
        /// In `\boxed{}`.
        Boxed = "boxed",
        /// Behind words such as `the answer is`.
        Phrase = "phrase",
        /// A letter that stands alone.
        Letter = "letter",
        /// The text of an option.
        OptionText = "option_text",
        /// A word such as yes.
        Word = "word",
        /// The first character of what was looked at.
        FirstCharacter = "first_character",
        /// Everything.
        WholeText = "whole_text",
        /// No option was found.
        Unread = "unread",
        /// The records hold another answer than their rule reads from the text: they were scored elsewhere.
        AsRecorded = "as_recorded",
    }
}

/// The question, as far as a rule looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The user turn's text.
    pub question: &'a str,
    /// The whole prompt as decoded, special tokens included; absent: the question in a chat with the usual system turn.
    pub prompt: Option<&'a str>,
    /// The options' texts in letter order; empty where they are not known.
    pub options: &'a [String],
}

impl<'a> Asked<'a> {
    /// A question and its options.
    pub fn of(question: &'a str, options: &'a [String]) -> Self {
        Self { question, prompt: None, options }
    }

    /// Whether the (upper case) letter is an option's; any letter, where the options are not known.
    pub fn is_option(&self, letter: char) -> bool {
        self.options.is_empty() || self.option(letter).is_some()
    }

    /// Text of the letter's option.
    pub fn option(&self, letter: char) -> Option<&'a str> {
        let index = u32::from(letter).checked_sub(u32::from('A')).filter(|index| *index < 26)?;
        self.options.get(index as usize).map(String::as_str)
    }

    /// The options with their letters; A to Z at most.
    pub fn lettered(&self) -> impl Iterator<Item = (char, &'a str)> + use<'a> {
        ('A'..='Z').zip(self.options).map(|(letter, option)| (letter, option.as_str()))
    }

    /// Prompt and response as one text, for the rules that read both.
    fn whole(&self, response: &str) -> String {
        match self.prompt {
            Some(prompt) => format!("{prompt}{response}"),
            None => format!(
                "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n{response}",
                self.question
            ),
        }
    }
}

impl<'a> From<&'a Example> for Asked<'a> {
    fn from(example: &'a Example) -> Self {
        Self::of(&example.prompt, &example.options)
    }
}

impl<'a> From<&'a ExampleRow> for Asked<'a> {
    fn from(example: &'a ExampleRow) -> Self {
        Self::of(&example.prompt, &example.options)
    }
}

/// What a rule reads of one response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The answer as the published code extracts it: a letter, a phrase, several letters, or its word for nothing.
    pub said: String,
    /// Which part of the rule found it.
    pub part: Part,
    /// The option it names, where the rule looks at the options itself.
    pub letter: Option<char>,
}

impl Reading {
    fn new(said: impl Into<String>, part: Part) -> Self {
        Self { said: said.into(), part, letter: None }
    }

    fn naming(self, letter: Option<char>) -> Self {
        Self { letter, ..self }
    }
}

impl AnswerRule {
    /// What it looks at, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Tagged => "the first character behind the last <answer>",
            Self::Release => "the first character behind the last <answer>, or of the whole response",
            Self::Boxed => "the last \\boxed{}",
            Self::Letter => "a letter as B, (B), B. or B: red, behind <answer> or bare",
            Self::OptionText => "an option's text, behind <answer> or bare",
            Self::Laser => "the last letter A to D in the last ten words",
            Self::LaserYesNo => "yes or no behind the last <answer>",
            Self::LaserMmvp => "the last letter A to D in the last ten words, or yes for the first option",
            Self::Mirage => "the last \\boxed{}, a path where the label is a map",
            Self::Ilvr => "behind the first `final answer:` or `answer:`, the prompt included",
            Self::SwimBird => "the first <answer>..</answer>, or the whole response",
            Self::Realvr => "the first <answer>, its letter or the option it names, or a letter",
            Self::Ivtlr => "every letter behind `the answer is` or `Answer:`, the prompt included",
        }
    }

    /// What the rule takes for the answer; `None` where it reads nothing at all.
    pub fn read(self, response: &str, asked: &Asked<'_>) -> Option<Reading> {
        Some(match self {
            Self::Tagged => return tagged::tagged(response),
            Self::Release => tagged::release(response),
            Self::Boxed => boxed::boxed(response, asked),
            Self::Letter => letter::letter(response, asked),
            Self::OptionText => letter::option(response, asked),
            Self::Laser => laser::letter(response),
            Self::LaserYesNo => laser::yes_no(response),
            Self::LaserMmvp => laser::mmvp(response),
            Self::Mirage => boxed::mirage(response, asked),
            Self::Ilvr => ilvr::read(&asked.whole(response)),
            Self::SwimBird => swimbird::read(response, asked),
            Self::Realvr => realvr::read(response, asked.question),
            Self::Ivtlr => ivtlr::read(&asked.whole(response)),
        })
    }

    /// Whether the rule counts the reading as `label`.
    pub fn agrees(self, reading: &Reading, label: &str) -> bool {
        let said = reading.said.as_str();
        match self {
            Self::Tagged | Self::Release => !said.is_empty() && said == label,
            Self::Laser | Self::LaserMmvp => said == laser::plain(label),
            Self::LaserYesNo => said == laser::yes_no_label(label),
            Self::Ilvr => ilvr::normal(said) == ilvr::normal(label),
            Self::Realvr => realvr::normal(said) == realvr::normal(label),
            Self::Ivtlr => ivtlr::candidates(said).any(|letter| letter.eq_ignore_ascii_case(text::strip(label))),
            Self::Mirage if path::map(label).is_some() => path::map(label).and_then(|map| path::walk(&map, said)) == Some(path::Walk::Goal),
            Self::Boxed | Self::Mirage | Self::Letter | Self::OptionText | Self::SwimBird => match reading.letter {
                Some(letter) => label.chars().eq([letter]),
                None => reading.part != Part::Unread && !said.is_empty() && said == text::strip(label),
            },
        }
    }
}

#[cfg(test)]
mod tests;
