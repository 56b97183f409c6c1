//! Several rules in a row, and what they make of one response.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AnswerRule, Asked, Part, Reading};
use crate::{Error, Result};

/// Longest answer that is kept where the options are not known, in bytes.
const LONGEST: usize = 64;

/// The rules of a run, of which the first that reads an option decides. Written `boxed` or `boxed,letter`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Answers(Vec<AnswerRule>);

/// What a response came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// The option, where one was read; where the options are not known, what was said if it is short.
    pub answer: Option<String>,
    /// Whether the rule counts it as the label.
    pub correct: bool,
    /// The part that read it, [`Part::Unread`] if none did.
    pub part: Part,
    /// What the deciding rule, or else the first, takes for the answer.
    pub said: Option<String>,
}

impl Default for Answers {
    fn default() -> Self {
        AnswerRule::default().into()
    }
}

impl From<AnswerRule> for Answers {
    fn from(rule: AnswerRule) -> Self {
        Self(vec![rule])
    }
}

impl Answers {
    /// For a model that no protocol or benchmark says anything of: every form that is common.
    pub fn of_any_model() -> Self {
        Self(vec![AnswerRule::Tagged, AnswerRule::Boxed, AnswerRule::Letter])
    }

    /// The same, and at last a bare letter: what floors are read with, for a model that is asked without its image, or
    /// was never taught a form, answers without one.
    pub fn and_bare(&self) -> Self {
        let bare = (!self.0.contains(&AnswerRule::Letter)).then_some(AnswerRule::Letter);
        Self(self.0.iter().copied().chain(bare).collect())
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[AnswerRule] {
        &self.0
    }

    /// Reads and scores a response.
    pub fn score(&self, response: &str, asked: &Asked<'_>, label: &str) -> Score {
        let mut first: Option<Score> = None;
        for rule in &self.0 {
            let reading = rule.read(response, asked);
            let score = score(*rule, reading.as_ref(), asked, label);
            if score.answer.is_some() {
                return score;
            }
            first.get_or_insert(score);
        }
        first.unwrap_or(Score { answer: None, correct: false, part: Part::Unread, said: None })
    }
}

fn score(rule: AnswerRule, reading: Option<&Reading>, asked: &Asked<'_>, label: &str) -> Score {
    let Some(reading) = reading else { return Score { answer: None, correct: false, part: Part::Unread, said: None } };
    let correct = rule.agrees(reading, label);
    let answer = if asked.options.is_empty() {
        free(rule, reading).map(|said| if correct { label.to_string() } else { said }).filter(|said| correct || said != label)
    } else {
        // Of a rule that takes several letters, the gold one counts where it is among them.
        let gold = correct.then(|| single(label)).flatten().filter(|letter| asked.option(*letter).is_some());
        let other = || asked.lettered().map(|(letter, _)| letter).find(|letter| rule.agrees(reading, letter.encode_utf8(&mut [0; 4])));
        gold.or_else(other).map(String::from)
    };
    let part = if answer.is_some() { reading.part } else { Part::Unread };
    Score { answer, correct, part, said: Some(reading.said.clone()) }
}

/// What is kept of an answer where the options are not known: of the rules that read one character, a letter; else what was said.
fn free(rule: AnswerRule, reading: &Reading) -> Option<String> {
    let said = reading.said.as_str();
    match rule {
        AnswerRule::Tagged | AnswerRule::Release => single(said).filter(char::is_ascii_alphabetic).map(String::from),
        _ if reading.part == Part::Unread || reading.part == Part::WholeText && reading.letter.is_none() => None,
        _ => reading.letter.map(String::from).or_else(|| (!said.is_empty() && said.len() <= LONGEST).then(|| said.to_string())),
    }
}

/// The only character of a text.
fn single(text: &str) -> Option<char> {
    let mut all = text.chars();
    all.next().filter(|_| all.next().is_none())
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rule) in self.0.iter().enumerate() {
            let between = if i > 0 { "," } else { "" };
            write!(f, "{between}{rule}")?;
        }
        Ok(())
    }
}

impl FromStr for Answers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rules: Vec<AnswerRule> = text.split(',').map(|rule| rule.trim().parse()).collect::<Result<_>>()?;
        if let Some((_, twice)) = rules.iter().enumerate().find(|(i, rule)| rules.iter().take(*i).any(|other| other == *rule)) {
            return Err(Error::Value {
                what: "answers rule",
                value: text.into(),
                cause: format!("names `{twice}` twice"),
                remedy: "name every rule once".into(),
            });
        }
        Ok(Self(rules))
    }
}

impl TryFrom<String> for Answers {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Answers> for String {
    fn from(answers: Answers) -> Self {
        answers.to_string()
    }
}
